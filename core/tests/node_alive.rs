//! Whether the client is alive, as its node sees it.
mod node_common;

use everwire_core::engine::MemoryConfig;
use everwire_core::session::node::*;
use node_common::*;

fn pings(rig: &mut Rig) -> Vec<u64> {
    let ping = |frame| match frame {
        NodeFrame::<Body>::Ping { x } => Some(x),
        _ => None,
    };
    rig.frames().into_iter().filter_map(ping).collect()
}

/// [LIVE-1] [CRED-13]
#[test]
fn a_ping_is_answered_at_once() {
    let mut rig = Rig::open(&[]);
    rig.line("ping 5");
    rig.line("ping 6");
    assert_eq!(rig.frames(), [NodeFrame::Pong { x: 5 }, NodeFrame::Pong { x: 6 }]);
}

/// [LIVE-1] [NODE-14] One pong waits, and a newer one takes its place.
#[test]
fn one_pong_waits_for_the_transport() {
    let mut rig = Rig::open(&[]);
    rig.node.handle_transport(Transport::default(), rig.now);
    rig.line("ping 5");
    let waits = Transport { written: 1_010, taken: 0, waiting_other: 1_010 };
    rig.node.handle_transport(waits, rig.now);
    (6..=9).for_each(|x| rig.line(&format!("ping {x}")));
    assert_eq!(rig.frames(), [NodeFrame::Pong { x: 5 }]);
    rig.node.handle_transport(Transport { taken: 1_009, ..waits }, rig.now);
    rig.drain();
    assert_eq!(rig.frames(), []);
    rig.node.handle_transport(Transport { taken: 1_010, waiting_other: 0, ..waits }, rig.now);
    rig.drain();
    assert_eq!(rig.frames(), [NodeFrame::Pong { x: 9 }]);
}

/// [LIVE-3] [LIVE-5] [TIME-7] [TIME-8] [LIVE-4] [CODE-4003] After silence, and never without it.
#[test]
fn silence_is_asked_about_and_then_ends_the_link() {
    let config = NodeConfig { heartbeat: secs(7), ..NodeConfig::default() };
    let mut rig = Rig::with(config, MemoryConfig::default());
    rig.hello(hello());
    rig.take();
    for _ in 0..100 {
        rig.pass(ms(6_999));
        rig.line("seen 0 0 0");
    }
    assert_eq!(pings(&mut rig), [0; 0]);
    rig.pass(secs(7));
    assert_eq!(pings(&mut rig), [1]);
    // Not twice while it is unanswered, but every frame restarts the time.
    rig.pass(ms(19_999));
    rig.line("vis 1");
    rig.pass(ms(19_999));
    assert_eq!((pings(&mut rig), rig.closed()), (vec![], None));
    rig.pass(ms(1));
    assert_eq!((rig.closed(), rig.lingers), (Some((4003, "LIVE-4")), Some(false)));
}

/// [LIVE-4] Octets that can be seen restart the time, too.
#[test]
fn octets_restart_the_time() {
    let mut rig = Rig::open(&[]);
    rig.pass(secs(25));
    rig.pass(secs(19));
    rig.node.handle_octets(1, rig.now);
    rig.pass(ms(19_999));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert!(rig.closed().is_some());
}

/// [LIVE-2] [ERR-23] A pong answers its ping and every earlier one; none that was not asked for.
#[test]
fn a_pong_answers_what_was_asked() {
    let mut rig = Rig::open(&[]);
    rig.line("pong 1");
    rig.pass(secs(25));
    assert_eq!(pings(&mut rig), [1]);
    rig.line("pong 2");
    rig.line("pong 0");
    rig.pass(secs(20));
    assert!(rig.closed().is_some(), "neither was sent");

    let mut rig = Rig::open(&[]);
    rig.pass(secs(25));
    rig.line("pong 1");
    rig.pass(secs(25));
    rig.line("pong 2");
    rig.line("pong 2");
    assert_eq!((pings(&mut rig), rig.closed()), (vec![1, 2], None));
}

/// [LIVE-4] 4,000 octets a second for what is unconfirmed.
#[test]
fn a_slow_link_has_time_for_what_was_written() {
    for (before, octets, millis) in [(0, 40_000, 30_000), (40_000, 40_000, 20_000)] {
        let mut rig = Rig::open(&[]);
        let taken = |written| Transport { written, taken: written, waiting_other: 0 };
        rig.node.handle_transport(taken(before), rig.now);
        rig.pass(secs(25));
        rig.line("pong 1");
        rig.pass(secs(25));
        rig.node.handle_transport(taken(octets), rig.now);
        rig.pass(ms(millis - 1));
        assert_eq!(rig.closed(), None);
        rig.pass(ms(1));
        assert!(rig.closed().is_some(), "{before}");
    }
}

/// [LIVE-3] A client that speaks all the time is asked, too, when much may be unread: else hours of traffic would put its
/// verdict off by hours.
#[test]
fn much_that_is_unread_is_asked_about() {
    let mut rig = Rig::open(&[]);
    let taken = |written| Transport { written, taken: written, waiting_other: 0 };
    let writes = |rig: &mut Rig, octets| {
        rig.node.handle_transport(taken(octets), rig.now);
        rig.pass(ms(1));
        rig.line("seen 0 0 0");
        pings(rig)
    };
    assert_eq!(writes(&mut rig, 65_535), [0; 0]);
    assert_eq!(writes(&mut rig, 65_536), [1]);
    assert_eq!(writes(&mut rig, 1_000_000), [0; 0], "one at a time");
    rig.line("pong 1");
    assert_eq!(writes(&mut rig, 1_000_001), [2], "what was written behind the first is not confirmed by it");
    rig.line("pong 2");
    assert_eq!(writes(&mut rig, 1_065_535), [0; 0]);
    // It has 20 s, and 16 s for what is unconfirmed.
    assert_eq!(writes(&mut rig, 1_065_537), [3]);
    rig.pass(ms(36_384));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed(), Some((4003, "LIVE-4")));
}

