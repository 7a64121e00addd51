//! Messages and states of best effort as streams.
#![cfg(target_family = "wasm")]

mod common;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use common::{Server, connect, greet, next_item as next, open};
use everwire::{Error, State};
use futures_core::Stream;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Whether a stream has nothing to give yet.
async fn waits<S: Stream + Unpin>(stream: &mut S) -> bool {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_next(context).is_pending())).await
}

fn push(server: &Server, kind: &str, content: &str) {
    let text = format!("{{\"type\":\"{kind}\",\"sender\":\"user_2\",\"content\":{content}}}");
    server.receive(&JsValue::from_str(&text));
}

#[wasm_bindgen_test]
async fn messages_come_in_order_and_are_of_their_type() {
    let (wire, server) = open().await;
    let mut texts = wire.messages::<String>("text");
    assert!(waits(&mut texts).await);
    push(&server, "text", "\"one\"");
    push(&server, "image", "\"not mine\"");
    push(&server, "text", "\"two\"");
    let one = next(&mut texts).await.unwrap().unwrap();
    assert_eq!((one.content.as_str(), one.sender.as_deref()), ("one", Some("user_2")));
    assert_eq!(next(&mut texts).await.unwrap().unwrap().content, "two");
    assert!(waits(&mut texts).await);
}

#[wasm_bindgen_test]
async fn a_stream_that_waits_is_woken_by_a_message_and_by_the_end() {
    let (wire, server) = open().await;
    let mut texts = wire.messages::<String>("text");
    assert!(waits(&mut texts).await);
    // The first of these awaits before there is anything: only a waker lets the test go on.
    let later = async {
        common::next_turn().await;
        push(&server, "text", "\"one\"");
        common::next_turn().await;
        drop(wire.close_with(1000, "", Duration::ZERO).unwrap());
        server.end(1000, "", true);
    };
    let heard = async {
        let mut heard = Vec::new();
        while let Some(text) = next(&mut texts).await {
            heard.push(text.unwrap().content);
        }
        heard
    };
    assert_eq!(futures_util::future::join(heard, later).await.0, ["one"]);
}

#[wasm_bindgen_test]
async fn content_of_another_shape_is_an_error_in_its_place() {
    let (wire, server) = open().await;
    let mut numbers = wire.messages::<u32>("number");
    for content in ["7", "\"seven\"", "8"] {
        push(&server, "number", content);
    }
    assert_eq!(next(&mut numbers).await.unwrap().unwrap().content, 7);
    assert!(matches!(next(&mut numbers).await.unwrap(), Err(Error::Content { .. })));
    assert_eq!(next(&mut numbers).await.unwrap().unwrap().content, 8);
}

#[wasm_bindgen_test]
async fn a_stream_that_nobody_asks_keeps_the_newest_messages() {
    let (wire, server) = open().await;
    let mut numbers = wire.messages::<u32>("number");
    for number in 0..1034_u32 {
        push(&server, "number", &number.to_string());
    }
    for number in 10..1034_u32 {
        assert_eq!(next(&mut numbers).await.unwrap().unwrap().content, number);
    }
    assert!(waits(&mut numbers).await);
}

#[wasm_bindgen_test]
async fn states_are_a_stream_that_ends() {
    let wire = connect().build().unwrap();
    let mut states = wire.states();
    let server = greet().await;
    server.end(1006, "", false);
    drop(wire.close_with(1000, "", Duration::ZERO).unwrap());
    let mut all = Vec::new();
    while let Some(state) = next(&mut states).await {
        all.push(state);
    }
    assert_eq!(all.first(), Some(&State::Connecting));
    assert!(all.contains(&State::Open) && all.contains(&State::Waiting), "{all:?}");
    assert_eq!(all.last(), Some(&State::Closed));
    // Those that are asked for too late end as well.
    let mut late = wire.states();
    assert_eq!((next(&mut late).await, next(&mut late).await), (Some(State::Closed), None));
    assert!(next(&mut wire.messages::<String>("text")).await.is_none());
}

#[wasm_bindgen_test]
async fn streams_end_with_the_wire() {
    let (wire, server) = open().await;
    let mut texts = wire.messages::<String>("text");
    let mut states = wire.states();
    push(&server, "text", "\"left\"");
    drop(wire);
    assert_eq!(next(&mut texts).await.unwrap().unwrap().content, "left", "it had come before the end");
    assert!(next(&mut texts).await.is_none());
    assert_eq!((next(&mut states).await, next(&mut states).await), (Some(State::Open), None));
    assert_eq!(server.closes().length(), 1, "the link is closed");
}
