//! What a node holds a `send` against, what it asks of the engine, and when it says so.
mod session_up_common;
use everwire_core::engine::*;
use everwire_core::session::up::*;
use session_up_common::*;

fn clause(clause: &'static str) -> Result<(), Ended> {
    Err(Ended { code: 4002, clause: Some(clause) })
}

/// [SEND-8] [ERR-12]
#[test]
fn numbers_follow_one_another_on_a_link() {
    for (n, count) in [(3, 1), (1, 1), (4, 0), (2, 0)] {
        let mut node = Node::new();
        node.take(1, 2, 1, &[]);
        assert_eq!(if n == 3 { node.read(4, count, 1) } else { node.read(n, count, 1) }, clause("SEND-8"));
        // [CLOSE-2] Nothing of the link is carried out any more.
        assert_eq!(
            (node.settling.call(node.now).is_none(), node.ended()),
            (true, Some((4002, Some("SEND-8"))))
        );
        assert_eq!(node.read(3, 1, 1), clause("SEND-8"));
    }
    let mut engine = Node::new().engine;
    let (mark, refused) = claim(&mut engine, 2, 1, 5);
    assert_eq!(Settling::<Body>::new(fence(2, 1), mark, &refused, at(0)).read(2, 1, &[10]), clause("SEND-8"));
}

/// [SEND-9] [NUM-2]
#[test]
fn nothing_is_read_beyond_the_credit() {
    let mut node = Node::new();
    node.settling = node.settling.with_window(2);
    assert_eq!(node.read(1, 2, 1), Ok(()));
    assert_eq!(node.read(3, 0, 1), Ok(()), "a release needs none");
    assert_eq!(node.read(3, 1, 1), clause("SEND-9"));
    assert_eq!(Node::new().read(1, 1025, 1), clause("LIM-5"));
    assert_eq!(Node::new().read(u64::MAX, 2, 1), clause("NUM-2"));
}

/// [SEND-12]
#[test]
fn oldest_stays_in_its_range() {
    let started = || {
        let mut node = Node::new();
        node.take(1, 4, 1, &[]);
        node.run();
        node.acks();
        node.take(5, 1, 3, &[]);
        node
    };
    assert_eq!(started().read(6, 1, 2), clause("SEND-12"));
    // Above what has been acknowledged it is an exit that nobody has told.
    assert_eq!(started().read(6, 1, 6), clause("SEND-12"));
    assert_eq!(started().read(6, 1, 7), clause("SEND-12"));
    assert_eq!(started().read(6, 1, 0), clause("NUM-3"));
    assert_eq!(started().read(6, 1, 5), Ok(()));
}

/// [CRED-6]
#[test]
fn no_message_begins_beyond_the_window() {
    let mut node = Node::new();
    assert_eq!(node.settling.read(1, 1, &[4 << 20]), Ok(()));
    assert_eq!(node.settling.read(2, 1, &[1]), clause("CRED-6"));
    let mut node = Node::new();
    assert_eq!(node.settling.read(1, 1, &[(4 << 20) - 1, 4 << 20]), Ok(()));
    let mut node = Node::new();
    assert_eq!(node.settling.read(1, 1, &[(4 << 20) - 1, 1, 1]), clause("CRED-6"));
    let mut node = Node::new();
    node.settling.read(1, 1, &[4 << 20]).unwrap();
    node.settling.judge(1, store(1));
    node.run();
    node.acks();
    assert_eq!(node.settling.read(2, 1, &[1]), Ok(()));
}

/// [SEND-17] [SEND-21] In order, however the hooks answer, and one call at a time.
#[test]
fn verdicts_wait_for_their_predecessors() {
    let mut node = Node::new();
    node.read(1, 3, 1).unwrap();
    node.settling.judge(3, store(3));
    node.settling.judge(2, refuse("forbidden"));
    assert!(node.settling.call(node.now).is_none());
    node.settling.judge(1, store(1));
    assert!(
        matches!(node.settling.call(node.now), Some(Call::Append { n: 1, batch, .. }) if batch.len() == 1)
    );
    assert!(node.settling.call(node.now).is_none());
    node.settling.appended(Ok(Appended::Stored { mark: 1, numbers: vec![1] }), node.now);
    assert!(matches!(node.settling.call(node.now), Some(Call::Refuse { n: 2, .. })));
}

