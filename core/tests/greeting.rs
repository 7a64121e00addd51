//! What the tables of `hello` and `welcome` allow, member by member, on both sides of each edge.

use everwire_core::engine::Producer;
use everwire_core::frame::NUMBER_MAX;
use everwire_core::session::down::{Amount, Place};
use everwire_core::session::up::Producing;
use everwire_core::session::{Hello, Limits, Secret, Welcome, Wished};

/// A `hello` of a wire that has been open before.
fn hello() -> Hello {
    Hello {
        token: Some(Secret::from("tk-1")),
        producer: Producer([1; 16]),
        successor: Some(Producer([2; 16])),
        link: 10,
        oldest: 3,
        written: 5,
        born: Some(1),
        epoch: Some("e7Qm".into()),
        position: Some(1043),
        rooms: vec![wished("user_123", Some(1040), None), wished("room_456", Some(1062), Some("gK3nV"))],
        pending: vec![2, 5],
        held: Amount { messages: 1, octets: 87 },
        visible: true,
        features: vec!["zip".into()],
    }
}

/// The first of a wire.
fn first() -> Hello {
    Hello {
        successor: None,
        oldest: 1,
        written: 0,
        born: None,
        epoch: None,
        position: None,
        rooms: vec![wished("room_456", None, None)],
        pending: vec![],
        held: Amount::default(),
        ..hello()
    }
}

fn wished(room: &str, from: Option<u64>, grant: Option<&str>) -> Wished {
    Wished { room: room.into(), from, grant: grant.map(Secret::from) }
}

fn welcome() -> Welcome {
    Welcome {
        identity: "user_123".into(),
        producing: Producing::Kept,
        born: 1,
        mark: 5,
        refused: vec![(4, "forbidden".into())],
        credit: 8197,
        epoch: "e7Qm".into(),
        position: 1043,
        rooms: vec![place("user_123", 1040, None), place("room_456", 1062, Some("gK3nV"))],
        denied: vec![("room_7".into(), "forbidden".into())],
        lost: None,
        durable: false,
        heartbeat: 25_000,
        window: 10_000,
        limits: Limits { message: 1 << 20, rooms: 256 },
        expires: None,
        time: 1_764_000_000_000,
        features: vec![],
    }
}

fn place(room: &str, from: u64, grant: Option<&str>) -> Place {
    Place { subject: room.into(), from, grant: grant.map(Secret::from) }
}

/// What becomes of a `hello` that was right before the change.
fn changed(change: impl FnOnce(&mut Hello)) -> Result<(), &'static str> {
    of(hello(), change)
}

fn of(mut hello: Hello, change: impl FnOnce(&mut Hello)) -> Result<(), &'static str> {
    assert_eq!(hello.check(), Ok(()));
    change(&mut hello);
    hello.check().map_err(|broken| broken.clause)
}

fn welcomed(change: impl FnOnce(&mut Welcome)) -> Result<(), &'static str> {
    let mut welcome = welcome();
    assert_eq!(welcome.check(), Ok(()));
    change(&mut welcome);
    welcome.check().map_err(|broken| broken.clause)
}

/// [LIM-15] [ERR-11]
#[test]
fn a_token_is_visible_ascii_of_bounded_length() {
    let token = |token: &str| changed(|hello| hello.token = Some(token.into()));
    for right in ["!", "~", "\"\\", &"t".repeat(16_384)] {
        assert_eq!(token(right), Ok(()));
    }
    for wrong in ["", " ", "a b", "a\u{7f}", "é", "\n", &"t".repeat(16_385)] {
        assert_eq!(token(wrong), Err("LIM-15"), "{wrong:?}");
    }
    assert_eq!(changed(|hello| hello.token = None), Ok(()));
}

