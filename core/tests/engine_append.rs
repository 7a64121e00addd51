//! Messages are stored once and in order, under the newest link only.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

fn claimed() -> Bench {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    bench
}

/// [ENG-1] [ENG-17]
#[test]
fn a_batch_is_stored_in_order_and_the_mark_moves_with_it() {
    let mut bench = claimed();
    let answer = bench.append(1, 1, 1, 1, &posts("room", 1..=3));
    assert_eq!(answer, Appended::Stored { mark: 3, numbers: vec![1, 2, 3] });
    let answer = bench.append(1, 1, 1, 4, &posts("room", 4..=4));
    assert_eq!(answer, Appended::Stored { mark: 4, numbers: vec![4] });
    let Read::Interval(it) = bench.read_all(&filter(&[("room", 0)]), 0) else { panic!() };
    assert_eq!(ids(&it.messages), [1, 2, 3, 4]);
}

/// [ENG-14] [ENG-6] [NODE-6] Neither mark, nor floor, nor refusals.
#[test]
fn any_other_link_is_fenced_and_changes_nothing() {
    let mut bench = claimed();
    bench.refuse(1, 1, 1, 1);
    bench.claimed(1, 3, 1, 1);
    for link in [0, 1, 2, 4, u64::MAX] {
        assert_eq!(bench.append(1, link, 2, 2, &posts("room", 2..=2)), Appended::Fenced);
        assert_eq!(bench.append(1, link, 2, 2, &[]), Appended::Fenced);
        assert_eq!(bench.refuse(1, link, 2, 2), RefusalAnswer::Fenced);
    }
    assert_eq!(bench.head(), 0);
    assert_eq!(bench.claimed(1, 5, 1, 1), (1, vec![1]));
}

/// [ENG-14]
#[test]
fn without_a_record_nothing_is_stored() {
    let mut bench = Bench::new();
    assert_eq!(bench.append(1, 1, 1, 1, &posts("room", 1..=1)), Appended::Fenced);
    assert_eq!(bench.refuse(1, 1, 1, 1), RefusalAnswer::Fenced);
    assert_eq!((bench.head(), bench.engine.memory_use().records), (0, 0));
}

/// [ENG-15] Whatever the further answer, and never beyond what is settled.
#[test]
fn oldest_is_applied_even_where_nothing_is_stored() {
    for call in 0..6 {
        let config = MemoryConfig { messages_max: 1, age_min: secs(10), ..MemoryConfig::default() };
        let mut bench = Bench::with(config);
        bench.claimed(1, 1, 1, 0);
        for n in 1..=4 {
            bench.refuse(1, 1, 1, n);
        }
        match call {
            0 => assert_eq!(bench.append(1, 1, 3, 9, &posts("room", 9..=9)), Appended::Gap { mark: 4 }),
            1 => assert!(matches!(
                bench.append(1, 1, 3, 4, &posts("room", 4..=4)),
                Appended::Duplicate { mark: 4, refusals } if refusals.len() == 2
            )),
            2 => assert_eq!(bench.refuse(1, 1, 3, 9), RefusalAnswer::Gap { mark: 4 }),
            3 => assert!(matches!(bench.refuse(1, 1, 3, 2), RefusalAnswer::Duplicate { mark: 4, .. })),
            4 => {
                bench.fill(&["room"]);
                let full = Appended::Full { mark: 4, numbers: vec![] };
                assert_eq!(bench.append(1, 1, 3, 5, &posts("room", 5..=5)), full);
            }
            _ => assert!(matches!(bench.append(1, 1, 3, 4, &[]), Appended::Duplicate { mark: 4, .. })),
        }
        assert_eq!(bench.engine.memory_use().refusals, 2, "call {call}");
        assert_eq!(bench.claim(1, 2, 2, 4), Claimed::Unknown, "the floor is 3");
        assert_eq!(bench.claimed(1, 3, 3, 4), (4, vec![3, 4]));
    }
}

