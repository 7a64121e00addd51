//! From `hello` to `welcome`: who, where, under which producer, and what is lost.
mod node_common;

use everwire_core::engine::*;
use everwire_core::session::down::{Amount, Loss};
use everwire_core::session::node::*;
use everwire_core::session::up::Producing;
use everwire_core::session::{Hello, Wished};
use everwire_core::{Duration, Instant};
use node_common::*;

fn froms(welcome: &everwire_core::session::Welcome) -> Vec<(String, u64)> {
    welcome.rooms.iter().map(|place| (place.subject.to_string(), place.from)).collect()
}

fn denials(welcome: &everwire_core::session::Welcome) -> Vec<(String, String)> {
    welcome.denied.iter().map(|(room, code)| (room.to_string(), code.to_string())).collect()
}

fn ended(hello: Hello) -> (u16, String) {
    let mut rig = Rig::new();
    rig.hello(hello);
    let (code, reason) = rig.closed().expect("it was taken");
    (code, reason.to_owned())
}

/// [HELLO-19] [WELC-9] [WELC-11] [WELC-14] [KEEP-5] [CRED-4] [LIM-23]
#[test]
fn the_first_welcome() {
    let memory = MemoryConfig { durable: true, ..MemoryConfig::default() };
    let features = ["b".into(), "c".into()].into();
    let config = NodeConfig { features, rooms_max: 9, ..NodeConfig::default() };
    let mut rig = Rig::with(config, memory);
    rig.post("room_a");
    rig.post("user_1");
    rig.hooks.expires = Some(secs(60));
    let features = vec!["a".into(), "b".into()];
    rig.hello(Hello { rooms: vec![wished("room_a", None)], features, ..hello() });
    let welcome = rig.welcome();
    assert_eq!(welcome.check(), Ok(()));
    assert_eq!((welcome.identity.as_str(), welcome.producing, welcome.born), (OWN, Producing::Kept, 1));
    assert_eq!((welcome.mark, welcome.credit, welcome.position), (0, 32_768, 2));
    assert_eq!(froms(&welcome), [("room_a".into(), 2), (OWN.into(), 2)]);
    assert_eq!((welcome.lost, welcome.durable, welcome.epoch.as_str()), (None, true, "e0"));
    assert_eq!((welcome.heartbeat, welcome.window, welcome.expires), (25_000, 10_000, Some(60_000)));
    assert_eq!((welcome.limits.message, welcome.limits.rooms), (1 << 20, 9));
    assert_eq!(welcome.features, ["b".into()]);
    assert_eq!(rig.take(), []);
}

/// [NUM-4] [AWAY-1]
#[test]
fn what_only_advises_is_moved_into_its_range() {
    let tell = |heartbeat, window| {
        let config = NodeConfig { heartbeat, window, ..NodeConfig::default() };
        let mut rig = Rig::with(config, MemoryConfig::default());
        rig.hello(hello());
        let welcome = rig.welcome();
        (welcome.heartbeat, welcome.window)
    };
    assert_eq!(tell(ms(1), ms(1)), (5_000, 1_000));
    assert_eq!(tell(secs(9999), secs(9999)), (300_000, 600_000));
    assert_eq!(tell(secs(30), Duration::ZERO), (30_000, 0));
}

/// [HELLO-12] [TIME-1] [CODE-4001]
#[test]
fn a_link_without_hello_is_closed() {
    let sees = NodeConfig { sees_octets: true, ..NodeConfig::default() };
    let mut rig = Rig::with(sees.clone(), MemoryConfig::default());
    rig.pass(ms(9_999));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed(), Some((4001, "HELLO-12")));

    // Each octet is worth 1 ms, and all of them 120 s at most.
    let mut rig = Rig::with(sees.clone(), MemoryConfig::default());
    rig.node.handle_octets(5_000, rig.now);
    rig.pass(ms(14_999));
    assert_eq!(rig.closed(), None);
    rig.node.handle_octets(1 << 20, rig.now);
    rig.pass(ms(105_000));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed().map(|closed| closed.0), Some(4001));

    let mut rig = Rig::new();
    rig.pass(ms(59_999));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed().map(|closed| closed.0), Some(4001));
}

