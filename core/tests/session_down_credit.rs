//! The window downwards, at both ends and over links.

mod session_down_common;

use everwire_core::engine::Filter;
use everwire_core::frame::{FromClient, Numbers};
use everwire_core::session::down::*;
use session_down_common::*;

fn stuck(world: &mut World) {
    world.rest(|_| false);
}

/// [CRED-9] [CRED-10] [CRED-13] [POS-18]: four frames of the most that counts shut the window, over links too.
#[test]
fn what_earlier_links_have_left_counts() {
    let mut world = World::open(&["room_a"]);
    for _ in 0..7 {
        world.post("room_a", 300_000, true);
    }
    stuck(&mut world);
    assert_eq!(world.numbers(), [1, 2, 3, 4]);
    for _ in 0..3 {
        world.connect();
        stuck(&mut world);
        assert_eq!(world.numbers(), [1, 2, 3, 4]);
    }
    world.restore();
    world.connect();
    stuck(&mut world);
    let held = Amount { messages: 4, octets: WINDOW_OCTETS };
    assert_eq!(world.node.as_ref().unwrap().feed.outstanding(), held);
    // A join is answered all the same, and with one handler's end the fifth comes.
    world.client.join(subject("room_b")).unwrap();
    stuck(&mut world);
    assert!(world.reports.contains(&Report::Joined(subject("room_b"))));
    world.settle(2);
    stuck(&mut world);
    assert_eq!(world.numbers(), [1, 2, 3, 4, 5]);
    world.settle_down();
    assert_eq!(world.numbers(), [1, 2, 3, 4, 5, 6, 7]);
}

/// [CRED-10] [LIM-8]
#[test]
fn no_more_messages_than_the_window() {
    let mut world = World::open(&[]);
    let opened = Opened { position: 0, filter: filter(), denied: Vec::new(), lost: None };
    let held = Amount { messages: WINDOW_MESSAGES - 2, octets: 0 };
    let feed = Feed::new("e0".into(), subject(OWN), held, &opened, world.now);
    world.node.as_mut().unwrap().feed = feed;
    for _ in 0..5 {
        world.post(OWN, 10, false);
    }
    world.node_turn();
    let node = world.node.as_mut().unwrap();
    assert_eq!(node.feed.outstanding().messages, WINDOW_MESSAGES);
    // Woken or not, it comes to rest with the rest of them in the engine.
    node.feed.wake();
    world.node_turn();
    let node = world.node.as_mut().unwrap();
    node.feed.handle_seen(0, 1, 0).unwrap();
    world.node_turn();
    assert_eq!(world.node.as_ref().unwrap().feed.outstanding().messages, WINDOW_MESSAGES);
    assert_eq!(world.node.as_ref().unwrap().down.len(), 2);
}

fn filter() -> Filter {
    Filter::new().with(subject(OWN), 0)
}

/// [CRED-14] [CRED-15] [CRED-11]
#[test]
fn seen_is_due_at_once_if_half_the_window_is_outstanding_and_soon_otherwise() {
    let mut world = World::open(&[]);
    world.post(OWN, 100, false);
    stuck(&mut world);
    world.client.settle(world.running[0].delivery, world.now);
    assert_eq!(world.client.seen_due(), Some(world.now + SEEN_DELAY));
    assert_eq!(world.client.poll_seen(world.now), None);
    let seen = FromClient::Seen { s: 1, count: 1, bytes: 102 };
    assert_eq!(world.client.flush_seen(world.now), Some(seen));
    assert_eq!((world.client.flush_seen(world.now), world.client.seen_due()), (None, None));
    for _ in 0..2 {
        world.post(OWN, 300_000, true);
    }
    stuck(&mut world);
    world.client.settle(world.running[1].delivery, world.now);
    assert_eq!(world.client.seen_due(), Some(world.now));
    let seen = FromClient::Seen { s: 2, count: 2, bytes: 102 + FRAME_OCTETS_COUNTED_MAX };
    assert_eq!(world.client.poll_seen(world.now), Some(seen));
    // Duplicates and what nobody listens to are processed as they come.
    let elements = [Element::Message(subject(OWN)), Element::Skipped];
    world.client.handle_push(2, 4, Numbers::new(&[3, 4]), &elements, 11, world.now).unwrap();
    let seen = FromClient::Seen { s: 2, count: 4, bytes: 102 + FRAME_OCTETS_COUNTED_MAX + 11 };
    assert_eq!(world.client.flush_seen(world.now), Some(seen));
}

/// [CRED-10]
#[test]
fn a_push_beyond_the_window_is_a_violation() {
    let mut world = World::open(&[]);
    let one = [Element::Message(subject(OWN))];
    for s in 1..=4 {
        world.client.handle_push(s - 1, s, Numbers::new(&[s]), &one, 1 << 20, world.now).unwrap();
    }
    let beyond = world.client.handle_push(4, 5, Numbers::new(&[5]), &one, 3, world.now);
    assert_eq!((beyond, world.client.received()), (Err(Violation::Window), 4));
    // An advance stands outside, and the shut window is told after a minute.
    world.client.handle_advance(4, 6).unwrap();
    let shut = world.client.record().pending.entries.keys().next().copied().unwrap();
    assert_eq!(world.client.poll_stuck(world.now + ms(59_999)), None);
    assert_eq!(world.client.poll_stuck(world.now + STUCK_AFTER), Some(Report::WindowShut(shut)));
    assert_eq!(world.client.poll_stuck(world.now + STUCK_AFTER), None);
}

/// [CRED-16] [ERR-16]
#[test]
fn totals_neither_fall_nor_exceed() {
    let opened = Opened { position: 10, filter: Filter::new(), denied: Vec::new(), lost: None };
    let held = Amount { messages: 2, octets: 50 };
    let mut feed = Feed::new("e".into(), subject(OWN), held, &opened, ms_after_start());
    feed.handle_seen(9, 1, 30).unwrap();
    for (s, count, bytes) in [(8, 1, 30), (11, 1, 30), (9, 0, 30), (9, 3, 30), (9, 1, 29), (9, 1, 51)] {
        assert_eq!(feed.handle_seen(s, count, bytes), Err(Violation::Totals));
    }
    feed.handle_seen(10, 2, 50).unwrap();
    assert_eq!(feed.outstanding(), Amount::default());
}

fn ms_after_start() -> everwire_core::Instant {
    everwire_core::Instant::default() + ms(5)
}
