//! What is gone is told, exactly then and exactly of what.

mod session_down_common;

use everwire_core::engine::{MemoryConfig, STORED_OVERHEAD_OCTETS, Subject};
use everwire_core::session::down::*;
use session_down_common::*;

fn small(rooms: &[&str]) -> World {
    let mut world = World::new(MemoryConfig { messages_max: 4, ..MemoryConfig::default() });
    for room in rooms {
        world.client.join(subject(room)).unwrap();
    }
    world.connect();
    world.settle_down();
    world
}

fn post(world: &mut World, rooms: &[&str]) {
    for room in rooms {
        world.post(room, 9, false);
    }
}

fn losses(world: &World) -> Vec<Vec<Subject>> {
    let lost = |report: &Report| match report {
        Report::Lost(subjects) => Some(subjects.clone()),
        _ => None,
    };
    world.reports.iter().filter_map(lost).collect()
}

/// [LOST-1] [LOST-3] [LOST-5]: only the room of which something is gone; the other goes on from its position.
#[test]
fn only_what_is_missing_is_lost() {
    let mut world = small(&["room_a", "room_b"]);
    world.drop_link();
    post(&mut world, &["room_a", "room_a", "x", "x", "room_b", "room_a"]);
    world.connect();
    world.settle_down();
    assert_eq!(losses(&world), [[subject("room_a")]]);
    assert_eq!(world.numbers(), [5]);
    assert_eq!(world.client.record().seats[&subject("room_a")].from, Some(6));
    assert_eq!(world.client.record().seats[&subject("room_b")].from, Some(0));
    post(&mut world, &["room_a"]);
    world.settle_down();
    assert_eq!(world.numbers(), [5, 7]);
}

/// [LOST-2] [LOST-3] [LOST-5]: a room of which more was missed than may be is lost, all of it; what a client has is not
/// counted, nor what others' rooms have, nor direct messages.
#[test]
fn a_backlog_beyond_its_limit_is_lost_whole() {
    let octets = |messages: u64| messages * (9 + STORED_OVERHEAD_OCTETS);
    let none = MemoryConfig::default();
    for bound in [
        MemoryConfig { backlog_messages_max: 3, ..none },
        MemoryConfig { backlog_octets_max: octets(3), ..none },
        MemoryConfig { backlog_octets_max: octets(4) - 1, ..none },
    ] {
        let mut world = World::new(bound);
        for room in ["room_a", "room_b"] {
            world.client.join(subject(room)).unwrap();
        }
        world.connect();
        post(&mut world, &["room_a", "room_a", "room_a", "room_a"]);
        world.settle_down();
        assert_eq!(world.numbers(), [1, 2, 3, 4]);
        // As many as may be.
        world.drop_link();
        post(&mut world, &["room_a", "x", "x", "x", "room_a", "room_a"]);
        world.connect();
        world.settle_down();
        assert_eq!(losses(&world), [[]; 0]);
        assert_eq!(world.numbers(), [1, 2, 3, 4, 5, 9, 10]);
        // And one more, beside a room and direct messages that have as many as they like.
        world.drop_link();
        post(&mut world, &["room_a", "room_b", OWN, OWN, "room_a", OWN, OWN, OWN, "room_a", "room_a"]);
        world.connect();
        world.settle_down();
        assert_eq!(losses(&world), [[subject("room_a")]]);
        assert_eq!(world.numbers()[7..], [12, 13, 14, 16, 17, 18]);
        assert_eq!(world.client.record().seats[&subject("room_a")].from, Some(20));
        post(&mut world, &["room_a"]);
        world.settle_down();
        assert_eq!(world.numbers()[13..], [21]);
    }
}

/// [LOST-1]: the log's first numbers are long gone, and nothing of this client's.
#[test]
fn what_others_have_lost_is_no_loss() {
    let mut world = small(&["room_a"]);
    post(&mut world, &["room_a"]);
    world.settle_down();
    world.drop_link();
    post(&mut world, &["x", "x", "x", "x", "x", "x"]);
    world.connect();
    post(&mut world, &["x", "x", "x", "x", "x", "x", "room_a"]);
    world.settle_down();
    assert_eq!((losses(&world), world.numbers()), (vec![], vec![1, 14]));
}

