//! What `send` refuses is told as an event, although nobody waits for the future.
#![cfg(target_family = "wasm")]

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{Log, connect, greet, next_server, open, until};
use everwire::{Envelope, Error, Event, Overflow, Reason, State, Wire};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

struct Lost {
    id: String,
    kind: String,
    reason: Reason,
    refused: Option<Error>,
    message: Option<Box<Envelope>>,
}

impl Lost {
    fn text(&self) -> String {
        self.message.as_ref().unwrap().content().unwrap()
    }
}

fn lost(log: &Log) -> Vec<Lost> {
    let one = |event| match event {
        Event::Undelivered { id, kind, reason, refused, message } => {
            Some(Lost { id, kind, reason, refused, message })
        }
        _ => None,
    };
    log.all().into_iter().filter_map(one).collect()
}

fn only(log: &Log) -> Lost {
    let mut all = lost(log);
    assert_eq!(all.len(), 1, "{:?}", log.all());
    all.remove(0)
}

/// Sends and lets the future go: its id.
fn send(wire: &Wire, kind: &str, content: &str) -> String {
    wire.send(kind, content, "room").id().to_owned()
}

#[wasm_bindgen_test]
async fn no_room_in_the_outbox() {
    let wire = connect().outbox(1, 8 << 20, Overflow::Reject).build().unwrap();
    let log = Log::of(&wire);
    send(&wire, "text", "kept");
    let id = send(&wire, "note", "refused");
    let told = only(&log);
    assert_eq!((told.id.as_str(), told.kind.as_str()), (id.as_str(), "note"));
    assert_eq!((told.reason, &told.refused), (Reason::Overflow, &Some(Error::OutboxFull)));
    let message = told.message.as_ref().unwrap();
    assert_eq!((message.id.as_ref(), message.receiver.as_deref()), (Some(&id), Some("room")));
    assert_eq!((message.kind.as_str(), told.text().as_str()), ("note", "refused"));
    assert_eq!(greet().await.contents(), ["kept"]);
}

#[wasm_bindgen_test]
async fn too_long() {
    let wire = connect().max_message_bytes(300).build().unwrap();
    let server = greet().await;
    let log = Log::of(&wire);
    let id = send(&wire, "text", &"x".repeat(300));
    let told = only(&log);
    assert_eq!((told.id.as_str(), &told.refused), (id.as_str(), &Some(Error::TooLarge)));
    assert_eq!((told.reason, told.text().len(), server.sent().length()), (Reason::Overflow, 300, 0));
}

#[wasm_bindgen_test]
async fn content_that_json_cannot_hold() {
    let (wire, server) = open().await;
    let log = Log::of(&wire);
    let sending = wire.send("number", &u64::MAX, None);
    assert!(!sending.abort());
    let told = only(&log);
    assert!(!told.id.is_empty() && told.id == sending.id(), "{:?}", told.id);
    assert!(matches!(told.refused, Some(Error::Content { .. })), "{:?}", told.refused);
    assert_eq!((told.kind.as_str(), told.reason, told.message), ("number", Reason::Overflow, None));
    assert!(matches!(sending.await, Err(Error::Content { .. })));
    assert_eq!((server.sent().length(), wire.queued().0), (0, 0));
}

#[wasm_bindgen_test]
async fn too_late_while_it_closes() {
    let (wire, server) = open().await;
    let log = Log::of(&wire);
    drop(wire.close());
    assert_eq!(wire.state(), State::Closing);
    let id = send(&wire, "text", "late");
    let told = only(&log);
    assert_eq!((told.id.as_str(), told.text().as_str()), (id.as_str(), "late"));
    assert_eq!((told.reason, &told.refused), (Reason::Closed, &Some(Error::Closed)));
    server.end(1000, "", true);
    assert_eq!(lost(&log).len(), 1);
}

#[wasm_bindgen_test]
async fn too_late_in_the_handler_of_the_last_event() {
    let (wire, server) = open().await;
    let (own, log) = (wire.clone(), Log::of(&wire));
    // It sends again whenever it hears of one that was refused: that must not go on for ever.
    wire.on_event(move |event| {
        if matches!(event, Event::Close { .. } | Event::Undelivered { .. }) {
            send(&own, "text", "last words");
        }
    })
    .keep();
    drop(wire.close());
    server.end(1000, "", true);
    assert_eq!(wire.state(), State::Closed);
    assert_eq!(only(&log).refused, Some(Error::Closed));
}

#[wasm_bindgen_test]
async fn told_after_all_is_settled() {
    let slot: Rc<RefCell<Option<Wire>>> = Rc::default();
    let order: Rc<RefCell<Vec<&str>>> = Rc::default();
    let (own, asked) = (slot.clone(), order.clone());
    let wire = connect()
        .max_message_bytes(300)
        .token_with(move || {
            if let Some(wire) = &*own.borrow() {
                send(wire, "text", &"x".repeat(300));
                drop(wire.send("number", &u64::MAX, None));
                asked.borrow_mut().push("asked");
            }
            async { Ok::<_, Error>(String::from("token")) }
        })
        .build()
        .unwrap();
    let told = order.clone();
    wire.on_event(move |event| {
        if matches!(event, Event::Undelivered { .. }) {
            told.borrow_mut().push("told");
        }
    })
    .keep();
    let first = greet().await;
    *slot.borrow_mut() = Some(wire);
    first.end(1006, "", false);
    next_server().await;
    assert_eq!(*order.borrow(), ["asked", "told", "told"]);
    slot.take();
}

#[wasm_bindgen_test]
async fn what_had_been_taken_has_its_message_too() {
    let wire = connect().outbox(1, 8 << 20, Overflow::DropOldest).build().unwrap();
    let log = Log::of(&wire);
    send(&wire, "text", "oldest");
    assert!(wire.send("text", "aborted", None).abort());
    let told: Vec<_> = lost(&log).iter().map(|one| (one.reason, one.text(), one.refused.clone())).collect();
    let expected = [(Reason::Overflow, "oldest".into(), None), (Reason::Aborted, "aborted".into(), None)];
    assert_eq!(told, expected);

    let server = greet().await;
    let log = Log::of(&wire);
    let id = send(&wire, "text", "written");
    server.end(1006, "", false);
    let told = only(&log);
    assert_eq!((told.id.as_str(), told.reason, told.refused.clone()), (id.as_str(), Reason::InDoubt, None));
    assert_eq!(told.text(), "written");

    let log = Log::of(&wire);
    send(&wire, "text", "unwritten");
    wire.close_with(1000, "", Duration::ZERO).unwrap().await;
    let told = only(&log);
    assert_eq!((told.reason, told.refused.clone()), (Reason::Closed, None));
    assert_eq!(told.text(), "unwritten");
}

#[wasm_bindgen_test]
async fn no_content_in_what_is_logged() {
    let (wire, server) = open().await;
    let log = Log::of(&wire);
    send(&wire, "text", "between us");
    server.end(1006, "", false);
    until(|| !lost(&log).is_empty()).await;
    let text = format!("{:?}", log.all());
    assert!(text.contains("Undelivered") && !text.contains("between us"), "{text}");
}
