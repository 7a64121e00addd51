//! What is saved of a log is enough to make it again, and no more than that. `engine_any_sequence.rs` has the rest.
mod engine_common;
use std::collections::BTreeMap;

use engine_common::*;
use everwire_core::engine::*;

fn claim(engine: &mut Memory<Body>) -> Fence {
    let claim = Claim {
        producer: producer(1),
        identity: Identity::named("ann"),
        inbox: inbox(1),
        link: 1,
        oldest: 1,
        written: 0,
        born: None,
    };
    engine.claim(&claim, Bench::new().now).unwrap();
    Fence { epoch: engine.epoch().clone(), producer: producer(1), link: 1, oldest: 1 }
}

/// [ENG-28] Of subjects that are no longer remembered one by one, nothing is kept one by one.
#[test]
fn what_is_forgotten_leaves_the_store_too() {
    let config = MemoryConfig { messages_max: 2, subjects_idle_max: 3, ..MemoryConfig::default() };
    let mut engine = Memory::new(config, "e".into());
    engine.record_changes();
    let fence = claim(&mut engine);
    let (mut trimmed, mut messages, mut marks) = (BTreeMap::new(), BTreeMap::new(), Marks::default());
    let now = Bench::new().now;
    for n in 1..40u32 {
        engine.append(&fence, n.into(), &[post(&format!("room {n}"), n)], now).unwrap();
        let changes = engine.take_changes();
        marks = changes.marks;
        messages.extend(changes.stored.into_iter().map(|saved| (saved.message.s, saved)));
        changes.discarded.iter().for_each(|s| drop(messages.remove(s)));
        for (subject, known) in changes.trimmed {
            match known {
                Some(known) => drop(trimmed.insert(subject, known)),
                None => drop(trimmed.remove(&subject)),
            }
        }
        assert!(trimmed.len() <= 6 && messages.len() <= 2, "after {n}: {trimmed:?}");
    }
    let records = vec![];
    let saved = Saved {
        messages: messages.into_values().collect(),
        records,
        trimmed: trimmed.into_iter().collect(),
        marks,
    };
    let mut again = Memory::restore(config, "e".into(), saved);
    let rooms: Vec<_> = (1..42).map(|n| format!("room {n}")).collect();
    let all = rooms.iter().fold(Filter::new(), |all, room| all.with(room.as_str().into(), 0));
    let told = |engine: &mut Memory<Body>| engine.trimmed(&"e".into(), &all, now).unwrap();
    assert_eq!(told(&mut again), told(&mut engine));
    assert!(told(&mut again).iter().any(|(_, trimmed)| *trimmed > 0));
}

#[test]
fn nothing_is_noted_unless_asked_for() {
    let mut engine = Memory::new(MemoryConfig::default(), "e".into());
    let fence = claim(&mut engine);
    engine.append(&fence, 1, &[post("a", 1)], Bench::new().now).unwrap();
    assert!(engine.take_changes().is_empty());
}

#[test]
fn a_read_changes_nothing() {
    let mut engine = Memory::new(MemoryConfig::default(), "e".into());
    engine.record_changes();
    let fence = claim(&mut engine);
    engine.append(&fence, 1, &[post("a", 1)], Bench::new().now).unwrap();
    assert!(!engine.take_changes().is_empty());
    engine
        .tail(&"e".into(), &filter(&[("a", 0)]), &mut Cursor::after(0), UNLIMITED, Bench::new().now)
        .unwrap();
    engine.publish(&"e".into(), post("a", 2), Bench::new().now).unwrap();
    assert!(engine.take_changes().is_empty());
}
