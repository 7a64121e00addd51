//! The bodies that a host parses.

use everwire_core::engine::{LogEpoch, Subject};
use everwire_core::frame::Frame;
use everwire_core::session::client::{Body, Record, may_follow};
use everwire_core::session::down::{Element, Loss, Place};
use everwire_core::session::up::Producing;
use everwire_core::session::{Hello, Limits, Secret, Welcome};
use serde_json::{Map, Value, json};

/// Hands on the body of a frame as a host would.
pub fn with_body(frame: &Frame<'_>, give: impl FnOnce(Body<'_>)) {
    use everwire_core::frame::Body as Raw;
    let (octets, binary) = match frame.body {
        Raw::None => return give(Body::None),
        Raw::Whole(octets) => (octets, false),
        Raw::Binary { envelope, .. } => (envelope, true),
    };
    let Ok(value) = serde_json::from_slice::<Value>(octets) else { return give(Body::Unreadable) };
    let verb = frame.head.split(|octet| *octet == b' ').next().unwrap();
    match (verb, value) {
        (b"push" | b"page" | b"reply" | b"cast", Value::Array(values)) if !binary => {
            give(Body::Elements(&values.iter().map(element).collect::<Vec<_>>()));
        }
        (b"push" | b"page" | b"reply" | b"cast", value) if binary => give(Body::Elements(&[element(&value)])),
        (b"welcome", value) => match read_welcome(&value) {
            Some(welcome) => give(Body::Welcome(&welcome)),
            None => give(Body::Unreadable),
        },
        (b"lost", value) => match read_loss(&value).zip(value["logEpoch"].as_str().map(LogEpoch::from)) {
            Some((loss, epoch)) => give(Body::Lost { epoch: &epoch, loss: &loss }),
            None => give(Body::Unreadable),
        },
        (b"auth", value) => match (&value["expires"], &value["renewed"]) {
            (Value::Null, Value::Bool(renewed)) => give(Body::Auth { expires: None, renewed: *renewed }),
            (Value::Number(expires), Value::Bool(renewed)) => {
                give(Body::Auth { expires: expires.as_u64(), renewed: *renewed })
            }
            _ => give(Body::Unreadable),
        },
        (b"goaway", value) => match value["reason"].as_str() {
            Some(_) => {
                let follows = |url| may_follow(url, super::HERE, &super::REDIRECTS);
                give(Body::Goaway { redirect: value["url"].as_str().is_some_and(follows) });
            }
            None => give(Body::Unreadable),
        },
        _ => give(Body::Unreadable),
    }
}

fn element(value: &Value) -> Element {
    match (value["type"].as_str(), value["receiver"].as_str()) {
        (Some("unheard") | None, _) => Element::Skipped,
        (Some(_), receiver) => Element::Message(receiver.unwrap_or(super::OWN).into()),
    }
}

fn read_loss(value: &Value) -> Option<Loss> {
    let subjects = value["subjects"].as_array()?.iter().map(|subject| Some(Subject::from(subject.as_str()?)));
    Some(Loss { subjects: subjects.collect::<Option<_>>()?, first: value["first"].as_u64()? })
}

pub fn read_welcome(value: &Value) -> Option<Welcome> {
    let place = |place: &Value| {
        Some(Place {
            subject: place["room"].as_str()?.into(),
            from: place["from"].as_u64()?,
            grant: place["grant"].as_str().map(Secret::from),
        })
    };
    let all = |name: &str| value[name].as_array();
    let refused = |pair: &Value| Some((pair[0].as_u64()?, pair[1].as_str()?.into()));
    let denied = |pair: &Value| Some((pair["room"].as_str()?.into(), pair["code"].as_str()?.into()));
    Some(Welcome {
        identity: value["identity"].as_str()?.into(),
        producing: match value["producer"].as_str()? {
            "kept" => Producing::Kept,
            "successor" => Producing::Successor,
            _ => return None,
        },
        born: value["born"].as_u64()?,
        mark: value["mark"].as_u64()?,
        refused: all("refused")?.iter().map(refused).collect::<Option<_>>()?,
        credit: value["credit"].as_u64()?,
        epoch: value["logEpoch"].as_str()?.into(),
        position: value["position"].as_u64()?,
        rooms: all("rooms")?.iter().map(place).collect::<Option<_>>()?,
        denied: all("denied")?.iter().map(denied).collect::<Option<_>>()?,
        lost: match &value["lost"] {
            Value::Null => None,
            lost => Some(read_loss(lost)?),
        },
        durable: value["durable"].as_bool()?,
        heartbeat: value["heartbeat"].as_u64()?,
        window: value["window"].as_u64()?,
        limits: Limits {
            message: value["limits"]["message"].as_u64()?.try_into().ok()?,
            rooms: value["limits"]["rooms"].as_u64()?.try_into().ok()?,
        },
        expires: value["expires"].as_u64(),
        time: value["time"].as_u64()?,
        features: Vec::new(),
    })
}

