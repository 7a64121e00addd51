//! Exactly once from Rust, against a fake server that speaks `everwire.v1`.
#![cfg(target_family = "wasm")]

mod common;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{Server, install, next_item as next, next_server, until};
use everwire::exactly_once::{self, Event, Undelivered, Wire};
use everwire::{Error, State};
use serde_json::{Value, json};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const OWN: &str = "user_1";

/// What a `welcome` says beside what never changes here.
struct Welcome<'a> {
    mark: u64,
    position: u64,
    rooms: &'a str,
    epoch: &'a str,
    producer: &'a str,
    born: u64,
}

const FIRST: Welcome<'static> =
    Welcome { mark: 0, position: 10, rooms: "", epoch: "e1", producer: "kept", born: 1 };

fn connect() -> exactly_once::Builder {
    install();
    exactly_once::connect("wss://fake.example/ws")
}

fn welcome(server: &Server, welcome: &Welcome<'_>) {
    let Welcome { mark, position, rooms, epoch, producer, born } = welcome;
    let from = position.min(&10);
    server.receive_text(&format!(
        "welcome\n{{\"version\":1,\"identity\":\"{OWN}\",\"producer\":\"{producer}\",\"born\":{born},\"mark\":{mark},\
         \"refused\":[],\"credit\":8192,\"logEpoch\":\"{epoch}\",\"position\":{position},\
         \"rooms\":[{{\"room\":\"{OWN}\",\"from\":{from}}}{rooms}],\"denied\":[],\"lost\":null,\"durable\":true,\
         \"heartbeat\":25000,\"window\":10000,\"limits\":{{\"message\":1048576,\"rooms\":256}},\"expires\":null,\
         \"time\":1764000000000,\"features\":[]}}"
    ));
}

async fn greet(first: &Welcome<'_>) -> Server {
    let server = next_server().await;
    server.accept_as("everwire.v1");
    welcome(&server, first);
    server
}

async fn open() -> (Wire, Server) {
    let wire = connect().build().unwrap();
    let server = greet(&FIRST).await;
    assert_eq!(wire.state(), State::Open);
    (wire, server)
}

fn frames(server: &Server) -> Vec<String> {
    server.sent().iter().map(|frame| frame.as_string().unwrap_or_default()).collect()
}

/// The header lines that begin so.
fn heads(server: &Server, verb: &str) -> Vec<String> {
    let head = |frame: &String| frame.lines().next().unwrap_or_default().to_owned();
    frames(server).iter().map(head).filter(|head| head.split(' ').next() == Some(verb)).collect()
}

fn push(server: &Server, after: u64, s: u64, kind: &str, receiver: &str, content: &str) {
    server.receive_text(&format!(
        "push {after} {s} {s}\n[{{\"id\":\"m{s}\",\"type\":\"{kind}\",\"sender\":\"user_2\",\
         \"receiver\":\"{receiver}\",\"content\":{content}}}]"
    ));
}

fn log(wire: &Wire) -> Rc<RefCell<Vec<Event>>> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let to = Rc::clone(&log);
    wire.on_event(move |event| to.borrow_mut().push(event.clone())).keep();
    log
}

/// Whether a future is not ready yet.
async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending())).await
}

#[wasm_bindgen_test]
async fn a_message_is_stored_when_the_server_says_so() {
    let (wire, server) = open().await;
    let mut sending = wire.send("text", "hello", "room_1");
    until(|| !heads(&server, "send").is_empty()).await;
    assert!(waits(&mut sending).await, "written is not stored");
    server.receive_text("ack 1 8193");
    let receipt = sending.await.unwrap();
    assert!(receipt.durable);
}

/// [FRM-15]
#[wasm_bindgen_test]
async fn a_meta_that_says_nothing_does_not_travel() {
    let (wire, server) = open().await;
    drop(wire.send("text", "hello", "room_1"));
    let _answer = wire.request("add", &1, Duration::from_secs(5));
    until(|| !heads(&server, "send").is_empty()).await;
    let frame = frames(&server).into_iter().find(|frame| frame.starts_with("send ")).unwrap();
    let body: Vec<Value> = serde_json::from_str(frame.split_once('\n').unwrap().1).unwrap();
    assert_eq!(body[0].get("meta"), None);
    assert_eq!(body[1]["meta"], json!({ "read": false, "delivered": false, "request": true }));

    let mut messages = wire.messages::<u32>("number");
    push(&server, 10, 11, "number", OWN, "7");
    server.receive_text(&format!(
        "push 11 13 12 13\n[{{\"type\":\"number\",\"receiver\":\"{OWN}\",\"content\":8,\"meta\":null}},\
         {{\"type\":\"number\",\"meta\":{{\"read\":true,\"more\":1}},\"receiver\":\"{OWN}\",\"content\":9}}]"
    ));
    for (content, meta) in [
        (7, json!({ "read": false, "delivered": false })),
        (8, Value::Null),
        (9, json!({ "read": true, "more": 1 })),
    ] {
        let message = next(&mut messages).await.unwrap().unwrap();
        assert_eq!(message.content, content);
        assert_eq!(message.envelope::<Value>().unwrap()["meta"], meta);
    }
}

