//! Octets read as inputs of a node. The fuzz target `node` runs this file, too.
#![allow(unreachable_pub, reason = "a fuzz target uses it, too")]

use std::collections::BTreeSet;

use everwire_core::engine::*;
use everwire_core::frame::{Form, Shape};
use everwire_core::session::Hello;
use everwire_core::session::down::Standing;
use everwire_core::session::node::*;

use crate::bytes::Bytes;
use crate::node::{Kind, ROOMS, World};
use crate::node_common::{Body, message, ms, secs};

/// More inputs than this only repeat what there was.
const STEPS_MAX: usize = 600;
/// Rooms as they stand in a header line: no subject is among them, too.
const SPELLED: [&str; 8] = ["room_a", "room_b", "user_1", "user_9", "_secret", "caf%C3%A9", "%00", "%"];

/// Carries the octets out as inputs, one after the other; answers in which phases the node was.
pub fn any_node(input: &[u8]) -> BTreeSet<String> {
    let mut bytes = Bytes::new(input);
    let mut world = World::new(config(&mut bytes), bytes.flag());
    let mut phases = BTreeSet::new();
    if bytes.u8() < 200 {
        greet(&mut world);
    }
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        match bytes.u8() {
            op @ 0..=160 => world.step(op % 31, bytes.u16(), bytes.u16()),
            op @ 161..=192 => world.step(op % 31, bytes.u8().into(), bytes.u8().into()),
            other => raw(&mut world, other, &mut bytes),
        }
        phases.insert(format!("{:?}", world.node.phase()));
    }
    phases
}

fn config(bytes: &mut Bytes<'_>) -> NodeConfig {
    NodeConfig {
        heartbeat: bytes.one(&[secs(25), secs(0), secs(1000)]),
        window: bytes.one(&[secs(10), secs(0), secs(10_000)]),
        rooms_max: bytes.one(&[256, 0, 2, u16::MAX]),
        failure_is_final: bytes.flag(),
        ..NodeConfig::default()
    }
}

fn greet(world: &mut World) {
    world.step(0, 6, 0);
    for _ in 0..6 {
        world.step(5, 0, 4);
        world.step(9, 0, 7);
    }
}

/// What the property test does not do.
fn raw(world: &mut World, choice: u8, bytes: &mut Bytes<'_>) {
    let now = world.now;
    match choice {
        193..=212 => shaped(world, bytes),
        213..=216 => {
            let hello = any_hello(bytes, world);
            world.frame("hello", NodeBody::Hello(Box::new(hello)), Some(100));
        }
        217..=226 => answer(world, bytes),
        227..=231 => other_kind(world, bytes),
        232..=238 => sleep(world, bytes),
        239..=241 => {
            // A driver that counts as it likes.
            world.transport =
                Transport { written: bytes.number(), taken: bytes.number(), waiting_other: bytes.number() };
            world.node.handle_transport(world.transport, now);
        }
        242 => world.node.handle_expires(bytes.rarely(|bytes| ms(bytes.number())), now),
        243 => world.node.handle_window(bytes.number(), now),
        244 => world.node.handle_elsewhere(usize::try_from(bytes.number()).unwrap_or(usize::MAX), now),
        245 if bytes.flag() => {
            let reason = String::from_utf8_lossy(bytes.octets()).repeat(usize::from(bytes.below(8)));
            world.node.handle_end(bytes.u16(), &reason, now);
        }
        246 => world.node.handle_octets(bytes.number(), now),
        247 if bytes.flag() => {
            let url = bytes.rarely(|_| "wss://x".into());
            let (leave_in, window) = (ms(bytes.number()), ms(bytes.number()));
            world.node.handle_drain(Drain { leave_in, window, reason: "r".into(), url }, now);
        }
        248 => world.node.handle_revoked(&bytes.one(&["", "é", "_x", "user_1", "room_a"]).into(), now),
        249 => {
            let n = bytes.near(world.seen.mark);
            world.node.handle_ran(n, now);
        }
        250..=251 => {
            let payload = Body { id: 0, octets: (bytes.number() % (1 << 40)).max(10), binary: bytes.flag() };
            world.origin.handle_post(bytes.one(&ROOMS).into(), payload, now);
            world.origin_turn(0, 2);
        }
        252 if bytes.u8() > 200 => {
            world.origin.handle_drain(ms(bytes.u16().into()), now);
            world.origin_turn(0, 2);
        }
        253 if bytes.flag() => world.node.handle_closed(),
        _ => world.node.handle_timeout(now),
    }
    world.drain();
}

