//! Casts: not numbered, not kept, dropped in silence.
mod node_common;

use everwire_core::engine::*;
use everwire_core::frame::{Form, Shape};
use everwire_core::session::Hello;
use everwire_core::session::down::Amount;
use everwire_core::session::node::*;
use node_common::*;

fn casts(rig: &mut Rig) -> Vec<Vec<u32>> {
    let cast = |frame: NodeFrame<Body>| match frame {
        NodeFrame::Cast(payloads) => Some(payloads.iter().map(|payload| payload.id).collect()),
        _ => None,
    };
    rig.frames().into_iter().filter_map(cast).collect()
}

fn publish(rig: &mut Rig, to: &str, payload: Body) {
    let epoch = rig.engine.epoch().clone();
    rig.engine.publish(&epoch, Post::new(to.into(), payload), rig.now).unwrap();
}

/// [CAST-1] [CAST-3] [CAST-5] [SEND-27] [ERR-8] [POS-16]
#[test]
fn a_cast_reaches_those_whose_filter_holds_it() {
    let mut rig = Rig::open(&["room_a"]);
    let bad = |kind| Element { bytes: 10, kind };
    rig.cast(vec![
        message("room_a", 1),
        bad(ElementKind::Malformed),
        bad(ElementKind::Withdrawn),
        bad(kind(None, false, 2)),
        message("_inbox1", 3),
        message("a\u{1}", 4),
        message("room_b", 5),
        message("room_a", 6),
    ]);
    rig.cast(vec![Element { bytes: (1 << 20) + 1, ..message("room_a", 7) }]);
    assert_eq!(casts(&mut rig), [[1, 6]]);
    assert_eq!((rig.log("room_a"), rig.acks().len(), rig.closed()), (vec![], 0, None));
}

/// [FRM-5] [FRM-8] [LIM-4] [LIM-5] What only the body tells.
#[test]
fn a_cast_against_its_limits() {
    let elements = |many: u32| NodeBody::Elements((0..many).map(|id| message("room_a", id)).collect());
    for (many, octets, clause) in [
        (0, 2, "FRM-5"),
        (1025, 60_000, "LIM-5"),
        (2, 65_537, "LIM-4"),
        (1, 65_537, ""),
        (2, 65_536, ""),
        (1024, 60_000, ""),
    ] {
        let mut rig = Rig::open(&[]);
        rig.frame("cast", elements(many), Some(octets));
        assert_eq!(rig.closed().map_or("", |closed| closed.1), clause, "{many} {octets}");
    }
    let mut rig = Rig::open(&[]);
    let shape = Shape { form: Form::Binary, body_bytes: Some(30), envelope_bytes: Some(20) };
    rig.shaped("cast", shape, elements(2));
    assert_eq!(rig.closed(), Some((4002, "FRM-5")));
    let mut rig = Rig::open(&[]);
    rig.frame("cast", NodeBody::Unreadable, Some(9));
    assert_eq!(rig.closed(), Some((4002, "ERR-6")));
}

/// [CAST-3] [CAST-5] [ROOM-21] [TIME-2] In their order, however the hook answers; what fails is dropped.
#[test]
fn casts_pass_the_hook() {
    let config = NodeConfig { examines: true, ..NodeConfig::default() };
    let mut rig = Rig::with(config, MemoryConfig::default());
    rig.hello(Hello { rooms: vec![wished("room_a", None)], ..hello() });
    rig.take();
    rig.hooks.waits_examination = true;
    rig.hooks.verdicts.insert(2, Examined::Refuse("no".into()));
    rig.hooks.verdicts.insert(3, Examined::Failed);
    rig.hooks.verdicts.insert(4, Examined::Pass { subject: Some("_x".into()), payload: body(4) });
    rig.cast((1..=6).map(|id| message("room_a", id)).collect());
    let late = rig.waiting.pop_back().unwrap();
    rig.waiting.rotate_left(1);
    rig.release_all();
    assert_eq!(casts(&mut rig).concat(), [1, 5]);
    rig.pass(secs(10));
    rig.answer(late);
    rig.drain();
    assert_eq!((casts(&mut rig), rig.closed()), (vec![], None));
    // More than wait there are dropped.
    rig.cast((0..100).map(|_| message("room_a", 9)).collect());
    assert_eq!(rig.waiting.len(), 64);
}

/// [CAST-4] [CRED-13]
#[test]
fn casts_for_a_full_window_are_dropped() {
    let mut rig = Rig::new();
    let held = Amount { messages: 8_191, octets: 0 };
    rig.hello(Hello { held, rooms: vec![wished("room_a", None)], ..hello() });
    rig.take();
    publish(&mut rig, "room_a", body(1));
    rig.wake();
    assert_eq!(casts(&mut rig), [[1]]);
    rig.post("room_a");
    publish(&mut rig, "room_a", body(2));
    rig.wake();
    // And the next message waits.
    rig.post("room_a");
    publish(&mut rig, "room_a", body(3));
    rig.wake();
    assert_eq!(casts(&mut rig), [[0u32; 0]; 0]);
    rig.line("seen 1 8192 0");
    assert_eq!(casts(&mut rig), [[0u32; 0]; 0], "they are long past");
    publish(&mut rig, "room_a", body(4));
    rig.wake();
    assert_eq!(casts(&mut rig), [[4]]);
}

/// [CAST-4]
#[test]
fn casts_for_a_transport_that_does_not_drain_are_dropped() {
    let mut rig = Rig::open(&["room_a"]);
    let clogged = Transport { written: 100_000, taken: 0, waiting_other: 0 };
    rig.node.handle_transport(clogged, rig.now);
    publish(&mut rig, "room_a", body(1));
    rig.wake();
    rig.post("room_a");
    assert_eq!(rig.frames(), []);
    rig.node.handle_transport(Transport { taken: 100_000, ..clogged }, rig.now);
    rig.drain();
    let frames = rig.frames();
    let casts = frames.iter().filter(|frame| matches!(frame, NodeFrame::Cast(_))).count();
    let pushes = frames.iter().filter(|frame| matches!(frame, NodeFrame::Push { .. })).count();
    assert_eq!((casts, pushes), (0, 1), "{frames:?}");
}

/// [LIM-4] [LIM-5] [FRM-8] Many in one frame, each binary one alone.
#[test]
fn casts_share_frames() {
    let mut rig = Rig::open(&["room_a"]);
    for id in 0..3 {
        publish(&mut rig, "room_a", Body { octets: 25_000, ..body(id) });
    }
    publish(&mut rig, "room_a", Body { binary: true, ..body(3) });
    publish(&mut rig, "room_a", body(4));
    publish(&mut rig, "room_a", body(5));
    rig.wake();
    for said in &rig.said {
        let Said::Frame(frame) = said else { continue };
        assert!(frame.message_octets() <= 57_344);
    }
    assert_eq!(casts(&mut rig), [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
}

/// [EPOCH-5]
#[test]
fn a_cast_in_another_log_ends_the_link() {
    let mut rig = Rig::open(&["room_a"]);
    rig.engine.restart("e1".into());
    rig.cast(vec![message("room_b", 1)]);
    assert_eq!(rig.closed(), Some((4006, "EPOCH-5")));
}