#[wasm_bindgen_test]
async fn what_is_sent_in_one_turn_shares_a_frame() {
    let (wire, server) = open().await;
    for text in ["a", "b", "c"] {
        drop(wire.send("text", text, "room_1"));
    }
    until(|| !heads(&server, "send").is_empty()).await;
    assert_eq!(heads(&server, "send"), ["send 1 3 1"]);
}

#[wasm_bindgen_test]
async fn what_is_not_acknowledged_is_sent_again_unchanged_and_once() {
    let (wire, first) = open().await;
    let told = log(&wire);
    let sendings = ["a", "b"].map(|text| wire.send("text", text, "room_1"));
    until(|| !heads(&first, "send").is_empty()).await;
    let written = frames(&first).into_iter().find(|frame| frame.starts_with("send ")).unwrap();
    first.end(1006, "", false);
    assert_eq!(wire.state(), State::Waiting);

    // The server had stored the first of the two.
    let second = greet(&Welcome { mark: 1, ..FIRST }).await;
    until(|| !heads(&second, "send").is_empty()).await;
    assert_eq!(heads(&second, "send"), ["send 2 1 2"]);
    let body = |frame: &str| frame.split_once('\n').unwrap().1.to_owned();
    let again = frames(&second).into_iter().find(|frame| frame.starts_with("send ")).unwrap();
    let of_b = body(&again);
    assert!(body(&written).ends_with(of_b.trim_start_matches('[')), "{written}, then {again}");
    second.receive_text("ack 2 8194");
    for sending in sendings {
        sending.await.unwrap();
    }
    let undelivered = told.borrow().iter().filter(|event| matches!(event, Event::Undelivered { .. })).count();
    assert_eq!(undelivered, 0);
}

#[wasm_bindgen_test]
async fn a_streams_message_is_processed_when_the_next_is_asked_for() {
    let (wire, server) = open().await;
    let mut texts = wire.messages::<String>("text");
    push(&server, 10, 11, "text", OWN, "\"one\"");
    push(&server, 11, 12, "text", OWN, "\"two\"");
    let one = next(&mut texts).await.unwrap().unwrap();
    assert_eq!((one.content.as_str(), one.sender(), one.position().unwrap().s), ("one", Some("user_2"), 11));

    // A link that ends says in the next `hello` what is received, and in `bye` what is processed.
    let seen = |server: &Server| heads(server, "bye").pop();
    wire.reconnect();
    assert_eq!(seen(&server).as_deref(), Some("bye 10"), "it is in the application's hands");
    let second = greet(&Welcome { position: 12, ..FIRST }).await;

    let two = next(&mut texts).await.unwrap().unwrap();
    assert_eq!(two.content, "two", "once, although the link changed");
    drop(texts);
    // What has been processed in one turn is told when it is over.
    common::next_turn().await;
    wire.reconnect();
    assert_eq!(seen(&second).as_deref(), Some("bye 12"));
}

#[wasm_bindgen_test]
async fn content_of_another_shape_is_an_error_in_its_place() {
    let (wire, server) = open().await;
    let mut numbers = wire.messages::<u32>("number");
    for (s, content) in [(11, "7"), (12, "\"seven\""), (13, "8")] {
        push(&server, s - 1, s, "number", OWN, content);
    }
    assert_eq!(next(&mut numbers).await.unwrap().unwrap().content, 7);
    assert!(matches!(next(&mut numbers).await.unwrap(), Err(Error::Content { .. })));
    assert_eq!(next(&mut numbers).await.unwrap().unwrap().content, 8);
}

