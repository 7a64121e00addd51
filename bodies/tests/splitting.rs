//! Arrays of messages: where each element begins and ends.

mod common;

use common::{load, name, octets, some_of};
use everwire_bodies::{BodyError, join, split};
use everwire_core::frame::{End, Payload};

/// Takes each body apart.
#[test]
fn bodies_are_split_as_the_vectors_say() {
    for vector in load("arrays.json") {
        let (name, body) = (name(&vector), octets(&vector["body"]));
        let payload = match vector["messages"].as_u64() {
            Some(count) => Payload::Messages(usize::try_from(count).unwrap()),
            None => Payload::Casts,
        };
        match (split(&body, payload), vector["error"].as_str()) {
            (Ok(elements), None) => {
                let texts: Vec<&[u8]> = elements.iter().map(|element| element.text().as_bytes()).collect();
                let expected: Vec<Vec<u8>> =
                    vector["elements"].as_array().unwrap().iter().map(octets).collect();
                assert_eq!(texts, expected, "{name}");
                for element in &elements {
                    assert_eq!(element.octets(), element.text().len() as u64, "{name}");
                }
            }
            (Err(error), Some(expected)) => {
                assert_eq!(error.name(), expected, "{name}");
                let clauses = vector["clauses"].as_array().unwrap();
                assert!(clauses.iter().any(|clause| clause == error.clause()), "{name}: {error}");
                for end in [End::Node, End::Client] {
                    assert_eq!(Some(u64::from(error.close_code(end))), vector["close"].as_u64(), "{name}");
                }
            }
            (Ok(_), Some(expected)) => panic!("{name}: taken, and not {expected}"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
}

/// [SEC-5] [FRM-5] [ERR-7] What has been split can be joined in another frame, and nothing of it gets out.
#[test]
fn elements_are_joined_and_split_again() {
    for vector in some_of("arrays").iter().filter(|vector| vector.get("elements").is_some()) {
        let elements: Vec<String> = vector["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|element| String::from_utf8(octets(element)).unwrap())
            .collect();
        let body = common::written(|out| join(elements.iter().map(String::as_str), out));
        let again = split(&body, Payload::Messages(elements.len())).unwrap();
        assert_eq!(again.iter().map(|element| element.text()).collect::<Vec<_>>(), elements);
        let more = split(&body, Payload::Messages(elements.len() + 1)).unwrap_err();
        assert_eq!((more, more.clause()), (BodyError::Count, "ERR-7"));
    }
}

/// [ERR-7] [FRM-2] A frame that has no array has no elements.
#[test]
fn where_no_messages_are_due_none_are_taken() {
    for payload in [Payload::None, Payload::Object { bytes_max: 100 }] {
        assert_eq!(split(b"[1]", payload).unwrap_err(), BodyError::Count);
        assert!(split(b"[]", payload).unwrap().is_empty());
    }
}