/// [ACK-1] [NODE-5] Nothing before the engine's answer.
#[test]
fn no_ack_before_the_engine_has_answered() {
    let mut node = Node::new();
    node.take(1, 3, 1, &[]);
    let Some(Call::Append { fence, n, batch }) = node.settling.call(node.now) else { panic!() };
    node.pass(5000);
    assert_eq!(node.acks(), []);
    let answer = node.engine.append(&fence, n, &batch, node.now);
    node.settling.appended(answer, node.now);
    assert_eq!(node.acks(), [(3, 32_771, vec![])]);
}

/// [ACK-7] [LIM-9] Half a window, or 10 ms; at once when nothing waits.
#[test]
fn an_ack_is_due_at_half_a_window_or_after_10_ms() {
    let mut node = Node::new();
    node.take(1, 1, 1, &[]);
    node.read(2, 1, 1).unwrap();
    node.run();
    assert_eq!(node.ack(), None);
    assert_eq!(node.settling.deadline(), Some(at(10)));
    node.pass(9);
    assert_eq!(node.ack(), None);
    node.pass(1);
    assert_eq!(node.acks(), [(1, 32_769, vec![])]);

    let mut node = Node::new();
    for n in 0..4 {
        node.take(n * 1024 + 1, if n < 3 { 1024 } else { 1023 }, 1, &[]);
    }
    node.read(4096, 2, 1).unwrap();
    node.run();
    assert_eq!(node.ack(), None);
    node.settling.judge(4096, store(4096));
    node.run();
    assert_eq!(node.ack().map(|ack| ack.0), Some(4096));

    let mut node = Node::new();
    node.settling.read(1, 1, &[524_287, 1, 1]).unwrap();
    node.settling.judge(1, store(1));
    node.run();
    assert_eq!(node.ack(), None);
    node.settling.judge(2, store(2));
    node.run();
    assert_eq!(node.ack().map(|ack| ack.0), Some(2));
}

/// [CRED-2] [CRED-3] [CRED-4] [SEND-24] Withheld, never taken back, and given back unasked.
#[test]
fn credit_is_withheld_and_grows_again() {
    let mut node = Node::new();
    node.settling = node.settling.with_window(4);
    assert_eq!(node.settling.credit(), 4);
    node.take(1, 2, 1, &[]);
    node.settling.set_window(0);
    node.run();
    assert_eq!(node.acks(), [(2, 4, vec![])]);
    node.take(3, 2, 3, &[]);
    node.run();
    assert_eq!(node.acks(), [(4, 4, vec![])]);
    node.settling.set_window(1);
    assert_eq!(node.acks(), [(4, 5, vec![])]);
    node.settling.set_window(1 << 40);
    assert_eq!(node.acks(), [], "it has one left");
    node.read(5, 1, 5).unwrap();
    assert_eq!(node.acks(), [(4, 32_772, vec![])]);
}

/// [SEND-22] Unchanged, until it knows, but no longer than a minute; repetition stores nothing twice.
#[test]
fn a_call_in_doubt_is_repeated() {
    let mut node = Node::new();
    node.take(1, 2, 1, &[]);
    let Some(Call::Append { fence, n, batch }) = node.settling.call(node.now) else { panic!() };
    node.engine.append(&fence, n, &batch, node.now).unwrap();
    node.settling.appended(Err(Failure::Unanswered), node.now);
    node.take(3, 1, 1, &[]);
    assert!(node.settling.call(node.now).is_none(), "not in a tight loop");
    node.pass(250);
    assert!(
        matches!(node.settling.call(node.now), Some(Call::Append { n: 1, batch, .. }) if batch.len() == 2)
    );
    let answer = node.engine.append(&fence, n, &batch, node.now);
    node.settling.appended(answer, node.now);
    node.run();
    assert_eq!(log(&mut node.engine, node.now), [1, 2, 3]);
    assert_eq!(node.acks(), [(3, 32_771, vec![])]);

    node.take(4, 1, 1, &[]);
    assert!(node.settling.call(node.now).is_some());
    node.pass(59_999);
    assert!(node.settling.call(node.now).is_none() && node.ended().is_none());
    node.pass(1);
    assert!(node.settling.deadline() == Some(node.now) && node.settling.call(node.now).is_none());
    assert_eq!(node.ended(), Some((4004, None)));
}

