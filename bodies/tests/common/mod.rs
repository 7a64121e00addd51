//! The shared vectors of `tests/vectors/bodies`, and bodies as JSON values.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

pub mod any_body;
pub mod reference;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use everwire_bodies::{BodyError, Goaway, Lost};
use everwire_core::engine::Producer;
use everwire_core::frame::End;
use everwire_core::session::down::{Loss, Place};
use everwire_core::session::up::Producing;
use everwire_core::session::{Hello, Secret, Welcome, Wished};
use serde_json::{Value, json};

pub fn vectors(path: &str) -> std::path::PathBuf {
    std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors")).join(path)
}

/// The vectors of one file; their names are unique.
pub fn load(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(vectors("bodies").join(file)).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let names: BTreeSet<&str> = vectors.iter().map(name).collect();
    assert!(!vectors.is_empty() && names.len() == vectors.len(), "names of {file}");
    vectors
}

/// The same for tests that only borrow the data: who names the whole file proves what it cites.
pub fn some_of(stem: &str) -> Vec<Value> {
    load(&format!("{stem}.json"))
}

pub fn name(vector: &Value) -> &str {
    vector["name"].as_str().unwrap()
}

/// Octets as the vectors spell them: a string, or a list of strings, `{hex}` and `{repeat, times}`.
pub fn octets(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Array(parts) => parts.iter().flat_map(octets).collect(),
        part => match (part["hex"].as_str(), part["repeat"].as_str(), part["times"].as_u64()) {
            (Some(hex), None, None) => (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect(),
            (None, Some(text), Some(times)) => text.as_bytes().repeat(usize::try_from(times).unwrap()),
            _ => panic!("no octets: {part}"),
        },
    }
}

/// Holds every vector of a file against `read` and `write`: valid ones give these fields and are written as they should
/// be, invalid ones fail as documented.
pub fn hold<T>(
    vectors: &[Value],
    receiver: End,
    read: impl Fn(&[u8]) -> Result<T, BodyError>,
    write: impl Fn(&T) -> Vec<u8>,
    fields: impl Fn(&T) -> Value,
) {
    let mut wrong = String::new();
    let mut valid = 0;
    for vector in vectors {
        let (name, body) = (name(vector), octets(&vector["body"]));
        match (read(&body), vector["error"].as_str()) {
            (Ok(read), None) => {
                valid += 1;
                let expected = vector.get("written").map_or(body, octets);
                let written = write(&read);
                if written != expected {
                    writeln!(wrong, "{name}: written {}", String::from_utf8_lossy(&written)).unwrap();
                }
                // What was read is looked at by itself, too: a mistake of both ways would not be seen otherwise.
                assert_eq!(fields(&read), serde_json::from_slice::<Value>(&expected).unwrap(), "{name}");
            }
            (Err(error), Some(expected)) => {
                let member = error.member();
                let clauses = vector["clauses"].as_array().unwrap();
                if !clauses.iter().any(|clause| clause == error.clause()) {
                    writeln!(wrong, "{name}: {error}, and not one of {clauses:?}").unwrap();
                }
                let close = u64::from(error.close_code(receiver));
                if error.name() != expected
                    || vector["member"].as_str() != member
                    || vector["close"].as_u64() != Some(close)
                {
                    writeln!(wrong, "{name}: {error} {close}, and not {expected}").unwrap();
                }
            }
            (Ok(_), Some(expected)) => writeln!(wrong, "{name}: accepted, and not {expected}").unwrap(),
            (Err(error), None) => writeln!(wrong, "{name}: {error}").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(valid > 2 && valid < vectors.len(), "{valid} valid of {}", vectors.len());
}

/// What a writer appends.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"head\n".to_vec();
    write(&mut out);
    out.split_off(5)
}

fn hex(producer: Producer) -> String {
    producer.0.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn with_grant(mut room: Value, grant: Option<&Secret>) -> Value {
    if let Some(grant) = grant {
        room["grant"] = grant.reveal().into();
    }
    room
}

pub fn of_hello(hello: &Hello) -> Value {
    let wished = |Wished { room, from, grant }: &Wished| {
        with_grant(json!({"room": room.as_str(), "from": from}), grant.as_ref())
    };
    json!({
        "version": 1,
        "token": hello.token.as_ref().map(Secret::reveal),
        "producer": hex(hello.producer),
        "successor": hello.successor.map(hex),
        "link": hello.link,
        "oldest": hello.oldest,
        "written": hello.written,
        "born": hello.born,
        "logEpoch": hello.epoch.as_ref().map(|epoch| epoch.as_str()),
        "position": hello.position,
        "rooms": hello.rooms.iter().map(wished).collect::<Vec<_>>(),
        "pending": hello.pending,
        "held": [hello.held.messages, hello.held.octets],
        "visible": hello.visible,
        "features": hello.features,
    })
}

pub fn of_loss(loss: &Loss) -> Value {
    let subjects: Vec<&str> = loss.subjects.iter().map(|subject| subject.as_str()).collect();
    json!({"subjects": subjects, "first": loss.first})
}

pub fn of_welcome(welcome: &Welcome) -> Value {
    let place = |Place { subject, from, grant }: &Place| {
        with_grant(json!({"room": subject.as_str(), "from": from}), grant.as_ref())
    };
    let refused: Vec<_> = welcome.refused.iter().map(|(n, code)| json!([n, code.as_str()])).collect();
    let denied: Vec<_> =
        welcome.denied.iter().map(|(room, code)| json!({"room": room.as_str(), "code": code})).collect();
    json!({
        "version": 1,
        "identity": welcome.identity.as_str(),
        "producer": if welcome.producing == Producing::Kept { "kept" } else { "successor" },
        "born": welcome.born,
        "mark": welcome.mark,
        "refused": refused,
        "credit": welcome.credit,
        "logEpoch": welcome.epoch.as_str(),
        "position": welcome.position,
        "rooms": welcome.rooms.iter().map(place).collect::<Vec<_>>(),
        "denied": denied,
        "lost": welcome.lost.as_ref().map(of_loss),
        "durable": welcome.durable,
        "heartbeat": welcome.heartbeat,
        "window": welcome.window,
        "limits": {"message": welcome.limits.message, "rooms": welcome.limits.rooms},
        "expires": welcome.expires,
        "time": welcome.time,
        "features": welcome.features,
    })
}

pub fn of_lost(lost: &Lost) -> Value {
    let mut fields = of_loss(&lost.loss);
    fields["logEpoch"] = lost.epoch.as_str().into();
    fields
}

pub fn of_goaway(goaway: &Goaway) -> Value {
    let mut fields = json!({"reason": goaway.reason});
    if let Some(url) = &goaway.url {
        fields["url"] = (&**url).into();
    }
    fields
}
