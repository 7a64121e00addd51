//! Rooms of a living link: joins, their answers' order, leaving, revocation.
mod node_common;

use everwire_core::engine::*;
use everwire_core::session::down::Standing;
use everwire_core::session::node::*;
use node_common::*;

fn answers(rig: &mut Rig) -> Vec<String> {
    let answer = |frame| match frame {
        NodeFrame::Joined { room, from } => Some(format!("joined {room} {from}")),
        NodeFrame::Denied { room, code } => Some(format!("denied {room} {code}")),
        _ => None,
    };
    rig.frames().into_iter().filter_map(answer).collect()
}

fn join(rig: &mut Rig, room: &str) {
    rig.line(&format!("join {}", encoded(room)));
}

/// [ROOM-4] [ROOM-6] [ROOM-11] [NODE-12] The head as it is after the authorisation, and everything above it.
#[test]
fn a_room_begins_at_the_head_after_the_authorisation() {
    let mut rig = Rig::open(&[]);
    rig.post("room_a");
    rig.hooks.waits_authorisation = true;
    join(&mut rig, "room_a");
    rig.post("room_a");
    assert_eq!(answers(&mut rig), [""; 0]);
    rig.hooks.waits_calls = true;
    rig.release();
    // The head is asked for, and more is stored before anything is read.
    rig.release();
    rig.post("room_a");
    rig.post("room_a");
    rig.hooks.waits_calls = false;
    let said = rig.said.clone();
    assert_eq!(answers(&mut rig), ["joined room_a 2"]);
    rig.said = said;
    rig.release_all();
    rig.wake();
    assert_eq!(rig.pushes(), [(0, 4, vec![3, 4])]);
}

/// [ROOM-4] A link that is kept behind is not sent history of a room that it was not in.
#[test]
fn a_room_begins_at_the_head_of_a_link_that_is_behind() {
    let mut rig = Rig::open(&[]);
    let clogged = Transport { written: 1 << 20, taken: 0, waiting_other: 0 };
    rig.node.handle_transport(clogged, rig.now);
    rig.drain();
    for _ in 0..3 {
        rig.post("room_a");
    }
    join(&mut rig, "room_a");
    assert_eq!(answers(&mut rig), ["joined room_a 3"]);
    rig.post("room_a");
    rig.node.handle_transport(Transport { taken: 1 << 20, ..clogged }, rig.now);
    rig.drain();
    assert_eq!(rig.pushes(), [(0, 4, vec![4])]);
}

/// [ROOM-2] [ROOM-21] [ROOM-18] [FRM-11] [LIM-11] [ERR-19] In the order of the joins, whatever each waits for.
#[test]
fn answers_keep_the_order_of_the_joins() {
    let config = NodeConfig { rooms_max: 4, ..NodeConfig::default() };
    let mut rig = Rig::with(config, MemoryConfig::default());
    rig.hello(hello());
    rig.take();
    rig.hooks.waits_authorisation = true;
    rig.hooks.denied.insert("room_b".into());
    join(&mut rig, "room_a");
    join(&mut rig, "room_b");
    rig.line("join %FF");
    rig.line(&format!("join {}", "a".repeat(129)));
    join(&mut rig, "_inbox1");
    rig.waiting.swap(0, 1);
    rig.release();
    assert_eq!(answers(&mut rig), [""; 0]);
    rig.release();
    let long = format!("denied {} malformed", "a".repeat(129));
    assert_eq!(
        answers(&mut rig),
        [
            "joined room_a 0",
            "denied room_b forbidden",
            "denied %FF malformed",
            &long,
            "denied _inbox1 forbidden"
        ]
    );
    rig.hooks.waits_authorisation = false;
    for room in ["room_c", "room_d", "room_e", "room_f", "user_2", "room_a", OWN] {
        join(&mut rig, room);
    }
    assert_eq!(
        answers(&mut rig),
        [
            "joined room_c 0",
            "joined room_d 0",
            "joined room_e 0",
            "denied room_f too-many",
            "denied user_2 too-many",
            "joined room_a 0",
            "joined user_1 0"
        ]
    );
    let asked = rig.asked.iter().filter(|asked| matches!(asked, NodeAction::Authorise { .. }));
    assert_eq!(asked.count(), 6, "the others are nobody's to allow");
}

/// [ROOM-11] [ROOM-12] Whatever the hook would say.
#[test]
fn the_subjects_of_others_are_denied() {
    let mut rig = Rig::open(&[]);
    for room in ["user_2", "_x", "anon_3"] {
        join(&mut rig, room);
    }
    assert_eq!(
        answers(&mut rig),
        ["denied user_2 forbidden", "denied _x forbidden", "denied anon_3 forbidden"]
    );
    assert_eq!(rig.asked.len(), 1);
}

/// [ROOM-3] [ERR-19]
#[test]
fn a_second_join_of_a_room_while_one_is_unanswered() {
    for room in ["room_a", "%FF"] {
        let mut rig = Rig::open(&[]);
        rig.hooks.waits_authorisation = true;
        join(&mut rig, "room_z");
        rig.line(&format!("join {room}"));
        rig.line(&format!("join {room}"));
        assert_eq!(rig.closed(), Some((4002, "ROOM-3")), "{room}");
    }
}