/// Whatever a client may write now, or nearly, with lengths and a body that need not fit the header line.
fn shaped(world: &mut World, bytes: &mut Bytes<'_>) {
    let octets;
    let head = match bytes.below(16) {
        0..=3 => {
            let (n, count) = (bytes.near(world.next), bytes.near(1));
            format!("send {n} {count} {}", bytes.near(world.seen.acked))
        }
        4 => format!("seen {} {} {}", bytes.near(world.seen.told), bytes.number(), bytes.number()),
        5..=6 => format!("{} {}", bytes.one(&["join", "leave"]), bytes.one(&SPELLED)),
        7 => format!(
            "page {} {} {} {}",
            bytes.number(),
            bytes.one(&SPELLED),
            bytes.near(world.seen.told),
            bytes.near(1)
        ),
        8 => format!("vis {}", bytes.below(3)),
        9 => format!("{} {}", bytes.one(&["ping", "pong", "more"]), bytes.number()),
        10 => format!("bye {}", bytes.near(world.seen.told)),
        11 => "auth".into(),
        12 => "cast".into(),
        13 => bytes.one(&["hello", "welcome", "x-any thing", "", "ack 1 2", "join", "send"]).into(),
        _ => {
            octets = bytes.octets();
            String::from_utf8_lossy(octets).into()
        }
    };
    let right = bytes.u8() < 220;
    let shape = Shape {
        form: if bytes.u8() < 220 { Form::Text } else { Form::Binary },
        body_bytes: if right { takes_body(&head).then_some(200) } else { bytes.rarely(Bytes::number) },
        envelope_bytes: bytes.rarely(Bytes::number),
    };
    let body = match bytes.below(8) {
        0..=3 if takes_body(&head) => {
            NodeBody::Elements((0..bytes.below(6)).map(|_| element(bytes)).collect())
        }
        4 => NodeBody::Token("t".into()),
        5 => NodeBody::Unreadable,
        6 => NodeBody::OtherVersion,
        7 => NodeBody::Hello(Box::new(any_hello(bytes, world))),
        _ => NodeBody::None,
    };
    world.node.handle_frame(head.as_bytes(), shape, body, world.now);
}

fn takes_body(head: &str) -> bool {
    ["send", "cast", "auth", "hello"].iter().any(|verb| head.starts_with(verb))
}

fn element(bytes: &mut Bytes<'_>) -> Element<Body> {
    let octets = if bytes.u8() < 240 { bytes.u8().into() } else { bytes.number() };
    let kind = match bytes.below(8) {
        0 => ElementKind::Malformed,
        1 => ElementKind::Withdrawn,
        other => ElementKind::Message {
            receiver: (other < 7)
                .then(|| bytes.one(&["room_a", "room_b", "user_9", "_secret", "", "é"]).into()),
            request: bytes.u8() > 200,
            payload: Body { id: 1, octets: (octets % (1 << 40)).max(10), binary: bytes.u8() > 220 },
        },
    };
    Element { bytes: octets, kind }
}

/// The next `hello`, with some members that it need not have.
fn any_hello(bytes: &mut Bytes<'_>, world: &mut World) -> Hello {
    let mut hello = world.next_hello(bytes.u8().into());
    for _ in 0..bytes.below(4) {
        match bytes.below(12) {
            0 => hello.producer = Producer([bytes.below(3); 16]),
            1 => hello.successor = bytes.rarely(|bytes| Producer([bytes.below(3); 16])),
            2 => hello.link = bytes.near(hello.link),
            3 => hello.oldest = bytes.near(world.seen.acked),
            4 => hello.written = bytes.near(hello.written),
            5 => hello.born = bytes.rarely(|bytes| bytes.near(1)),
            6 => hello.epoch = bytes.rarely(|bytes| bytes.one(&["e0", "e1", "", "é"]).into()),
            7 => hello.position = bytes.rarely(|bytes| bytes.near(world.seen.told)),
            8 => {
                for room in &mut hello.rooms {
                    room.from = bytes.rarely(Bytes::number);
                }
            }
            9 => hello.pending = (0..bytes.below(6)).map(|_| bytes.number()).collect(),
            10 => hello.held.octets = bytes.number(),
            _ => hello.held.messages = bytes.number(),
        }
    }
    hello
}

/// A call is answered by whatever there is, perhaps of another kind.
fn answer(world: &mut World, bytes: &mut Bytes<'_>) {
    if world.calls.is_empty() {
        return;
    }
    let (id, call) = world.calls.remove(usize::from(bytes.u8()) % world.calls.len());
    let answer = any_answer(bytes, world);
    let same_kind = core::mem::discriminant(&call.unanswered()) == core::mem::discriminant(&answer);
    // Of marks nothing is believed that was not said; the rest of what an engine says cannot be checked.
    let of_marks =
        matches!(answer, Answer::Append(_) | Answer::Refuse(_) | Answer::Publish(_) | Answer::Forget(_));
    world.seen.lied |= same_kind && !of_marks;
    world.note(&answer);
    world.node.handle_answer(id, answer, world.now);
}

/// A place in the log.
fn place(bytes: &mut Bytes<'_>, base: u64) -> u64 {
    bytes.near(base)
}

