//! Upwards: what a node does with a `send`, and when it says what became of it.
mod node_common;

use everwire_core::engine::*;
use everwire_core::frame::{Form, Shape};
use everwire_core::session::node::*;
use node_common::*;

fn element(kind: ElementKind<Body>) -> Element<Body> {
    Element { bytes: 10, kind }
}

fn examining() -> Rig {
    let config = NodeConfig { examines: true, ..NodeConfig::default() };
    let mut rig = Rig::with(config, MemoryConfig::default());
    rig.hello(hello());
    rig.take();
    rig
}

fn refusals(rig: &mut Rig) -> Vec<(u64, String)> {
    rig.acks().into_iter().flat_map(|(_, _, refused)| refused).collect()
}

/// [SEND-8] [SEND-9] [SEND-10] [SEND-12] [CRED-6] [ERR-12] [NUM-2] [LIM-8]
#[test]
fn a_send_out_of_its_place_is_a_protocol_error() {
    for (head, count, clause) in [
        ("send 2 1 1", 1, "SEND-8"),
        ("send 1 1 2", 1, "SEND-12"),
        ("send 1 0 2", 0, "SEND-12"),
        ("send 0 1 1", 1, "NUM-3"),
        ("send 9007199254740991 2 1", 2, "NUM-2"),
        ("send 1 2 1", 1, "FRM-5"),
        ("send 1 0 1", 1, "FRM-5"),
    ] {
        let mut rig = Rig::open(&[]);
        let elements = (0..count).map(|id| message("room_a", id)).collect();
        rig.frame(head, NodeBody::Elements(elements), Some(20));
        assert_eq!(rig.closed(), Some((4002, clause)), "{head}");
        assert_eq!(rig.log("room_a"), [0; 0], "[CLOSE-2]");
    }
    let mut rig = Rig::open(&[]);
    rig.node.handle_window(0, rig.now);
    for n in 0..32 {
        rig.texts(1 + n * 1024, 1024, 1);
    }
    assert_eq!(rig.closed(), None);
    rig.texts(32_769, 1, 1);
    assert_eq!(rig.closed(), Some((4002, "SEND-9")));

    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    let long = |bytes| Element { bytes, ..message("room_a", 1) };
    for n in 1..=4 {
        rig.send(n, 1, vec![long(1 << 20)]);
    }
    assert_eq!(rig.closed(), None);
    rig.send(5, 1, vec![long(1)]);
    assert_eq!(rig.closed(), Some((4002, "CRED-6")));
}

/// [REF-6] [SEND-16] [SEND-20] [SEND-27] [LIM-2] [NODE-8] [ERR-8] [ACK-3] [REF-2] Refused, not closed on, each by
/// itself.
#[test]
fn an_unacceptable_element_is_refused() {
    let mut rig = Rig::open(&[]);
    let room = |name: &str| element(kind(Some(name), false, 7));
    rig.send(
        1,
        1,
        vec![
            room("room_a"),
            element(ElementKind::Malformed),
            element(ElementKind::Withdrawn),
            element(kind(None, false, 1)),
            room("_inbox1"),
            room(&"a".repeat(129)),
            room("a\u{85}"),
            room(""),
            room("room_a"),
        ],
    );
    rig.send(10, 1, vec![Element { bytes: (1 << 20) + 1, ..room("room_a") }]);
    let refused: Vec<_> = [
        (2, "malformed"),
        (3, "withdrawn"),
        (4, "no-receiver"),
        (5, "forbidden"),
        (6, "malformed"),
        (7, "malformed"),
        (8, "malformed"),
    ]
    .map(|(n, code)| (n, code.to_owned()))
    .to_vec();
    let too_large = (10, 32_778, vec![(10, "too-large".into())]);
    assert_eq!(rig.acks(), [(9, 32_777, refused), too_large]);
    assert_eq!(rig.log("room_a"), [7, 7]);
    // [REF-3] [REF-7] They are listed until they are let go.
    rig.relink(again(2, 1, 10, 0));
    assert_eq!(rig.welcome().refused.len(), 8);
    rig.relink(again(3, 9, 10, 0));
    assert_eq!(rig.welcome().refused, [(10, "too-large".into())]);
}

