//! Producers' records live long, are bounded, and go as a whole.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

const DAY: u64 = 24 * 60 * 60;
const HOUR: u64 = 60 * 60;

fn bench(records_max: usize, records_anonymous_max: usize, records_per_identity_max: usize) -> Bench {
    let config = MemoryConfig {
        records_max,
        records_anonymous_max,
        records_per_identity_max,
        ..MemoryConfig::default()
    };
    Bench::with(config)
}

/// Whether a record is there, without touching it.
fn lives(bench: &mut Bench, identity: &Identity, id: u8) -> bool {
    match bench.claim_as(identity.clone(), id, 0, 1, 1) {
        Claimed::Fenced => true,
        Claimed::Unknown => false,
        other => panic!("not a look: {other:?}"),
    }
}

fn named(name: &str) -> Identity {
    Identity::named(name)
}

fn stranger(id: u8) -> Identity {
    Identity::anonymous(&format!("x-{id}"))
}

fn is_claimed(claimed: &Claimed) -> bool {
    matches!(claimed, Claimed::Claimed { .. })
}

/// [ENG-22] [TIME-18] [TIME-20] Every answer but *unknown*, *fenced* and *epoch* is a use.
#[test]
fn a_record_lives_30_days_after_its_last_use_and_not_longer() {
    assert_eq!(RECORD_AGE_MAX, secs(30 * DAY));
    let config = MemoryConfig { messages_max: 1, age_min: secs(60), ..MemoryConfig::default() };
    let mut bench = Bench::with(config);
    let ann = named("ann");
    bench.claimed(1, 1, 1, 0);
    let almost = |bench: &mut Bench| bench.pass(RECORD_AGE_MAX - secs(1));
    almost(&mut bench);
    assert!(stored(&bench.append(1, 1, 1, 1, &posts("room", 1..=1))));
    almost(&mut bench);
    assert!(matches!(bench.refuse(1, 1, 1, 2), RefusalAnswer::Refused { .. }));
    almost(&mut bench);
    assert_eq!(bench.append(1, 1, 1, 9, &posts("room", 9..=9)), Appended::Gap { mark: 2 });
    almost(&mut bench);
    assert!(matches!(bench.append(1, 1, 1, 1, &posts("room", 1..=1)), Appended::Duplicate { .. }));
    almost(&mut bench);
    assert_eq!(bench.refuse(1, 1, 1, 9), RefusalAnswer::Gap { mark: 2 });
    almost(&mut bench);
    assert!(matches!(bench.refuse(1, 1, 1, 1), RefusalAnswer::Duplicate { .. }));
    almost(&mut bench);
    bench.fill(&["other"]);
    let full = Appended::Full { mark: 2, numbers: vec![] };
    assert_eq!(bench.append(1, 1, 1, 3, &posts("room", 3..=3)), full);
    almost(&mut bench);
    assert_eq!(bench.claimed(1, 2, 1, 2), (2, vec![2]));
    almost(&mut bench);
    assert!(lives(&mut bench, &ann, 1), "a claim that is fenced is no use");
    assert_eq!(bench.claim_as(named("eve"), 1, 9, 1, 2), Claimed::Unknown, "nor one that is unknown");
    let old = Fence { epoch: "e0".into(), ..bench.fence(1, 2, 1) };
    assert_eq!(bench.engine.append(&old, 3, &[], bench.now), Err(Failure::EpochChanged), "nor is this");
    bench.pass(secs(1));
    assert_eq!(bench.append(1, 2, 1, 3, &posts("room", 3..=3)), Appended::Fenced);
    assert_eq!(bench.claim(1, 3, 1, 3), Claimed::Unknown);
    assert_eq!(bench.engine.memory_use().refusals, 0, "as a whole");
}

/// [ENG-22] Whosever it is.
#[test]
fn records_of_strangers_live_as_long() {
    let mut bench = Bench::new();
    bench.claim_as(stranger(1), 1, 1, 1, 0);
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert!(lives(&mut bench, &stranger(1), 1));
    bench.pass(secs(1));
    assert!(!lives(&mut bench, &stranger(1), 1));
}

/// [NODE-11] [ENG-20]
#[test]
fn a_link_that_only_reads_keeps_its_record_by_an_empty_append() {
    let mut bench = bench(10, 5, 10);
    bench.claimed(1, 1, 1, 0);
    for _ in 0..90 {
        bench.pass(secs(DAY));
        assert_ne!(bench.append(1, 1, 1, 1, &[]), Appended::Fenced);
    }
}

