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
    assert_eq!(bench.claim(1, 2, 1, 0), expected);
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

/// [ENG-9] [ENG-10] A claim that is fenced binds nothing.
#[test]
fn a_late_claim_of_another_identity_does_not_take_the_record() {
    let mut bench = Bench::new();
    bench.claimed(1, 5, 1, 0);
    assert_eq!(bench.claim_as(Identity::named("bob"), 1, 5, 1, 0), Claimed::Fenced);
    bench.append(1, 5, 1, 1, &posts("room", 1..=1));
    assert_eq!(bench.claimed(1, 6, 1, 1), (1, vec![]), "still ann's");
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
    assert_eq!(bench.claim(1, 2, 7, 9), Claimed::Unknown, "it says that 6 is settled");
    assert_eq!(bench.claimed(1, 2, 6, 9), (5, vec![]));
    assert_eq!(bench.claim(1, 3, 5, 9), Claimed::Unknown, "below the floor");
    assert_eq!(bench.claim(1, 3, 0, 9), Claimed::Unknown, "no number of the protocol");
    assert_eq!(bench.claim(1, 3, u64::MAX, u64::MAX), Claimed::Unknown);
    assert!(stored(&bench.append(1, 2, 6, 6, &posts("room", 6..=6))), "nobody was fenced");
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
}

/// [ENG-13] The identity is tested before the link, and the link before the range.
#[test]
fn a_stranger_learns_nothing_and_a_zombie_is_told_that_it_is_one() {
    let mut bench = Bench::new();
    bench.claimed(1, 5, 1, 0);
    bench.append(1, 5, 1, 1, &posts("room", 1..=3));
    assert_eq!(bench.claim_as(Identity::named("eve"), 1, 1, 1, 3), Claimed::Unknown, "not fenced");
    assert_eq!(bench.claim(1, 4, 9, 8), Claimed::Fenced, "not unknown");
}

/// [KEEP-4] [EPOCH-3] [ENG-2]
#[test]
fn a_new_log_epoch_begins_without_records() {
    let mut bench = Bench::new();
    bench.claimed(1, 1, 1, 0);
    bench.append(1, 1, 1, 1, &posts("room", 1..=3));
    bench.engine.restart("e2".into());
    assert_eq!(bench.claim(1, 2, 4, 3), Claimed::Unknown);
    let Claimed::Claimed { mark, epoch, head, .. } = bench.claim(2, 2, 1, 0) else { panic!() };
    assert_eq!((mark, epoch.as_str(), head), (0, "e2", 0));
}