#[wasm_bindgen_test]
async fn a_message_that_comes_again_is_handled_once() {
    let (wire, server) = open().await;
    let heard = Rc::new(RefCell::new(Vec::new()));
    let to = Rc::clone(&heard);
    wire.on("text", move |message| to.borrow_mut().push(message.content::<String>().unwrap())).keep();
    push(&server, 10, 11, "text", OWN, "\"one\"");
    server.end(1006, "", false);
    let second = greet(&Welcome { position: 11, ..FIRST }).await;
    push(&second, 10, 11, "text", OWN, "\"one\"");
    push(&second, 11, 12, "text", OWN, "\"two\"");
    assert_eq!(*heard.borrow(), ["one", "two"]);
}

#[wasm_bindgen_test]
async fn a_room_is_joined_and_its_messages_are_its_own() {
    let (wire, server) = open().await;
    let room = wire.join("room_1").unwrap();
    assert_eq!(heads(&server, "join"), ["join room_1"]);
    let mut joined = room.joined();
    assert!(waits(&mut joined).await);
    server.receive_text("joined room_1 10 g1");
    joined.await.unwrap();

    let mut here = room.messages::<String>("text");
    let mut all = wire.messages::<String>("text");
    push(&server, 10, 11, "text", OWN, "\"direct\"");
    push(&server, 11, 12, "text", "room_1", "\"in the room\"");
    assert_eq!(next(&mut here).await.unwrap().unwrap().content, "in the room");
    assert_eq!(next(&mut all).await.unwrap().unwrap().content, "direct");
    assert_eq!(next(&mut all).await.unwrap().unwrap().content, "in the room");

    server.receive_text("denied room_1 forbidden");
    assert_eq!(room.joined().await, Ok(()), "it was in");
    room.leave();
    assert!(matches!(wire.join("a\u{7}b"), Err(Error::Option { name: "room", .. })));
}

#[wasm_bindgen_test]
async fn a_room_that_is_refused_says_so() {
    let (wire, server) = open().await;
    let told = log(&wire);
    let room = wire.join("room_1").unwrap();
    server.receive_text("denied room_1 forbidden");
    assert_eq!(room.joined().await, Err(Error::Denied { code: "forbidden".into() }));
    assert!(told.borrow().iter().any(
        |event| matches!(event, Event::Denied { room, code } if room == "room_1" && code == "forbidden")
    ));
}

#[wasm_bindgen_test]
async fn a_request_is_answered_or_given_up() {
    let (wire, server) = open().await;
    let asking = wire.request("add", &[1, 2], Duration::from_secs(5));
    until(|| !heads(&server, "send").is_empty()).await;
    assert!(frames(&server).iter().any(|frame| frame.contains("\"request\":true")));
    server.receive_text("ack 1 8193");
    server.receive_text("reply 1\n[{\"type\":\"add\",\"content\":3}]");
    assert_eq!(asking.await.unwrap().content::<u32>().unwrap(), 3);

    // Dropped at any time.
    drop(wire.request("add", &[1, 2], Duration::from_secs(5)));
    let sending = wire.send("text", "still here", "room_1");
    until(|| heads(&server, "send").len() > 1).await;
    server.receive_text("ack 2 8194");
    sending.await.unwrap();
    assert_eq!(wire.state(), State::Open, "the request that was given up had no number yet");
}

#[wasm_bindgen_test]
async fn history_comes_in_pages() {
    let (wire, server) = open().await;
    let room = wire.join("room_1").unwrap();
    server.receive_text("joined room_1 10 g1");
    let paging = room.history(2, None);
    let asked = heads(&server, "page").pop().unwrap();
    let id = asked.split(' ').nth(1).unwrap().to_owned();
    server.receive_text(&format!(
        "page {id} cut 3 5\n[{{\"type\":\"text\",\"receiver\":\"room_1\",\"content\":\"a\"}},{{\"type\":\"text\",\"receiver\":\"room_1\",\"content\":\"b\"}}]"
    ));
    let page = paging.await.unwrap();
    let contents: Vec<String> = page.messages.iter().map(|message| message.content().unwrap()).collect();
    assert_eq!(contents, ["a", "b"]);
    assert_eq!(page.older.map(|older| older.s), Some(3));
}

