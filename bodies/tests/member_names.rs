//! Names that mean something in JavaScript are names like any other.

use everwire_bodies::{Element, Envelope, Judged, envelope_line, join, read_hello, split};
use everwire_core::frame::Payload;

/// What objects of JavaScript have without being given it.
const NAMES: [&str; 6] =
    ["__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "\\u005f_proto__"];

fn message<'a>(element: &Element<'a>) -> Envelope<'a> {
    match element.judge() {
        Judged::Message(envelope) => envelope,
        other => panic!("{other:?}"),
    }
}

/// [SEC-7] Nothing special happens: the envelope is read past it, the stamp goes where it belongs, and every octet of the
/// member is handed on as it was.
#[test]
fn any_member_name_is_carried_as_it_stands() {
    for name in NAMES {
        let member = format!(r#""{name}" : {{"sender":"admin","receiver":"x","type":"y","{name}":null}}"#);
        let content = format!(r#"{{{member},"a":[{{{member}}}]}}"#);
        let written =
            format!(r#"{{{member},"type":"t","receiver":"room_1","content":{content},"meta":{{{member}}}}}"#);
        let body = format!("[{written}]");
        let elements = split(body.as_bytes(), Payload::Messages(1)).unwrap();
        let envelope = message(&elements[0]);
        assert_eq!((&*envelope.kind, envelope.receiver.as_deref()), ("t", Some("room_1")), "{name}");
        assert_eq!((envelope.sender.as_deref(), envelope.is_request), (None, false), "{name}");
        assert_eq!(envelope.content, Some(content.as_str()), "{name}");
        assert_eq!(elements[0].accept(), Some(envelope.clone()), "{name}");

        let stamped = envelope.stamp(&"user_1".into(), None).unwrap();
        let whole = written.strip_suffix('}').unwrap();
        assert_eq!(stamped, format!(r#"{whole},"sender":"user_1"}}"#), "{name}");
        let mut passed_on = Vec::new();
        join([stamped.as_str()], &mut passed_on);
        let read = split(&passed_on, Payload::Messages(1)).unwrap();
        assert_eq!(read[0].accept().unwrap().content, Some(content.as_str()), "{name}");
    }
}

/// [SEC-7] In an envelope line, too; and it gives an envelope none of the members that it does not have.
#[test]
fn no_member_comes_from_a_prototype() {
    for name in NAMES {
        let members = r#"{"type":"t","meta":{"request":true},"id":"i","content":1}"#;
        let line = format!(r#"{{"{name}":{members},"type":"u"}}"#);
        let element = envelope_line(line.as_bytes(), 3).unwrap();
        let read = message(&element);
        assert_eq!((&*read.kind, read.id.as_deref(), read.is_request), ("u", None, false), "{name}");
        let stamped = read.stamp(&"user_1".into(), None).unwrap();
        assert_eq!(stamped, format!(r#"{},"sender":"user_1"}}"#, line.strip_suffix('}').unwrap()));
        // And what has its `type` there only is no message.
        let body = format!(r#"[{{"{name}":{members}}}]"#);
        let elements = split(body.as_bytes(), Payload::Messages(1)).unwrap();
        assert!(matches!(elements[0].judge(), Judged::Malformed(_)), "{name}");
        assert!(elements[0].accept().is_none(), "{name}");
    }
}

/// [SEC-7] [FRM-6] An object of the protocol takes it for what it is: a member that nobody knows.
#[test]
fn objects_of_the_protocol_read_past_it() {
    let hello = |more: &str| {
        format!(
            r#"{{{more}"version":1,"token":null,"producer":"5d41402abc4b2a76b9719d911017c592","successor":null,"link":1,"oldest":1,"written":0,"born":null,"logEpoch":null,"position":null,"rooms":[],"pending":[],"held":[0,0],"visible":true,"features":[]}}"#
        )
    };
    let plain = read_hello(hello("").as_bytes()).unwrap();
    for name in NAMES {
        let more = format!(r#""{name}":{{"token":"tk","visible":false,"link":7}},"#);
        assert_eq!(read_hello(hello(&more).as_bytes()).unwrap(), plain, "{name}");
    }
}
