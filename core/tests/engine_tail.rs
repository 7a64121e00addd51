//! A tail answers adjacent intervals and the casts since the last look, to any number of nodes.
mod engine_common;
use engine_common::*;
use everwire_core::Duration;
use everwire_core::engine::*;

/// [ENG-27]
#[test]
fn each_look_goes_on_where_the_last_one_ended() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0)]);
    let mut cursor = Cursor::after(0);
    assert_eq!(bench.look(&of, &mut cursor), (0, 0, vec![], vec![]));
    bench.fill(&["a", "b"]);
    assert_eq!(bench.look(&of, &mut cursor), (0, 2, vec![1], vec![]));
    assert_eq!(bench.look(&of, &mut cursor), (2, 2, vec![], vec![]), "a look too many is harmless");
    bench.fill(&["b"]);
    bench.fill(&["b", "a"]);
    assert_eq!(bench.look(&of, &mut cursor), (2, 5, vec![5], vec![]), "two wake-ups may be one");
    assert_eq!(cursor.position, 5);
}

/// [ENG-27] A limit splits an interval and leaves no hole.
#[test]
fn a_limited_tail_is_still_adjacent() {
    let mut bench = Bench::new();
    bench.fill(&["a", "b", "a", "a", "b", "a", "b"]);
    let of = filter(&[("a", 0)]);
    let mut cursor = Cursor::after(0);
    let mut looks = Vec::new();
    loop {
        let limit = Limit { messages: 2, octets: u64::MAX };
        let answer = bench.engine.tail(&bench.epoch, &of, &mut cursor, limit, bench.now).unwrap();
        let Tailed::Step { interval, .. } = answer else { panic!() };
        looks.push((interval.after, interval.upto, numbers(&interval.messages)));
        if !interval.more {
            break;
        }
    }
    assert_eq!(looks, [(0, 3, vec![1, 3]), (3, 7, vec![4, 6])]);
}

/// [NODE-1] [NODE-4] Nothing of a tail is kept by the engine, so any node goes on from a position.
#[test]
fn another_node_goes_on_from_a_position() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0)]);
    let mut first = Cursor::after(0);
    bench.fill(&["a"]);
    bench.look(&of, &mut first);
    bench.fill(&["a", "a"]);
    let mut second = Cursor::after(first.position);
    assert_eq!(bench.look(&of, &mut second).2, [2, 3]);
    assert_eq!(bench.look(&of, &mut first).2, [2, 3], "and takes nothing from the first");
}

/// [NODE-12] [ROOM-6] A subject that is joined later is read from its `from`, not from the next look.
#[test]
fn the_filter_may_grow_between_two_looks() {
    let mut bench = Bench::new();
    let mut cursor = Cursor::after(0);
    bench.fill(&["a", "b"]);
    bench.look(&filter(&[("a", 0)]), &mut cursor);
    bench.fill(&["b", "a", "b"]);
    assert_eq!(bench.look(&filter(&[("a", 0), ("b", 2)]), &mut cursor), (2, 5, vec![3, 4, 5], vec![]));
    bench.fill(&["b", "a"]);
    assert_eq!(bench.look(&filter(&[("b", 2)]), &mut cursor).2, [6], "or shrink");
}

/// [ENG-26] [LOST-6] And the cursor stays, so that nothing is skipped in silence.
#[test]
fn a_tail_that_was_overtaken_says_so_until_it_is_moved() {
    let mut bench = Bench::with(MemoryConfig { messages_max: 2, ..MemoryConfig::default() });
    let of = filter(&[("a", 0), ("b", 0)]);
    let mut cursor = Cursor::after(0);
    bench.fill(&["a"]);
    bench.look(&of, &mut cursor);
    bench.publish("a", 7);
    bench.fill(&["a", "b", "b"]);
    for _ in 0..2 {
        assert_eq!(bench.tail(&of, &mut cursor), Tailed::Trimmed(vec!["a".into()]));
        assert_eq!(cursor.position, 1);
    }
    let begun_anew = filter(&[("a", 4), ("b", 0)]);
    assert_eq!(bench.look(&begun_anew, &mut cursor), (1, 4, vec![3, 4], vec![7]), "b goes on untouched");
    let mut moved = Cursor::after(0);
    moved.position = 3;
    assert_eq!(bench.look(&of, &mut moved), (3, 4, vec![4], vec![]));
}