/// [ENG-22] A fenced call is no use, or a zombie would keep a record for ever.
#[test]
fn a_fenced_call_is_no_use() {
    let mut bench = bench(10, 5, 10);
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
    let mut bench = bench(100, 50, 3);
    let (ann, bob) = (named("ann"), named("bob"));
    bench.claim_as(bob.clone(), 9, 1, 1, 0);
    for id in 1..=3 {
        bench.claimed(id, 1, 1, 0);
    }
    bench.append(2, 1, 1, 1, &posts("room", 1..=1));
    bench.append(1, 1, 1, 1, &[]);
    bench.pass(secs(HOUR));
    bench.claimed(4, 1, 1, 0);
    let alive: Vec<_> = (1..=4).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [1, 2, 4], "3 was used least recently");
    assert!(lives(&mut bench, &bob, 9), "bob's was used before all of them");
    assert_eq!(bench.append(3, 1, 1, 1, &posts("room", 2..=2)), Appended::Fenced);
    bench.claimed(5, 1, 1, 0);
    let alive: Vec<_> = (1..=5).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [1, 4, 5], "a mark saves no record that nobody uses");
}

/// [ENG-22] [TIME-18] [ENG-8] [HELLO-17] It would be a living link that is fenced.
#[test]
fn a_record_that_was_used_within_the_hour_goes_for_nobody() {
    assert_eq!(RECORD_IN_USE, secs(HOUR));
    let mut bench = bench(100, 50, 2);
    let ann = named("ann");
    bench.claimed(1, 1, 1, 0);
    bench.pass(secs(60));
    bench.claimed(2, 1, 1, 0);
    bench.pass(secs(HOUR - 61));
    let before = bench.engine.memory_use();
    assert_eq!(bench.claim(3, 1, 1, 0), Claimed::Full);
    assert_eq!(bench.engine.memory_use(), before, "it changes nothing");
    assert_eq!(bench.append(3, 1, 1, 1, &posts("room", 1..=1)), Appended::Fenced);
    assert_eq!(bench.claim(3, 2, 1, 1), Claimed::Unknown, "there is no such record");
    assert_eq!(bench.claimed(2, 2, 1, 0), (0, vec![]), "a record that is there needs no place");
    bench.pass(secs(1));
    assert!(is_claimed(&bench.claim(3, 3, 1, 0)), "1 has been unused for an hour");
    let alive: Vec<_> = (1..=3).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [2, 3]);
}

/// [NODE-11] [TIME-18] [ENG-20] A link that only reads has its record refreshed every 20 min, by an empty append.
#[test]
fn a_refreshed_record_survives_any_flood() {
    let mut bench = bench(20, 10, 3);
    let (ann, refresh) = (named("ann"), secs(20 * 60));
    bench.claimed(1, 1, 1, 0);
    for round in 0..200u64 {
        bench.pass(refresh);
        assert_ne!(bench.append(1, 1, 1, 1, &[]), Appended::Fenced);
        for id in 2..=100 {
            let identity = if id % 3 == 0 { ann.clone() } else { stranger(id) };
            bench.claim_as(identity, id, 1 + round, 1, 0);
        }
    }
    assert!(lives(&mut bench, &ann, 1));
    let holds = bench.engine.memory_use().records;
    assert!(holds <= 20, "{holds}");
}

/// [LIM-19] The default of the protocol.
#[test]
fn an_identity_has_a_thousand_records() {
    assert_eq!(MemoryConfig::default().records_per_identity_max, 1000);
    let mut bench = Bench::new();
    let mut claim = |id: u128| {
        let claim = Claim {
            producer: Producer(id.to_be_bytes()),
            identity: named("ann"),
            inbox: format!("_inbox.{id}").as_str().into(),
            link: 1,
            oldest: 1,
            written: 0,
            born: None,
        };
        let claimed = bench.engine.claim(&claim, bench.now).unwrap();
        bench.pass(secs(10));
        (claimed, bench.engine.memory_use().records)
    };
    for id in 0..1000 {
        assert!(is_claimed(&claim(id).0));
    }
    let (claimed, records) = claim(1000);
    assert!(is_claimed(&claimed));
    assert_eq!(records, 1000);
}

