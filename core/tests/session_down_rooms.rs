//! Rooms that come and go in mid-stream.

mod session_down_common;

use everwire_core::engine::Filter;
use everwire_core::session::down::*;
use session_down_common::*;

fn seat(world: &World, room: &str) -> Option<u64> {
    world.client.record().seats.get(&subject(room)).and_then(|seat| seat.from)
}

fn place(room: &str, from: u64) -> Place {
    Place { subject: subject(room), from, grant: None }
}

fn feed(rooms: &[(&str, u64)], position: u64) -> Feed {
    let filter = rooms.iter().fold(Filter::new(), |filter, (room, from)| filter.with(subject(room), *from));
    let opened = Opened { position, filter, denied: Vec::new(), lost: None };
    Feed::new("e".into(), subject(OWN), Amount::default(), &opened, Default::default())
}

/// [ROOM-4] [ROOM-6] [NODE-12] [POS-9]: nothing from before, everything from then on, also what is stored between the
/// answer and the next look.
#[test]
fn a_room_joined_in_mid_stream_begins_at_the_head() {
    let mut world = World::open(&[]);
    world.post("room_a", 10, false);
    world.post(OWN, 10, false);
    world.client.join(subject("room_a")).unwrap();
    world.put_by();
    world.node_reads();
    world.post("room_a", 10, false);
    world.settle_down();
    assert_eq!((world.numbers(), seat(&world, "room_a")), (vec![2, 3], Some(2)));
}

/// [POS-9]: an answer of the engine to another filter is void.
#[test]
fn what_was_read_before_a_join_does_not_count() {
    let mut world = World::open(&[]);
    let (now, room) = (world.now, subject("room_a"));
    let node = world.node.as_mut().unwrap();
    node.feed.wake();
    let look = node.feed.look().unwrap();
    world.post("room_a", 10, false);
    let node = world.node.as_mut().unwrap();
    let answer = node.feed.ask(&mut world.engine, look, now).unwrap();
    assert!(node.feed.handle_join(room.clone()).unwrap());
    node.feed.handle_verdict(&room, Verdict::Allowed { head: 0 });
    assert_eq!(node.feed.poll_join::<Body>(), Some(Outbound::Joined { room: room.clone(), from: 0 }));
    assert_eq!(node.feed.handle_answer(answer, now), []);
    let look = node.feed.look().unwrap();
    let answer = node.feed.ask(&mut world.engine, look, now).unwrap();
    let out = node.feed.handle_answer(answer.clone(), now);
    assert!(matches!(&out[..], [Outbound::Push { after: 0, upto: 1, messages }] if messages.len() == 1));
    // And the same answer once more is void too.
    assert_eq!(node.feed.handle_answer(answer, now), []);
}

/// [ROOM-2] [ROOM-21]
#[test]
fn answers_keep_the_order_of_the_joins() {
    let mut feed = feed(&[(OWN, 0)], 0);
    assert!(feed.handle_join(subject("room_a")).unwrap());
    assert!(!feed.handle_join(subject("_x")).unwrap());
    assert!(feed.handle_join(subject("room_b")).unwrap());
    assert_eq!(feed.handle_join(subject("room_b")), Err(Violation::JoinUnanswered));
    feed.handle_verdict(&subject("room_b"), Verdict::Allowed { head: 7 });
    assert_eq!(feed.poll_join::<Body>(), None);
    feed.handle_verdict(&subject("room_a"), Verdict::Denied("forbidden".into()));
    let answers: Vec<Outbound<Body>> = core::iter::from_fn(|| feed.poll_join()).collect();
    let denied = |room| Outbound::Denied { room: subject(room), code: "forbidden".into() };
    let joined = Outbound::Joined { room: subject("room_b"), from: 7 };
    assert_eq!(answers, [denied("room_a"), denied("_x"), joined]);
}

