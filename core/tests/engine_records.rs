//! Producers' records live long, are bounded, and go as a whole.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

const DAY: u64 = 24 * 60 * 60;

fn bench(records_max: usize, records_per_identity_max: usize) -> Bench {
    Bench::with(MemoryConfig { records_max, records_per_identity_max, ..MemoryConfig::default() })
}

/// Whether a record is there, without touching it.
fn lives(bench: &mut Bench, identity: &Identity, id: u8) -> bool {
    match bench.claim_as(identity.clone(), id, 0, 1, 1) {
        Claimed::Fenced => true,
        Claimed::Unknown => false,
        other => panic!("not a look: {other:?}"),
    }
}

/// [ENG-22] [TIME-18] [TIME-20]
#[test]
fn a_record_lives_30_days_after_its_last_use_and_not_longer() {
    let mut bench = bench(10, 10);
    let ann = Identity::named("ann");
    bench.claimed(1, 1, 1, 0);
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert!(stored(&bench.append(1, 1, 1, 1, &posts("room", 1..=1))), "an append is a use");
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert!(matches!(bench.refuse(1, 1, 1, 2), RefusalAnswer::Refused { .. }), "a refusal is a use");
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert_eq!(bench.claimed(1, 2, 1, 2), (2, vec![2]), "a claim is a use");
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert!(lives(&mut bench, &ann, 1), "a claim that is fenced is no use");
    bench.pass(secs(1));
    assert_eq!(bench.append(1, 2, 1, 3, &posts("room", 3..=3)), Appended::Fenced);
    assert_eq!(bench.claim(1, 3, 1, 3), Claimed::Unknown);
    assert_eq!(bench.engine.memory_use().records, 0);
    assert_eq!(bench.engine.memory_use().refusals, 0, "as a whole");
}

/// [NODE-11] [ENG-20]
#[test]
fn a_link_that_only_reads_keeps_its_record_by_an_empty_append() {
    let mut bench = bench(10, 10);
    bench.claimed(1, 1, 1, 0);
    for _ in 0..90 {
        bench.pass(secs(DAY));
        assert_ne!(bench.append(1, 1, 1, 1, &[]), Appended::Fenced);
    }
}

/// [ENG-22] A fenced call is no use, or a zombie would keep a record for ever.
#[test]
fn a_fenced_call_is_no_use() {
    let mut bench = bench(10, 10);
    bench.claimed(1, 5, 1, 0);
    for _ in 0..31 {
        bench.pass(secs(DAY));
        assert_eq!(bench.append(1, 4, 1, 1, &[]), Appended::Fenced);
    }
    assert_eq!(bench.engine.memory_use().records, 0);
}

/// [LIM-19] [ENG-22]
#[test]
fn an_identity_loses_its_least_recently_used_record_and_nobody_elses() {
    let mut bench = bench(100, 3);
    let (ann, bob) = (Identity::named("ann"), Identity::named("bob"));
    bench.claim_as(bob.clone(), 9, 1, 1, 0);
    for id in 1..=3 {
        bench.claimed(id, 1, 1, 0);
        bench.append(id, 1, 1, 1, &posts("room", 1..=1));
    }
    bench.append(1, 1, 1, 2, &[]);
    bench.claimed(4, 1, 1, 0);
    let alive: Vec<_> = (1..=4).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [1, 3, 4], "2 was used least recently");
    assert!(lives(&mut bench, &bob, 9));
    assert_eq!(bench.append(2, 1, 1, 2, &posts("room", 2..=2)), Appended::Fenced);
}

/// [LIM-19] The default of the protocol.
#[test]
fn an_identity_has_a_thousand_records() {
    assert_eq!(MemoryConfig::default().records_per_identity_max, 1000);
    let mut bench = Bench::new();
    for id in 0..1001u128 {
        let claim = Claim {
            producer: Producer(id.to_be_bytes()),
            identity: Identity::named("ann"),
            inbox: format!("_inbox.{id}").as_str().into(),
            link: 1,
            oldest: 1,
            written: 0,
            born: None,
        };
        bench.engine.claim(&claim, bench.now).unwrap();
    }
    assert_eq!(bench.engine.memory_use().records, 1000);
}

/// [ENG-22] Under which nothing was stored goes first, whenever it was used.
#[test]
fn records_with_mark_0_go_first() {
    let mut bench = bench(100, 3);
    let ann = Identity::named("ann");
    for id in 1..=2 {
        bench.claimed(id, 1, 1, 0);
        bench.append(id, 1, 1, 1, &posts("room", 1..=1));
    }
    for id in 3..=20 {
        bench.claimed(id, 1, 1, 0);
    }
    let alive: Vec<_> = (1..=20).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [1, 2, 20]);
}