/// [ERR-9] [HELLO-1] [HELLO-2]
#[test]
fn hello_is_the_first_frame_and_the_only_one() {
    for head in ["bye 0", "ping 1", "x-else", "seen 0 0 0"] {
        let mut rig = Rig::new();
        rig.line(head);
        assert_eq!(rig.closed(), Some((4002, "ERR-9")), "{head}");
    }
    let mut rig = Rig::open(&[]);
    rig.hello(hello());
    assert_eq!(rig.closed(), Some((4002, "ERR-9")));
    for head in ["ping 1", "x-else", "seen 0 0 0"] {
        let mut rig = Rig::new();
        rig.hooks.waits_authentication = true;
        rig.hello(hello());
        rig.line(head);
        assert_eq!(rig.closed(), Some((4002, "HELLO-2")), "{head}");
    }
}

/// [ERR-10] [CODE-4500] [HELLO-13] Before everything else that the body says.
#[test]
fn another_version_is_told_so() {
    let mut rig = Rig::new();
    rig.frame("hello", NodeBody::OtherVersion, Some(300));
    assert_eq!(rig.closed(), Some((4500, "ERR-10")));
    let mut rig = Rig::new();
    rig.frame("hello", NodeBody::Unreadable, Some(300));
    assert_eq!(rig.closed(), Some((4002, "ERR-6")));
    assert!(rig.asked.is_empty());
}

/// [ERR-11] [HELLO-7] [LIM-11] [LIM-12] [LIM-15] [LIM-18] [NUM-3] The table of `hello`.
#[test]
fn a_hello_against_its_table_is_a_protocol_error() {
    let rooms = |many: usize| (0..many).map(|n| wished(&format!("room_{n}"), None)).collect::<Vec<_>>();
    let good = || again(3, 2, 5, 7);
    for (nth, hello) in [
        Hello { token: Some("".into()), ..good() },
        Hello { token: Some("a b".into()), ..good() },
        Hello { token: Some("a".repeat(16_385).as_str().into()), ..good() },
        Hello { successor: Some(producer(1)), ..good() },
        Hello { successor: None, ..good() },
        Hello { successor: Some(producer(2)), ..hello() },
        Hello { link: 0, ..good() },
        Hello { oldest: 0, ..good() },
        Hello { oldest: 7, ..good() },
        Hello { born: None, ..good() },
        Hello { born: Some(3), ..good() },
        Hello { written: (1 << 53) - 1, ..good() },
        Hello { epoch: None, ..good() },
        Hello { epoch: Some("a b".into()), ..good() },
        Hello { position: None, ..good() },
        Hello { rooms: vec![wished("a", Some(3))], ..hello() },
        Hello { rooms: vec![wished("a", None), wished("a", None)], ..good() },
        Hello { rooms: rooms(258), ..good() },
        Hello { pending: vec![6], ..good() },
        Hello { pending: vec![2, 1], ..good() },
        Hello { held: Amount { messages: 8193, octets: 0 }, ..good() },
        Hello { held: Amount { messages: 0, octets: 1_310_720 }, ..good() },
        Hello { features: vec!["a".into(); 33], ..good() },
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(ended(hello).0, 4002, "{nth}");
    }
    let mut rig = Rig::new();
    rig.hello(good());
    assert_eq!(rig.asked.len(), 1, "it is one");
}

