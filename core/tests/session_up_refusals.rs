//! A refused number is settled for the order, told once, and let go.
mod session_up_common;
use everwire_core::engine::{Call, Failure, Memory, MemoryConfig};
use everwire_core::frame::Code;
use everwire_core::session::up::*;
use session_up_common::*;

fn refused(ticket: u32, code: &str) -> (u32, Exit) {
    (ticket, Exit::Refused(code.into()))
}

/// [ACK-2] [REF-2] [REF-8] The later ones go on; a code that nobody knows is handed on.
#[test]
fn a_listed_number_exits_refused() {
    let mut sending = open(4);
    write(&mut sending, 0);
    let left = ack(&mut sending, 3, 8195, &[(2, "app-quota")]).unwrap();
    assert_eq!(left, [settled(1..=1), vec![refused(2, "app-quota")], settled(3..=3)].concat());
    assert_eq!(ack(&mut sending, 4, 8196, &[]), Ok(settled(4..=4)));
}

/// [WELC-7]
#[test]
fn a_lost_ack_comes_back_in_the_welcome() {
    let mut sending = open(3);
    write(&mut sending, 0);
    sending.link_ended(LinkEnd::Other);
    let list = [(2, Code::new(b"forbidden").unwrap())];
    let left = sending.welcome(&Welcome { refused: &list, ..welcome(3, 8195) }, at(0)).map(exits);
    assert_eq!(left, Ok([settled(1..=1), vec![refused(2, "forbidden")], settled(3..=3)].concat()));
    // [SEND-14] It has exited, and no `send` has said so.
    assert_eq!(write(&mut sending, 999), []);
    assert_eq!(sending.deadline(), Some(at(1000)));
    assert_eq!(write(&mut sending, 1000), [(4, 0, 4)]);
    assert_eq!((write(&mut sending, 5000), sending.deadline()), (vec![], None));
}

/// [SEND-13] [SEND-14] Any `send` is a release.
#[test]
fn a_release_is_written_within_a_second_unless_a_send_takes_it_along() {
    let mut sending = open(3);
    write(&mut sending, 0);
    ack_at(&mut sending, 1, 8193, &[(1, "forbidden")], 500).unwrap();
    ack_at(&mut sending, 2, 8193, &[(2, "forbidden")], 900).unwrap();
    assert_eq!(write(&mut sending, 1499), []);
    assert_eq!(write(&mut sending, 1500), [(4, 0, 3)]);
    ack_at(&mut sending, 3, 8193, &[(3, "forbidden")], 2000).unwrap();
    submit(&mut sending, 4..=4);
    assert_eq!(write(&mut sending, 2001), [(4, 1, 4)]);
    assert_eq!(write(&mut sending, 9000), []);
}

/// [SEND-14] [SEND-13] At 128, or without credit: at once, and it needs no credit.
#[test]
fn a_release_is_written_at_once_if_it_presses() {
    let mut sending = open(0);
    submit(&mut sending, 1..=129);
    write(&mut sending, 0);
    let list: Vec<_> = (1..=127).map(|n| (n, "forbidden")).collect();
    ack(&mut sending, 127, 8192, &list).unwrap();
    assert_eq!(write(&mut sending, 0), []);
    ack(&mut sending, 128, 8192, &[(128, "forbidden")]).unwrap();
    assert_eq!(write(&mut sending, 0), [(130, 0, 129)]);

    let mut sending = self::sending(2);
    sending.welcome(&welcome(0, 1), at(0)).unwrap();
    assert_eq!(write(&mut sending, 0), [(1, 1, 1)]);
    ack(&mut sending, 1, 1, &[(1, "forbidden")]).unwrap();
    assert_eq!(write(&mut sending, 0), [(2, 0, 2)]);
}

/// [REF-1] [REF-2] [ACK-3] [SEND-17] The refusal and the mark go together, and the queue goes on.
#[test]
fn a_refusal_is_recorded_with_its_mark() {
    let mut node = Node::new();
    node.take(1, 4, 1, &[2]);
    node.run();
    assert_eq!(log(&mut node.engine, node.now), [1, 3, 4]);
    assert_eq!(node.acks(), [(4, 32_772, vec![(2, "forbidden".into())])]);
    assert_eq!(node.engine.memory_use().refusals, 1);
    // Told once; the next list is of what is new. [ACK-3]
    node.take(5, 1, 1, &[5]);
    node.run();
    assert_eq!(node.acks(), [(5, 32_773, vec![(5, "forbidden".into())])]);
}