/// [ENG-22] A flood of anonymous clients pushes out itself.
#[test]
fn at_the_global_cap_anonymous_records_go_before_others() {
    let mut bench = bench(4, 3);
    let (ann, bob) = (Identity::named("ann"), Identity::named("bob"));
    bench.claim_as(ann.clone(), 1, 1, 1, 0);
    bench.claim_as(bob.clone(), 2, 1, 1, 0);
    bench.append(2, 1, 1, 1, &posts("room", 1..=1));
    let names: Vec<_> = (0..30).map(|id| Identity::anonymous(&format!("anon-{id}"))).collect();
    bench.claim_as(names[10].clone(), 10, 1, 1, 0);
    bench.append(10, 1, 1, 1, &posts("room", 1..=1));
    for id in 11..30 {
        bench.claim_as(names[id as usize].clone(), id, 1, 1, 0);
    }
    assert!(lives(&mut bench, &ann, 1) && lives(&mut bench, &bob, 2), "those who showed a credential stay");
    let alive: Vec<_> = (10..30).filter(|id| lives(&mut bench, &names[*id as usize], *id)).collect();
    assert_eq!(alive, [10, 29], "those with mark 0 first");
    bench.claim_as(Identity::named("cyd"), 3, 1, 1, 0);
    bench.claim_as(Identity::named("dan"), 4, 1, 1, 0);
    assert!(!lives(&mut bench, &names[10], 10), "an anonymous one with a mark before a named one without");
    bench.claim_as(Identity::named("eve"), 5, 1, 1, 0);
    assert!(!lives(&mut bench, &ann, 1) && lives(&mut bench, &bob, 2));
    assert_eq!(bench.engine.memory_use().records, 4);
}

/// [ENG-9] [LIM-19]
#[test]
fn a_record_that_is_bound_anew_counts_for_its_new_identity() {
    let mut bench = bench(100, 2);
    let bob = Identity::named("bob");
    for id in 1..=2 {
        bench.claim_as(bob.clone(), id, 1, 1, 0);
    }
    bench.claimed(3, 1, 1, 0);
    bench.claim_as(bob.clone(), 3, 2, 1, 0);
    let alive: Vec<_> = (1..=3).filter(|id| lives(&mut bench, &bob, *id)).collect();
    assert_eq!(alive, [2, 3]);
    for id in 4..=5 {
        bench.claimed(id, 1, 1, 0);
    }
    assert_eq!(bench.engine.memory_use().records, 4, "ann has her two again");
}

/// Refusals over all records are bounded, at the cost of those who have them.
#[test]
fn a_flood_of_refusals_pushes_out_itself() {
    let mut bench = Bench::with(MemoryConfig { refusals_max: 300, ..MemoryConfig::default() });
    let ann = Identity::named("ann");
    bench.claimed(1, 1, 1, 0);
    for id in 2..=4 {
        bench.claimed(id, 1, 1, 0);
        for n in 1..=REFUSALS_MAX as u64 {
            assert_eq!(bench.refuse(id, 1, 1, n), RefusalAnswer::Refused { mark: n });
        }
    }
    let alive: Vec<_> = (1..=4).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [1, 4], "the one without refusals stays");
    assert_eq!(bench.engine.memory_use().refusals, REFUSALS_MAX);
}

/// [ENG-23]
#[test]
fn forget_removes_the_record_and_the_inbox() {
    let mut bench = bench(10, 10);
    bench.claimed(1, 1, 1, 0);
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    let its_inbox = inbox(1);
    bench.fill(&[its_inbox.as_str()]);
    assert_eq!(bench.engine.memory_use().messages, 2);
    bench.engine.forget(&producer(1), bench.now).unwrap();
    bench.engine.forget(&producer(77), bench.now).unwrap();
    assert_eq!(bench.claim(1, 2, 1, 1), Claimed::Unknown);
    assert_eq!(bench.engine.memory_use().messages, 1, "what is in the log stays");
    assert_eq!(bench.trimmed(its_inbox.as_str()), 2);
}

/// Overdue records go at the next call whatever it is, and the engine says when to call.
#[test]
fn the_deadline_is_that_of_the_next_thing_to_go() {
    let mut bench = Bench::new();
    assert_eq!(bench.engine.next_deadline(), None);
    bench.claimed(1, 1, 1, 0);
    let begun = bench.now;
    assert_eq!(bench.engine.next_deadline(), Some(begun + RECORD_AGE_MAX));
    bench.pass(secs(5));
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    assert_eq!(bench.engine.next_deadline(), Some(begun + secs(5 + DAY)));
    bench.publish("room", 1);
    assert_eq!(bench.engine.next_deadline(), Some(begun + secs(5) + CAST_AGE_MAX));
    for _ in 0..3 {
        let due = bench.engine.next_deadline().unwrap();
        bench.engine.handle_timeout(due);
    }
    assert_eq!(bench.engine.next_deadline(), None);
    assert_eq!(bench.engine.memory_use(), MemoryUse { subjects: 1, ..MemoryUse::default() });
}

/// The clocks of two nodes differ; a record must not live on for it, nor time run back.
#[test]
fn a_clock_that_goes_backwards_stands_still() {
    let mut bench = bench(10, 10);
    bench.pass(secs(100));
    bench.claimed(1, 1, 1, 0);
    bench.now = bench.now - secs(50);
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    bench.pass(secs(50) + RECORD_AGE_MAX - secs(1));
    assert!(lives(&mut bench, &Identity::named("ann"), 1));
}
