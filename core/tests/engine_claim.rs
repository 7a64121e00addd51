//! A link takes a producer over, or is told why it cannot.
mod engine_common;
use engine_common::*;
use everwire_core::engine::*;

/// [ENG-7] A used producer is never created: a second claim would find a mark of 0 and everything would be sent again.
#[test]
fn a_used_producer_without_a_record_is_unknown_however_often_it_asks() {
    let mut bench = Bench::new();
    assert_eq!(bench.claim(1, 1, 1, 3), Claimed::Unknown);
    assert_eq!(bench.claim(1, 2, 1, 3), Claimed::Unknown);
    assert_eq!(bench.engine.memory_use().records, 0);
}

/// [ENG-7] A claim that comes late makes a record under the name of one that has gone. Who knew that one is not served
/// from this one, and what the late link holds is not fenced for it.
#[test]
fn another_life_of_a_record_is_unknown_and_changes_nothing() {
    let mut bench = Bench::new();
    let ann = || Identity::named("ann");
    bench.claimed(1, 3, 1, 0);
    bench.append(1, 3, 1, 1, &posts("room", 1..=2));
    bench.engine.forget(&producer(1), bench.now).unwrap();
    bench.claimed(1, 2, 1, 0);
    for link in [1, 2, 9] {
        for identity in [ann(), Identity::named("eve")] {
            let answer = bench.claim_born(identity, 1, link, 1, 2, Some(3));
            assert_eq!(answer, Claimed::Unknown, "whatever else is wrong with it");
        }
    }
    assert!(stored(&bench.append(1, 2, 1, 1, &posts("room", 3..=3))), "nobody was fenced");
    assert_eq!(mark_of(bench.claim_born(ann(), 1, 4, 1, 1, Some(2))), (1, vec![]), "its own life");
    assert_eq!(bench.claimed(1, 5, 1, 1), (1, vec![]), "or none named");
}

/// [ENG-8] [WELC-13]
#[test]
fn a_new_producer_is_created_and_found_again() {
    let mut bench = Bench::new();
    let claimed = bench.claim(1, 1, 1, 0);
    let expected = Claimed::Claimed {
        mark: 0,
        born: 1,
        refusals: Vec::new(),
        epoch: bench.epoch.clone(),
        head: 0,
        durable: false,
        limit: 1 << 20,
    };
    assert_eq!(claimed, expected);
    assert_eq!(bench.claim(1, 2, 1, 0), expected, "born of the link that made it");
    assert!(stored(&bench.append(1, 2, 1, 1, &posts("room", 1..=1))), "the floor is 1");
}

/// The answer names the head and whether the log is durable.
#[test]
fn a_claim_says_where_the_log_stands() {
    let mut bench = Bench::with(MemoryConfig { durable: true, ..MemoryConfig::default() });
    bench.fill(&["room"; 5]);
    let Claimed::Claimed { head, durable, .. } = bench.claim(1, 1, 1, 0) else { panic!() };
    assert_eq!((head, durable), (5, true));
}

/// [ENG-9] [SEC-2]
#[test]
fn a_foreign_identity_gets_unknown_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    bench.append(1, 1, 1, 1, &posts("room", 1..=2));
    for written in [0, 2, 9] {
        assert_eq!(bench.claim_as(Identity::named("eve"), 1, 9, 1, written), Claimed::Unknown);
    }
    assert_eq!(
        bench.claim_as(Identity::anonymous("ann"), 1, 9, 1, 2),
        Claimed::Unknown,
        "a name is not enough"
    );
    assert!(stored(&bench.append(1, 1, 1, 3, &posts("room", 3..=3))), "nobody was fenced");
}

/// [ENG-9] A change of user before the first message is no dead end.
#[test]
fn a_record_with_mark_0_can_be_bound_anew_while_nothing_was_written() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    assert_eq!(bench.claim_as(Identity::named("bob"), 1, 2, 1, 1), Claimed::Unknown, "something was written");
    assert_eq!(mark_of(bench.claim_as(Identity::named("bob"), 1, 2, 1, 0)), (0, vec![]));
    assert_eq!(bench.append(1, 1, 1, 1, &posts("room", 1..=1)), Appended::Fenced);
    assert!(stored(&bench.append(1, 2, 1, 1, &posts("room", 1..=1))));
    assert_eq!(bench.claim(1, 3, 1, 1), Claimed::Unknown, "it is bob's now");
}

