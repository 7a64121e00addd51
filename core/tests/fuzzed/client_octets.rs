//! Octets read as inputs of a client. The fuzz target `client` runs this file, too.
#![allow(unreachable_pub, reason = "a fuzz target uses it, too")]

use std::collections::BTreeSet;

use everwire_core::frame::{Form, NUMBER_MAX, Shape};
use everwire_core::session::client::*;
use everwire_core::session::down::{Element, Loss};
use everwire_core::session::up::Outgoing;
use everwire_core::{OutboxConfig, Overflow, Ticket};

use crate::bytes::Bytes;
use crate::client::{Honest, Op, Run};
use crate::v1_client_common::*;

/// More inputs than this only repeat what there was.
const STEPS_MAX: usize = 600;
/// Rooms as they stand in a header line; the last is the server's.
const ROOMS: [&str; 7] = ["room_0", "room_1", "room_2", "room_3", OWN, "caf%C3%A9", "_x"];
const CODES: [u16; 16] =
    [1006, 1000, 1001, 1008, 1009, 1012, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4010, 4401, 4500];
const REASONS: [&str; 6] = ["", "x window=40000", "window=0", " window=", "window=9999999", "é🦀"];
const ELEMENTS: [&str; 6] = [
    r#"{"type":"t"}"#,
    r#"{"type":"t","receiver":"room_0"}"#,
    r#"{"type":"t","receiver":"room_1"}"#,
    r#"{"type":"t","receiver":"_x"}"#,
    r#"{"type":"unheard"}"#,
    "null",
];
const REFUSALS: [&str; 4] = ["forbidden", "too-large", "malformed", "x-everwire-mine"];

/// Carries the octets out as inputs, one after the other, then closes the wire; answers in which phases it was.
pub fn any_client(input: &[u8]) -> BTreeSet<String> {
    let mut bytes = Bytes::new(input);
    let mut run = Run::new(config(&mut bytes));
    let mut phases = BTreeSet::new();
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        step(&mut run, &mut bytes);
        phases.insert(format!("{:?}", run.host.client.phase()));
    }
    run.finish();
    phases.insert(format!("{:?}", Phase::Closed));
    phases
}

fn config(bytes: &mut Bytes<'_>) -> Config {
    Config {
        outbox: OutboxConfig {
            messages_max: bytes.one(&[8, 0, 1, 300]),
            bytes_max: bytes.one(&[1 << 20, 0, 100, 8 << 20]),
            overflow: bytes.one(&[Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest]),
        },
        message_bytes_max: bytes.one(&[1 << 20, 100, 64 << 20]),
        takes_bytes_max: bytes.one(&[1 << 22, 1024, 64 << 20]),
        interval: bytes.one(&[secs(30), secs(1), secs(600)]),
        connect_timeout: bytes.one(&[secs(20), secs(0), ms(1), secs(600)]),
        high_water: bytes.one(&[1 << 20, 0, 1000]),
        has_token: bytes.flag(),
        attempts_max: bytes.one(&[0, 0, 1, 5]),
        rate: None,
        rests_hidden: false,
    }
}

fn step(run: &mut Run, bytes: &mut Bytes<'_>) {
    match bytes.u8() {
        0..=39 => run.step(Op::Go),
        40..=89 => {
            let honest = honest(bytes);
            run.step(Op::Honest(honest));
        }
        90..=109 => {
            let welcome = members(bytes, &run.host);
            run.step(Op::Welcome(welcome));
        }
        110..=129 => {
            let frame = frame(bytes, &run.host);
            run.step(Op::Frame(frame));
        }
        130..=134 => {
            // Whatever stands in a frame, the body included.
            let form = if bytes.flag() { Form::Binary } else { Form::Text };
            let mut octets = frame(bytes, &run.host).into_bytes();
            octets.truncate(usize::from(bytes.u8()));
            octets.extend_from_slice(bytes.octets());
            run.host.octets_come(run.host.client.link(), form, &octets);
            run.check();
        }
        135..=144 => shaped(run, bytes),
        145..=164 => {
            let many = if bytes.u8() < 250 { 1 } else { bytes.u16() % 400 };
            let message = message(bytes, run);
            run.burst((0..many).map(|_| message));
            run.check();
        }
        165..=168 => {
            run.host.stuck = bytes.rarely(Bytes::number);
            run.check();
        }
        other => {
            let op = op(other, bytes);
            run.step(op);
        }
    }
}