/// [ENG-15] A floor beyond the mark would make the client's next claim unknown.
#[test]
fn the_floor_never_passes_the_mark() {
    let mut bench = claimed();
    bench.append(1, 1, 1, 1, &posts("room", 1..=2));
    bench.append(1, 1, u64::MAX, 3, &[]);
    assert_eq!(bench.claimed(1, 2, 3, 2), (2, vec![]));
}

/// [ENG-15] A repeated call with an old oldest brings nothing back.
#[test]
fn the_floor_never_falls() {
    let mut bench = claimed();
    bench.refuse(1, 1, 1, 1);
    bench.append(1, 1, 2, 2, &posts("room", 2..=2));
    bench.append(1, 1, 1, 2, &posts("room", 2..=2));
    assert_eq!(bench.claim(1, 2, 1, 2), Claimed::Unknown);
}

/// [ENG-16]
#[test]
fn a_hole_is_a_gap_and_stores_nothing() {
    let mut bench = claimed();
    assert_eq!(bench.append(1, 1, 1, 2, &posts("room", 2..=2)), Appended::Gap { mark: 0 });
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    for n in [3, 1 << 53, u64::MAX] {
        assert_eq!(bench.append(1, 1, 1, n, &posts("room", 3..=4)), Appended::Gap { mark: 1 });
    }
    assert_eq!(bench.head(), 1);
}

/// [ENG-5] [ENG-17] [SEND-22]
#[test]
fn repetition_stores_nothing_twice() {
    let mut bench = claimed();
    bench.refuse(1, 1, 1, 1);
    bench.append(1, 1, 1, 2, &posts("room", 2..=4));
    for (n, last) in [(2, 4), (2, 3), (4, 4), (1, 1), (0, 3)] {
        let refusals = vec![(1, code("forbidden"))];
        let answer = bench.append(1, 1, 1, n, &posts("room", n as u32..=last));
        assert_eq!(answer, Appended::Duplicate { mark: 4, refusals });
    }
    let answer = bench.append(1, 1, 1, 3, &posts("room", 3..=6));
    assert_eq!(answer, Appended::Stored { mark: 6, numbers: vec![4, 5] }, "without what was settled");
    let Read::Interval(it) = bench.read_all(&filter(&[("room", 0)]), 0) else { panic!() };
    assert_eq!(ids(&it.messages), [2, 3, 4, 5, 6]);
}

/// [ENG-21] As long as the record lives, and far beyond the life of the messages.
#[test]
fn dedupe_has_no_window() {
    let mut bench = claimed();
    for n in 1..=3000 {
        assert!(stored(&bench.append(1, 1, n, n, &posts("room", n as u32..=n as u32))));
    }
    bench.pass(secs(29 * 24 * 60 * 60));
    for n in 1..=3000 {
        let answer = bench.append(1, 1, 3001, n, &posts("room", n as u32..=n as u32));
        assert_eq!(answer, Appended::Duplicate { mark: 3000, refusals: vec![] });
    }
}