/// [ROOM-13] Nothing of it is skipped.
#[test]
fn a_join_of_a_room_in_the_filter() {
    let mut rig = Rig::open(&["room_a"]);
    rig.post("room_a");
    rig.post("elsewhere");
    rig.take();
    join(&mut rig, "room_a");
    rig.post("room_a");
    let said = rig.said.clone();
    assert_eq!(answers(&mut rig), ["joined room_a 1"]);
    rig.said = said;
    assert_eq!(rig.pushes(), [(1, 3, vec![3])]);
}

/// [ROOM-15] [ROOM-14] [POS-9] [ERR-20] [FRM-11]
#[test]
fn a_room_is_left_at_its_place_in_the_order() {
    let mut rig = Rig::open(&["room_a"]);
    for room in ["room_b", OWN, "%FF"] {
        rig.line(&format!("leave {room}"));
    }
    rig.line("leave room_a");
    rig.post("room_a");
    rig.post(OWN);
    assert_eq!(rig.pushes(), [(0, 2, vec![2])]);
    join(&mut rig, "room_a");
    assert_eq!(answers(&mut rig), ["joined room_a 2"]);
    assert_eq!(rig.closed(), None);
}

/// [ROOM-19] Not lower than `since`.
#[test]
fn a_since_is_a_lower_bound() {
    let mut rig = Rig::open(&[]);
    rig.post("room_a");
    rig.hooks.since.insert("room_a".into(), 3);
    join(&mut rig, "room_a");
    for _ in 0..3 {
        rig.post("room_a");
    }
    let said = rig.said.clone();
    assert_eq!(answers(&mut rig), ["joined room_a 3"]);
    rig.said = said;
    assert_eq!(rig.pushes(), [(0, 4, vec![4])]);
}

/// [ROOM-20] [ROOM-16] [POS-9] [HELLO-14] Only of what is in the filter, and never as an answer.
#[test]
fn a_revocation() {
    let mut rig = Rig::open(&["room_a"]);
    for room in ["room_b", OWN, "room_a", "room_a"] {
        rig.node.handle_revoked(&room.into(), rig.now);
        rig.drain();
    }
    rig.post("room_a");
    assert_eq!(answers(&mut rig), ["denied room_a revoked"]);

    // While its join waits: denied in its turn.
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_authorisation = true;
    join(&mut rig, "room_a");
    rig.node.handle_revoked(&"room_a".into(), rig.now);
    rig.drain();
    assert_eq!(answers(&mut rig), ["denied room_a forbidden"]);
    rig.release();
    rig.post("room_a");
    assert_eq!(rig.frames(), []);
    // While the head is awaited.
    rig.hooks.waits_authorisation = false;
    rig.hooks.waits_calls = true;
    join(&mut rig, "room_a");
    rig.node.handle_revoked(&"room_a".into(), rig.now);
    rig.release_all();
    assert_eq!(answers(&mut rig), ["denied room_a forbidden"]);
    // A hook's own word for it is another one.
    rig.hooks.waits_calls = false;
    rig.hooks.waits_authorisation = true;
    join(&mut rig, "room_b");
    let Some(NodeAction::Authorise { id, .. }) = rig.waiting.pop_front() else { panic!() };
    rig.node.handle_authorised(id, Ok(vec![Standing::Denied("revoked".into())]), rig.now);
    rig.drain();
    assert_eq!(answers(&mut rig), ["denied room_b forbidden"]);
}

/// [ROOM-21] [ROOM-22] [TIME-2] [TIME-21] [CODE-4004]
#[test]
fn a_join_that_cannot_be_answered() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_authorisation = true;
    join(&mut rig, "room_a");
    rig.pass(ms(9_999));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed(), Some((4004, "ROOM-21")));

    let mut rig = Rig::open(&[]);
    rig.hooks.waits_authorisation = true;
    join(&mut rig, "room_a");
    let Some(NodeAction::Authorise { id, .. }) = rig.waiting.pop_front() else { panic!() };
    rig.node.handle_authorised(id, Err(HookFailed), rig.now);
    rig.drain();
    assert_eq!(rig.closed(), Some((4004, "ROOM-21")));

    let mut rig = Rig::open(&[]);
    rig.hooks.waits_calls = true;
    join(&mut rig, "room_a");
    for _ in 0..29 {
        rig.pass(secs(1));
        rig.line("vis 1");
    }
    assert_eq!(rig.closed(), None);
    rig.pass(secs(1));
    assert_eq!(rig.closed(), Some((4004, "ROOM-22")));
}

/// A head that is not answered is asked for again.
#[test]
fn the_head_is_asked_for_until_it_is_answered() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_calls = true;
    join(&mut rig, "room_a");
    join(&mut rig, "room_b");
    rig.fail(false);
    rig.pass(ms(250));
    rig.release_all();
    assert_eq!(answers(&mut rig), ["joined room_a 0", "joined room_b 0"]);
}

/// [NODE-9]
#[test]
fn joins_without_end_end_the_link() {
    let mut rig = Rig::open(&[]);
    rig.hooks.waits_authorisation = true;
    join(&mut rig, "room_a");
    for nth in 0..1024 {
        rig.sleep(ms(2));
        join(&mut rig, &format!("_{nth}"));
    }
    assert_eq!(rig.closed(), Some((1013, "NODE-9")));
}