/// [ERR-11] [NUM-1] [NUM-3]
#[test]
fn numbers_of_hello_stand_in_their_ranges() {
    for (link, right) in [(0, false), (1, false), (2, true), (NUMBER_MAX, true), (NUMBER_MAX + 1, false)] {
        // Born on link 1, so this one is a later one.
        assert_eq!(changed(|hello| hello.link = link).is_ok(), right, "{link}");
    }
    assert_eq!(of(first(), |hello| hello.link = 1), Ok(()));
    assert_eq!(of(first(), |hello| hello.link = 0), Err("ERR-11"));
    for (written, right) in
        [(1, false), (2, false), (4, false), (5, true), (NUMBER_MAX - 1, true), (NUMBER_MAX, false)]
    {
        // `oldest` is 3 and 5 is pending.
        assert_eq!(changed(|hello| hello.written = written).is_ok(), right, "{written}");
    }
    for (oldest, right) in [(0, false), (1, true), (6, true), (7, false), (u64::MAX, false)] {
        assert_eq!(changed(|hello| hello.oldest = oldest).is_ok(), right, "{oldest}");
    }
    for (oldest, right) in [(0, false), (1, true), (2, false)] {
        assert_eq!(of(first(), |hello| hello.oldest = oldest).is_ok(), right, "{oldest}");
    }
    for (position, right) in [(0, true), (NUMBER_MAX, true), (NUMBER_MAX + 1, false)] {
        assert_eq!(changed(|hello| hello.position = Some(position)).is_ok(), right, "{position}");
        assert_eq!(changed(|hello| hello.rooms[0].from = Some(position)).is_ok(), right, "{position}");
    }
    for (messages, octets, right) in [
        (0, 0, true),
        (8192, 1_310_719, true),
        (8193, 0, false),
        (0, 1_310_720, false),
        (u64::MAX, u64::MAX, false),
    ] {
        assert_eq!(
            changed(|hello| hello.held = Amount { messages, octets }).is_ok(),
            right,
            "{messages} {octets}"
        );
    }
}

/// [ERR-11]
#[test]
fn a_spare_and_a_birth_stand_exactly_where_something_was_written() {
    assert_eq!(changed(|hello| hello.successor = None), Err("ERR-11"));
    assert_eq!(changed(|hello| hello.successor = Some(hello.producer)), Err("ERR-11"));
    assert_eq!(of(first(), |hello| hello.successor = Some(Producer([2; 16]))), Err("ERR-11"));
    assert_eq!(changed(|hello| hello.born = None), Err("ERR-11"));
    assert_eq!(of(first(), |hello| hello.born = Some(1)), Err("ERR-11"));
    for (born, right) in [(0, false), (1, true), (9, true), (10, false), (u64::MAX, false)] {
        assert_eq!(changed(|hello| hello.born = Some(born)).is_ok(), right, "{born}");
    }
}

/// [HELLO-7] [ERR-11]
#[test]
fn without_a_log_epoch_there_is_no_position_no_from_and_nothing_written() {
    assert_eq!(changed(|hello| hello.epoch = None), Err("ERR-11"), "a position without its log");
    assert_eq!(changed(|hello| hello.position = None), Err("ERR-11"), "a log without a position");
    let unknown = |change: fn(&mut Hello)| {
        of(first(), |hello| {
            assert!(hello.epoch.is_none());
            change(hello);
        })
    };
    assert_eq!(unknown(|hello| hello.position = Some(0)), Err("ERR-11"));
    assert_eq!(unknown(|hello| hello.rooms[0].from = Some(0)), Err("HELLO-7"));
    assert_eq!(
        unknown(|hello| {
            hello.written = 1;
            hello.successor = Some(Producer([2; 16]));
            hello.born = Some(1);
        }),
        Err("HELLO-7")
    );
    let known = |hello: &mut Hello| (hello.epoch, hello.position) = (Some("e".into()), Some(0));
    assert_eq!(of(first(), known), Ok(()), "a page that kept a position and nothing else");
}

/// [ERR-11]
#[test]
fn the_name_of_a_log_epoch_and_a_grant_are_plain() {
    for (name, right) in [
        ("", false),
        ("-._~aZ09", true),
        ("a b", false),
        ("é", false),
        ("a%", false),
        (&"e".repeat(64), true),
        (&"e".repeat(65), false),
    ] {
        assert_eq!(changed(|hello| hello.epoch = Some(name.into())).is_ok(), right, "{name}");
        assert_eq!(welcomed(|welcome| welcome.epoch = name.into()).is_ok(), right, "{name}");
    }
    for (grant, right) in [
        ("", false),
        ("-._~aZ09", true),
        ("a b", false),
        ("é", false),
        (&"g".repeat(128), true),
        (&"g".repeat(129), false),
    ] {
        assert_eq!(changed(|hello| hello.rooms[1].grant = Some(grant.into())).is_ok(), right, "{grant}");
        assert_eq!(welcomed(|welcome| welcome.rooms[1].grant = Some(grant.into())).is_ok(), right, "{grant}");
    }
}