/// [SEND-17] [SEND-18] [SEND-20] [REF-8] What the hook says.
#[test]
fn messages_pass_the_hook() {
    let mut rig = examining();
    let verdicts = [
        (1, Examined::Refuse("spam".into())),
        (2, Examined::Refuse("x-everwire-own".into())),
        (3, Examined::Refuse("Not a code".into())),
        (4, Examined::Pass { subject: Some("room_b".into()), payload: body(44) }),
        (5, Examined::Pass { subject: Some("_inbox1".into()), payload: body(5) }),
        (6, Examined::Pass { subject: None, payload: body(6) }),
        (7, Examined::Pass { subject: Some("a\u{1}".into()), payload: body(7) }),
    ];
    rig.hooks.verdicts.extend(verdicts);
    let elements = (1..=8).map(|id| element(kind((id == 8).then_some("room_a"), false, id))).collect();
    rig.send(1, 1, elements);
    let codes: Vec<_> = refusals(&mut rig).into_iter().map(|(n, code)| format!("{n} {code}")).collect();
    assert_eq!(codes, ["1 spam", "2 failed", "3 failed", "5 forbidden", "6 no-receiver", "7 malformed"]);
    assert_eq!((rig.log("room_b"), rig.log("room_a")), (vec![44], vec![8]));
    // What the checks refuse does not trouble the hook.
    rig.asked.clear();
    rig.send(9, 9, vec![element(ElementKind::Malformed), element(kind(Some("_x"), false, 1))]);
    assert_eq!((rig.asked.len(), refusals(&mut rig).len()), (0, 2));
}

/// [SEND-17] [SEND-21] In order, however the hook answers.
#[test]
fn the_hook_may_answer_in_any_order() {
    let mut rig = examining();
    rig.hooks.waits_examination = true;
    rig.texts(1, 3, 1);
    rig.waiting.swap(0, 2);
    rig.release();
    rig.release();
    assert_eq!(rig.log("room_a"), [0; 0]);
    rig.release();
    assert_eq!(rig.log("room_a"), [1, 2, 3]);
}

/// [SEND-18] [TIME-2] [CODE-4004] Tried again twice; then the link ends and nothing is recorded.
#[test]
fn a_hook_that_fails_is_tried_again() {
    for fails in [2, 3] {
        let mut rig = examining();
        rig.hooks.verdicts.insert(1, Examined::Failed);
        rig.hooks.waits_examination = true;
        rig.texts(1, 1, 1);
        for _ in 0..fails {
            rig.release();
        }
        rig.hooks.verdicts.clear();
        if fails == 2 {
            rig.release();
            assert_eq!(rig.log("room_a"), [1]);
        } else {
            assert_eq!(rig.closed(), Some((4004, "SEND-18")));
            let examined = rig.asked.iter().filter(|ask| matches!(ask, NodeAction::Examine { .. })).count();
            assert_eq!((examined, rig.log("room_a")), (3, vec![]));
        }
    }
    let mut rig = examining();
    rig.hooks.waits_examination = true;
    rig.texts(1, 1, 1);
    rig.pass(ms(29_999));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed(), Some((4004, "SEND-18")));

    let config = NodeConfig { examines: true, failure_is_final: true, ..NodeConfig::default() };
    let mut rig = Rig::with(config, MemoryConfig::default());
    rig.hello(hello());
    rig.hooks.verdicts.insert(1, Examined::Failed);
    rig.texts(1, 2, 1);
    assert_eq!(refusals(&mut rig), [(1, "failed".into())]);
    assert_eq!(rig.log("room_a"), [2]);
}

