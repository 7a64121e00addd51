//! The node's column of §18, and the limits that a frame alone shows.
mod node_common;

use everwire_core::frame::{Form, Shape};
use everwire_core::session::node::*;
use node_common::*;

fn closed_by(head: &str, body: NodeBody<Body>, octets: Option<u64>) -> (u16, String) {
    let mut rig = Rig::open(&[]);
    rig.frame(head, body, octets);
    let (code, reason) = rig.closed().unwrap_or((0, ""));
    (code, reason.to_owned())
}

/// [ERR-1] [ERR-2] [ERR-3] [FRM-1] [FRM-2] [FRM-4] [FRM-10] [NUM-1] [LIM-1] [LIM-5] [CODE-4002]
#[test]
fn malformed_frames_are_protocol_errors() {
    let long = "a".repeat(385);
    for (head, octets) in [
        ("", None),
        ("ping", None),
        ("ping 01", None),
        ("ping -1", None),
        ("ping 1 ", None),
        ("ping  1", None),
        ("ping 9007199254740992", None),
        ("ping 1\r", None),
        ("ping 1", Some(0)),
        ("Ping 1", None),
        ("push 0 1 1", Some(2)),
        ("welcome", Some(2)),
        ("xping 1", None),
        ("join café", None),
        ("join %61", None),
        ("join %c3%a9", None),
        (&format!("join {long}"), None),
        ("vis 2", None),
        ("send 1 1025 1", Some(9)),
        ("send 1 1 1", None),
        ("hello", Some(9)),
        ("auth", None),
        ("cast", None),
        ("page 1 room_a 9 1025", None),
    ] {
        let (code, reason) = closed_by(head, NodeBody::None, octets);
        assert_eq!(code, 4002, "{head}");
        // [CLOSE-2] The reason names the clause, and nothing of the peer's.
        assert!(reason.contains('-') && reason.len() < 9, "{reason}");
    }
    let (code, _) = closed_by(&format!("ping {}", "1".repeat(32_768)), NodeBody::None, None);
    assert_eq!(code, 4002);
    let mut rig = Rig::open(&[]);
    let shape = Shape { form: Form::Binary, body_bytes: None, envelope_bytes: None };
    rig.shaped("ping 1", shape, NodeBody::None);
    assert_eq!(rig.closed().map(|closed| closed.0), Some(4002));
}

/// [ERR-5] [LIM-3] [LIM-6] [CODE-1009] [SEC-9] [NODE-8] The length is looked at before everything else.
#[test]
fn a_frame_over_its_limit() {
    let most = (1 << 20) + 32_768;
    for (head, octets, code) in [
        ("send 1 1 1", most - 10, 1009),
        ("nonsense", most, 1009),
        ("x-else", most, 1009),
        ("hello", 262_144 - 5, 1009),
        ("nonsense", most - 9, 4002),
    ] {
        assert_eq!(closed_by(head, NodeBody::None, Some(octets)).0, code, "{head} {octets}");
    }
    let mut rig = Rig::new();
    assert_eq!(rig.node.frame_bytes_max(), 262_144);
    rig.frame("hello", NodeBody::None, Some(262_144));
    assert_eq!(rig.closed(), Some((1009, "LIM-6")));
    let mut rig = Rig::open(&[]);
    assert_eq!(rig.node.frame_bytes_max(), most);
    rig.node.handle_too_long(rig.now);
    rig.drain();
    assert_eq!((rig.closed(), rig.lingers), (Some((1009, "LIM-3")), Some(true)));
}

/// [ERR-4] [FRM-3]
#[test]
fn extensions_are_ignored() {
    let mut rig = Rig::open(&[]);
    for (form, octets) in
        [(Form::Text, None), (Form::Text, Some(0)), (Form::Binary, None), (Form::Binary, Some(900_000))]
    {
        rig.shaped(
            "x-\u{1}any thing",
            Shape { form, body_bytes: octets, envelope_bytes: None },
            NodeBody::Unreadable,
        );
    }
    assert_eq!(rig.take(), []);
}

/// [ERR-6] [ERR-7] [FRM-5] [FRM-7] [FRM-12]
#[test]
fn bodies_that_cannot_be_read() {
    assert_eq!(closed_by("send 1 1 1", NodeBody::Unreadable, Some(9)), (4002, "ERR-6".into()));
    let two = NodeBody::Elements(vec![message("a", 1), message("a", 2)]);
    assert_eq!(closed_by("send 1 1 1", two, Some(9)), (4002, "FRM-5".into()));
    assert_eq!(closed_by("send 1 1 1", NodeBody::Elements(vec![]), Some(9)), (4002, "FRM-5".into()));
    assert_eq!(closed_by("auth", NodeBody::Elements(vec![]), Some(9)), (4002, "ERR-6".into()));
    let mut rig = Rig::open(&[]);
    let shape = Shape { form: Form::Binary, body_bytes: Some(9), envelope_bytes: None };
    rig.shaped("send 1 1 1", shape, NodeBody::Unreadable);
    assert_eq!(rig.closed(), Some((4002, "FRM-7")));
}

/// [LIM-4] [LIM-17] [ERR-6]
#[test]
fn bodies_over_their_limits() {
    let two = NodeBody::Elements(vec![message("a", 1), message("a", 2)]);
    assert_eq!(closed_by("send 1 2 1", two.clone(), Some(65_537)), (4002, "LIM-4".into()));
    assert_eq!(closed_by("send 1 2 1", two, Some(65_536)), (0, "".into()));
    assert_eq!(closed_by("auth", NodeBody::Token("t".into()), Some(65_537)), (4002, "LIM-17".into()));
}

/// [SEC-12] [LIVE-1] [POS-18] [NODE-9] Whatever a client floods a node with, it holds no more than its bounds.
#[test]
fn floods_leave_nothing_behind() {
    let size = |rig: &Rig| format!("{:?}", rig.node).len();
    for head in
        ["ping 7", "pong 7", "vis 0", "join _x", "leave room_a", "seen 0 0 0", "page 1 _x 9 9", "x-flood"]
    {
        let mut rig = Rig::open(&["room_a"]);
        for _ in 0..100 {
            rig.line(head);
        }
        let before = size(&rig);
        for _ in 0..5_000 {
            rig.line(head);
            rig.said.clear();
        }
        assert_eq!(rig.closed(), None, "{head}");
        assert!(size(&rig) <= before + 100, "{head}: {before} and then {}", size(&rig));
    }
    let mut rig = Rig::open(&[]);
    let before = size(&rig);
    for n in 0..200 {
        rig.texts(1 + n * 1000, 1000, 1 + n * 1000);
        rig.cast(vec![message("room_a", 1)]);
        rig.said.clear();
        rig.pass(ms(10));
    }
    assert!(size(&rig) <= before + 20_000, "{before} and then {}", size(&rig));
}