fn any_answer(bytes: &mut Bytes<'_>, world: &World) -> Answer<Body> {
    let failure = bytes.rarely(|bytes| bytes.one(&[Failure::Unanswered, Failure::EpochChanged]));
    let mark = bytes.near(world.seen.mark);
    let numbers = (0..bytes.below(4)).map(|_| bytes.number()).collect();
    let interval = |bytes: &mut Bytes<'_>| {
        let after = place(bytes, world.seen.told);
        let message = |s| Message { s, subject: "room_a".into(), payload: some_body(), tag: None };
        let messages = (0..bytes.below(4)).map(|_| message(place(bytes, after))).collect();
        Interval { after, upto: place(bytes, after), messages, more: bytes.flag() }
    };
    match bytes.below(16) {
        0..=1 => Answer::Claim(failed(
            failure,
            match bytes.below(5) {
                0..=1 => Claimed::Claimed {
                    mark,
                    born: bytes.near(1),
                    refusals: vec![],
                    epoch: bytes.one(&["e0", "e1"]).into(),
                    head: place(bytes, 1),
                    durable: bytes.flag(),
                    limit: bytes.u32(),
                },
                2 => Claimed::Unknown,
                3 => Claimed::Fenced,
                _ => Claimed::Full,
            },
        )),
        2..=6 => Answer::Append(failed(
            failure,
            match bytes.below(5) {
                0 => Appended::Stored { mark, numbers },
                1 => Appended::Duplicate { mark, refusals: vec![] },
                2 => Appended::Gap { mark },
                3 => Appended::Full { mark, numbers },
                _ => Appended::Fenced,
            },
        )),
        7..=8 => Answer::Refuse(failed(
            failure,
            match bytes.below(5) {
                0 => RefusalAnswer::Refused { mark },
                1 => RefusalAnswer::Duplicate { mark, refusals: vec![] },
                2 => RefusalAnswer::Gap { mark },
                3 => RefusalAnswer::Full { mark },
                _ => RefusalAnswer::Fenced,
            },
        )),
        9..=10 => Answer::Read(failed(
            failure,
            match bytes.below(4) {
                0..=1 => Read::Interval(interval(bytes)),
                2 => Read::Trimmed(vec![bytes.one(&ROOMS).into()]),
                _ => Read::Behind { head: place(bytes, 1) },
            },
        )),
        11..=12 => {
            let cursor =
                Cursor { position: place(bytes, world.seen.told), cast: bytes.rarely(Bytes::number) };
            let tailed = match bytes.below(4) {
                0..=1 => {
                    let casts =
                        (0..bytes.below(3)).map(|_| Post::new("room_a".into(), some_body())).collect();
                    Tailed::Step { interval: interval(bytes), casts }
                }
                2 => Tailed::Trimmed(vec![bytes.one(&ROOMS).into()]),
                _ => Tailed::Behind { head: place(bytes, 1) },
            };
            Answer::Tail(failed(failure, (tailed, cursor)))
        }
        13 => Answer::Trimmed(failed(failure, vec![(bytes.one(&ROOMS).into(), place(bytes, 1))])),
        14 => Answer::Publish(failed(failure, ())),
        _ => Answer::Forget(failed(failure, ())),
    }
}

fn failed<T>(failure: Option<Failure>, answer: T) -> Result<T, Failure> {
    failure.map_or(Ok(answer), Err)
}

fn some_body() -> Body {
    Body { id: 7, octets: 10, binary: false }
}

/// Answers of every kind under the names of questions that were or will be asked: only one of them fits.
fn other_kind(world: &mut World, bytes: &mut Bytes<'_>) {
    let id = match world.asks.len() {
        0 => AskId(bytes.number()),
        many => match &world.asks[usize::from(bytes.u8()) % many] {
            NodeAction::Authenticate { id, .. }
            | NodeAction::Authorise { id, .. }
            | NodeAction::Examine { id, .. } => *id,
            _ => return,
        },
    };
    match bytes.below(3) {
        0 => {
            world.answers(id, &[Kind::Identity]);
            world.node.handle_authenticated(id, Err(NotAuthenticated::Refused), world.now);
        }
        1 => {
            world.answers(id, &[Kind::Rooms]);
            let standing = Standing::Allowed { from_holds: bytes.flag(), since: bytes.number() };
            let many = usize::from(bytes.below(8));
            world.node.handle_authorised(id, Ok(vec![standing; many]), world.now);
        }
        _ => {
            world.answers(id, &[Kind::Message, Kind::Cast]);
            let ElementKind::Message { payload, .. } = message("room_a", 9).kind else { return };
            let pass = Examined::Pass { subject: Some(bytes.one(&["", "_x", "room_b"]).into()), payload };
            world.node.handle_examined(id, pass, world.now);
        }
    }
}

/// Each deadline is met, and ends with that.
fn sleep(world: &mut World, bytes: &mut Bytes<'_>) {
    for _ in 0..bytes.below(64) {
        let Some(due) = world.node.next_deadline() else { return };
        world.now = world.now.max(due);
        world.meet_deadlines();
    }
}