/// [LIVE-3] What is processed has been read, and is not asked about.
#[test]
fn what_is_processed_is_not_asked_about() {
    for all in [true, false] {
        let mut rig = Rig::open(&["room_a"]);
        let mut asked = 0;
        for n in 1..=40u64 {
            rig.post_body("room_a", Body { octets: 5_000, ..body(1) });
            assert_eq!(rig.pushes().len(), 1);
            let written = n * 5_050;
            rig.node.handle_transport(Transport { written, taken: written, waiting_other: 0 }, rig.now);
            rig.pass(ms(1));
            // The last one is still being processed, or not.
            let processed = if all { n } else { n - 1 };
            rig.line(&format!("seen {n} {processed} {}", processed * 5_002));
            asked += pings(&mut rig).len();
            rig.line(&format!("pong {asked}"));
        }
        assert_eq!((asked, rig.closed()), (if all { 0 } else { 3 }, None));
    }
}

/// [LIVE-13] [LIVE-14] [ERR-25] [CODE-4002]
#[test]
fn an_announced_frame_has_its_time_and_must_come() {
    let mut rig = Rig::open(&[]);
    rig.line("more 400000");
    // 25 s and 100 s for 400,000 octets, then 20 s and 100 s again.
    rig.pass(ms(124_999));
    assert_eq!(pings(&mut rig), [0; 0]);
    rig.pass(ms(1));
    assert_eq!(pings(&mut rig), [1]);
    rig.pass(ms(119_999));
    assert_eq!(rig.closed(), None);
    let long = Element { bytes: 300_000, ..message("room_a", 1) };
    rig.frame("send 1 1 1", NodeBody::Elements(vec![long]), Some(300_000));
    assert_eq!(rig.closed(), None);
    assert_eq!(rig.acks().len(), 1);
    // Now it is over.
    rig.pass(secs(20));
    assert_eq!(rig.closed().map(|closed| closed.0), Some(4003));

    // A claim of more than a frame can have counts as a frame.
    let mut rig = Rig::open(&[]);
    rig.line("more 9007199254740991");
    rig.pass(secs(25) + ms(1_081_344 / 4) - ms(1));
    assert_eq!(pings(&mut rig), [0; 0]);
    rig.pass(ms(1));
    assert_eq!(pings(&mut rig), [1]);

    for head in ["more 16384", "more 0"] {
        let mut rig = Rig::open(&[]);
        rig.line(head);
        assert_eq!(rig.closed(), Some((4002, "LIVE-14")), "{head}");
    }
    for (head, octets) in [
        ("bye 0", None),
        ("more 20000", None),
        ("x-small", None),
        ("x-exact", Some(16_384 - 8)),
        ("x-long", Some(20_000)),
    ] {
        let mut rig = Rig::open(&[]);
        rig.line("more 20000");
        rig.frame(head, NodeBody::None, octets);
        assert_eq!(rig.closed(), Some((4002, "LIVE-14")), "{head}");
    }
    let mut rig = Rig::open(&[]);
    rig.line("more 20000");
    rig.frame("x-right", NodeBody::None, Some(19_000));
    assert_eq!(rig.closed(), None);
}

/// [LIVE-15]
#[test]
fn a_long_frame_without_more_is_no_error() {
    let mut rig = Rig::open(&[]);
    let long = Element { bytes: 300_000, ..message("room_a", 1) };
    rig.frame("send 1 1 1", NodeBody::Elements(vec![long]), Some(300_000));
    assert_eq!(rig.closed(), None);
}

/// [LIVE-11] [TIME-11] A timer that is late gives no verdict.
#[test]
fn a_late_timer_asks_again() {
    let mut rig = Rig::open(&[]);
    rig.pass(secs(25));
    rig.sleep(ms(21_001));
    rig.timeout();
    assert_eq!((pings(&mut rig), rig.closed()), (vec![1, 2], None));
    // A full deadline, and if that is found late as well, one turn for the frames that wait.
    rig.sleep(ms(22_000));
    rig.timeout();
    assert_eq!(rig.closed(), None);
    let mut heard = rig.node.clone();
    heard.handle_frame(
        b"vis 1",
        everwire_core::frame::split(everwire_core::frame::Form::Text, b"vis 1").shape(),
        NodeBody::None,
        rig.now,
    );
    heard.handle_timeout(rig.now + ms(1));
    assert_eq!(heard.phase(), NodePhase::Open);
    rig.sleep(ms(1));
    rig.timeout();
    assert_eq!(rig.closed().map(|closed| closed.0), Some(4003));
}

/// [TIME-19] A deadline that has passed is seen at every event.
#[test]
fn deadlines_are_seen_at_every_event() {
    let mut rig = Rig::open(&[]);
    rig.pass(secs(25));
    rig.sleep(secs(20));
    rig.wake();
    assert_eq!(rig.closed().map(|closed| closed.0), Some(4003));
}

/// [VIS-1] [VIS-2] [LIVE-3] Visible or not.
#[test]
fn a_hidden_page_is_served_as_any_other() {
    let mut rig = Rig::open(&["room_a"]);
    rig.line("vis 0");
    rig.line("vis 0");
    rig.post("room_a");
    assert_eq!(rig.pushes().len(), 1);
    rig.pass(secs(25));
    assert_eq!(pings(&mut rig), [1]);
    rig.line("vis 1");
    assert_eq!(rig.visible, [false, true]);
}