/// [LIM-19] [ENG-22] All anonymous identities together have a cap of their own, and so leave others a place.
#[test]
fn anonymous_records_go_for_anonymous_ones() {
    let mut bench = bench(5, 3, 2);
    bench.claim_as(named("ann"), 1, 1, 1, 0);
    for id in 11..=13 {
        bench.claim_as(stranger(id), id, 1, 1, 0);
    }
    assert_eq!(bench.claim_as(stranger(14), 14, 1, 1, 0), Claimed::Full, "the three are in use");
    bench.append(11, 1, 1, 1, &[]);
    bench.pass(secs(HOUR));
    bench.append(13, 1, 1, 1, &[]);
    assert!(is_claimed(&bench.claim_as(stranger(14), 14, 1, 1, 0)));
    let alive: Vec<_> = (11..=14).filter(|id| lives(&mut bench, &stranger(*id), *id)).collect();
    assert_eq!(alive, [11, 13, 14], "12 was used least recently");
    assert!(lives(&mut bench, &named("ann"), 1), "though ann's was used before all of them");
    assert!(
        is_claimed(&bench.claim_as(named("bob"), 2, 1, 1, 0)),
        "there is a fifth place, not for strangers"
    );
}

/// [LIM-19] The cap of anonymous records is below that of all, whatever the operator has written.
#[test]
fn strangers_never_take_the_last_place() {
    let mut bench = bench(3, 99, 2);
    for id in 11..=19 {
        bench.claim_as(stranger(id), id, 1, 1, 0);
    }
    assert_eq!(bench.engine.memory_use().records, 2);
    assert!(is_claimed(&bench.claim_as(named("ann"), 1, 1, 1, 0)));
}

/// [LIM-19] [ENG-22]
#[test]
fn at_the_global_cap_anonymous_records_go_before_others() {
    let mut bench = bench(4, 3, 3);
    let claim = |bench: &mut Bench, identity: Identity, id| bench.claim_as(identity, id, 1, 1, 0);
    claim(&mut bench, named("ann"), 1);
    claim(&mut bench, named("bob"), 2);
    claim(&mut bench, stranger(11), 11);
    claim(&mut bench, stranger(12), 12);
    assert_eq!(claim(&mut bench, named("cyd"), 3), Claimed::Full, "all in use");
    bench.pass(secs(HOUR));
    bench.append(12, 1, 1, 1, &[]);
    assert!(is_claimed(&claim(&mut bench, named("cyd"), 3)));
    assert!(!lives(&mut bench, &stranger(11), 11), "though ann's and bob's were used before it");
    assert!(is_claimed(&claim(&mut bench, named("dan"), 4)));
    assert!(!lives(&mut bench, &named("ann"), 1), "the anonymous one that is left is in use");
    assert!(lives(&mut bench, &stranger(12), 12) && lives(&mut bench, &named("bob"), 2));
    bench.append(2, 1, 1, 1, &[]);
    assert_eq!(claim(&mut bench, named("eve"), 5), Claimed::Full);
    assert_eq!(bench.engine.memory_use().records, 4);
}

/// [ENG-22] [ENG-9] [LIM-19]
#[test]
fn a_record_that_is_bound_anew_counts_for_its_new_identity() {
    let mut bench = bench(100, 50, 2);
    let (ann, bob) = (named("ann"), named("bob"));
    for id in 1..=2 {
        bench.claim_as(bob.clone(), id, 1, 1, 0);
    }
    bench.claimed(3, 1, 1, 0);
    bench.claimed(4, 1, 1, 0);
    bench.pass(secs(HOUR));
    assert!(is_claimed(&bench.claim_as(bob.clone(), 3, 2, 1, 0)));
    let alive: Vec<_> = (1..=3).filter(|id| lives(&mut bench, &bob, *id)).collect();
    assert_eq!(alive, [2, 3], "bob had two already");
    assert!(is_claimed(&bench.claim(5, 1, 1, 0)));
    let alive: Vec<_> = (4..=5).filter(|id| lives(&mut bench, &ann, *id)).collect();
    assert_eq!(alive, [4, 5], "ann has a place more");
}