/// [FRM-11] [ERR-11]
#[test]
fn rooms_of_hello_are_named_once_and_might_stand_in_a_header() {
    let rooms =
        |count: usize| (0..count).map(|at| wished(&format!("room_{at}"), Some(7), None)).collect::<Vec<_>>();
    assert_eq!(changed(|hello| hello.rooms = rooms(0)), Ok(()));
    assert_eq!(changed(|hello| hello.rooms = rooms(257)), Ok(()));
    assert_eq!(changed(|hello| hello.rooms = rooms(258)), Err("ERR-11"));
    assert_eq!(changed(|hello| hello.rooms[1].room = "user_123".into()), Err("ERR-11"));
    // No subjects, and to be denied: nothing at all, too long, controls.
    for room in ["", "a\n", &"r".repeat(129), &"r".repeat(384), &"é".repeat(64), &"\u{1}".repeat(128)] {
        assert_eq!(changed(|hello| hello.rooms[1].room = room.into()), Ok(()), "{room:?}");
    }
    // Percent-encoded they would take 385 octets or more.
    for room in ["r".repeat(385), format!("{}r", "\u{1}".repeat(128)), "é".repeat(65)] {
        assert_eq!(changed(|hello| hello.rooms[1].room = room.as_str().into()), Err("FRM-11"), "{room:?}");
    }
}

/// [LIM-12] [ERR-11]
#[test]
fn pending_requests_ascend_within_what_was_written() {
    let pending = |pending: Vec<u64>| changed(|hello| (hello.written, hello.pending) = (1000, pending));
    assert_eq!(pending(vec![]), Ok(()));
    assert_eq!(pending(vec![1, 2, 1000]), Ok(()));
    assert_eq!(pending((1..=256).collect()), Ok(()));
    assert_eq!(pending((1..=257).collect()), Err("LIM-12"));
    for wrong in [vec![0], vec![1, 1], vec![2, 1], vec![1001], vec![u64::MAX], vec![u64::MAX, u64::MAX]] {
        assert_eq!(pending(wrong.clone()), Err("ERR-11"), "{wrong:?}");
    }
    assert_eq!(of(first(), |hello| hello.pending = vec![1]), Err("ERR-11"));
}

/// [LIM-18]
#[test]
fn features_are_at_most_32_codes() {
    let named = |count: usize| (0..count).map(|at| format!("f-{at}").into()).collect::<Vec<Box<str>>>();
    for (features, right) in [
        (named(32), true),
        (named(33), false),
        (vec!["a".repeat(32).into()], true),
        (vec!["a".repeat(33).into()], false),
        (vec!["".into()], false),
        (vec!["Zip".into()], false),
        (vec!["a_b".into()], false),
    ] {
        let expected = if right { Ok(()) } else { Err("LIM-18") };
        assert_eq!(changed(|hello| hello.features = features.clone()), expected, "{features:?}");
        assert_eq!(welcomed(|welcome| welcome.features = features.clone()), expected, "{features:?}");
    }
}

/// [WELC-2] [FRM-11]
#[test]
fn an_identity_is_a_subject_and_not_the_servers_own() {
    for (identity, right) in [
        ("u", true),
        (&"u".repeat(128), true),
        ("a_", true),
        ("", false),
        (&"u".repeat(129), false),
        ("_u", false),
        ("a\u{85}", false),
    ] {
        assert_eq!(welcomed(|welcome| welcome.identity = identity.into()).is_ok(), right, "{identity:?}");
    }
}

/// [WELC-2] [CRED-2] [NUM-1] [NUM-3]
#[test]
fn numbers_of_welcome_stand_in_their_ranges() {
    for (born, right) in [(0, false), (1, true), (NUMBER_MAX, true), (NUMBER_MAX + 1, false)] {
        assert_eq!(welcomed(|welcome| welcome.born = born).is_ok(), right, "{born}");
    }
    for (mark, right) in [(3, false), (4, true), (8197, true), (8198, false)] {
        // Number 4 was refused, and the credit is 8197.
        assert_eq!(welcomed(|welcome| welcome.mark = mark).is_ok(), right, "{mark}");
    }
    for (credit, right) in [(4, false), (5, true), (NUMBER_MAX, true), (NUMBER_MAX + 1, false)] {
        assert_eq!(welcomed(|welcome| welcome.credit = credit).is_ok(), right, "{credit}");
    }
    for (mark, right) in [(NUMBER_MAX - 1, true), (NUMBER_MAX, false)] {
        let both = |welcome: &mut Welcome| (welcome.mark, welcome.credit) = (mark, NUMBER_MAX);
        assert_eq!(welcomed(both).is_ok(), right, "{mark}");
    }
    for (number, right) in [(0, true), (NUMBER_MAX, true), (NUMBER_MAX + 1, false)] {
        assert_eq!(welcomed(|welcome| welcome.position = number).is_ok(), right, "{number}");
        assert_eq!(welcomed(|welcome| welcome.rooms[0].from = number).is_ok(), right, "{number}");
    }
}

