//! The largest bodies that the tables allow, in the shortest spelling, fit their frames.

mod common;

use common::written;
use everwire_bodies::{
    Lost, read_hello, read_lost, read_token, read_welcome, write_hello, write_lost, write_token,
    write_welcome,
};
use everwire_core::engine::{Producer, Subject};
use everwire_core::frame::{
    Form, FromClient, FromServer, HELLO_BYTES_MAX, LOST_BYTES_MAX, MESSAGE_BYTES_LEAST, NUMBER_MAX,
    OBJECT_BYTES_MAX, WELCOME_BYTES_MAX, frame_bytes_max, split,
};
use everwire_core::session::down::{Amount, Loss, Place};
use everwire_core::session::up::Producing;
use everwire_core::session::{Hello, Limits, Secret, Welcome, Wished};

/// The `at`th subject of 128 octets, each of which needs an escape.
fn subject(at: usize) -> Subject {
    let text: String = (0..128).map(|bit| if bit < 9 && at >> bit & 1 == 1 { '"' } else { '\\' }).collect();
    text.as_str().into()
}

/// The `at`th room that is no subject and that a node must be able to deny: 128 controls, each escaped with six octets.
fn no_subject(at: usize) -> Subject {
    let text: String =
        (0..128).map(|bit| if bit < 9 && at >> bit & 1 == 1 { '\u{1}' } else { '\u{1f}' }).collect();
    text.as_str().into()
}

fn grant() -> Option<Secret> {
    Some(Secret::from(&*"g".repeat(128)))
}

fn features() -> Vec<Box<str>> {
    (0..32).map(|at| format!("{at:0>32}").into()).collect()
}

fn largest_hello() -> Hello {
    let wished = |at| Wished { room: subject(at), from: Some(NUMBER_MAX), grant: grant() };
    Hello {
        token: Some(Secret::from(&*"\\".repeat(16_384))),
        producer: Producer([0xAA; 16]),
        successor: Some(Producer([0xBB; 16])),
        link: NUMBER_MAX,
        oldest: NUMBER_MAX - 1,
        written: NUMBER_MAX - 1,
        born: Some(NUMBER_MAX - 1),
        epoch: Some("e".repeat(64).as_str().into()),
        position: Some(NUMBER_MAX),
        rooms: (0..257).map(wished).collect(),
        pending: (NUMBER_MAX - 256..NUMBER_MAX).collect(),
        held: Amount { messages: 8192, octets: 1_310_719 },
        visible: false,
        features: features(),
    }
}

fn largest_welcome() -> Welcome {
    Welcome {
        identity: subject(0),
        producing: Producing::Successor,
        born: NUMBER_MAX,
        mark: NUMBER_MAX - 1,
        refused: (NUMBER_MAX - 256..NUMBER_MAX).map(|n| (n, "c".repeat(32).as_str().into())).collect(),
        credit: NUMBER_MAX,
        epoch: "e".repeat(64).as_str().into(),
        position: NUMBER_MAX,
        rooms: (0..257).map(|at| Place { subject: subject(at), from: NUMBER_MAX, grant: grant() }).collect(),
        denied: Vec::new(),
        lost: Some(Loss { subjects: (0..257).map(subject).collect(), first: NUMBER_MAX }),
        durable: false,
        heartbeat: NUMBER_MAX,
        window: NUMBER_MAX,
        limits: Limits { message: 67_108_864, rooms: 256 },
        expires: Some(NUMBER_MAX),
        time: NUMBER_MAX,
        features: features(),
    }
}

/// The same where all rooms of `hello` were denied: with codes, and as such that are no subjects.
fn welcome_of_denials() -> Welcome {
    let own = Place { subject: subject(0), from: NUMBER_MAX, grant: grant() };
    Welcome {
        rooms: vec![own],
        denied: (0..257).map(|at| (no_subject(at), "c".repeat(32).into())).collect(),
        lost: Some(Loss { subjects: vec![subject(0)], first: NUMBER_MAX }),
        ..largest_welcome()
    }
}

