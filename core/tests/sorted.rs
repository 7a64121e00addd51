//! The map on a sorted vector does what the standard library's does.

use std::collections::BTreeMap;

use everwire_core::SortedMap;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A key above all that there have been.
    Next(u8),
    Insert(u16, u8),
    Default(u16),
    Change(u16, u8),
    Remove(u16),
    PopFirst,
    ChangeFrom(u16, u8),
    ChangeAll(u8),
}

fn step() -> impl Strategy<Value = Step> {
    // Few keys, so that holes are met again.
    let key = 0..200u16;
    prop_oneof![
        6 => any::<u8>().prop_map(Step::Next),
        2 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
        1 => key.clone().prop_map(Step::Default),
        1 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Change(key, value)),
        6 => key.clone().prop_map(Step::Remove),
        2 => Just(Step::PopFirst),
        1 => (key, any::<u8>()).prop_map(|(key, value)| Step::ChangeFrom(key, value)),
        1 => any::<u8>().prop_map(Step::ChangeAll),
    ]
}

fn carry_out(step: Step, map: &mut SortedMap<u16, u8>, model: &mut BTreeMap<u16, u8>) {
    match step {
        Step::Next(value) => {
            let next = model.keys().next_back().map_or(0, |last| last + 1);
            assert_eq!(map.insert(next, value), model.insert(next, value));
        }
        Step::Insert(key, value) => assert_eq!(map.insert(key, value), model.insert(key, value)),
        Step::Default(key) => assert_eq!(map.or_default(key), model.entry(key).or_default()),
        Step::Change(key, value) => {
            let (one, other) = (map.get_mut(&key), model.get_mut(&key));
            assert_eq!(one, other);
            if let (Some(one), Some(other)) = (one, other) {
                (*one, *other) = (value, value);
            }
        }
        Step::Remove(key) => assert_eq!(map.remove(&key), model.remove(&key)),
        Step::PopFirst => assert_eq!(map.pop_first(), model.pop_first()),
        Step::ChangeFrom(key, value) => {
            assert!(map.range_mut(key..).eq(model.range_mut(key..)));
            map.range_mut(key..).for_each(|(_, old)| *old ^= value);
            model.range_mut(key..).for_each(|(_, old)| *old ^= value);
        }
        Step::ChangeAll(value) => {
            map.values_mut().for_each(|old| *old ^= value);
            model.values_mut().for_each(|old| *old ^= value);
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_done_it_is_the_standard_map(steps in prop::collection::vec(step(), 0..400)) {
        let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
        for step in steps {
            carry_out(step, &mut map, &mut model);
            prop_assert_eq!(map.len(), model.len());
            prop_assert_eq!(map.is_empty(), model.is_empty());
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!(map.iter().rev().eq(model.iter().rev()));
            prop_assert!(map.keys().eq(model.keys()) && map.values().eq(model.values()));
            for key in 0..220 {
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
            }
            prop_assert_eq!(&map, &model.clone().into_iter().collect());
            prop_assert_eq!(format!("{map:?}"), format!("{model:?}"));
        }
    }
}

#[test]
fn entries_in_any_order_and_twice() {
    let map: SortedMap<_, _> = [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd')].into_iter().collect();
    assert!(map.iter().eq([(&1, &'b'), (&2, &'d'), (&3, &'c')]));
    assert_eq!(map[&2], 'd');
}
