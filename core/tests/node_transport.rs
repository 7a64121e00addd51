//! A client that writes and does not read, or asks too often.
mod node_common;

use everwire_core::engine::MemoryConfig;
use everwire_core::session::node::*;
use node_common::*;

fn waits(rig: &mut Rig, written: u64, taken: u64, waiting_other: u64) {
    rig.node.handle_transport(Transport { written, taken, waiting_other }, rig.now);
    rig.drain();
}

/// [NODE-14] [LIVE-4] Over 1 MiB of anything but pushes nothing is read, and that time does not count.
#[test]
fn a_link_that_takes_nothing_is_not_read() {
    let mut rig = Rig::open(&[]);
    waits(&mut rig, 1 << 20, 0, 1 << 20);
    assert_eq!(rig.reading, [true; 0]);
    waits(&mut rig, (1 << 20) + 1, 0, (1 << 20) + 1);
    assert_eq!(rig.reading, [false]);
    rig.pass(secs(40));
    assert_eq!((rig.frames(), rig.closed()), (vec![], None), "it could not be heard");
    waits(&mut rig, (1 << 20) + 1, (1 << 20) + 1, 0);
    assert_eq!(rig.reading, [false, true]);
    assert_eq!(rig.frames(), [NodeFrame::Ping { x: 1 }], "so much may be unread");
    rig.line("pong 1");
    rig.pass(ms(24_999));
    assert_eq!(rig.frames(), []);
    rig.pass(ms(1));
    assert_eq!(rig.frames(), [NodeFrame::Ping { x: 2 }]);
}

/// [NODE-14] Pushes do not count, nor does the one page or reply that is being written.
#[test]
fn what_does_not_count_against_reading() {
    let mut rig = Rig::open(&[]);
    rig.post_body("room_a", Body { octets: 1 << 20, ..body(1) });
    waits(&mut rig, 0, 0, 0);
    rig.line("page 1 room_a 9 9");
    assert_eq!(rig.frames().len(), 1);
    waits(&mut rig, (2 << 20) + 10, 0, (2 << 20) + 2);
    assert_eq!(rig.reading, [true; 0]);
    waits(&mut rig, (2 << 20) + 11, 0, (2 << 20) + 3);
    assert_eq!(rig.reading, [false]);
    // When it has left, it is no excuse any more.
    waits(&mut rig, 5 << 20, (2 << 20) + 11, (1 << 20) + 1);
    assert_eq!(rig.reading, [false]);
    waits(&mut rig, 5 << 20, 3 << 20, 1 << 20);
    assert_eq!(rig.reading, [false, true]);
}

/// [CODE-4007] [TIME-17]
#[test]
fn a_transport_that_takes_nothing_for_a_minute() {
    for (taken, ends) in [(4_095, true), (4_096, false)] {
        let mut rig = Rig::open(&[]);
        waits(&mut rig, 1 << 20, 0, 0);
        for _ in 0..59 {
            rig.pass(secs(1));
            rig.line("vis 1");
        }
        waits(&mut rig, 1 << 20, taken, 0);
        assert_eq!(rig.closed(), None);
        rig.pass(secs(1));
        assert_eq!(rig.closed().is_some(), ends, "{taken}");
        if ends {
            assert_eq!((rig.closed(), rig.lingers), (Some((4007, "CODE-4007")), Some(false)));
            continue;
        }
        rig.line("vis 1");
        waits(&mut rig, 1 << 20, 1 << 20, 0);
        for _ in 0..200 {
            rig.pass(secs(1));
            rig.line("vis 1");
        }
        assert_eq!(rig.closed(), None, "nothing waits");
    }
}

/// [POS-18] While much waits, what is to be pushed stays in the engine.
#[test]
fn pushes_wait_in_the_engine() {
    let mut rig = Rig::open(&["room_a"]);
    waits(&mut rig, 65_537, 0, 0);
    rig.calls.clear();
    rig.post("room_a");
    assert_eq!((rig.frames(), rig.calls.len()), (vec![], 0));
    waits(&mut rig, 65_537, 1, 0);
    assert_eq!(rig.pushes(), [(0, 1, vec![1])]);
}

/// [NODE-9] Reading slower, with no pause over 500 ms; a ping is answered all the same.
#[test]
fn a_link_that_asks_too_often_is_read_more_slowly() {
    for (head, octets) in [
        ("vis 1", None),
        ("ping 1", None),
        ("join _x", None),
        ("send 1 0 1", Some(2)),
        ("leave room_z", None),
    ] {
        let mut rig = Rig::open(&[]);
        let body = || if octets.is_some() { NodeBody::Elements(vec![]) } else { NodeBody::None };
        for _ in 0..1024 {
            rig.frame(head, body(), octets);
        }
        assert_eq!(rig.reading, [true; 0], "{head}");
        rig.frame(head, body(), octets);
        assert_eq!(rig.reading, [false]);
        rig.pass(ms(500));
        assert_eq!((&rig.reading[..], rig.closed()), (&[false, true][..], None));
    }
    let mut rig = Rig::open(&[]);
    for _ in 0..9_999 {
        rig.line("seen 0 0 0");
    }
    assert_eq!(rig.reading, [true; 0], "what the protocol asks for costs nothing");
}

/// A driver whose transport takes everything at once need not say so.
#[test]
fn a_driver_that_never_tells() {
    let mut rig = Rig::with(NodeConfig::default(), MemoryConfig::default());
    rig.hello(hello());
    rig.post_body("room_a", Body { octets: 60_000, ..body(1) });
    for id in 0..100 {
        rig.line(&format!("page {id} room_a 9 9"));
    }
    let pages = rig.frames().into_iter().filter(|frame| matches!(frame, NodeFrame::Page { .. }));
    assert_eq!((pages.count(), rig.closed()), (100, None));
}

/// Totals that fall or contradict each other bound nothing worse than before.
#[test]
fn a_driver_that_contradicts_itself() {
    let mut rig = Rig::open(&["room_a"]);
    waits(&mut rig, 100, 900, 0);
    waits(&mut rig, 50, 10, 0);
    rig.post("room_a");
    assert_eq!(rig.pushes().len(), 1);
}