/// The frame is taken by the parser of header lines, where messages are as short as a server may set.
fn frame_fits(head: &[u8], body: &[u8]) -> bool {
    let frame = [head, body].concat();
    let parts = split(Form::Text, &frame);
    let most = frame_bytes_max(MESSAGE_BYTES_LEAST);
    match head {
        b"hello\n" => FromClient::parse(parts.head, parts.shape(), most).is_ok(),
        b"auth\n" => {
            FromClient::parse(parts.head, parts.shape(), most).is_ok()
                && FromServer::parse(parts.head, parts.shape(), most).is_ok()
        }
        _ => FromServer::parse(parts.head, parts.shape(), most).is_ok(),
    }
}

/// [LIM-6] [FRM-14]
#[test]
fn the_largest_hello_fits() {
    let hello = largest_hello();
    let body = written(|out| write_hello(&hello, out));
    println!("{} of {HELLO_BYTES_MAX}", body.len());
    assert!(body.len() > 149_000 && frame_fits(b"hello\n", &body));
    assert_eq!(read_hello(&body), Ok(hello));
}

/// [LIM-7] [FRM-14] [FRM-11]
#[test]
fn the_largest_welcomes_fit() {
    for welcome in [largest_welcome(), welcome_of_denials()] {
        let body = written(|out| write_welcome(&welcome, out));
        println!("{} of {WELCOME_BYTES_MAX}", body.len());
        assert!(body.len() > 180_000 && frame_fits(b"welcome\n", &body));
        assert_eq!(read_welcome(&body), Ok(welcome));
    }
}

/// [LIM-7] [FRM-11] Whatever rooms a `hello` may name, they can be denied: the least of a room's octets are those of an
/// escaped control, and there are no longer rooms.
#[test]
fn what_a_hello_may_name_can_be_denied() {
    let denied = |room: &str| {
        let room = Wished { room: room.into(), from: None, grant: None };
        Hello { rooms: vec![room], ..largest_hello() }.check().is_ok()
    };
    assert!(denied(no_subject(0).as_str()));
    assert!(!denied(&"\u{1}".repeat(129)));
}

/// [LIM-17] [FRM-14] [LOST-7]
#[test]
fn the_largest_lost_fits() {
    let loss = Loss { subjects: (0..257).map(subject).collect(), first: NUMBER_MAX };
    let lost = Lost { epoch: "e".repeat(64).as_str().into(), loss };
    let body = written(|out| write_lost(&lost, out));
    println!("{} of {LOST_BYTES_MAX}", body.len());
    assert!(body.len() > 66_000 && frame_fits(b"lost\n", &body));
    assert_eq!(read_lost(&body), Ok(lost));
}

/// [LIM-15] [LIM-17] [FRM-14]
#[test]
fn the_largest_token_fits() {
    let token = Secret::from(&*"\"".repeat(16_384));
    let body = written(|out| write_token(&token, out));
    println!("{} of {OBJECT_BYTES_MAX}", body.len());
    assert!(body.len() > 32_000 && frame_fits(b"auth\n", &body));
    assert_eq!(read_token(&body), Ok(token));
}

/// [FRM-14] Everything but quotes, backslashes and controls stands as itself, and controls have their short form.
#[test]
fn strings_are_written_with_the_shortest_escapes() {
    let base = Hello {
        token: None,
        rooms: Vec::new(),
        pending: Vec::new(),
        features: Vec::new(),
        ..largest_hello()
    };
    for code in (0..0x3000).chain(0xD7F0..0xD800).chain(0xE000..0xE010).chain(0xFFF0..0x1_0010) {
        let character = char::from_u32(code).unwrap();
        let room = format!("a{character}b");
        let rooms = vec![Wished { room: room.as_str().into(), from: None, grant: None }];
        let hello = Hello { rooms, ..base.clone() };
        let body = String::from_utf8(written(|out| write_hello(&hello, out))).unwrap();
        // serde_json writes the shortest form, too.
        assert!(body.contains(&serde_json::to_string(&room).unwrap()), "{code:x}");
        assert_eq!(read_hello(body.as_bytes()), Ok(hello), "{code:x}");
    }
}