/// [FRM-11] What no header line could hold is a protocol error, what is no subject is denied.
#[test]
fn rooms_that_are_none() {
    for room in ["a".repeat(385), "é".repeat(65)] {
        let rooms = vec![wished(&room, None)];
        assert_eq!(ended(Hello { rooms, ..hello() }), (4002, "FRM-11".into()), "{room}");
    }
    let mut rig = Rig::new();
    let (long, control) = ("a".repeat(129), "a\u{1}");
    let rooms = ["", long.as_str(), control, "_x", "user_2", OWN, "room_a"];
    rig.hello(Hello { rooms: rooms.iter().map(|room| wished(room, None)).collect(), ..hello() });
    let welcome = rig.welcome();
    // [ROOM-11] Whatever the hook says: it is not asked.
    let code = |room: &str, code: &str| (room.to_owned(), code.to_owned());
    assert_eq!(
        denials(&welcome),
        [
            code("", "malformed"),
            code(&long, "malformed"),
            code(control, "malformed"),
            code("_x", "forbidden"),
            code("user_2", "forbidden")
        ]
    );
    assert_eq!(froms(&welcome), [("room_a".into(), 0), (OWN.into(), 0)]);
    let asked: Vec<_> = rig
        .asked
        .iter()
        .filter_map(|asked| match asked {
            NodeAction::Authorise { rooms, purpose: Purpose::Hello, .. } => Some(rooms.len()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [1]);
}

/// [LIM-11] [ROOM-18]
#[test]
fn too_many_rooms_are_denied() {
    let config = NodeConfig { rooms_max: 2, ..NodeConfig::default() };
    let mut rig = Rig::with(config, MemoryConfig::default());
    let rooms = ["a", "b", OWN, "c"].map(|room| wished(room, None)).to_vec();
    rig.hello(Hello { rooms, ..hello() });
    let welcome = rig.welcome();
    assert_eq!(denials(&welcome), [("c".into(), "too-many".into())]);
    assert_eq!(welcome.rooms.len(), 3);
}

/// [HELLO-13] [HELLO-14] [CODE-4401] [CODE-4403] [ROOM-12] [ENG-13] In this order, so that a stranger fences nobody.
#[test]
fn strangers_are_turned_away_before_they_claim() {
    for (refused, code) in [(NotAuthenticated::Refused, 4401), (NotAuthenticated::Forbidden, 4403)] {
        let mut rig = Rig::new();
        rig.hooks.refused = Some(refused);
        rig.hello(hello());
        assert_eq!(rig.closed().map(|closed| closed.0), Some(code));
        assert_eq!((rig.calls.len(), rig.said.len()), (0, 1));
    }
    for identity in ["room_1", "_user", "", "user_\u{7}", &format!("user_{}", "a".repeat(124))] {
        let mut rig = Rig::new();
        rig.hooks.identity = identity.into();
        rig.hello(hello());
        assert_eq!(rig.closed(), Some((4403, "HELLO-13")), "{identity}");
        assert_eq!(rig.calls.len(), 0);
    }
    let mut rig = Rig::new();
    rig.hooks.waits_authorisation = true;
    rig.hello(Hello { rooms: vec![wished("room_a", None)], ..hello() });
    assert!(rig.calls.is_empty());
    rig.release();
    assert!(matches!(rig.calls[..2], [Call::Claim(_), Call::Trimmed { .. }]));
}

/// [HELLO-15] [TIME-2] [CODE-4004] A failure is no denial.
#[test]
fn hooks_that_fail_or_are_late() {
    let mut rig = Rig::new();
    rig.hooks.refused = Some(NotAuthenticated::Failed);
    rig.hello(hello());
    assert_eq!(rig.closed(), Some((4004, "HELLO-15")));

    let mut rig = Rig::new();
    rig.hooks.waits_authentication = true;
    rig.hello(hello());
    rig.pass(ms(9_999));
    assert_eq!(rig.closed(), None);
    rig.pass(ms(1));
    assert_eq!(rig.closed(), Some((4004, "HELLO-15")));
    rig.hooks.waits_authentication = false;
    rig.release();
    assert_eq!((rig.said.len(), rig.calls.len()), (1, 0), "too late");

    let mut rig = Rig::new();
    rig.hooks.waits_authorisation = true;
    rig.hello(Hello { rooms: vec![wished("room_a", None)], ..hello() });
    rig.pass(secs(10));
    assert_eq!(rig.closed(), Some((4004, "HELLO-15")));
}

/// [HELLO-16] [HELLO-17] [EPOCH-3] [ROOM-10]
#[test]
fn an_unknown_producer_gives_way_to_its_successor() {
    let mut rig = Rig::new();
    rig.hello(again(4, 2, 5, 0));
    let welcome = rig.welcome();
    assert_eq!((welcome.producing, welcome.born, welcome.mark), (Producing::Successor, 4, 0));
    assert_eq!((welcome.credit, welcome.refused.len()), (32_768, 0));
    let claims: Vec<_> = rig
        .calls
        .iter()
        .filter_map(|call| match call {
            Call::Claim(claim) => Some((claim.producer, claim.oldest, claim.written, claim.born)),
            _ => None,
        })
        .collect();
    assert_eq!(claims, [(producer(1), 2, 5, Some(1)), (producer(2), 1, 0, None)]);
    rig.texts(1, 1, 1);
    assert_eq!(rig.acks().len(), 1);

    // A lost welcome: claimed again, and answered as if the first had never been. [WELC-13]
    rig.relink(again(5, 2, 5, 0));
    assert_eq!(rig.closed(), Some((4005, "HELLO-17")), "something was stored under it by then");

    // Nothing has been written: there is no successor to fall back on.
    let mut rig = Rig::new();
    rig.hello(hello());
    rig.texts(1, 1, 1);
    rig.relink(Hello { link: 2, ..hello() });
    assert_eq!(rig.closed(), Some((4005, "HELLO-17")));
}

/// [HELLO-17] [ENG-10] [CODE-4005] [KEEP-5]
#[test]
fn a_claim_that_is_fenced_or_finds_no_place() {
    let mut rig = Rig::new();
    rig.hello(Hello { link: 9, ..hello() });
    rig.relink(Hello { link: 9, ..hello() });
    assert_eq!(rig.closed(), Some((4005, "HELLO-17")));

    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    let Some(NodeAction::Call { id, .. }) = rig.waiting.pop_front() else { panic!() };
    rig.node.handle_answer(id, Answer::Claim(Ok(Claimed::Full)), rig.now);
    rig.drain();
    assert_eq!(rig.closed(), Some((1013, "HELLO-17")));
}

/// [HELLO-18] [ENG-5]
#[test]
fn a_claim_in_doubt_is_not_repeated() {
    for carried_out in [false, true] {
        let mut rig = Rig::new();
        rig.hooks.waits_calls = true;
        rig.hello(hello());
        rig.fail(carried_out);
        assert_eq!(rig.closed(), Some((4004, "HELLO-18")));
        assert_eq!(rig.calls.len(), 1);
    }
    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    rig.pass(secs(10));
    assert_eq!((rig.closed(), rig.calls.len()), (Some((4004, "HELLO-18")), 1));
    // Its answer comes too late to be a `welcome`.
    rig.release();
    assert_eq!(rig.said.len(), 1);
}

/// [HELLO-16] [TIME-21]
#[test]
fn no_claim_begins_late() {
    let mut rig = Rig::new();
    rig.hooks.waits_authentication = true;
    rig.hooks.waits_authorisation = true;
    rig.hooks.anonymous = true;
    rig.hooks.identity = "anon_1".into();
    rig.hooks.successor_identity = "anon_2".into();
    rig.hooks.waits_calls = true;
    rig.hello(Hello { rooms: vec![wished("room_a", None)], ..again(2, 1, 3, 0) });
    rig.pass(ms(9_900));
    rig.release();
    rig.pass(ms(9_900));
    rig.release();
    rig.pass(ms(9_900));
    rig.release();
    // Unknown: the rooms are authorised anew for the other identity, which is answered too late.
    assert_eq!((rig.closed(), rig.waiting.len()), (None, 1));
    rig.sleep(ms(301));
    rig.release();
    assert_eq!(rig.closed(), Some((4004, "HELLO-16")));
    assert_eq!(rig.calls.len(), 1);
}

/// [HELLO-20] [SEC-2]
#[test]
fn an_anonymous_client_is_somebody_else_under_its_successor() {
    let mut rig = Rig::new();
    rig.hooks.anonymous = true;
    rig.hooks.identity = "anon_1".into();
    rig.hooks.successor_identity = "anon_2".into();
    rig.hello(Hello { rooms: vec![wished("anon_1", None), wished("room_a", None)], ..again(2, 1, 3, 0) });
    let welcome = rig.welcome();
    assert_eq!((welcome.identity.as_str(), welcome.producing), ("anon_2", Producing::Successor));
    assert_eq!(denials(&welcome), [("anon_1".into(), "forbidden".into())]);
    let asked: Vec<_> = rig
        .asked
        .iter()
        .filter_map(|asked| match asked {
            NodeAction::Authorise { identity, .. } => Some(identity.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, ["anon_1", "anon_2"]);
    let claims: Vec<_> = rig
        .calls
        .iter()
        .filter_map(|call| match call {
            Call::Claim(claim) => Some((claim.identity.name.to_string(), claim.inbox.to_string())),
            _ => None,
        })
        .collect();
    assert_eq!(claims, [("anon_1".into(), "_inbox1".into()), ("anon_2".into(), "_inbox2".into())]);
}

/// [WELC-9] [WELC-10] [WELC-13] [HELLO-14] A resume: the same position, the same froms, and every refusal.
#[test]
fn a_resume_goes_on_where_the_client_is() {
    let mut rig = Rig::open(&["room_a"]);
    rig.texts(1, 2, 1);
    rig.send(3, 1, vec![Element { bytes: 10, kind: ElementKind::Malformed }]);
    rig.post("room_a");
    rig.take();
    for link in [2, 3] {
        let rooms = vec![wished("room_a", Some(0)), wished("room_b", None)];
        rig.relink(Hello { rooms, ..again(link, 2, 5, 2) });
        let welcome = rig.welcome();
        assert_eq!((welcome.mark, welcome.born, welcome.credit, welcome.position), (3, 1, 32_771, 2));
        assert_eq!(welcome.refused, [(3, "malformed".into())]);
        assert_eq!(froms(&welcome), [("room_a".into(), 0), ("room_b".into(), 3), (OWN.into(), 2)]);
        assert_eq!((welcome.lost.clone(), welcome.denied.len()), (None, 0));
        assert_eq!(rig.pushes(), [(2, 3, vec![3])]);
    }
    // [HELLO-14] What was revoked in between is denied.
    rig.hooks.denied.insert("room_a".into());
    rig.relink(Hello { rooms: vec![wished("room_a", Some(0))], ..again(4, 2, 5, 2) });
    let welcome = rig.welcome();
    assert_eq!(denials(&welcome), [("room_a".into(), "forbidden".into())]);
    assert_eq!(rig.pushes(), []);
}

/// [ROOM-10] [ROOM-19] [LOST-2] [LOST-3] [LOST-5] A `from` is not taken on trust.
#[test]
fn a_from_without_a_right_to_it_is_lost() {
    let mut rig = Rig::open(&[]);
    for _ in 0..3 {
        rig.post("room_a");
        rig.post("room_b");
    }
    rig.hooks.without_grant.insert("room_a".into());
    rig.relink(Hello {
        rooms: vec![wished("room_a", Some(1)), wished("room_b", Some(1))],
        ..again(2, 1, 0, 2)
    });
    let welcome = rig.welcome();
    assert_eq!(welcome.lost, Some(Loss { subjects: vec!["room_a".into()], first: 7 }));
    assert_eq!(froms(&welcome), [("room_a".into(), 6), ("room_b".into(), 1), (OWN.into(), 2)]);
    assert_eq!(rig.pushes(), [(2, 6, vec![4, 6])]);

    for (since, lost) in [(2, false), (3, true)] {
        rig.hooks.since.insert("room_b".into(), since);
        rig.relink(Hello { rooms: vec![wished("room_b", Some(1))], ..again(2 + since, 1, 0, 2) });
        assert_eq!(rig.welcome().lost.is_some(), lost, "{since}");
    }
}

/// [LOST-1] [LOST-5]
#[test]
fn what_the_log_has_discarded_is_lost() {
    let memory = MemoryConfig { messages_max: 2, ..MemoryConfig::default() };
    let mut rig = Rig::with(NodeConfig::default(), memory);
    for room in ["room_a", "room_b", "room_c", "user_1", "room_c"] {
        rig.post(room);
    }
    let rooms = ["room_a", "room_b", "room_c"].map(|room| wished(room, Some(0))).to_vec();
    rig.hello(Hello { rooms, ..again(1, 1, 0, 1) });
    let welcome = rig.welcome();
    // Discarded are 1 to 3, and 1 is below the position.
    let subjects = vec!["room_b".into(), "room_c".into()];
    assert_eq!(welcome.lost, Some(Loss { subjects, first: 6 }));
    assert_eq!(rig.pushes(), [(1, 5, vec![4])], "the own subject is untouched");
}

/// [EPOCH-1]
#[test]
fn positions_of_another_log_mean_nothing() {
    let mut rig = Rig::open(&[]);
    rig.post("room_a");
    let rooms = vec![wished("room_a", Some(90)), wished("room_b", None), wished(OWN, Some(1))];
    rig.relink(Hello { epoch: Some("old".into()), rooms, ..again(2, 1, 0, 99) });
    let welcome = rig.welcome();
    assert_eq!((welcome.position, welcome.epoch.as_str()), (1, "e0"));
    assert_eq!(welcome.lost, Some(Loss { subjects: vec!["room_a".into(), OWN.into()], first: 2 }));
    assert_eq!(froms(&welcome), [("room_a".into(), 1), ("room_b".into(), 1), (OWN.into(), 1)]);

    rig.relink(Hello { epoch: Some("old".into()), ..again(3, 1, 0, 99) });
    assert_eq!(rig.welcome().lost, None);
}

/// [EPOCH-6] [TIME-16]
#[test]
fn a_replica_that_lags_is_waited_for() {
    let mut rig = Rig::new();
    rig.post("room_a");
    rig.hello(Hello { rooms: vec![wished("room_a", Some(2))], ..again(1, 1, 0, 1) });
    assert!(rig.said.is_empty());
    rig.pass(ms(4_900));
    assert_eq!(rig.closed(), None);
    rig.post("room_b");
    rig.pass(ms(99));
    assert_eq!(rig.closed(), None);
    let mut late = Rig::new();
    late.hello(again(1, 1, 0, 1));
    late.pass(secs(5));
    assert_eq!(late.closed(), Some((4004, "EPOCH-6")));

    let mut rig = Rig::new();
    rig.hello(again(1, 1, 0, 1));
    rig.pass(secs(1));
    rig.post("room_b");
    rig.pass(ms(250));
    assert_eq!(rig.welcome().position, 1);
}

/// What `welcome` needs besides the claim is asked for again, for so long.
#[test]
fn an_engine_that_does_not_answer() {
    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    rig.release();
    rig.fail(false);
    rig.pass(ms(250));
    assert_eq!(rig.waiting.len(), 1);
    rig.release();
    assert!(matches!(rig.take()[..], [Said::Frame(NodeFrame::Welcome(_))]));

    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    rig.release();
    rig.pass(secs(30));
    assert_eq!(rig.closed(), Some((4004, "the engine does not answer")));

    // [EPOCH-5]
    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    rig.release();
    rig.engine.restart("e1".into());
    rig.release();
    assert_eq!(rig.closed(), Some((4006, "EPOCH-5")));
}

/// [HELLO-14] A room that is revoked while its `hello` is being answered.
#[test]
fn a_revocation_reaches_a_hello() {
    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(Hello { rooms: vec![wished("room_a", None), wished("room_b", None)], ..hello() });
    rig.node.handle_revoked(&"room_a".into(), rig.now);
    rig.release_all();
    assert_eq!(denials(&rig.welcome()), [("room_a".into(), "forbidden".into())]);
}

/// [BYE-2] [ERR-28] While claiming there is no `welcome`; the claim ends by itself.
#[test]
fn a_bye_before_welcome() {
    let mut rig = Rig::new();
    rig.hooks.waits_calls = true;
    rig.hello(hello());
    rig.line("bye 77");
    assert_eq!(rig.take(), [Said::Close(1000, String::new())]);
    rig.release();
    assert_eq!(rig.take(), []);
}

/// A code that no header line could hold, or that another denial has.
#[test]
fn a_hooks_code_is_made_one() {
    for (code, told) in [("Not a code", "forbidden"), ("revoked", "forbidden"), ("full", "full")] {
        let mut rig = Rig::new();
        rig.hooks.waits_authorisation = true;
        rig.hello(Hello { rooms: vec![wished("room_a", None)], ..hello() });
        let Some(NodeAction::Authorise { id, .. }) = rig.waiting.pop_front() else { panic!() };
        let denied = everwire_core::session::down::Standing::Denied(code.into());
        rig.node.handle_authorised(id, Ok(vec![denied]), rig.now);
        rig.drain();
        assert_eq!(denials(&rig.welcome()), [("room_a".into(), told.into())]);
    }
}

/// [SEC-1] [SEC-4]
#[test]
fn nothing_secret_is_printed() {
    let mut rig = Rig::new();
    rig.hooks.waits_authentication = true;
    let rooms = vec![Wished { grant: Some("s3cret".into()), ..wished("room_a", Some(0)) }];
    rig.hello(Hello { token: Some("s3cret".into()), rooms, ..again(2, 1, 3, 0) });
    let printed = format!("{:?} {:?}", rig.node, rig.asked);
    assert!(!printed.contains("s3cret") && printed.contains("[redacted]"), "{printed}");
    let _ = Instant::default();
}
