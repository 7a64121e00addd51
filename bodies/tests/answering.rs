//! Messages that an end writes by itself.

mod common;

use common::{load, name};
use everwire_bodies::{Judged, Receipt, ReceiptState, answer, failure, split};
use everwire_core::frame::{Code, Payload};
use serde_json::{Value, json};

/// [REQ-12]
#[test]
fn failures_are_written_as_the_vectors_say() {
    for vector in load("answers.json") {
        let code = Code::new(vector["code"].as_str().unwrap().as_bytes()).unwrap();
        let message = vector["message"].as_str().unwrap();
        let written = failure(code, message);
        assert_eq!(written, vector["written"].as_str().unwrap(), "{}", name(&vector));
        let body = format!("[{written}]");
        let elements = split(body.as_bytes(), Payload::Messages(1)).unwrap();
        let Judged::Message(envelope) = elements[0].judge() else { panic!() };
        let content: Value = serde_json::from_str(envelope.content.unwrap()).unwrap();
        assert_eq!(content, json!({"code": code.as_str(), "message": message}));
        assert_eq!(envelope.kind, "error");
    }
}

/// [SEC-5] [SEC-6] What a handler returns is held against the same rules as what a client writes.
#[test]
fn an_answer_is_what_every_reader_takes() {
    assert_eq!(answer("add", " 3 ").as_deref(), Some(r#"{"type":"add","content":3}"#));
    assert_eq!(answer("a\"b", "[1.0,null]").as_deref(), Some(r#"{"type":"a\"b","content":[1.0,null]}"#));
    let deep = format!("{}{}", "[".repeat(63), "]".repeat(63));
    assert!(answer("t", &deep).is_some(), "[LIM-16]");
    for wrong in [
        "",
        "1,\"sender\":\"admin\"",
        "1}",
        "{",
        "[1,]",
        r#"{"a":1,"a":2}"#,
        r#""\ud800""#,
        "1e999",
        "\u{feff}1",
        &format!("[{deep}]"),
    ] {
        assert_eq!(answer("t", wrong), None, "{wrong}");
    }
}

/// [SEND-26]
#[test]
fn receipts_are_read_and_written_as_the_vectors_say() {
    for vector in load("receipts.json") {
        let state = match vector["state"].as_str() {
            Some("read") => ReceiptState::Read,
            _ => ReceiptState::Delivered,
        };
        let epoch = vector["logEpoch"].as_str().unwrap().into();
        let receipt = Receipt {
            epoch,
            s: vector["s"].as_u64().unwrap(),
            id: vector["id"].as_str().unwrap().into(),
            state,
        };
        let written = receipt.content();
        assert_eq!(written, vector["written"].as_str().unwrap(), "{}", name(&vector));
        assert_eq!(Receipt::read(&written), Some(receipt), "{}", name(&vector));
    }
    for wrong in [
        "null",
        "[]",
        "{}",
        r#"{"logEpoch":"e","s":1,"id":"i"}"#,
        r#"{"logEpoch":"e","s":1,"id":"i","state":"seen"}"#,
        r#"{"logEpoch":"e","s":"1","id":"i","state":"read"}"#,
        r#"{"logEpoch":"e","s":1,"id":null,"state":"read"}"#,
        r#"{"logEpoch":5,"s":1,"id":"i","state":"read"}"#,
    ] {
        assert_eq!(Receipt::read(wrong), None, "{wrong}");
    }
}

/// [SEND-26]
#[test]
fn no_receipt_is_due_where_none_can_be_understood() {
    let due = |message: &str| {
        let body = format!("[{message}]");
        let elements = split(body.as_bytes(), Payload::Messages(1)).unwrap();
        elements[0].accept().unwrap().takes_receipt("user_1")
    };
    assert!(due(r#"{"type":"t","id":"i","sender":"user_2"}"#));
    for message in [
        r#"{"type":"receipt","id":"i","sender":"user_2"}"#,
        r#"{"type":"t","sender":"user_2"}"#,
        r#"{"type":"t","id":5,"sender":"user_2"}"#,
        r#"{"type":"t","id":"i"}"#,
        r#"{"type":"t","id":"i","sender":5}"#,
        r#"{"type":"t","id":"i","sender":"user_1"}"#,
        r#"{"type":"t","id":"i","sender":"_server"}"#,
    ] {
        assert!(!due(message), "{message}");
    }
}
