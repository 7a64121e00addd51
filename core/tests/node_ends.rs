//! How links end: by the client's last word, by a server that drains, by an error.
mod node_common;

use everwire_core::frame::{Wait, Window};
use everwire_core::session::node::*;
use node_common::*;

fn drain(leave_in: u64, window: u64) -> Drain {
    Drain { leave_in: ms(leave_in), window: ms(window), reason: "deploy".into(), url: Some("wss://b".into()) }
}

fn said_close(rig: &Rig) -> (u16, bool) {
    (rig.closed().expect("it is open").0, rig.lingers.expect("it is open"))
}

/// [BYE-1] [BYE-2] [BYE-3] [ERR-28] [CODE-1000] [CLOSE-11] What came before is finished, what comes after ignored.
#[test]
fn a_bye_finishes_what_came_before() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.texts(1, 2, 1);
    rig.post("elsewhere");
    rig.line("bye 0");
    rig.texts(3, 1, 1);
    rig.line("nonsense");
    assert_eq!(rig.take(), []);
    rig.hooks.waits_writes = false;
    rig.release();
    let said = rig.take();
    assert!(matches!(&said[0], Said::Frame(NodeFrame::Ack(ack)) if ack.n == 2), "{said:?}");
    assert!(matches!(said[1], Said::Frame(NodeFrame::Advance { after: 0, .. })), "[POS-12] {said:?}");
    assert_eq!(said[2..], [Said::Close(1000, String::new())]);
    assert_eq!(rig.lingers, Some(true));
    assert_eq!(rig.log("room_a"), [1, 2]);
    rig.relink(again(2, 3, 2, 1));
    assert_eq!(rig.welcome().mark, 2);
}

/// [BYE-2] [TIME-13] For up to 5 s; what is settled by then is told.
#[test]
fn a_bye_does_not_wait_for_ever() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.texts(1, 1, 1);
    rig.texts(2, 1, 1);
    rig.release();
    rig.line("bye 0");
    rig.pass(ms(4_999));
    assert_eq!(rig.closed(), None);
    assert_eq!(rig.acks().len(), 1);
    rig.pass(ms(1));
    assert_eq!(said_close(&rig), (1000, true));
}

/// [SEND-23] [EPOCH-5] [SEND-22] While finishing, as ever.
#[test]
fn finishing_may_fail() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_writes = true;
    rig.texts(1, 1, 1);
    rig.line("bye 0");
    rig.engine.restart("e1".into());
    rig.release();
    assert_eq!(rig.take(), [Said::Close(4006, "SEND-22".into())]);
}

/// [BYE-2] Questions of the client that are open then are nobody's any more.
#[test]
fn a_hook_that_is_late_for_a_bye() {
    for answers in [false, true] {
        let mut rig = Rig::open(&[]);
        rig.hooks.waits_authorisation = true;
        rig.hooks.waits_authentication = true;
        rig.hooks.waits_writes = true;
        rig.line("join room_a");
        rig.line("page 1 room_a 9 9");
        rig.auth("tk-2");
        rig.texts(1, 1, 1);
        rig.pass(secs(7));
        rig.line("bye 0");
        if answers {
            (0..3).for_each(|_| rig.release());
        }
        rig.pass(ms(4_900));
        assert_eq!(rig.take(), []);
        rig.release_all();
        let said = rig.take();
        assert!(matches!(said[..], [Said::Frame(NodeFrame::Ack(_)), Said::Close(1000, _)]), "{said:?}");
    }
}

/// [AWAY-1] [AWAY-9] [CODE-4000] [POS-12] Served for `in` + 2 s, a final advance, 4000.
#[test]
fn a_node_that_drains() {
    let mut rig = Rig::open(&["room_a"]);
    rig.node.handle_drain(drain(5_000, 40_000), rig.now);
    rig.node.handle_drain(drain(1, 1), rig.now);
    rig.drain();
    let (leave_in, window) = (Wait::from_ms(5_000), Window::from_ms(40_000));
    let goaway = NodeFrame::Goaway { leave_in, window, reason: "deploy".into(), url: Some("wss://b".into()) };
    assert_eq!(rig.frames(), [goaway]);
    rig.pass(ms(6_900));
    rig.texts(1, 1, 1);
    rig.line("join room_b");
    rig.post("elsewhere");
    rig.take();
    rig.pass(ms(99));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(
        rig.take(),
        [Said::Frame(NodeFrame::Advance { after: 1, upto: 2 }), Said::Close(4000, String::new())]
    );

    let mut rig = Rig::open(&[]);
    rig.node.handle_drain(drain(0, 0), rig.now);
    rig.node.handle_drain(drain(9_000_000, 9_000_000), rig.now);
    rig.drain();
    let (leave_in, window) = (Wait::from_ms(0), Window::from_ms(1_000));
    assert!(
        matches!(rig.frames()[..], [NodeFrame::Goaway { leave_in: l, window: w, .. }] if l == leave_in && w == window)
    );
    let mut rig = Rig::open(&[]);
    rig.node.handle_drain(drain(9_000_000, 9_000_000), rig.now);
    rig.drain();
    for _ in 0..601 {
        rig.pass(secs(1));
        rig.line("vis 1");
    }
    assert_eq!(rig.closed(), None);
    rig.pass(secs(1));
    assert_eq!(said_close(&rig), (4000, true));
}