/// [ENG-9] [ENG-10] [ENG-11] A claim that is fenced or unknown binds nothing.
#[test]
fn a_late_claim_of_another_identity_does_not_take_the_record() {
    let mut bench = Bench::new();
    bench.claimed(1, 5, 1, 0);
    assert_eq!(bench.claim_as(Identity::named("bob"), 1, 5, 1, 0), Claimed::Fenced);
    assert_eq!(bench.claim_as(Identity::named("bob"), 1, 6, 2, 0), Claimed::Unknown, "nor one out of range");
    assert_eq!(bench.claimed(1, 7, 1, 1), (0, vec![]), "still ann's");
    bench.append(1, 7, 1, 1, &posts("room", 1..=1));
    assert_eq!(bench.claimed(1, 8, 1, 1), (1, vec![]));
}

/// [ENG-10]
#[test]
fn an_equal_or_lower_link_is_fenced_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.claimed(1, 5, 1, 0);
    bench.append(1, 5, 1, 1, &posts("room", 1..=1));
    bench.refuse(1, 5, 1, 2);
    for link in [0, 4, 5] {
        assert_eq!(bench.claim(1, link, 3, 2), Claimed::Fenced);
    }
    assert_eq!(bench.claimed(1, 6, 2, 2), (2, vec![2]), "its oldest let nothing go");
}

/// [ENG-11]
#[test]
fn a_mark_outside_what_the_client_knows_is_unknown() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    bench.append(1, 1, 1, 1, &posts("room", 1..=5));
    assert_eq!(bench.claim(1, 2, 1, 4), Claimed::Unknown, "it never wrote 5");
    assert_eq!(bench.claim(1, 3, 7, 9), Claimed::Unknown, "it says that 6 is settled");
    assert_eq!(bench.claimed(1, 4, 6, 9), (5, vec![]));
    assert_eq!(bench.claim(1, 5, 5, 9), Claimed::Unknown, "below the floor");
    assert_eq!(bench.claim(1, 6, 0, 9), Claimed::Unknown, "no number of the protocol");
    assert_eq!(bench.claim(1, 7, u64::MAX, u64::MAX), Claimed::Unknown);
    assert_eq!(bench.claimed(1, 8, 6, 5), (5, vec![]));
}

/// [ENG-11] The client goes on under another producer: what its older links still hold must not be stored behind that.
#[test]
fn an_unknown_mark_fences_older_links_and_changes_nothing_else() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    for n in 1..=4 {
        bench.refuse(1, 1, 1, n);
    }
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert_eq!(bench.claim(1, 5, 3, 3), Claimed::Unknown);
    assert_eq!(bench.append(1, 1, 1, 5, &posts("room", 5..=5)), Appended::Fenced);
    assert_eq!(bench.refuse(1, 1, 1, 5), RefusalAnswer::Fenced);
    for link in [2, 5] {
        assert_eq!(bench.claim(1, link, 1, 4), Claimed::Fenced);
    }
    let Claimed::Claimed { mark, born, refusals, .. } = bench.claim(1, 6, 1, 4) else { panic!() };
    assert_eq!((mark, born, refusals.len()), (4, 1, 4), "neither floor nor refusals");
    assert_eq!(bench.claim(1, 9, 9, 9), Claimed::Unknown);
    bench.pass(RECORD_AGE_MAX - secs(1));
    assert_eq!(bench.claim(1, 10, 9, 9), Claimed::Unknown);
    bench.pass(secs(1));
    assert_eq!(bench.claim(1, 11, 1, 4), Claimed::Unknown, "nor was it a use");
    assert_eq!(bench.engine.memory_use().records, 0);
}

/// [ENG-12] [WELC-7]
#[test]
fn a_claim_lets_refusals_below_oldest_go_and_answers_all_others() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    for n in 1..=5 {
        bench.refuse(1, 1, 1, n);
    }
    assert_eq!(bench.claimed(1, 2, 3, 5), (5, vec![3, 4, 5]));
    assert_eq!(bench.engine.memory_use().refusals, 3);
    assert_eq!(bench.claimed(1, 3, 3, 5), (5, vec![3, 4, 5]), "asked again, answered again");
    assert_eq!(bench.claimed(1, 4, 6, 5), (5, vec![]));
    assert_eq!(bench.claim(1, 5, 3, 5), Claimed::Unknown, "the floor has risen with it");
}