/// [SEND-22] [SEND-24] A full store is no verdict.
#[test]
fn a_full_engine_is_asked_again_later() {
    let mut node = Node::new();
    node.take(1, 3, 1, &[]);
    assert!(node.settling.call(node.now).is_some());
    node.settling.appended(Ok(Appended::Full { mark: 1, numbers: vec![] }), node.now);
    assert_eq!(node.acks(), [(1, 32_769, vec![])]);
    assert!(node.settling.call(node.now).is_none());
    assert_eq!(node.settling.deadline(), Some(at(250)));
    node.pass(250);
    assert!(
        matches!(node.settling.call(node.now), Some(Call::Append { n: 2, batch, .. }) if batch.len() == 2)
    );
}

/// [SEND-23] [ENG-30] [SEND-22] [ACK-1] Nothing further is acknowledged.
#[test]
fn some_answers_end_the_link() {
    for (answer, code) in [
        (Ok(Appended::Fenced), 4005),
        (Err(Failure::EpochChanged), 4006),
        (Ok(Appended::Gap { mark: 0 }), 4004),
        (Ok(Appended::Stored { mark: 9, numbers: vec![] }), 4004),
        (Ok(Appended::Stored { mark: 0, numbers: vec![] }), 4004),
    ] {
        let mut node = Node::new();
        node.take(1, 2, 1, &[2]);
        assert!(node.settling.call(node.now).is_some());
        node.settling.appended(Ok(Appended::Stored { mark: 1, numbers: vec![1] }), node.now);
        node.take(3, 1, 1, &[]);
        assert!(matches!(node.settling.call(node.now), Some(Call::Refuse { n: 2, .. })));
        node.settling.appended(answer.clone(), node.now);
        node.pass(1000);
        assert_eq!((node.ended(), node.ack(), node.settling.deadline()), (Some((code, None)), None, None));
        assert!(node.settling.call(node.now).is_none(), "{answer:?}");
    }
    for (answer, code) in [
        (Ok(RefusalAnswer::Fenced), 4005),
        (Err(Failure::EpochChanged), 4006),
        (Ok(RefusalAnswer::Gap { mark: 0 }), 4004),
    ] {
        let mut node = Node::new();
        node.take(1, 1, 1, &[1]);
        assert!(node.settling.call(node.now).is_some());
        node.settling.refused(answer, node.now);
        assert_eq!((node.ended(), node.ack()), (Some((code, None)), None));
    }
}

/// [NODE-6] [ENG-14] A link that has been replaced stores nothing.
#[test]
fn a_zombie_learns_of_it_at_its_next_call() {
    let mut node = Node::new();
    node.take(1, 2, 1, &[]);
    claim(&mut node.engine, 2, 1, 2);
    node.run();
    assert_eq!((node.ended(), node.acks()), (Some((4005, None)), vec![]));
    assert_eq!(log(&mut node.engine, node.now), [0; 0]);
}

/// [NODE-11] [ENG-20]
#[test]
fn a_quiet_link_keeps_its_record_alive() {
    let mut node = Node::new();
    assert_eq!(node.settling.deadline(), Some(at(20 * 60_000)));
    node.pass(20 * 60_000 - 1);
    assert!(node.settling.call(node.now).is_none());
    node.pass(1);
    node.run();
    assert_eq!(node.settling.deadline(), Some(at(40 * 60_000)));
}