/// The answer to what this record said in `hello`; the mark is what it knows.
pub fn welcome(record: Record, link: u64, members: &str) -> Value {
    let oldest = record.up.oldest();
    let position = record.down.epoch.as_ref().map_or(0, |_| record.down.received);
    let mut rooms: Vec<_> = record
        .down
        .seats
        .iter()
        .map(|(room, seat)| {
            let mut place = json!({ "room": room.as_str(), "from": seat.from.unwrap_or(position) });
            if let Some(grant) = &seat.grant {
                place["grant"] = grant.reveal().into();
            }
            place
        })
        .collect();
    if !record.down.seats.contains_key(&Subject::from(super::OWN)) {
        rooms.push(json!({ "room": super::OWN, "from": position }));
    }
    let mut body = json!({
        "version": 1, "identity": super::OWN, "producer": "kept", "born": record.up.born.unwrap_or(link),
        "mark": oldest - 1, "refused": [], "credit": oldest - 1 + 8192,
        "logEpoch": record.down.epoch.as_ref().map_or("e", |epoch| epoch.as_str()), "position": position,
        "rooms": rooms, "denied": [], "lost": null, "durable": false, "heartbeat": 25_000, "window": 0,
        "limits": { "message": 1_048_576, "rooms": 256 }, "expires": null, "time": 1_764_000_000_000_u64,
        "features": [],
    });
    let replaced: Map<String, Value> = serde_json::from_str(members).unwrap();
    for (name, value) in replaced {
        body[name] = value;
    }
    body
}

/// The body of `hello` as chapter 25 writes it.
pub fn hello(hello: &Hello) -> String {
    let producer = |producer: &everwire_core::engine::Producer| {
        producer.0.iter().map(|octet| format!("{octet:02x}")).collect::<String>()
    };
    let number = |number: Option<u64>| number.map_or("null".to_string(), |number| number.to_string());
    let room = |wished: &everwire_core::session::Wished| {
        let grant =
            wished.grant.as_ref().map_or(String::new(), |grant| format!(",\"grant\":\"{}\"", grant.reveal()));
        format!("{{\"room\":\"{}\",\"from\":{}{grant}}}", wished.room, number(wished.from))
    };
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    format!(
        "{{\"version\":1,\"token\":{},\"producer\":\"{}\",\"successor\":{},\"link\":{},\"oldest\":{},\"written\":{},\
         \"born\":{},\"logEpoch\":{},\"position\":{},\"rooms\":{},\"pending\":{},\"held\":[{},{}],\"visible\":{},\
         \"features\":[]}}",
        hello.token.as_ref().map_or("null".into(), |token| format!("\"{}\"", token.reveal())),
        producer(&hello.producer),
        hello.successor.as_ref().map_or("null".into(), |it| format!("\"{}\"", producer(it))),
        hello.link,
        hello.oldest,
        hello.written,
        number(hello.born),
        hello.epoch.as_ref().map_or("null".into(), |epoch| format!("\"{epoch}\"")),
        number(hello.position),
        list(hello.rooms.iter().map(room).collect()),
        list(hello.pending.iter().map(u64::to_string).collect()),
        hello.held.messages,
        hello.held.octets,
        hello.visible,
    )
}