/// [NUM-1] [NUM-4]
#[test]
fn what_only_advises_may_be_any_number() {
    for (number, right) in [(0, true), (1, true), (999, true), (NUMBER_MAX, true), (NUMBER_MAX + 1, false)] {
        let expected = if right { Ok(()) } else { Err("NUM-1") };
        assert_eq!(welcomed(|welcome| welcome.heartbeat = number), expected, "{number}");
        assert_eq!(welcomed(|welcome| welcome.window = number), expected, "{number}");
        assert_eq!(welcomed(|welcome| welcome.time = number), expected, "{number}");
        assert_eq!(welcomed(|welcome| welcome.expires = Some(number)), expected, "{number}");
    }
}

/// [LIM-10] [WELC-2]
#[test]
fn refusals_of_welcome_ascend_up_to_the_mark() {
    let refused = |numbers: Vec<u64>| {
        welcomed(|welcome| {
            welcome.mark = 1000;
            welcome.refused = numbers.iter().map(|n| (*n, "failed".into())).collect();
        })
    };
    assert_eq!(refused(vec![]), Ok(()));
    assert_eq!(refused(vec![1, 2, 1000]), Ok(()));
    assert_eq!(refused((1..=256).collect()), Ok(()));
    assert_eq!(refused((1..=257).collect()), Err("LIM-10"));
    for wrong in [vec![0], vec![3, 3], vec![3, 2], vec![1001]] {
        assert_eq!(refused(wrong.clone()), Err("WELC-2"), "{wrong:?}");
    }
    for (code, right) in
        [("a", true), (&*"c".repeat(32), true), ("", false), (&"c".repeat(33), false), ("No", false)]
    {
        assert_eq!(welcomed(|welcome| welcome.refused = vec![(4, code.into())]).is_ok(), right, "{code}");
        assert_eq!(
            welcomed(|welcome| welcome.denied = vec![("r".into(), code.into())]).is_ok(),
            right,
            "{code}"
        );
    }
}

/// [WELC-2] [FRM-11]
#[test]
fn rooms_of_welcome_are_subjects_and_not_too_many() {
    for (count, right) in [(0, true), (257, true), (258, false)] {
        let rooms = || (0..count).map(|at| format!("room_{at}"));
        assert_eq!(
            welcomed(|welcome| welcome.rooms = rooms().map(|room| place(&room, 1, None)).collect()).is_ok(),
            right,
            "{count}"
        );
        assert_eq!(
            welcomed(
                |welcome| welcome.denied = rooms().map(|room| (room.as_str().into(), "no".into())).collect()
            )
            .is_ok(),
            right,
            "{count}"
        );
    }
    for room in ["", "a\n", &"r".repeat(129)] {
        assert_eq!(welcomed(|welcome| welcome.rooms[1].subject = room.into()), Err("WELC-2"), "{room:?}");
        assert_eq!(
            welcomed(|welcome| welcome.denied[0].0 = room.into()),
            Ok(()),
            "denied for what it is: {room:?}"
        );
    }
}

/// [LIM-2] [LIM-11]
#[test]
fn limits_of_welcome_stand_in_their_ranges() {
    for (message, right) in
        [(0, false), (1023, false), (1024, true), (67_108_864, true), (67_108_865, false), (u32::MAX, false)]
    {
        let expected = if right { Ok(()) } else { Err("LIM-2") };
        assert_eq!(welcomed(|welcome| welcome.limits.message = message), expected, "{message}");
    }
    for (rooms, right) in [(0, false), (1, true), (256, true), (257, false), (u16::MAX, false)] {
        let expected = if right { Ok(()) } else { Err("LIM-11") };
        assert_eq!(welcomed(|welcome| welcome.limits.rooms = rooms), expected, "{rooms}");
    }
}