/// [SEND-25] A window's worth is held, and not all of it is at the hook at once.
#[test]
fn a_whole_window_waits_in_the_node() {
    let mut rig = examining();
    rig.hooks.waits_examination = true;
    for n in 0..32 {
        rig.texts(1 + n * 1024, 1024, 1);
    }
    assert_eq!((rig.closed(), rig.waiting.len()), (None, 64));
    rig.line("ping 1");
    assert_eq!(rig.frames(), [NodeFrame::Pong { x: 1 }]);
    rig.release_all();
    assert_eq!(rig.log("room_a").len(), 32_768);
    assert_eq!(rig.acks().last(), Some(&(32_768, 65_536, vec![])));
}

/// [ACK-1] [NODE-5] [ACK-2] [ACK-5] [ACK-7] [TIME-4] Nothing before the engine has answered.
#[test]
fn an_ack_is_the_engines_word() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.texts(1, 3, 1);
    rig.pass(secs(1));
    assert_eq!(rig.acks(), []);
    rig.release();
    assert_eq!(rig.acks(), [(3, 32_771, vec![])]);
    // While something waits, 10 ms.
    rig.texts(4, 1, 1);
    rig.texts(5, 1, 1);
    rig.release();
    assert_eq!(rig.acks(), []);
    rig.pass(ms(10));
    assert_eq!(rig.acks(), [(4, 32_772, vec![])]);
}

/// [SEND-22] [SEND-24] [ENG-5] In doubt, full, and what a repetition finds.
#[test]
fn a_call_in_doubt_is_repeated_and_stores_nothing_twice() {
    for carried_out in [false, true] {
        let mut rig = Rig::open(&[]);
        rig.hooks.waits_writes = true;
        rig.texts(1, 2, 1);
        rig.fail(carried_out);
        assert!(rig.waiting.is_empty() && rig.acks().is_empty());
        rig.pass(ms(250));
        rig.release();
        assert_eq!(rig.log("room_a"), [1, 2]);
        assert_eq!(rig.acks(), [(2, 32_770, vec![])]);
    }
    let memory = MemoryConfig { messages_max: 2, age_min: secs(5), ..MemoryConfig::default() };
    let mut rig = Rig::with(NodeConfig::default(), memory);
    rig.hello(hello());
    rig.take();
    rig.texts(1, 3, 1);
    assert_eq!(rig.acks(), [(2, 32_770, vec![])]);
    rig.pass(secs(6));
    assert_eq!(rig.closed(), None);
    assert_eq!(rig.acks(), [(3, 32_771, vec![])]);
}

/// [SEND-22] [TIME-22] [CODE-4004] A minute at the most.
#[test]
fn a_call_that_is_never_answered_ends_the_link() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.texts(1, 2, 1);
    rig.line("ping 1");
    for _ in 0..59 {
        rig.pass(secs(1));
        rig.line("vis 1");
    }
    assert_eq!(rig.closed(), None);
    rig.pass(secs(1));
    assert_eq!(rig.closed(), Some((4004, "SEND-22")));
    assert!(!rig.node.is_over(), "the answer may still come");
    rig.release();
    assert!(rig.node.is_over() && rig.acks().is_empty());
}

/// [SEND-23] [NODE-6] [ENG-14] [CODE-4005] [ENG-30] [EPOCH-5] [CODE-4006] Nothing further is acknowledged.
#[test]
fn some_answers_end_the_link() {
    let mut rig = Rig::open(&[]);
    let claim = Claim {
        producer: producer(1),
        identity: Identity::named(OWN),
        inbox: inbox(producer(1)),
        link: 2,
        oldest: 1,
        written: 0,
        born: None,
    };
    rig.engine.claim(&claim, rig.now).unwrap();
    rig.texts(1, 2, 1);
    assert_eq!(rig.take(), [Said::Close(4005, "SEND-23".into())]);
    assert_eq!(rig.log("room_a"), [0; 0]);

    let mut rig = Rig::open(&[]);
    rig.engine.restart("e1".into());
    rig.texts(1, 2, 1);
    assert_eq!(rig.closed(), Some((4006, "SEND-22")));
    let mut rig = Rig::open(&[]);
    rig.engine.restart("e1".into());
    rig.wake();
    assert_eq!(rig.closed(), Some((4006, "EPOCH-5")));

    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.texts(1, 2, 1);
    let Some(NodeAction::Call { id, .. }) = rig.waiting.pop_front() else { panic!() };
    rig.node.handle_answer(id, Answer::Append(Ok(Appended::Gap { mark: 0 })), rig.now);
    rig.drain();
    assert_eq!(rig.closed(), Some((4004, "SEND-22")));
}