/// [AWAY-3] [BYE-2] A client that leaves by itself.
#[test]
fn a_bye_while_draining() {
    let mut rig = Rig::open(&[]);
    rig.node.handle_drain(drain(5_000, 40_000), rig.now);
    rig.drain();
    rig.line("bye 0");
    assert_eq!(said_close(&rig), (1000, true));
}

/// [AWAY-5] [CODE-1001] A `hello` at a node that drains, and one that is being answered.
#[test]
fn a_hello_while_draining() {
    let mut rig = Rig::new();
    rig.node.handle_drain(drain(5_000, 40_000), rig.now);
    rig.drain();
    assert!(rig.said.is_empty());
    rig.hello(hello());
    assert_eq!((rig.closed(), rig.asked.len()), (Some((1012, "window=40000")), 0));

    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    rig.node.handle_drain(drain(5_000, 40_000), rig.now);
    rig.release_all();
    assert!(matches!(rig.frames()[..], [NodeFrame::Welcome(_), NodeFrame::Goaway { .. }]));
}

/// [CLOSE-2] [CLOSE-11] Nothing of the frame, nothing after it; what was carried out before stays.
#[test]
fn a_protocol_error_ends_the_link() {
    let mut rig = Rig::open(&["room_a"]);
    rig.texts(1, 1, 1);
    rig.take();
    rig.line("seen 9 9 9");
    assert_eq!(rig.take(), [Said::Close(4002, "CRED-16".into())]);
    assert_eq!(rig.lingers, Some(true));
    rig.texts(2, 1, 1);
    rig.line("ping 1");
    rig.post("room_a");
    rig.pass(secs(600));
    assert_eq!((rig.take(), rig.node.next_deadline(), rig.node.phase()), (vec![], None, NodePhase::Ended));
    assert_eq!(rig.log("room_a"), [1, 0]);
    assert!(rig.node.is_over());
}

/// [CODE-4501] [CODE-4403] [LIM-20] The application's or the operator's word.
#[test]
fn a_link_may_be_ended_from_above() {
    for phase in 0..3 {
        let mut rig = Rig::new();
        rig.hooks.waits_calls = true;
        if phase > 0 {
            rig.hello(hello());
        }
        if phase > 1 {
            rig.release_all();
            rig.take();
        }
        rig.node.handle_end(4501, &"é".repeat(100), rig.now);
        rig.drain();
        let [Said::Close(4501, reason)] = &rig.take()[..] else { panic!() };
        assert_eq!(reason.len(), 122);
    }
}

/// Nothing comes of a transport that is gone, whenever it goes.
#[test]
fn a_transport_that_closes() {
    for phase in 0..3 {
        let mut rig = Rig::new();
        rig.hooks.waits_calls = true;
        rig.hooks.waits_authentication = true;
        if phase > 0 {
            rig.hello(hello());
        }
        if phase > 1 {
            rig.release_all();
            rig.take();
        }
        rig.node.handle_closed();
        rig.drain();
        rig.release_all();
        rig.line("ping 1");
        rig.pass(secs(99));
        assert_eq!((rig.take(), rig.node.is_over()), (vec![], true));
    }
}

/// [ENG-5] [KEEP-3] Answers of the engine that come after the end.
#[test]
fn late_answers_change_nothing() {
    let mut rig = Rig::open(&["room_a"]);
    rig.hooks.waits_calls = true;
    rig.post("room_a");
    rig.line("join room_b");
    rig.line("page 1 room_a 9 9");
    rig.texts(1, 1, 1);
    rig.line("nonsense");
    rig.take();
    rig.release_all();
    assert_eq!(rig.take(), []);
}
