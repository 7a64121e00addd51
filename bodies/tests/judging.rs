//! Elements: what a node refuses, what a client takes, and what is known of a message.

mod common;

use common::{load, name, octets};
use everwire_bodies::{Element, Envelope, Judged, envelope_line, split};
use everwire_core::frame::{End, Payload};
use serde_json::{Value, json};

fn facts(envelope: &Envelope<'_>) -> Value {
    json!({
        "type": envelope.kind,
        "receiver": envelope.receiver,
        "sender": envelope.sender,
        "id": envelope.id,
        "request": envelope.is_request,
        "octets": envelope.octets,
    })
}

fn check(vector: &Value, element: &Element<'_>) {
    let name = name(vector);
    let (verdict, flaw) = match element.judge() {
        Judged::Message(envelope) => {
            assert_eq!(facts(&envelope), vector["facts"], "{name}");
            assert_eq!(envelope.octets, element.octets(), "{name}");
            // What a node passes on no client may find unacceptable, and both know the same of it.
            assert_eq!(element.accept(), Some(envelope), "{name}");
            ("message", None)
        }
        Judged::Withdrawn => ("withdrawn", None),
        Judged::Malformed(flaw) => ("malformed", Some(flaw.name())),
    };
    assert_eq!((vector["node"].as_str(), vector["flaw"].as_str()), (Some(verdict), flaw), "{name}");
    if let Some(client) = vector["client"].as_bool() {
        assert_eq!(element.accept().is_some(), client, "{name}");
    }
}

/// Judges each element, alone in its array and among others.
#[test]
fn elements_are_judged_as_the_vectors_say() {
    for vector in load("elements.json") {
        let octets = octets(&vector["element"]);
        if vector["form"] == "binary" {
            match (
                envelope_line(&octets, vector["content_bytes"].as_u64().unwrap()),
                vector["error"].as_str(),
            ) {
                (Ok(element), None) => check(&vector, &element),
                (Err(error), Some(expected)) => {
                    assert_eq!(error.name(), expected, "{}", name(&vector));
                    assert_eq!(Some(u64::from(error.close_code(End::Node))), vector["close"].as_u64());
                    assert_eq!(vector["node"], "unreadable");
                }
                (read, expected) => panic!("{}: {read:?}, and not {expected:?}", name(&vector)),
            }
            continue;
        }
        let alone = [b"[", octets.as_slice(), b"]"].concat();
        check(&vector, &split(&alone, Payload::Messages(1)).unwrap()[0]);
        let among =
            [b"[{\"type\":\"t\",\"a\":1},\n", octets.as_slice(), b" ,{\"a\":1,\"type\":\"t\"}]"].concat();
        // A long one may not travel with others, which is another rule.
        if among.len() < 65_536 {
            let elements = split(&among, Payload::Messages(3)).unwrap();
            check(&vector, &elements[1]);
            for neighbour in [&elements[0], &elements[2]] {
                assert!(matches!(neighbour.judge(), Judged::Message(_)), "{}", name(&vector));
            }
        }
    }
}

/// [REF-6] [ERR-8] One bad element is no reason against the others.
#[test]
fn the_elements_of_an_array_are_taken_one_by_one() {
    let body = br#"[{"type":"a"},5,null,{"type":"b","x":1e999},{"type":"c"}]"#;
    let elements = split(body, Payload::Messages(5)).unwrap();
    let kind = |envelope: Envelope<'_>| envelope.kind.into_owned();
    let judged: Vec<_> = elements
        .iter()
        .map(|element| match element.judge() {
            Judged::Message(envelope) => kind(envelope),
            Judged::Withdrawn => "withdrawn".into(),
            Judged::Malformed(flaw) => flaw.name().into(),
        })
        .collect();
    assert_eq!(judged, ["a", "not-an-object", "withdrawn", "number-infinite", "c"]);
    let accepted: Vec<_> = elements.iter().map(|element| element.accept().map(kind)).collect();
    assert_eq!(accepted, [Some("a".into()), None, None, Some("b".into()), Some("c".into())]);
}

/// [FRM-7] The content of a message in a text frame is its member; in a binary one it is behind the line.
#[test]
fn content_is_handed_on_as_it_stands() {
    let body = br#"[{"type":"t","content" : {"a": [1.0, "\u0061"]} },{"type":"t"}]"#;
    let elements = split(body, Payload::Messages(2)).unwrap();
    let contents: Vec<_> = elements.iter().map(|element| element.accept().unwrap().content).collect();
    assert_eq!(contents, [Some(r#"{"a": [1.0, "\u0061"]}"#), None]);
    assert_eq!(envelope_line(br#"{"type":"t"}"#, 9).unwrap().accept().unwrap().content, None);
}

/// [LIM-2] No sum of lengths overflows.
#[test]
fn the_length_of_a_binary_message_is_of_all_of_it() {
    assert_eq!(envelope_line(br#"{"type":"t"}"#, 20).unwrap().octets(), 12 + 1 + 20);
    assert_eq!(envelope_line(br#"{"type":"t"}"#, u64::MAX).unwrap().octets(), u64::MAX);
}

/// [REF-6] Nothing of one element is remembered at the next.
#[test]
fn an_element_knows_nothing_of_the_one_before() {
    let deep = |levels| format!(r#"{{"type":"t","a":{}0{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let befores = [
        (r#"{"type":"t","a":1,"a":2}"#.to_owned(), Some("name-repeated")),
        (r#"{"type":"t","x":{"a":1,"\u0061":2}}"#.to_owned(), Some("name-repeated")),
        (r#"{"type":"t","a":"\ud800"}"#.to_owned(), Some("lone-surrogate")),
        (r#"{"type":"t","meta":{"request":true}}"#.to_owned(), None),
        (r#"{"type":"t","sender":"s","receiver":"r","id":"i","content":1}"#.to_owned(), None),
        (r#"[{"type":"t"}]"#.to_owned(), Some("not-an-object")),
        (deep(63), None),
        (deep(64), Some("nesting")),
        (deep(1000), Some("nesting")),
    ];
    let flaw = |element: &Element<'_>| match element.judge() {
        Judged::Malformed(flaw) => Some(flaw.name()),
        _ => None,
    };
    for (before, expected) in &befores {
        let plain = r#"{"type":"u","a":3,"x":{"a":4}}"#;
        let nested = deep(63);
        let body = format!("[{before},{plain},{before},{nested},{}]", r#"{"type":"v","b":1,"b":2}"#);
        let elements = split(body.as_bytes(), Payload::Messages(5)).unwrap();
        let flaws: Vec<_> = elements.iter().map(flaw).collect();
        assert_eq!(flaws, [*expected, None, *expected, None, Some("name-repeated")], "{before}");
        let Judged::Message(read) = elements[1].judge() else { panic!("{before}") };
        assert_eq!((&*read.kind, read.is_request, read.content), ("u", false, None), "{before}");
        assert_eq!((read.sender, read.receiver, read.id), (None, None, None), "{before}");
    }
}