/// [SEND-13] [SEND-15] [REF-4] [REF-5] [LIM-10] [CRED-3] [SEND-25] [CRED-7] The release is read ahead of what it unblocks.
#[test]
fn a_release_unblocks_what_stands_before_it() {
    let mut rig = Rig::open(&[]);
    let many =
        |n: u64, count: u64| (n..n + count).map(|_| element(ElementKind::Malformed)).collect::<Vec<_>>();
    rig.send(1, 1, many(1, 300));
    let acks = rig.acks();
    assert_eq!((acks.len(), acks[0].0, acks[0].1, acks[0].2.len()), (1, 256, 32_768, 256));
    rig.pass(secs(5));
    assert_eq!((rig.acks(), rig.closed()), (vec![], None));
    rig.send(301, 257, vec![]);
    let acks = rig.acks();
    assert_eq!(acks.last().map(|ack| (ack.0, ack.1)), Some((300, 33_068)));
    assert_eq!(acks.iter().map(|ack| ack.2.len()).sum::<usize>(), 44);
    // At `welcome` there is no credit while so many are kept.
    rig.send(301, 301, many(301, 256));
    rig.relink(again(2, 301, 556, 0));
    let welcome = rig.welcome();
    assert_eq!((welcome.mark, welcome.credit, welcome.refused.len()), (556, 556, 256));
    rig.send(557, 301 + 200, vec![]);
    assert_eq!(rig.acks(), [(556, 33_324, vec![])], "within 10 ms, unasked");
}

/// [CRED-1] [CRED-2] [CRED-3] [SEND-24] [KEEP-3] Withheld credit comes back by itself.
#[test]
fn credit_is_withheld_and_comes_back() {
    let mut rig = Rig::open(&[]);
    rig.node.handle_window(0, rig.now);
    for n in 0..32 {
        rig.texts(1 + n * 1024, 1024, 1);
    }
    assert_eq!(rig.acks().last().map(|ack| (ack.0, ack.1)), Some((32_768, 32_768)));
    rig.pass(secs(10));
    assert_eq!((rig.acks(), rig.closed()), (vec![], None));
    rig.node.handle_window(100, rig.now);
    rig.drain();
    assert_eq!(rig.acks(), [(32_768, 32_868, vec![])]);
}

/// [NODE-11] [ENG-20]
#[test]
fn a_quiet_link_keeps_its_record() {
    let mut rig = Rig::open(&[]);
    rig.calls.clear();
    for _ in 0..20 * 6 + 1 {
        rig.pass(secs(10));
        rig.line("vis 1");
    }
    let refreshes =
        rig.calls.iter().filter(|call| matches!(call, Call::Append { batch, .. } if batch.is_empty()));
    assert_eq!((refreshes.count(), rig.closed()), (1, None));
}

/// [FRM-5] [FRM-8] [REF-6] A binary message is one.
#[test]
fn a_binary_message() {
    let mut rig = Rig::open(&[]);
    let shape = Shape { form: Form::Binary, body_bytes: Some(30), envelope_bytes: Some(20) };
    let payload = Body { binary: true, ..body(3) };
    let message = ElementKind::Message { receiver: Some("room_a".into()), request: false, payload };
    rig.shaped("send 1 1 1", shape, NodeBody::Elements(vec![element(message)]));
    assert_eq!((rig.acks().len(), rig.log("room_a")), (1, vec![3]));
    rig.shaped("send 2 2 2", shape, NodeBody::Elements(vec![message_of(1), message_of(2)]));
    assert_eq!(rig.closed(), Some((4002, "FRM-8")));
}

fn message_of(id: u32) -> Element<Body> {
    message("room_a", id)
}