/// [ENG-29] [CAST-1] [CAST-5]
#[test]
fn casts_reach_open_tails_once_and_in_order() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0), ("b", u64::MAX - 1)]);
    let mut open = Cursor::after(0);
    bench.publish("a", 1);
    assert_eq!(bench.look(&of, &mut open).3, [0u32; 0], "it was not open yet");
    bench.publish("a", 2);
    bench.publish("c", 3);
    bench.publish("b", 4);
    bench.publish("a", 5);
    let mut late = Cursor::after(0);
    bench.look(&of, &mut late);
    assert_eq!(bench.look(&of, &mut open), (0, 0, vec![], vec![2, 4, 5]), "by subject, whatever its from");
    assert_eq!(bench.look(&of, &mut open).3, [0u32; 0], "at most once");
    bench.publish("a", 6);
    assert_eq!((bench.look(&of, &mut open).3, bench.look(&of, &mut late).3), (vec![6], vec![6]));
    assert_eq!(bench.head(), 0, "they have no number");
}

/// [ENG-29] Not kept: bounded by count, bytes and age, whether anybody looks or not.
#[test]
fn casts_wait_in_bounded_room_only() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0)]);
    let mut cursor = Cursor::after(0);
    bench.look(&of, &mut cursor);
    for id in 0..CASTS_MAX as u32 + 10 {
        bench.publish("a", id);
    }
    assert_eq!(bench.engine.memory_use().casts, CASTS_MAX);
    let casts = bench.look(&of, &mut cursor).3;
    assert_eq!((casts.len(), casts[0]), (CASTS_MAX, 10), "the newest");

    let long = Post::new("a".into(), Body { id: 1, octets: CAST_OCTETS_MAX / 2 + 1 });
    for _ in 0..5 {
        bench.engine.publish(&bench.epoch, long.clone(), bench.now).unwrap();
    }
    assert_eq!(bench.engine.memory_use().casts, 1);

    bench.pass(CAST_AGE_MAX);
    assert_eq!(bench.look(&of, &mut cursor).3, [0u32; 0]);
    assert_eq!(bench.engine.memory_use().casts, 0);
}

/// [ENG-29]
#[test]
fn a_cast_waits_five_seconds_for_a_tail_that_has_begun() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0)]);
    let (mut soon, mut late) = (Cursor::after(0), Cursor::after(0));
    bench.look(&of, &mut soon);
    bench.look(&of, &mut late);
    bench.publish("a", 1);
    bench.pass(secs(4));
    bench.publish("a", 2);
    bench.pass(Duration::from_micros(999_999));
    assert_eq!(bench.look(&of, &mut soon).3, [1, 2]);
    bench.pass(Duration::from_micros(1));
    assert_eq!(bench.look(&of, &mut late).3, [2], "5 s old, and 1 s");
}

/// [ENG-30] [EPOCH-5] A tail does not go on in a new log, nor do casts of the old one reach it.
#[test]
fn a_tail_ends_with_its_log_epoch() {
    let mut bench = Bench::new();
    let of = filter(&[("a", 0)]);
    let mut cursor = Cursor::after(0);
    bench.look(&of, &mut cursor);
    bench.fill(&["a"]);
    bench.publish("a", 1);
    bench.publish("a", 2);
    bench.look(&filter(&[]), &mut cursor);
    cursor.position = 0;
    bench.publish("a", 3);
    bench.engine.restart("e2".into());
    let (epoch, now) = (bench.epoch.clone(), bench.now);
    let answer = bench.engine.tail(&epoch, &of, &mut cursor, UNLIMITED, now);
    assert_eq!((answer, cursor.position), (Err(Failure::EpochChanged), 0));
    bench.epoch = "e2".into();
    bench.publish("a", 4);
    assert_eq!(bench.look(&of, &mut cursor), (0, 0, vec![], vec![4]));
}

/// Who drives nodes looks at one number to know whether to wake them.
#[test]
fn changes_rise_exactly_when_there_is_something_to_look_at() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    let before = bench.engine.changes();
    bench.refuse(1, 1, 1, 1);
    bench.append(1, 1, 1, 1, &posts("a", 1..=1));
    bench.append(1, 1, 1, 9, &posts("a", 1..=1));
    bench.append(1, 0, 1, 2, &posts("a", 1..=1));
    bench.append(1, 1, 1, 2, &[]);
    assert_eq!(bench.engine.changes(), before);
    bench.append(1, 1, 1, 2, &posts("a", 1..=1));
    assert_eq!(bench.engine.changes(), before + 1);
    bench.publish("a", 1);
    assert_eq!(bench.engine.changes(), before + 2);
    bench.engine.restart("e2".into());
    assert_eq!(bench.engine.changes(), before + 3);
}