/// [LOST-6] [LOST-4]
#[test]
fn a_slow_link_that_trimming_overtakes_is_told() {
    let mut world = small(&["room_a", "room_b"]);
    post(&mut world, &["room_b", "room_a", "x", "x", "x", "x", "room_b"]);
    world.settle_down();
    assert_eq!(losses(&world), [[subject("room_a"), subject("room_b")]]);
    assert_eq!(world.numbers(), []);
    post(&mut world, &["room_b"]);
    world.settle_down();
    assert_eq!(world.numbers(), [8]);
}

/// [EPOCH-1] [EPOCH-2]
#[test]
fn with_the_log_everything_is_lost() {
    let mut world = small(&["room_a"]);
    post(&mut world, &["room_a", "x", "x"]);
    world.settle_down();
    world.new_epoch();
    post(&mut world, &["room_a", "room_a"]);
    world.connect();
    post(&mut world, &["room_a"]);
    world.settle_down();
    assert_eq!(losses(&world), [[subject("room_a"), subject(OWN)]]);
    assert_eq!(world.numbers(), [3]);
}

/// [LOST-2] [ROOM-10] [ROOM-19] [WELC-11] [EPOCH-6]
#[test]
fn froms_without_a_right_to_them_and_positions_above_the_head() {
    let mut world = small(&["room_a"]);
    post(&mut world, &["room_a", "x", "x"]);
    let hello = Hello { position: Some(2), ..world.client.hello() };
    let opening = world.opening(&hello);
    assert_eq!(opening.open().unwrap().lost, None);
    for (from_holds, since, lost) in [(false, 0, true), (true, 3, true), (true, 2, false)] {
        let mut opening = opening.clone();
        opening.rooms[0].standing = Standing::Allowed { from_holds, since };
        let loss = Loss { subjects: vec![subject("room_a")], first: 4 };
        assert_eq!(opening.open().unwrap().lost, lost.then_some(loss));
    }
    let mut without_own = opening.clone();
    without_own.rooms.pop();
    assert_eq!(without_own.open().unwrap().filter.from(&subject(OWN)), Some(2));
    without_own.trimmed = vec![(subject(OWN), 3)];
    let loss = Loss { subjects: vec![subject(OWN)], first: 4 };
    assert_eq!(without_own.open().unwrap().lost, Some(loss));
    let ahead = Opening { position: Some(4), ..opening.clone() };
    assert_eq!(ahead.open(), Err(Behind { position: 4 }));
    let held = Amount { messages: WINDOW_MESSAGES + 1, octets: 0 };
    assert_eq!(Opening { held, ..opening }.check(), Err(Violation::Totals));
}

/// [LOST-7] [ERR-29]
#[test]
fn a_loss_that_cannot_be() {
    let mut world = small(&["room_a"]);
    world.client.handle_advance(0, 5).unwrap();
    let loss =
        |rooms: &[&str], first| Loss { subjects: rooms.iter().map(|room| subject(room)).collect(), first };
    let before = world.client.record().clone();
    for wrong in [loss(&[], 9), loss(&["room_a", "room_a"], 9), loss(&["room_a"], 5), loss(&["room_a"], 0)] {
        assert_eq!(world.client.handle_lost(&"e0".into(), &wrong), Err(Violation::Lost));
    }
    let right = loss(&["room_x", "room_a"], 6);
    assert_eq!(world.client.handle_lost(&"e1".into(), &right), Err(Violation::Lost));
    assert_eq!(*world.client.record(), before);
    let told = world.client.handle_lost(&"e0".into(), &right).unwrap();
    assert_eq!(told, Some(Report::Lost(vec![subject("room_a")])));
    assert_eq!(world.client.handle_lost(&"e0".into(), &loss(&["room_x"], 6)), Ok(None));
}

/// [LOST-4] [ROOM-14]: left and wished for again while `hello` was on its way.
#[test]
fn a_room_that_was_left_has_lost_nothing() {
    let mut world = small(&["room_a"]);
    world.drop_link();
    post(&mut world, &["room_a", "x", "x", "x", "x"]);
    world.connect();
    world.client.leave(&subject("room_a"));
    world.client.join(subject("room_a")).unwrap();
    world.settle_down();
    assert_eq!(losses(&world), Vec::<Vec<Subject>>::new());
    assert_eq!(world.client.record().seats[&subject("room_a")].from, Some(5));
}