fn message(bytes: &mut Bytes<'_>, run: &Run) -> Outgoing {
    let form = if bytes.flag() { Form::Binary } else { Form::Text };
    let octets = match bytes.below(8) {
        0..=5 => u32::from(bytes.u8()) * 8,
        6 => u32::from(bytes.u16()) * 16,
        _ => bytes.u32(),
    };
    Outgoing {
        priority: bytes.below(3),
        key: bytes.rarely(|bytes| bytes.below(3).into()),
        expires: bytes.rarely(|bytes| run.host.now + ms(u64::from(bytes.u16()) / 8)),
        answer_by: bytes.rarely(|bytes| run.host.now + ms(bytes.u16().into())),
        ..Outgoing::new(Ticket(0), octets, form)
    }
}

fn op(choice: u8, bytes: &mut Bytes<'_>) -> Op {
    match choice {
        169..=178 => {
            Op::Close(if bytes.u8() < 240 { bytes.one(&CODES) } else { bytes.u16() }, bytes.one(&REASONS))
        }
        179..=182 => Op::Dialled { changed: bytes.flag() },
        183..=185 => Op::Opens { selected: bytes.u8() < 200 },
        186..=188 => Op::Abort(bytes.u8().into()),
        189..=190 => Op::Cast(bytes.u16().into()),
        191..=195 => Op::Join(bytes.below(4)),
        196..=198 => Op::Leave(bytes.below(4)),
        199..=201 => Op::Page { before: bytes.rarely(Bytes::number), count: bytes.u16() % 300 },
        202 => Op::PageAbort(bytes.u8().into()),
        203..=209 => Op::Settle(bytes.u8().into()),
        210..=217 => Op::Pass(bytes.u16().into()),
        218..=220 => Op::Oversleep(bytes.number() % (1 << 38) * 100),
        221..=222 => Op::Timeout,
        223..=225 => Op::Buffered(bytes.number()),
        226 => Op::WriteFailed,
        227..=228 => Op::Renewed(bytes.number()),
        229 => Op::RenewalFailed,
        230..=231 => Op::Visible(bytes.flag()),
        232 => Op::Online,
        233 => Op::Offline,
        234 => Op::Wake,
        235 => Op::Suspend,
        236..=237 => Op::Resume { visible: bytes.flag() },
        238 => Op::Reconnect,
        239 if bytes.u8() > 200 => Op::Shut(bytes.u16().into()),
        240..=247 => Op::Crash { keeps: bytes.below(6).into() },
        248 => Op::StaleLink,
        249 => Op::DialFailed,
        250 => Op::Connect,
        _ => Op::Go,
    }
}

fn honest(bytes: &mut Bytes<'_>) -> Honest {
    match bytes.below(16) {
        0..=4 => Honest::Push {
            many: 1 + u64::from(bytes.below(5)),
            again: bytes.below(3).into(),
            binary: bytes.flag(),
        },
        5..=8 => Honest::Ack { of: 1 + u64::from(bytes.below(6)), refused: bytes.u8() > 200 },
        9 => Honest::Reply(bytes.u8().into()),
        10..=11 => Honest::Page { s: bytes.below(2).into(), mark: bytes.one(&["end", "cut", "more"]) },
        12 => Honest::Pong(bytes.below(5).into()),
        13 => Honest::Joined(bytes.u8() > 200),
        14 => Honest::Lost,
        _ => Honest::Revoked(bytes.below(4)),
    }
}