#[wasm_bindgen_test]
async fn a_lost_log_is_told_to_sender_and_reader() {
    let (wire, first) = open().await;
    let told = log(&wire);
    let stored = wire.send("text", "stored", "room_1");
    until(|| !heads(&first, "send").is_empty()).await;
    first.receive_text("ack 1 8193");
    let stored = stored.await.unwrap();
    let doubtful = wire.send("text", "on its way", "room_1");
    until(|| heads(&first, "send").len() > 1).await;
    first.end(1006, "", false);

    let second = greet(&Welcome { epoch: "e2", position: 3, producer: "successor", born: 2, ..FIRST }).await;
    assert_eq!(doubtful.await, Err(Error::Unknown));
    assert!(
        told.borrow()
            .iter()
            .any(|event| matches!(event, Event::Unbacked { ids } if *ids == [stored.id.clone()]))
    );
    let unknown = |event: &Event| matches!(event, Event::Undelivered { reason: Undelivered::Unknown, message: Some(message), .. } if message.content::<String>().unwrap() == "on its way");
    assert!(told.borrow().iter().any(unknown));
    let fresh = wire.send("text", "new", "room_1");
    until(|| !heads(&second, "send").is_empty()).await;
    second.receive_text("ack 1 8193");
    fresh.await.unwrap();
}

#[wasm_bindgen_test]
async fn states_are_a_stream_that_ends() {
    let wire = connect().build().unwrap();
    let mut states = wire.states();
    let server = greet(&FIRST).await;
    server.end(1006, "", false);
    drop(wire.close_within(Duration::ZERO));
    let mut all = Vec::new();
    while let Some(state) = next(&mut states).await {
        all.push(state);
    }
    assert_eq!(all.first(), Some(&State::Connecting));
    assert!(all.contains(&State::Open) && all.contains(&State::Waiting), "{all:?}");
    assert_eq!(all.last(), Some(&State::Closed));
}

#[wasm_bindgen_test]
async fn streams_end_with_the_wire_and_futures_fail() {
    let (wire, server) = open().await;
    let mut texts = wire.messages::<String>("text");
    let mut states = wire.states();
    let sending = wire.send("text", "a", None);
    drop(wire);
    assert!(next(&mut texts).await.is_none());
    assert_eq!(sending.await, Err(Error::Closed));
    assert_eq!(next(&mut states).await, Some(State::Open));
    assert_eq!(next(&mut states).await, None);
    assert_eq!(server.close_calls().len(), 1, "the link is closed");
}

#[wasm_bindgen_test]
async fn own_messages_come_back_only_if_they_are_wanted() {
    for (echo, expected) in [(false, 0), (true, 1)] {
        let wire = connect().echo(echo).build().unwrap();
        let server = greet(&FIRST).await;
        let heard = Rc::new(RefCell::new(0));
        let to = Rc::clone(&heard);
        wire.on("text", move |_| *to.borrow_mut() += 1).keep();
        let sending = wire.send("text", "mine", OWN);
        let id = sending.id().to_owned();
        until(|| !heads(&server, "send").is_empty()).await;
        server.receive_text(&format!(
            "push 10 11 11\n[{{\"id\":\"{id}\",\"type\":\"text\",\"sender\":\"{OWN}\",\"receiver\":\"{OWN}\",\"content\":\"mine\"}}]"
        ));
        assert_eq!(*heard.borrow(), expected);
        // The id alone proves nothing: others have seen it.
        server.receive_text(&format!(
            "push 11 12 12\n[{{\"id\":\"{id}\",\"type\":\"text\",\"sender\":\"user_2\",\"receiver\":\"{OWN}\",\"content\":\"mine\"}}]"
        ));
        assert_eq!(*heard.borrow(), expected + 1);
    }
}

#[wasm_bindgen_test]
async fn a_handler_may_send_and_close() {
    let (wire, server) = open().await;
    let inner = wire.clone();
    wire.on("text", move |_| {
        drop(inner.send("text", "reply", "user_2"));
        drop(inner.close());
    })
    .keep();
    push(&server, 10, 11, "text", OWN, "\"one\"");
    until(|| !heads(&server, "send").is_empty()).await;
    server.receive_text("ack 1 8193");
    server.end(1000, "", true);
    wire.close().await;
    assert_eq!(wire.state(), State::Closed);
    assert_eq!(wire.send("text", "late", None).await, Err(Error::Closed));
}

#[wasm_bindgen_test]
async fn the_token_travels_in_hello_alone() {
    let wire = connect().token_with(|| async { Ok::<_, Error>("secret-1".to_owned()) }).build().unwrap();
    let server = greet(&FIRST).await;
    assert!(frames(&server).first().unwrap().contains("\"token\":\"secret-1\""));
    assert!(!server.url().contains("secret"));
    assert_eq!(wire.state(), State::Open);
    assert!(matches!(connect().token("a b").build(), Err(Error::Connect { .. })));
    let mut waits_for_nothing = pin!(wire.close_within(Duration::ZERO));
    let _ = poll_fn(|context| Poll::Ready(waits_for_nothing.as_mut().poll(context))).await;
}