/// [ENG-18] [SEND-24] A full store is no verdict: the same call goes on where it stopped.
#[test]
fn a_full_log_stores_a_leading_part_and_the_rest_later() {
    let config = MemoryConfig { messages_max: 4, age_min: secs(10), ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    bench.claimed(1, 1, 1, 0);
    let batch = posts("room", 1..=6);
    assert_eq!(bench.append(1, 1, 1, 1, &batch), Appended::Full { mark: 4, numbers: vec![1, 2, 3, 4] });
    assert_eq!(bench.append(1, 1, 1, 1, &batch), Appended::Full { mark: 4, numbers: vec![] });
    assert_eq!(bench.trimmed("room"), 0);
    bench.pass(secs(10));
    assert_eq!(bench.append(1, 1, 1, 1, &batch), Appended::Stored { mark: 6, numbers: vec![5, 6] });
    assert_eq!(bench.trimmed("room"), 2);
}

/// [ENG-18] By bytes too, where one long message needs the room of several.
#[test]
fn a_long_message_waits_for_the_room_of_several() {
    let octets_max = 4 * (100 + STORED_OVERHEAD_OCTETS);
    let mut bench = Bench::with(MemoryConfig { octets_max, age_min: secs(10), ..MemoryConfig::default() });
    bench.claimed(1, 1, 1, 0);
    bench.append(1, 1, 1, 1, &posts("room", 1..=2));
    bench.pass(secs(5));
    bench.append(1, 1, 1, 3, &posts("room", 3..=4));
    let long = [Post::new("room".into(), Body { id: 5, octets: 900 })];
    bench.pass(secs(5));
    assert_eq!(
        bench.append(1, 1, 1, 5, &long),
        Appended::Full { mark: 4, numbers: vec![] },
        "3 is too young to go"
    );
    bench.pass(secs(5));
    assert!(stored(&bench.append(1, 1, 1, 5, &long)));
    assert_eq!(bench.trimmed("room"), 4);
}

/// [ENG-18] Without a bound on the age of what may be discarded, nothing is ever answered *full*.
#[test]
fn any_single_message_finds_room() {
    let mut bench = Bench::with(MemoryConfig { octets_max: 2000, ..MemoryConfig::default() });
    bench.claimed(1, 1, 1, 0);
    for n in 1..=20 {
        let octets = if n % 4 == 0 { 1 << 20 } else { 500 };
        let batch = [Post::new("room".into(), Body { id: n as u32, octets })];
        assert!(stored(&bench.append(1, 1, n, n, &batch)));
        let of = filter(&[("room", n - 1)]);
        assert_eq!(interval(bench.read_all(&of, n - 1)).2, [n], "the newest is there");
    }
}

/// [ENG-20] [SEND-13]
#[test]
fn an_empty_batch_is_a_release_whatever_its_number() {
    let mut bench = claimed();
    for n in 1..=3 {
        bench.refuse(1, 1, 1, n);
    }
    for n in [0, 2, 4, u64::MAX] {
        let refusals = vec![(3, code("forbidden"))];
        assert_eq!(bench.append(1, 1, 3, n, &[]), Appended::Duplicate { mark: 3, refusals });
    }
    bench.append(1, 1, 4, 4, &[]);
    assert_eq!(bench.engine.memory_use().refusals, 0);
}

/// [ENG-30] [EPOCH-5] Before every other test, of the fence and of the head too.
#[test]
fn calls_of_another_log_epoch_fail_and_do_nothing() {
    let mut bench = claimed();
    let (old, now) = (bench.epoch.clone(), bench.now);
    // One that holds in the new log, one of an older link, one of nobody.
    let fences = [bench.fence(1, 1, 1), bench.fence(1, 0, 1), bench.fence(9, 1, 1)];
    bench.engine.restart("e2".into());
    bench.claimed(1, 1, 1, 0);
    let engine = &mut bench.engine;
    let changed = Failure::EpochChanged;
    for fence in fences {
        for n in [0, 1, 9] {
            assert_eq!(engine.append(&fence, n, &posts("room", 1..=1), now), Err(changed));
            assert_eq!(engine.append(&fence, n, &[], now), Err(changed));
            assert_eq!(engine.refuse(&fence, n, &code("forbidden"), now), Err(changed));
        }
    }
    let filter = filter(&[("room", 0)]);
    for after in [0, 99] {
        let (span, before) = (Span { after, ..ALL }, Cursor::after(after));
        assert_eq!(engine.read(&old, &filter, span, UNLIMITED, Direction::Upwards, now), Err(changed));
        let mut cursor = before.clone();
        assert_eq!(engine.tail(&old, &filter, &mut cursor, UNLIMITED, now), Err(changed));
        assert_eq!(cursor, before);
    }
    assert_eq!(engine.trimmed(&old, &filter, now), Err(changed));
    assert_eq!(engine.publish(&old, post("room", 1), now), Err(changed));
    bench.epoch = "e2".into();
    assert_eq!((bench.head(), bench.engine.memory_use().casts), (0, 0));
    assert_eq!(bench.claimed(1, 2, 1, 0), (0, vec![]));
}