/// [ENG-13] The identity is tested before the link, and the link before the range.
#[test]
fn a_stranger_learns_nothing_and_a_zombie_is_told_that_it_is_one() {
    let mut bench = Bench::new();
    bench.claimed(1, 5, 1, 0);
    bench.append(1, 5, 1, 1, &posts("room", 1..=3));
    assert_eq!(bench.claim_as(Identity::named("eve"), 1, 1, 1, 3), Claimed::Unknown, "not fenced");
    assert_eq!(bench.claim_as(Identity::named("eve"), 1, 9, 9, 9), Claimed::Unknown);
    assert_eq!(bench.claim(1, 4, 9, 8), Claimed::Fenced, "not unknown");
    assert!(stored(&bench.append(1, 5, 1, 4, &posts("room", 4..=4))), "nobody was fenced");
}

/// [KEEP-4] [EPOCH-3] [ENG-2] [ENG-1] Neither producers, nor subjects, nor inboxes.
#[test]
fn a_new_log_epoch_begins_with_nothing() {
    let mut bench = Bench::with(MemoryConfig { messages_max: 1, ..MemoryConfig::default() });
    bench.claimed(1, 1, 1, 0);
    let (name, answer) = (inbox(1), Post { tag: Some(1), ..Post::new(inbox(1), Body { id: 9, octets: 1 }) });
    bench.append(1, 1, 1, 1, &posts("room", 1..=3));
    bench.append(1, 1, 1, 4, &[answer]);
    bench.refuse(1, 1, 1, 5);
    bench.publish("room", 1);
    bench.engine.restart("e2".into());
    assert_eq!(bench.engine.memory_use(), MemoryUse::default());
    assert_eq!(bench.claim(1, 2, 6, 5), Claimed::Unknown);
    bench.epoch = "e2".into();
    assert_eq!((bench.trimmed("room"), bench.trimmed(name.as_str()), bench.head()), (0, 0, 0));
    let Claimed::Claimed { mark, born, epoch, head, .. } = bench.claim(1, 2, 1, 0) else { panic!() };
    assert_eq!((mark, born, epoch.as_str(), head), (0, 2, "e2", 0));
    let of = filter(&[("room", 0), (name.as_str(), 0)]);
    assert_eq!(interval(bench.read_all(&of, 0)), (0, 0, vec![], false));
    assert_eq!(
        bench.append(1, 2, 1, 1, &posts("room", 1..=1)),
        Appended::Stored { mark: 1, numbers: vec![1] }
    );
}

/// [LIM-23] [LIM-2] What is stored under a limit must stay readable at every node as long as the log lives.
#[test]
fn the_limit_of_a_message_rises_within_a_log_epoch_and_never_falls() {
    let limit = |bench: &mut Bench, id| match bench.claim(id, 1, 1, 0) {
        Claimed::Claimed { limit, .. } => limit,
        other => panic!("{other:?}"),
    };
    let mut bench = Bench::with(MemoryConfig { message_octets_max: 5000, ..MemoryConfig::default() });
    assert_eq!(limit(&mut bench, 1), 5000);
    bench.engine.raise_message_octets_max(9000);
    assert_eq!(limit(&mut bench, 2), 9000);
    bench.engine.raise_message_octets_max(8999);
    assert_eq!((limit(&mut bench, 3), bench.engine.message_octets_max()), (9000, 9000));
    bench.engine.raise_message_octets_max(u32::MAX);
    assert_eq!(limit(&mut bench, 4), 64 << 20, "the protocol's range");
    bench.engine.restart("e2".into());
    assert_eq!(limit(&mut bench, 5), 5000, "a new log may begin with less");
    let mut bench = Bench::with(MemoryConfig { message_octets_max: 0, ..MemoryConfig::default() });
    assert_eq!(limit(&mut bench, 1), 1024);
}

/// [ENG-4] Its owner keeps it through the crash of all nodes: whatever was answered is there, and no number is given
/// twice.
#[test]
fn what_a_durable_engine_has_answered_survives_whoever_asked() {
    let mut bench = Bench::with(MemoryConfig { durable: true, ..MemoryConfig::default() });
    let of = filter(&[("room", 0)]);
    bench.claimed(1, 1, 1, 0);
    let mut told = Vec::new();
    for link in (2..40).step_by(2) {
        let (mark, _) = bench.claimed(1, link, 1, 999);
        let Appended::Stored { numbers, .. } = bench.append(1, link, 1, mark + 1, &posts("room", 1..=3))
        else {
            panic!("not stored")
        };
        told.extend(numbers);
        bench.refuse(1, link, 1, mark + 4);
        assert_eq!(interval(bench.read_all(&of, 0)).2, told);
        assert_eq!(bench.claimed(1, link + 1, 1, 999).0, mark + 4);
        bench.engine.handle_timeout(bench.now);
    }
    assert!(told.is_sorted_by(|a, b| a < b));
}