/// [REF-7] [SEND-22] What an engine has recorded is the answer, though the node did not hear it the first time and
/// its hook would decide otherwise now.
#[test]
fn the_recorded_verdict_is_the_answer() {
    let mut node = Node::new();
    node.take(1, 1, 1, &[1]);
    let Some(Call::Refuse { fence, n, code }) = node.settling.call(node.now) else { panic!() };
    use everwire_core::engine::Engine as _;
    node.engine.refuse(&fence, n, &code, node.now).unwrap();
    node.settling.refused(Err(Failure::Unanswered), node.now);
    node.settling.judge(1, store(1));
    assert_eq!(node.ack(), None, "nobody knows yet");
    node.pass(250);
    node.run();
    assert_eq!(node.acks(), [(1, 32_769, vec![(1, "forbidden".into())])]);
    assert_eq!(log(&mut node.engine, node.now), [0; 0]);
}

/// [REF-4] [REF-5] [SEND-15] With 256 kept: no credit, acks first; the release behind the blocked ones unblocks.
#[test]
fn refusals_without_a_release_stop_the_credit_and_nothing_else() {
    let mut node = Node::new();
    let all: Vec<u64> = (1..=300).collect();
    node.take(1, 300, 1, &all);
    node.run();
    let (n, credit, list) = node.ack().unwrap();
    assert_eq!((n, credit, list.len()), (256, 32_768, 256));
    node.pass(5000);
    node.run();
    assert_eq!((node.acks(), node.settling.pending()), (vec![], 257..=300));
    assert_eq!(node.read(301, 0, 257), Ok(()));
    node.run();
    let told = node.acks();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0, told[0].1, told[0].2.len()), (300, 33_068, 44));
}

/// [REF-5] [REF-4] Where the credit was used up, too: it grows unasked, with the same n.
#[test]
fn a_release_brings_withheld_credit_back() {
    let mut engine = Memory::new(MemoryConfig::default(), "e1".into());
    claim(&mut engine, 1, 1, 0);
    let mut first = Settling::new(fence(1, 1), 0, &[], at(0));
    first.read(1, 1, &vec![10; 256]).unwrap();
    (1..=256).for_each(|n| first.judge(n, refuse("forbidden")));
    first.run(&mut engine, at(0));
    let (mark, list) = claim(&mut engine, 2, 1, 256);
    assert_eq!((mark, list.len()), (256, 256));
    let settling = Settling::new(fence(2, 1), mark, &list, at(0));
    assert_eq!(settling.credit(), 256, "no credit in the welcome");
    let mut node = Node { engine, settling, now: at(0) };
    node.run();
    assert_eq!(node.ack(), None);
    assert_eq!(node.read(257, 0, 257), Ok(()));
    node.run();
    assert_eq!(node.acks(), [(256, 33_024, vec![])]);
}

/// [ACK-4] Two verdict lists' worth cannot arise from one engine; a duplicate's list must still be split.
#[test]
fn a_long_list_is_split() {
    let mut node = Node::new();
    let all: Vec<u64> = (1..=300).collect();
    node.take(1, 300, 1, &all);
    let mut told = Vec::new();
    for n in 1..=300u64 {
        let Some(Call::Refuse { n: called, .. }) = node.settling.call(node.now) else { panic!() };
        assert_eq!(called, n);
        let answer = everwire_core::engine::RefusalAnswer::Refused { mark: n };
        node.settling.refused(Ok(answer), node.now);
    }
    told.extend(node.acks());
    assert_eq!(told.iter().map(|ack| (ack.0, ack.2.len())).collect::<Vec<_>>(), [(256, 256), (300, 44)]);
}

/// [REF-8] A hook's slip of the pen must not take down the link, nor be told as something it is not.
#[test]
fn a_misspelled_code_is_recorded_as_failed() {
    let mut node = Node::new();
    node.read(1, 1, 1).unwrap();
    node.settling.judge(1, refuse("No Way!"));
    node.run();
    assert_eq!(node.acks(), [(1, 32_769, vec![(1, "failed".into())])]);
}