/// [LIM-11] [ERR-19] [ROOM-11] [FRM-11]
#[test]
fn what_a_node_denies_without_asking() {
    let mut feed = feed(&[(OWN, 0)], 0);
    let code = |feed: &mut Feed, room: &str| {
        assert!(!feed.handle_join(subject(room)).unwrap());
        match feed.poll_join::<Body>() {
            Some(Outbound::Denied { code, .. }) => code.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code(&mut feed, "_inbox"), "forbidden");
    assert_eq!(code(&mut feed, &"x".repeat(129)), "malformed");
    for nth in 0..ROOMS_MAX {
        let room = subject(&format!("room_{nth}"));
        assert!(feed.handle_join(room.clone()).unwrap());
        feed.handle_verdict(&room, Verdict::Allowed { head: 0 });
        feed.poll_join::<Body>().unwrap();
    }
    assert_eq!(code(&mut feed, "room_x"), "too-many");
    // One that is in the filter is no further one. [ROOM-13]
    assert!(feed.handle_join(subject("room_0")).unwrap());
}

/// [ROOM-15] [ROOM-20] [ERR-20]
#[test]
fn leaves_and_revocations_of_what_is_not_in_the_filter_are_nothing() {
    let mut feed = feed(&[(OWN, 0), ("room_a", 0)], 0);
    feed.handle_leave(&subject(OWN));
    feed.handle_leave(&subject("room_b"));
    assert_eq!(feed.filter().len(), 2);
    assert_eq!(feed.revoke::<Body>(&subject("room_b")), None);
    let revoked = Outbound::Denied { room: subject("room_a"), code: "revoked".into() };
    assert_eq!(feed.revoke::<Body>(&subject("room_a")), Some(revoked));
    assert_eq!(feed.filter().len(), 1);
}

/// [ROOM-3] [ROOM-14]: the last wish counts, and only after the answer.
#[test]
fn nothing_is_written_of_a_room_whose_join_is_unanswered() {
    let mut world = World::open(&[]);
    let room = subject("room_a");
    world.client.join(room.clone()).unwrap();
    assert_eq!(world.client.next_wish(), Some(Wish::Join(room.clone())));
    world.client.leave(&room);
    world.client.join(room.clone()).unwrap();
    world.client.leave(&room);
    assert_eq!(world.client.next_wish(), None);
    assert_eq!(world.client.handle_joined(place("room_a", 5)), Ok(None));
    assert_eq!(seat(&world, "room_a"), None);
    assert_eq!(world.client.next_wish(), Some(Wish::Leave(room)));
    assert_eq!(world.client.next_wish(), None);
}

/// [ROOM-14]: left and wished for again, a room begins anew.
#[test]
fn a_room_that_was_left_does_not_keep_its_from() {
    let mut world = World::open(&["room_a"]);
    let room = subject("room_a");
    world.client.leave(&room);
    world.client.join(room.clone()).unwrap();
    assert_eq!(seat(&world, "room_a"), None);
    assert_eq!(world.client.next_wish(), Some(Wish::Leave(room.clone())));
    assert_eq!(world.client.next_wish(), Some(Wish::Join(room.clone())));
    world.connect();
    world.client.leave(&room);
    world.client.join(room.clone()).unwrap();
    world.client_reads();
    let up: Vec<_> = world.node.as_ref().unwrap().up.iter().map(|bytes| bytes[..5].to_vec()).collect();
    assert_eq!(up, [b"leave", b"join "]);
}

/// [ROOM-5] [ERR-17] [ERR-18]
#[test]
fn answers_that_nobody_asked_for_and_froms_below_what_was_received() {
    let mut world = World::open(&[]);
    world.client.handle_advance(0, 9).unwrap();
    assert_eq!(world.client.handle_joined(place("room_a", 9)), Err(Violation::Unexpected));
    assert_eq!(world.client.handle_denied(&subject("room_a"), "forbidden"), Err(Violation::Unexpected));
    assert_eq!(world.client.handle_denied(&subject("room_a"), "revoked"), Ok(None));
    world.client.join(subject("room_a")).unwrap();
    world.client.next_wish().unwrap();
    assert_eq!(world.client.handle_joined(place("room_a", 8)), Err(Violation::From));
    assert_eq!(world.client.handle_denied(&subject("room_a"), "revoked"), Ok(None));
    let joined = Report::Joined(subject("room_a"));
    assert_eq!(world.client.handle_joined(place("room_a", 9)), Ok(Some(joined)));
}

/// [ROOM-16] [WELC-12] [HELLO-14]
#[test]
fn a_room_denied_or_revoked_is_off_the_record() {
    let mut world = World::open(&["room_a", "room_b"]);
    let denied = |room: &str, code: &str| Report::Denied(subject(room), code.into());
    let revoked = world.client.handle_denied(&subject("room_a"), "revoked").unwrap();
    assert_eq!((revoked, seat(&world, "room_a")), (Some(denied("room_a", "revoked")), None));
    world.forbidden.insert(subject("room_b"));
    world.connect();
    world.settle_down();
    assert!(world.reports.contains(&denied("room_b", "forbidden")));
    assert!(!world.client.record().seats.contains_key(&subject("room_b")));
}

/// [ROOM-8] [HELLO-9]: the link dies with the answer.
#[test]
fn a_join_whose_answer_was_lost_is_made_by_the_next_hello() {
    let mut world = World::open(&[]);
    world.client.join(subject("room_a")).unwrap();
    world.put_by();
    world.node_reads();
    world.node_turn();
    world.drop_link();
    world.post("room_a", 10, false);
    world.connect();
    world.post("room_a", 10, false);
    world.settle_down();
    assert_eq!(world.numbers(), [2]);
}

/// [FRM-11] [LIM-11]
#[test]
fn rooms_that_cannot_be_joined() {
    let mut reader = Reader::new();
    assert_eq!(reader.join(subject("")), Err(Unfit::Malformed));
    assert_eq!(reader.join(subject("a\u{7f}")), Err(Unfit::Malformed));
    for nth in 0..ROOMS_MAX {
        reader.join(subject(&format!("room_{nth}"))).unwrap();
    }
    assert_eq!(reader.join(subject("room_x")), Err(Unfit::TooMany));
    reader.join(subject("room_0")).unwrap();
}