/// [ENG-22] [ENG-9] Where its new identity has no place, it stays what it was.
#[test]
fn a_record_is_not_bound_to_an_identity_without_a_place() {
    let mut bench = bench(100, 2, 2);
    let bob = named("bob");
    for id in 1..=2 {
        bench.claim_as(bob.clone(), id, 1, 1, 0);
        bench.claim_as(stranger(id), 10 + id, 1, 1, 0);
    }
    bench.claimed(3, 1, 1, 0);
    for identity in [bob.clone(), stranger(9)] {
        assert_eq!(bench.claim_as(identity, 3, 2, 1, 0), Claimed::Full);
    }
    assert!(stored(&bench.append(3, 1, 1, 1, &posts("room", 1..=1))), "nobody was fenced");
    assert_eq!(bench.claimed(3, 2, 1, 1), (1, vec![]), "still ann's");
    bench.claimed(4, 1, 1, 0);
    bench.pass(secs(HOUR));
    assert!(is_claimed(&bench.claim_as(stranger(9), 4, 2, 1, 0)));
    assert!(!lives(&mut bench, &stranger(1), 11) && lives(&mut bench, &stranger(2), 12));
    assert!(
        is_claimed(&bench.claim_as(stranger(2), 4, 3, 1, 0)),
        "an anonymous one that was one takes no place"
    );
    assert!(lives(&mut bench, &stranger(2), 12) && lives(&mut bench, &stranger(2), 4));
}

/// [LIM-19] It takes no place more among all.
#[test]
fn a_record_can_be_bound_anew_where_all_places_are_taken() {
    let mut bench = bench(2, 1, 2);
    bench.claimed(1, 1, 1, 0);
    bench.claimed(2, 1, 1, 0);
    assert!(is_claimed(&bench.claim_as(named("bob"), 1, 2, 1, 0)));
    bench.pass(secs(HOUR));
    assert!(is_claimed(&bench.claim_as(named("cyd"), 1, 3, 1, 0)));
    assert!(lives(&mut bench, &named("ann"), 2) && lives(&mut bench, &named("cyd"), 1));
}

/// [ENG-22] Refusals over all records are bounded, at the cost of who has held some for the longest.
#[test]
fn a_flood_of_refusals_pushes_out_itself() {
    let mut bench = Bench::with(MemoryConfig { refusals_max: 300, ..MemoryConfig::default() });
    let ann = named("ann");
    bench.claimed(1, 1, 1, 0);
    let most = REFUSALS_MAX as u64;
    bench.claimed(6, 1, 1, 0);
    bench.refuse(6, 1, 1, 1);
    bench.append(6, 1, 2, 2, &[]);
    for id in 2..=4 {
        bench.claimed(id, 1, 1, 0);
        for n in 1..=40 {
            assert_eq!(bench.refuse(id, 1, 1, n), RefusalAnswer::Refused { mark: n });
        }
    }
    bench.append(2, 1, 1, 41, &[]);
    bench.append(4, 1, 41, 41, &[]);
    bench.fill(&[inbox(3).as_str()]);
    assert_eq!(bench.engine.memory_use().messages, 1);
    bench.claimed(5, 1, 1, 0);
    for n in 1..=most - 36 {
        assert_eq!(bench.refuse(5, 1, 1, n), RefusalAnswer::Refused { mark: n });
    }
    let alive = |bench: &mut Bench| (1..=6).filter(|id| lives(bench, &ann, *id)).collect::<Vec<_>>();
    assert_eq!(alive(&mut bench), [1, 2, 3, 4, 5, 6], "300");
    bench.refuse(5, 1, 1, most - 35);
    assert_eq!(bench.engine.memory_use().messages, 0, "its inbox with it");
    assert_eq!(alive(&mut bench), [1, 2, 4, 5, 6], "3 was used least recently of those that hold some");
    for n in most - 34..=most {
        assert_eq!(bench.refuse(5, 1, 1, n), RefusalAnswer::Refused { mark: n });
    }
    assert_eq!(alive(&mut bench), [1, 2, 4, 5, 6]);
    for n in 41..=45 {
        bench.refuse(2, 1, 1, n);
    }
    assert_eq!(alive(&mut bench), [1, 2, 4, 6], "never the one being written");
    assert_eq!(bench.engine.memory_use().refusals, 45);
}

/// [ENG-23]
#[test]
fn forget_removes_the_record_and_the_inbox() {
    let mut bench = bench(10, 5, 10);
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
    let mut bench = bench(10, 5, 10);
    bench.pass(secs(100));
    bench.claimed(1, 1, 1, 0);
    bench.now = bench.now - secs(50);
    bench.append(1, 1, 1, 1, &posts("room", 1..=1));
    bench.pass(secs(50) + RECORD_AGE_MAX - secs(1));
    assert!(lives(&mut bench, &Identity::named("ann"), 1));
}
