//! Typed envelopes out and in.
#![cfg(target_family = "wasm")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::{Log, connect, greet, open, texts};
use everwire::{Envelope, Error, Event, Level};
use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Image {
    url: String,
    alt: Option<String>,
    size: (u32, u32),
}

#[wasm_bindgen_test]
async fn a_value_goes_out_and_comes_back() {
    let wire = connect().sender("user_123").build().unwrap();
    let server = greet().await;
    let heard: Rc<RefCell<Vec<Envelope>>> = Rc::default();
    let to = heard.clone();
    let subscription = wire.on("image", move |message| to.borrow_mut().push(message.clone()));
    let image = Image { url: "a.png".into(), alt: None, size: (640, 480) };

    let receipt = wire.send("image", &image, "room_456").await.unwrap();
    assert_eq!((receipt.level, receipt.durable), (Level::Written, false));
    let frame = server.frames().pop().unwrap();
    assert_eq!((frame.kind.as_str(), &frame.id), ("image", &receipt.id));
    assert_eq!((frame.sender.as_deref(), frame.receiver.as_deref()), (Some("user_123"), Some("room_456")));
    assert!(frame.timestamp > 0.0 && frame.content.contains("\"alt\":null"), "{}", frame.content);

    server.receive(&server.sent().get(0));
    let back = heard.borrow_mut().pop().unwrap();
    assert_eq!(back.content::<Image>().unwrap(), image);
    assert_eq!(back.id.as_deref(), Some(receipt.id.as_str()));
    assert!(!back.meta.read && !back.meta.delivered);
    assert!(matches!(back.content::<String>(), Err(Error::Content { .. })));
    drop(subscription);
    server.receive(&server.sent().get(0));
    assert!(heard.borrow().is_empty(), "heard after the subscription was dropped");
}

#[wasm_bindgen_test]
async fn an_own_message_that_comes_back_is_settled() {
    let (wire, server) = open().await;
    let log = Log::of(&wire);
    let first = wire.send("text", "one", None).await.unwrap();
    wire.send("text", "two", None).await.unwrap();
    server.receive(&server.sent().get(0));
    assert!(log.all().contains(&Event::Settled { id: first.id }));
    assert_eq!(log.all().len(), 1, "the second has not come back");
}

#[wasm_bindgen_test]
async fn open_is_told_before_the_message_that_proved_it() {
    let wire = connect().build().unwrap();
    let order: Rc<RefCell<Vec<String>>> = Rc::default();
    let (events, messages) = (order.clone(), order.clone());
    wire.on_state(move |state| events.borrow_mut().push(state.name().into())).keep();
    wire.on("welcome", move |message| messages.borrow_mut().push(message.kind.clone())).keep();
    greet().await;
    assert_eq!(*order.borrow(), ["open", "welcome"]);
}

#[wasm_bindgen_test]
async fn whatever_has_a_type_is_an_envelope() {
    let (wire, server) = open().await;
    let heard: Rc<RefCell<Vec<Envelope>>> = Rc::default();
    let to = heard.clone();
    wire.on("odd", move |message| to.borrow_mut().push(message.clone())).keep();
    server.receive_text(r#"{"type":"odd","id":7,"sender":{},"timestamp":"now","meta":[1],"more":"x"}"#);
    server.receive_text(r#"{"type":"odd","meta":{"read":true,"seen_by":["u1"]}}"#);
    let heard = heard.borrow();
    assert_eq!((&heard[0].id, &heard[0].sender, heard[0].timestamp), (&None, &None, None));
    let raw = js_sys::JSON::stringify(heard[0].raw()).unwrap();
    assert!(String::from(raw).contains(r#""more":"x""#));
    assert!(heard[0].content_js().is_undefined());
    assert!(heard[1].meta.read && !heard[1].meta.delivered);
    assert_eq!(heard[1].meta.field::<Vec<String>>("seen_by").unwrap(), ["u1"]);
}

#[wasm_bindgen_test]
async fn text_that_comes_as_binary_and_batches() {
    let (wire, server) = open().await;
    assert_eq!(server.binary_type(), "arraybuffer");
    let heard = texts(&wire, "text");
    let bytes = Uint8Array::from(r#"{"type":"text","content":"é as bytes"}"#.as_bytes());
    server.receive(&bytes.buffer());
    server.receive_text(
        r#"[{"type":"text","content":"a"},{"type":"heartbeat"},{"type":"text","content":"b"}]"#,
    );
    assert_eq!(*heard.borrow(), ["é as bytes", "a", "b"]);
}

#[wasm_bindgen_test]
async fn what_is_no_envelope_is_reported_and_the_link_kept() {
    let (wire, server) = open().await;
    let (log, heard) = (Log::of(&wire), texts(&wire, "heartbeat"));
    let not_utf8 = Uint8Array::from(&[0xff, 0xfe][..]);
    let bad: [JsValue; 6] = [
        "{".into(),
        "null".into(),
        r#"{"type":7}"#.into(),
        r#"{"__proto__":{"type":"text"}}"#.into(),
        r#"[{"type":"text"},3]"#.into(),
        not_utf8.buffer().into(),
    ];
    for frame in &bad {
        server.receive(frame);
    }
    assert_eq!(log.all(), vec![Event::Error(Error::MalformedFrame); bad.len()]);
    server.receive_text(r#"{"type":"heartbeat"}"#);
    assert!(heard.borrow().is_empty(), "a heartbeat reached a handler");
    wire.send("text", "still here", None).await.unwrap();
    assert_eq!(server.contents(), ["still here"]);
}

#[wasm_bindgen_test]
async fn the_limit_counts_bytes_both_ways() {
    let wire = connect().max_message_bytes(300).build().unwrap();
    let server = greet().await;
    let log = Log::of(&wire);
    // 150 characters of two bytes, with everything around them.
    assert_eq!(wire.send("text", &"é".repeat(150), None).await, Err(Error::TooLarge));
    wire.send("text", &"e".repeat(100), None).await.unwrap();
    server.receive_text(&format!(r#"{{"type":"text","content":"{}"}}"#, "é".repeat(150)));
    assert!(log.all().contains(&Event::Error(Error::TooLarge)));
    assert_eq!(server.sent().length(), 1);
}

#[wasm_bindgen_test]
async fn a_map_may_have_any_key() {
    let (wire, server) = open().await;
    let map: BTreeMap<&str, BTreeMap<&str, u8>> =
        [("__proto__", [("polluted", 1)].into()), ("plain", [("a", 2)].into())].into();
    wire.send("map", &map, None).await.unwrap();
    assert_eq!(server.contents(), [r#"{"__proto__":{"polluted":1},"plain":{"a":2}}"#]);
    let heard: Rc<RefCell<Vec<Envelope>>> = Rc::default();
    let to = heard.clone();
    wire.on("map", move |message| to.borrow_mut().push(message.clone())).keep();
    server.receive(&server.sent().get(0));
    let back: BTreeMap<String, BTreeMap<String, u8>> = heard.borrow()[0].content().unwrap();
    assert_eq!(back["__proto__"]["polluted"], 1);
}

#[wasm_bindgen_test]
async fn what_json_cannot_hold_is_refused() {
    let (wire, server) = open().await;
    let sending = wire.send("number", &u64::MAX, None);
    assert!(matches!(sending.await, Err(Error::Content { .. })));
    assert_eq!(server.sent().length(), 0);
}
