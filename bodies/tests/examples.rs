//! The examples of the document: every body of them is read, and written back to the octet.

mod common;

use common::written;
use everwire_bodies::{
    Judged, envelope_line, join, read_goaway, read_hello, read_welcome, split, write_goaway, write_hello,
    write_welcome,
};
use everwire_core::frame::{
    Body, Form, FromClient, FromServer, MESSAGE_BYTES_DEFAULT, Payload, frame_bytes_max, split as parts,
};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");

/// Reads the body of an example and writes it again.
fn again(from_client: bool, frame: &str) -> Option<String> {
    let frame = parts(Form::Text, frame.as_bytes());
    let most = frame_bytes_max(MESSAGE_BYTES_DEFAULT);
    let Body::Whole(body) = frame.body else { return None };
    let head = core::str::from_utf8(frame.head).unwrap();
    let out = match head.split(' ').next().unwrap() {
        "hello" => written(|out| write_hello(&read_hello(body).unwrap(), out)),
        "welcome" => written(|out| write_welcome(&read_welcome(body).unwrap(), out)),
        "goaway" => written(|out| write_goaway(&read_goaway(body).unwrap(), out).unwrap()),
        verb => {
            let payload = if from_client {
                FromClient::parse(frame.head, frame.shape(), most).unwrap().unwrap().payload()
            } else {
                FromServer::parse(frame.head, frame.shape(), most).unwrap().unwrap().payload()
            };
            assert!(matches!(payload, Payload::Messages(_)), "{verb}");
            let elements = split(body, payload).unwrap();
            for element in &elements {
                let Judged::Message(envelope) = element.judge() else { panic!("{head}: {element:?}") };
                assert_eq!(element.accept(), Some(envelope));
            }
            written(|out| join(elements.iter().map(|element| element.text()), out))
        }
    };
    Some(String::from_utf8(out).unwrap())
}

/// [FRM-5] [FRM-6] [FRM-12] [FRM-13] [FRM-14]
#[test]
fn every_body_of_the_examples_is_read_and_written_back() {
    let mut verbs = std::collections::BTreeMap::<&str, usize>::new();
    for line in DOCUMENT.lines() {
        let (from_client, frame) = match (line.strip_prefix("C→S "), line.strip_prefix("S→C ")) {
            (Some(frame), _) => (true, frame),
            (_, Some(frame)) => (false, frame),
            _ => continue,
        };
        let Some((head, body)) = frame.split_once('⏎') else { continue };
        assert_eq!(again(from_client, &frame.replace('⏎', "\n")).as_deref(), Some(body), "{head}");
        *verbs.entry(head.split(' ').next().unwrap()).or_default() += 1;
    }
    let verbs: Vec<(&str, usize)> = verbs.into_iter().collect();
    assert_eq!(
        verbs,
        [("goaway", 1), ("hello", 5), ("page", 1), ("push", 8), ("reply", 1), ("send", 7), ("welcome", 5)],
        "the examples are where they were"
    );
}

/// [SEND-19] A client's own message comes back with its `sender` where the document shows it.
#[test]
fn the_stamp_of_the_examples() {
    let sent = r#"{"id":"a11","type":"text","receiver":"room_456","content":"new life"}"#;
    let pushed = DOCUMENT.lines().find(|line| line.starts_with("S→C push") && line.contains("a11")).unwrap();
    let body = format!("[{sent}]");
    let elements = split(body.as_bytes(), Payload::Messages(1)).unwrap();
    let Judged::Message(envelope) = elements[0].judge() else { panic!() };
    let stamped = envelope.stamp(&"user_123".into(), None).unwrap();
    assert_eq!(pushed.split_once('⏎').unwrap().1, format!("[{stamped}]"));
}

/// [CRED-8] [FRM-7] The two binary messages that the document shows in hexadecimal.
#[test]
fn the_envelope_lines_of_the_hex_dumps() {
    let line = br#"{"id":"c1","type":"file","receiver":"room_456","meta":{"name":"a.png"}}"#;
    let element = envelope_line(line, 20_000).unwrap();
    let stated = DOCUMENT.split_once("The message has length ").unwrap().1.split(' ').next().unwrap();
    assert_eq!(element.octets().to_string(), stated);
    let Judged::Message(envelope) = element.judge() else { panic!() };
    assert_eq!((&*envelope.kind, envelope.receiver.as_deref()), ("file", Some("room_456")));
}
