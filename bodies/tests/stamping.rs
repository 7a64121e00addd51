//! What a node writes into a message, and that it writes nothing else.

mod common;

use common::{load, name, octets};
use everwire_bodies::{Element, Envelope, Judged, STAMP_BYTES_MAX, envelope_line, split};
use everwire_core::engine::Subject;
use everwire_core::frame::Payload;

fn message<'a>(element: &Element<'a>) -> Envelope<'a> {
    match element.judge() {
        Judged::Message(envelope) => envelope,
        other => panic!("{other:?}"),
    }
}

/// Stamps each message, and stamps it again: that changes nothing more.
#[test]
fn messages_are_stamped_as_the_vectors_say() {
    let mut longest = 0;
    for vector in load("stamps.json") {
        let octets = octets(&vector["element"]);
        let sender = Subject::from(vector["sender"].as_str().unwrap());
        let receiver = vector["receiver"].as_str().map(Subject::from);
        let line = vector["form"] == "binary";
        let read = |octets: &[u8]| -> String {
            let body = [b"[", octets, b"]"].concat();
            let stamped = if line {
                message(&envelope_line(octets, 3).unwrap()).stamp(&sender, receiver.as_ref())
            } else {
                message(&split(&body, Payload::Messages(1)).unwrap()[0]).stamp(&sender, receiver.as_ref())
            };
            stamped.unwrap()
        };
        let stamped = read(&octets);
        assert_eq!(stamped, vector["stamped"].as_str().unwrap(), "{}", name(&vector));
        assert_eq!(read(stamped.as_bytes()), stamped, "{}", name(&vector));
        longest = longest.max(stamped.len().saturating_sub(octets.len()));
    }
    assert_eq!(longest, STAMP_BYTES_MAX, "[LIM-2]");
}

/// [LIM-2] A node adds at most 1,024 octets.
#[test]
fn a_stamp_is_within_what_a_node_may_add() {
    const { assert!(STAMP_BYTES_MAX <= 1024) }
}

/// [SEND-19] [SEND-20] [SEC-8] After the stamp the message says who it is from and where to, and the rest as before.
#[test]
fn a_reader_sees_the_stamp_and_nothing_of_what_it_replaced() {
    let body = br#"[{"type":"t","sender":"admin","receiver":null,"id":"i","content":[1]}]"#;
    let elements = split(body, Payload::Messages(1)).unwrap();
    let envelope = message(&elements[0]);
    let stamped = envelope.stamp(&"user_1".into(), Some(&"room_1".into())).unwrap();
    let again = format!("[{stamped}]");
    let elements = split(again.as_bytes(), Payload::Messages(1)).unwrap();
    let read = message(&elements[0]);
    assert_eq!((read.sender.as_deref(), read.receiver.as_deref()), (Some("user_1"), Some("room_1")));
    assert_eq!((read.kind, read.id, read.content), (envelope.kind, envelope.id, envelope.content));
}

/// [FRM-11] [SEND-20] A hook or an authentication that names what is no subject stamps nothing.
#[test]
fn what_is_no_subject_is_never_written() {
    let elements = split(br#"[{"type":"t","receiver":"r"}]"#, Payload::Messages(1)).unwrap();
    let envelope = message(&elements[0]);
    for wrong in ["", "a\n", &"u".repeat(129)] {
        assert_eq!(envelope.stamp(&wrong.into(), None), None, "{wrong:?}");
        assert_eq!(envelope.stamp(&"u".into(), Some(&wrong.into())), None, "{wrong:?}");
    }
    assert!(envelope.stamp(&"u".repeat(128).as_str().into(), Some(&"_inbox".into())).is_some());
}

/// [SEND-19] What is stamped into memory with something in it stands behind that.
#[test]
fn a_stamp_is_put_behind_what_is_there() {
    let body = br#"[{"type":"t","receiver":"r","sender":5},{"type":"t"}]"#;
    let elements = split(body, Payload::Messages(2)).unwrap();
    let names = ["u", "\"\\é", "\\"].map(Subject::from);
    for envelope in elements.iter().map(message) {
        for (sender, receiver) in
            names.iter().flat_map(|sender| names.iter().map(move |other| (sender, other)))
        {
            let mut out = "before".to_owned();
            for receiver in [None, Some(receiver)] {
                let stamped = envelope.stamp(sender, receiver).unwrap();
                let whole = format!("{out}{stamped}");
                envelope.stamp_into(sender, receiver, &mut out).unwrap();
                assert_eq!(out, whole);
                let read: serde_json::Value = serde_json::from_str(&stamped).unwrap();
                assert_eq!(read["sender"], sender.as_str());
                assert!(receiver.is_none_or(|receiver| read["receiver"] == receiver.as_str()));
            }
        }
    }
}
