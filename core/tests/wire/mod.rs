//! Frames as JSON fields, which is how the vectors and the generators speak of them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

pub mod any_octets;

use std::path::PathBuf;

use everwire_core::frame::{
    Code, Form, FrameError, FromClient, FromServer, Grant, Numbers, PageMark, Refusals,
};
use everwire_core::frame::{Room, Wait, split};
use serde_json::{Value, json};

/// Which end wrote a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Client,
    Server,
}

pub fn vectors(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors")).join(path)
}

/// Reads a whole frame; `None` is an extension.
pub fn read(from: From, form: Form, frame: &[u8], frame_bytes_max: u64) -> Result<Option<Value>, FrameError> {
    let parts = split(form, frame)?;
    Ok(match from {
        From::Client => {
            FromClient::parse(parts.head, parts.shape(), frame_bytes_max)?.map(|frame| of_client(&frame))
        }
        From::Server => {
            FromServer::parse(parts.head, parts.shape(), frame_bytes_max)?.map(|frame| of_server(&frame))
        }
    })
}

fn of_client(frame: &FromClient<'_>) -> Value {
    match *frame {
        FromClient::Hello => json!({"verb": "hello"}),
        FromClient::Send { n, count, oldest } => {
            json!({"verb": "send", "n": n, "count": count, "oldest": oldest})
        }
        FromClient::Seen { s, count, bytes } => {
            json!({"verb": "seen", "s": s, "count": count, "bytes": bytes})
        }
        FromClient::Join { room } => json!({"verb": "join", "room": room.decode()}),
        FromClient::Leave { room } => json!({"verb": "leave", "room": room.decode()}),
        FromClient::Page { id, room, before, count } => {
            json!({"verb": "page", "id": id, "room": room.decode(), "before": before, "count": count})
        }
        FromClient::Cast => json!({"verb": "cast"}),
        FromClient::Ping { x } => json!({"verb": "ping", "x": x}),
        FromClient::Pong { x } => json!({"verb": "pong", "x": x}),
        FromClient::More { bytes } => json!({"verb": "more", "bytes": bytes}),
        FromClient::Auth => json!({"verb": "auth"}),
        FromClient::Vis { visible } => json!({"verb": "vis", "visible": visible}),
        FromClient::Bye { s } => json!({"verb": "bye", "s": s}),
    }
}

fn of_server(frame: &FromServer<'_>) -> Value {
    let list = |numbers: Numbers<'_>| numbers.iter().collect::<Vec<u64>>();
    match *frame {
        FromServer::Welcome => json!({"verb": "welcome"}),
        FromServer::Ack { n, credit, refused } => {
            let refused: Vec<_> =
                refused.iter().map(|(refused, code)| json!([refused, code.as_str()])).collect();
            json!({"verb": "ack", "n": n, "credit": credit, "refused": refused})
        }
        FromServer::Push { after, upto, numbers } => {
            json!({"verb": "push", "after": after, "upto": upto, "numbers": list(numbers)})
        }
        FromServer::Advance { after, upto } => json!({"verb": "advance", "after": after, "upto": upto}),
        FromServer::Joined { room, from, grant: None } => {
            json!({"verb": "joined", "room": room.decode(), "from": from})
        }
        FromServer::Joined { room, from, grant: Some(grant) } => {
            json!({"verb": "joined", "room": room.decode(), "from": from, "grant": grant.as_str()})
        }
        FromServer::Denied { room, code } => {
            json!({"verb": "denied", "room": room.decode(), "code": code.as_str()})
        }
        FromServer::Page { id, mark, numbers } => {
            json!({"verb": "page", "id": id, "mark": mark.as_str(), "numbers": list(numbers)})
        }
        FromServer::PageRefused { id, code } => json!({"verb": "page", "id": id, "code": code.as_str()}),
        FromServer::Reply { n } => json!({"verb": "reply", "n": n}),
        FromServer::Cast => json!({"verb": "cast"}),
        FromServer::Ping { x } => json!({"verb": "ping", "x": x}),
        FromServer::Pong { x } => json!({"verb": "pong", "x": x}),
        FromServer::More { bytes } => json!({"verb": "more", "bytes": bytes}),
        FromServer::Auth => json!({"verb": "auth"}),
        FromServer::Goaway { leave_in, window } => {
            json!({"verb": "goaway", "in": leave_in.ms(), "window": window.ms()})
        }
        FromServer::Lost => json!({"verb": "lost"}),
    }
}

