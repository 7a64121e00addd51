//! The credential of a living link.
mod node_common;

use everwire_core::engine::MemoryConfig;
use everwire_core::session::Hello;
use everwire_core::session::down::Loss;
use everwire_core::session::node::*;
use node_common::*;

fn expiring(expires: u64, rooms: &[&str]) -> Rig {
    let mut rig = Rig::new();
    rig.hooks.expires = Some(secs(expires));
    let rooms = rooms.iter().map(|room| wished(room, None)).collect();
    rig.hello(Hello { rooms, ..hello() });
    rig.take();
    rig
}

/// Time passes, and the client is not silent.
fn live(rig: &mut Rig, seconds: u64) {
    for _ in 0..seconds {
        rig.pass(secs(1));
        rig.line("vis 1");
    }
}

fn auth(expires: Option<u64>, renewed: bool) -> NodeFrame<Body> {
    NodeFrame::Auth { expires, renewed }
}

/// [AUTH-5] [TIME-15] [CODE-4401]
#[test]
fn a_token_is_honoured_for_a_while_after_its_end() {
    let mut rig = expiring(10, &[]);
    live(&mut rig, 99);
    assert_eq!(rig.closed(), None);
    live(&mut rig, 1);
    assert_eq!(rig.closed(), Some((4401, "AUTH-5")));
}

/// [AUTH-1] [AUTH-2] [ROOM-11] Answered after the filter was authorised anew.
#[test]
fn a_renewal() {
    let mut rig = expiring(10, &["room_a", "room_b"]);
    live(&mut rig, 50);
    rig.hooks.expires = Some(secs(500));
    rig.hooks.denied.insert("room_a".into());
    rig.asked.clear();
    rig.auth("tk-2");
    let denied = NodeFrame::Denied { room: "room_a".into(), code: "revoked".into() };
    assert_eq!(rig.frames(), [denied, auth(Some(500_000), true)]);
    assert!(
        matches!(&rig.asked[0], NodeAction::Authenticate { token: Some(token), producer: of, successor: None, renewal: true, .. } if token.reveal() == "tk-2" && *of == producer(1))
    );
    assert!(
        matches!(&rig.asked[1], NodeAction::Authorise { purpose: Purpose::Renewal, rooms, .. } if rooms.len() == 2)
    );
    live(&mut rig, 300);
    rig.hooks.expires = None;
    rig.auth("tk-3");
    assert_eq!(rig.frames(), [auth(None, true)]);
    live(&mut rig, 900);
    assert_eq!(rig.closed(), None);
}

/// [AUTH-2] [AUTH-3] [ROOM-21] [TIME-2] [CODE-4010] [CODE-4401] [CODE-4004]
#[test]
fn a_renewal_that_is_not_accepted() {
    for (refused, code) in [
        (NotAuthenticated::Refused, 4401),
        (NotAuthenticated::Forbidden, 4401),
        (NotAuthenticated::Failed, 4004),
    ] {
        let mut rig = expiring(10, &[]);
        rig.hooks.refused = Some(refused);
        rig.auth("tk-2");
        assert_eq!(rig.closed().map(|closed| closed.0), Some(code));
    }
    let mut rig = expiring(10, &[]);
    rig.hooks.identity = "user_2".into();
    rig.auth("tk-2");
    assert_eq!(rig.closed(), Some((4010, "AUTH-3")));
    // The same name, but derived from the producer. [SEC-2]
    let mut rig = expiring(10, &[]);
    rig.hooks.anonymous = true;
    rig.auth("tk-2");
    assert_eq!(rig.closed(), Some((4010, "AUTH-3")));
    for authentication in [true, false] {
        let mut rig = expiring(10, &["room_a"]);
        rig.hooks.waits_authentication = authentication;
        rig.hooks.waits_authorisation = true;
        rig.auth("tk-2");
        rig.pass(ms(9_999));
        assert_eq!(rig.closed(), None);
        rig.pass(ms(1));
        assert_eq!(rig.closed(), Some((4004, "ROOM-21")));
    }
}

/// [ERR-27] [LIM-15] [ERR-6] [AUTH-4]
#[test]
fn one_renewal_at_a_time() {
    let mut rig = expiring(10, &[]);
    rig.hooks.waits_authentication = true;
    rig.auth("tk-2");
    rig.auth("tk-3");
    assert_eq!(rig.closed(), Some((4002, "ERR-27")));
    let mut rig = expiring(10, &[]);
    rig.auth("a b");
    assert_eq!(rig.closed(), Some((4002, "LIM-15")));
    let mut rig = expiring(10, &[]);
    rig.frame("auth", NodeBody::Unreadable, Some(9));
    assert_eq!(rig.closed(), Some((4002, "ERR-6")));
}

/// [AUTH-6]
#[test]
fn the_end_may_be_moved_unasked() {
    let mut rig = expiring(10, &[]);
    rig.node.handle_expires(Some(secs(1)), rig.now);
    rig.drain();
    assert_eq!(rig.frames(), [auth(Some(1_000), false)]);
    live(&mut rig, 90);
    assert_eq!(rig.closed(), None);
    live(&mut rig, 1);
    assert_eq!(rig.closed(), Some((4401, "AUTH-5")));
}

/// [ROOM-19] [LOST-2] [LOST-6] A membership that begins later than what the client is about to read.
#[test]
fn a_renewal_may_move_where_a_room_begins() {
    let mut rig = expiring(10, &["room_a"]);
    rig.post("room_a");
    rig.take();
    rig.hooks.since.insert("room_a".into(), 1);
    rig.auth("tk-2");
    assert_eq!(rig.frames(), [auth(Some(10_000), true)], "it has had all up to there");
    rig.hooks.since.insert("room_a".into(), 3);
    rig.hooks.waits_calls = true;
    rig.post("room_a");
    rig.post("room_a");
    rig.auth("tk-3");
    rig.hooks.waits_calls = false;
    rig.release_all();
    let frames = rig.frames();
    let loss = Loss { subjects: vec!["room_a".into()], first: 4 };
    let lost = NodeFrame::Lost { epoch: "e0".into(), loss };
    assert_eq!(frames, [auth(Some(10_000), true), lost]);
    rig.post("room_a");
    assert_eq!(rig.pushes(), [(1, 4, vec![4])]);
}

/// [NUM-1] What a driver says is made a number of the protocol.
#[test]
fn an_end_beyond_all_time() {
    let mut rig = Rig::with(NodeConfig::default(), MemoryConfig::default());
    rig.hooks.expires = Some(everwire_core::Duration::from_micros(u64::MAX));
    rig.hello(hello());
    assert_eq!(rig.welcome().check(), Ok(()));
}
