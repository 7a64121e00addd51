//! What must hold for any octets at all. The fuzz target of `fuzz/` runs this file, too.

use everwire_bodies::{
    BodyError, Element, Envelope, Judged, Receipt, STAMP_BYTES_MAX, envelope_line, join, read_goaway,
    read_hello, read_lost, read_renewal, read_token, read_welcome, split, write_goaway, write_hello,
    write_lost, write_renewal, write_token, write_welcome,
};
use everwire_core::engine::Subject;
use everwire_core::frame::{BATCH_MESSAGES_MAX, End, HELLO_BYTES_MAX, OBJECT_BYTES_MAX, Payload};

use super::reference;

/// What became of a body, read as each of those that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    pub hello: bool,
    pub welcome: bool,
    pub object: bool,
    pub array: bool,
    pub message: bool,
    pub malformed: bool,
}

/// Reads a body as everything that it might be, and panics on whatever must not be. [SEC-12]
pub fn any_body(body: &[u8]) -> Fate {
    let mut fate = Fate::default();
    any_array(body, &mut fate);
    if let Some(hello) = same(read_hello(body), read_hello, write_hello) {
        fate.hello = true;
        let mut out = Vec::new();
        write_hello(&hello, &mut out);
        // Whatever a node has taken could have been written within the limit. [LIM-6]
        assert!("hello\n".len() + out.len() <= usize::try_from(HELLO_BYTES_MAX).unwrap());
    }
    fate.welcome = same(read_welcome(body), read_welcome, write_welcome).is_some();
    let lost = same(read_lost(body), read_lost, write_lost).is_some();
    let renewal =
        same(read_renewal(body), read_renewal, |renewal, out| write_renewal(*renewal, out)).is_some();
    let token = same(read_token(body), read_token, |token, out| {
        write_token(token, out);
        assert!(out.len() <= usize::try_from(OBJECT_BYTES_MAX).unwrap());
    });
    let goaway = read_goaway(body).is_ok_and(|goaway| {
        let mut out = Vec::new();
        match write_goaway(&goaway, &mut out) {
            Ok(()) => {
                assert!(out.len() <= usize::try_from(OBJECT_BYTES_MAX).unwrap());
                assert_eq!(read_goaway(&out).map(|again| again.url), Ok(goaway.url));
            }
            Err(error) => assert!(error.clause() == "LIM-17" && out.is_empty()),
        }
        true
    });
    fate.object = lost || renewal || token.is_some() || goaway;
    if let Ok(element) = envelope_line(body, 3) {
        any_element(&element, true, &mut fate);
    }
    if let Some(receipt) = core::str::from_utf8(body).ok().and_then(Receipt::read) {
        assert_eq!(Receipt::read(&receipt.content()).as_ref(), Some(&receipt));
    }
    fate
}

/// What was read, and read again from what was written, is the same.
fn same<T: PartialEq + core::fmt::Debug>(
    read: Result<T, BodyError>,
    again: impl FnOnce(&[u8]) -> Result<T, BodyError>,
    write: impl FnOnce(&T, &mut Vec<u8>),
) -> Option<T> {
    match read {
        Ok(read) => {
            let mut out = Vec::new();
            write(&read, &mut out);
            assert_eq!(again(&out).as_ref(), Ok(&read));
            Some(read)
        }
        Err(error) => {
            assert!(
                matches!(error.close_code(End::Node), 4002 | 4500) && error.close_code(End::Client) == 4002
            );
            None
        }
    }
}

fn any_array(body: &[u8], fate: &mut Fate) {
    let expected = reference::elements(body);
    // Casts have a limit of their own; where the count is known, none but it is taken.
    let count = expected.as_ref().map_or(0, Vec::len);
    let elements = match split(body, Payload::Messages(count)) {
        Ok(elements) => elements,
        Err(BodyError::BatchTooLong) if count > 1 => return,
        Err(error) => {
            assert!(expected.is_none(), "{error}, and an array to others");
            return;
        }
    };
    let texts: Vec<&str> = elements.iter().map(Element::text).collect();
    assert_eq!(Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()), expected);
    assert_eq!(split(body, Payload::Messages(count + 1)).err(), Some(BodyError::Count));
    assert_eq!(split(body, Payload::Casts).is_ok(), (1..=BATCH_MESSAGES_MAX).contains(&count));
    let mut joined = Vec::new();
    join(texts.iter().copied(), &mut joined);
    assert_eq!(split(&joined, Payload::Messages(count)).map(|again| again.len()), Ok(count));
    for element in &elements {
        any_element(element, false, fate);
    }
    fate.array = true;
}

fn any_element(element: &Element<'_>, line: bool, fate: &mut Fate) {
    let expected = reference::facts(element.text()).filter(|_| {
        let top: Option<serde_json::Map<_, _>> = serde_json::from_str(element.text()).ok();
        !line || !(top.is_some_and(|top| top.contains_key("content")) || element.text().contains('\n'))
    });
    let accepted = element.accept();
    match element.judge() {
        Judged::Message(envelope) => {
            let facts = (
                envelope.kind.clone().into_owned(),
                envelope.receiver.clone().map(String::from),
                envelope.sender.clone().map(String::from),
                envelope.id.clone().map(String::from),
                envelope.is_request,
            );
            assert_eq!(Some(facts), expected);
            assert_eq!(accepted.as_ref(), Some(&envelope), "a node passes on what no client takes");
            any_stamp(&envelope, line);
            fate.message = true;
        }
        Judged::Withdrawn => {
            assert!(element.text() == "null" && accepted.is_none() && !line);
        }
        Judged::Malformed(flaw) => {
            // A line may hold white space that a message does not.
            assert!(expected.is_none() || flaw == everwire_bodies::Flaw::LineFeed, "{flaw:?}");
            fate.malformed = true;
        }
    }
}

fn any_stamp(envelope: &Envelope<'_>, line: bool) {
    let before = usize::try_from(envelope.octets).unwrap();
    for receiver in [None, Some(Subject::from("room \"1\""))] {
        let stamped = envelope.stamp(&"user_\\".into(), receiver.as_ref()).unwrap();
        assert!(stamped.len() <= before + STAMP_BYTES_MAX);
        let body = format!("[{stamped}]");
        let again = if line {
            envelope_line(stamped.as_bytes(), 3).unwrap()
        } else {
            split(body.as_bytes(), Payload::Messages(1)).unwrap().remove(0)
        };
        let Judged::Message(again) = again.judge() else { panic!("{stamped}") };
        assert_eq!(again.sender.as_deref(), Some("user_\\"));
        let named = receiver.as_ref().map(Subject::as_str).or(envelope.receiver.as_deref());
        assert_eq!(again.receiver.as_deref(), named);
        assert_eq!(
            (&again.kind, &again.id, again.content, again.is_request),
            (&envelope.kind, &envelope.id, envelope.content, envelope.is_request)
        );
        assert_eq!(again.stamp(&"user_\\".into(), receiver.as_ref()), Some(stamped), "twice is once");
    }
}