/// The header line of these fields, with its LF if a body follows.
pub fn write(from: From, fields: &Value) -> Vec<u8> {
    let number = |name: &str| fields[name].as_u64().unwrap_or_else(|| panic!("{name} of {fields}"));
    let count = |name: &str| u16::try_from(number(name)).unwrap();
    let text = |name: &str| fields[name].as_str().unwrap_or_else(|| panic!("{name} of {fields}"));
    let encoded = fields["room"].as_str().map(|room| Room::encode(room).unwrap()).unwrap_or_default();
    let room = || Room::new(encoded.as_bytes()).unwrap();
    let code = || Code::new(text("code").as_bytes()).unwrap();
    let wait = |name: &str| Wait::from_ms(u32::try_from(number(name)).unwrap());
    let list: Vec<u64> =
        fields["numbers"].as_array().into_iter().flatten().map(|number| number.as_u64().unwrap()).collect();
    let numbers = Numbers::new(&list);
    let mut out = Vec::new();
    match (from, text("verb")) {
        (From::Client, "hello") => FromClient::Hello.write(&mut out),
        (From::Client, "send") => {
            FromClient::Send { n: number("n"), count: count("count"), oldest: number("oldest") }
                .write(&mut out);
        }
        (From::Client, "seen") => {
            FromClient::Seen { s: number("s"), count: number("count"), bytes: number("bytes") }
                .write(&mut out);
        }
        (From::Client, "join") => FromClient::Join { room: room() }.write(&mut out),
        (From::Client, "leave") => FromClient::Leave { room: room() }.write(&mut out),
        (From::Client, "page") => {
            let (before, count) = (number("before"), count("count"));
            FromClient::Page { id: number("id"), room: room(), before, count }.write(&mut out);
        }
        (From::Client, "cast") => FromClient::Cast.write(&mut out),
        (From::Client, "ping") => FromClient::Ping { x: number("x") }.write(&mut out),
        (From::Client, "pong") => FromClient::Pong { x: number("x") }.write(&mut out),
        (From::Client, "more") => FromClient::More { bytes: number("bytes") }.write(&mut out),
        (From::Client, "auth") => FromClient::Auth.write(&mut out),
        (From::Client, "vis") => {
            FromClient::Vis { visible: fields["visible"].as_bool().unwrap() }.write(&mut out);
        }
        (From::Client, "bye") => FromClient::Bye { s: number("s") }.write(&mut out),
        (From::Server, "welcome") => FromServer::Welcome.write(&mut out),
        (From::Server, "ack") => {
            let refused: Vec<(u64, Code<'_>)> = fields["refused"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|pair| {
                    (pair[0].as_u64().unwrap(), Code::new(pair[1].as_str().unwrap().as_bytes()).unwrap())
                })
                .collect();
            let refused = Refusals::new(&refused);
            FromServer::Ack { n: number("n"), credit: number("credit"), refused }.write(&mut out);
        }
        (From::Server, "push") => {
            FromServer::Push { after: number("after"), upto: number("upto"), numbers }.write(&mut out);
        }
        (From::Server, "advance") => {
            FromServer::Advance { after: number("after"), upto: number("upto") }.write(&mut out);
        }
        (From::Server, "joined") => {
            let grant = fields["grant"].as_str().map(|grant| Grant::new(grant.as_bytes()).unwrap());
            FromServer::Joined { room: room(), from: number("from"), grant }.write(&mut out);
        }
        (From::Server, "denied") => FromServer::Denied { room: room(), code: code() }.write(&mut out),
        (From::Server, "page") if fields.get("code").is_some() => {
            FromServer::PageRefused { id: number("id"), code: code() }.write(&mut out);
        }
        (From::Server, "page") => {
            let mark = [PageMark::More, PageMark::Cut, PageMark::End]
                .into_iter()
                .find(|mark| mark.as_str() == text("mark"))
                .unwrap();
            FromServer::Page { id: number("id"), mark, numbers }.write(&mut out);
        }
        (From::Server, "reply") => FromServer::Reply { n: number("n") }.write(&mut out),
        (From::Server, "cast") => FromServer::Cast.write(&mut out),
        (From::Server, "ping") => FromServer::Ping { x: number("x") }.write(&mut out),
        (From::Server, "pong") => FromServer::Pong { x: number("x") }.write(&mut out),
        (From::Server, "more") => FromServer::More { bytes: number("bytes") }.write(&mut out),
        (From::Server, "auth") => FromServer::Auth.write(&mut out),
        (From::Server, "goaway") => {
            FromServer::Goaway { leave_in: wait("in"), window: wait("window") }.write(&mut out);
        }
        (From::Server, "lost") => FromServer::Lost.write(&mut out),
        (_, verb) => panic!("no verb {verb} here"),
    }
    out
}