/// What a `welcome` says otherwise than one that has nothing to say.
fn members(bytes: &mut Bytes<'_>, host: &Host) -> String {
    let (up, down) = (&host.record.up, &host.record.down);
    let mut members = Vec::new();
    for _ in 0..bytes.u8().saturating_sub(100) / 32 {
        members.push(match bytes.below(20) {
            0..=1 => format!(r#""mark":{}"#, bytes.near(up.oldest())),
            2 => format!(r#""credit":{}"#, bytes.near(up.written)),
            3 => {
                let n = bytes.near(up.oldest());
                format!(r#""refused":[[{n},"{}"]],"mark":{n},"credit":9000"#, bytes.one(&REFUSALS))
            }
            4..=5 => format!(r#""producer":"{}","mark":0"#, bytes.one(&["successor", "kept", "x"])),
            6..=7 => format!(r#""logEpoch":"{}""#, bytes.one(&["f", "e", "g", ""])),
            8..=9 => {
                let from = bytes.near(down.received);
                format!(r#""position":{from},"rooms":[{{"room":"{OWN}","from":{from}}}]"#)
            }
            10 => format!(r#""position":{}"#, bytes.near(down.received)),
            11 => format!(
                r#""rooms":[{{"room":"{}","from":{},"grant":"g"}}]"#,
                bytes.one(&ROOMS),
                bytes.near(down.received)
            ),
            12 => {
                format!(r#""denied":[{{"room":"{}","code":"{}"}}]"#, bytes.one(&ROOMS), bytes.one(&REFUSALS))
            }
            13 => format!(
                r#""lost":{{"subjects":["{}"],"first":{}}}"#,
                bytes.one(&ROOMS),
                bytes.near(down.received).min(NUMBER_MAX)
            ),
            14 => format!(
                r#""limits":{{"message":{},"rooms":{}}}"#,
                bytes.one(&[1 << 20, 1024, 64 << 20, 0, 1 << 30]),
                bytes.one(&[256, 1, 0, 65_535])
            ),
            15 => format!(r#""expires":{}"#, bytes.number()),
            16 => format!(r#""window":{}"#, bytes.near(1000)),
            17 => format!(r#""heartbeat":{}"#, bytes.near(25_000)),
            18 => format!(r#""identity":"{}""#, bytes.one(&["user_2", "_x", ""])),
            _ => format!(r#""born":{},"durable":{}"#, bytes.near(host.client.link()), bytes.flag()),
        });
    }
    format!("{{{}}}", members.join(","))
}

/// A frame that a server might write now, or nearly.
fn frame(bytes: &mut Bytes<'_>, host: &Host) -> String {
    let (up, down) = (&host.record.up, &host.record.down);
    match bytes.below(20) {
        0..=2 => {
            let n = bytes.near(up.oldest());
            let mut frame = format!("ack {n} {}", bytes.near(n));
            for _ in 0..bytes.below(4) {
                frame += &format!(" {}:{}", bytes.near(up.oldest()), bytes.one(&REFUSALS));
            }
            frame
        }
        3..=5 => {
            let after = bytes.near(down.received);
            let (numbers, last) = ascending(bytes, after);
            format!("push {after} {}{numbers}\n{}", last + u64::from(bytes.below(3)), body(bytes))
        }
        6 => format!("advance {} {}", bytes.near(down.received), bytes.near(down.received)),
        7 => format!("joined {} {} g", bytes.one(&ROOMS), bytes.near(down.received)),
        8 => format!("denied {} {}", bytes.one(&ROOMS), bytes.one(&["revoked", "forbidden", "failed"])),
        9 => {
            let (id, mark) = (bytes.near(1), bytes.one(&["end", "more", "cut"]));
            let (numbers, _) = ascending(bytes, 0);
            format!("page {id} {mark}{numbers}\n{}", body(bytes))
        }
        10 => format!("page {} !{}", bytes.near(1), bytes.one(&REFUSALS)),
        11 => format!("reply {}\n{}", bytes.near(up.oldest()), body(bytes)),
        12 => format!("cast\n{}", body(bytes)),
        13 => format!("{} {}", bytes.one(&["ping", "pong"]), bytes.near(1)),
        14 => format!("more {}", bytes.number()),
        15 => format!("auth\n{{\"expires\":{},\"renewed\":{}}}", bytes.number(), bytes.flag()),
        16 => {
            let url = if bytes.flag() { r#","url":"wss://x""# } else { "" };
            format!("goaway {} {}\n{{\"reason\":\"r\"{url}}}", bytes.number(), bytes.near(1000))
        }
        17 => {
            let (epoch, room) = (bytes.one(&["e", "f"]), bytes.one(&ROOMS));
            let first = bytes.near(down.received);
            format!("lost\n{{\"logEpoch\":\"{epoch}\",\"subjects\":[\"{room}\"],\"first\":{first}}}")
        }
        18 => bytes.one(&["x-any thing", "welcome\n{}", "hello\n{}", "", "send 1 1 1\n[]", "bye 0"]).into(),
        _ => String::from_utf8_lossy(bytes.octets()).into(),
    }
}

/// Numbers above this one, each behind a space, and the last of them.
fn ascending(bytes: &mut Bytes<'_>, after: u64) -> (String, u64) {
    let (mut numbers, mut last) = (String::new(), after.min(NUMBER_MAX));
    for _ in 0..bytes.below(5) {
        last += 1 + u64::from(bytes.below(4)) / 3;
        numbers += &format!(" {last}");
    }
    (numbers, last)
}

fn body(bytes: &mut Bytes<'_>) -> String {
    let elements: Vec<_> = (0..bytes.below(5)).map(|_| bytes.one(&ELEMENTS)).collect();
    format!("[{}]", elements.join(","))
}

/// A header line with lengths and a body that need not fit it: a host that errs, and a body that no test writes out.
fn shaped(run: &mut Run, bytes: &mut Bytes<'_>) {
    let frame = frame(bytes, &run.host);
    let head = frame.split('\n').next().unwrap_or_default().to_owned();
    let shape = Shape {
        form: if bytes.u8() < 200 { Form::Text } else { Form::Binary },
        body_bytes: (bytes.u8() < 200).then(|| if bytes.flag() { 10 } else { bytes.number() }),
        envelope_bytes: bytes.rarely(Bytes::number),
    };
    let kind = |bytes: &mut Bytes<'_>| match bytes.below(5) {
        0..=2 => Element::Message(subject(bytes.one(&ROOMS))),
        3 => Element::Message(subject(bytes.one(&["", "é", "user_2"]))),
        _ => Element::Skipped,
    };
    let elements: Vec<_> = (0..bytes.below(5)).map(|_| kind(bytes)).collect();
    let loss = Loss { subjects: vec![subject(bytes.one(&ROOMS))], first: bytes.number() };
    let members = members(bytes, &run.host);
    let link = run.host.client.link();
    let welcome = json::read_welcome(&json::welcome(run.host.record.clone(), link, &members));
    let epoch = bytes.one(&["e", "f"]).into();
    let body = match (bytes.below(8), &welcome) {
        (0..=2, _) => Body::Elements(&elements),
        (3, Some(welcome)) => Body::Welcome(welcome),
        (4, _) => Body::Lost { epoch: &epoch, loss: &loss },
        (5, _) => Body::Goaway { redirect: bytes.flag() },
        (6, _) => Body::Auth { expires: bytes.rarely(Bytes::number), renewed: bytes.flag() },
        (7, _) => Body::Unreadable,
        _ => Body::None,
    };
    run.host.client.handle_frame(link, head.as_bytes(), shape, body, run.host.now);
    run.host.drain();
    run.check();
}
