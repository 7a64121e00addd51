//! Handlers do what they like: close, send, subscribe, unsubscribe, drop the wire.
#![cfg(target_family = "wasm")]

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::{Log, connect, greet, open, page_listeners, texts};
use everwire::{Event, State, Subscription, Wire};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const TEXT: &str = r#"{"type":"text","content":"x"}"#;

#[wasm_bindgen_test]
async fn close_in_a_message_handler() {
    let (wire, server) = open().await;
    let (log, heard) = (Log::of(&wire), texts(&wire, "text"));
    let own = wire.clone();
    wire.on("text", move |_| drop(own.close_with(4000, "enough", Default::default()))).keep();
    server.receive_text(TEXT);
    assert_eq!(wire.state(), State::Closing);
    assert_eq!(server.close_calls(), [(Some(4000.0), Some("enough".into()))]);
    server.receive_text(TEXT);
    server.end(4000, "enough", true);
    assert_eq!(wire.state(), State::Closed);
    assert_eq!(heard.borrow().len(), 2, "what came before the end is handed on");
    let last = log.all().pop();
    assert!(matches!(last, Some(Event::Close { code: 4000, clean: true, retry_in: None, .. })), "{last:?}");
    wire.close().await;
}

#[wasm_bindgen_test]
async fn close_and_reconnect_in_an_event_handler() {
    let (wire, server) = open().await;
    let (own, states) = (wire.clone(), Rc::new(RefCell::new(Vec::new())));
    let to = states.clone();
    let subscription = wire.on_state(move |state| {
        to.borrow_mut().push(state);
        match state {
            State::Waiting => own.reconnect(),
            State::Connecting => drop(own.close()),
            _ => {}
        }
    });
    server.end(1006, "", false);
    assert_eq!(*states.borrow(), [State::Waiting, State::Connecting, State::Closed]);
    drop(subscription);
}

#[wasm_bindgen_test]
async fn send_in_a_handler_keeps_the_order() {
    let (wire, server) = open().await;
    let own = wire.clone();
    let subscription = wire.on("text", move |_| {
        for answer in ["1", "2"] {
            drop(own.send("text", answer, None));
        }
    });
    server.receive_text(TEXT);
    wire.send("text", "3", None).await.unwrap();
    assert_eq!(server.contents(), ["1", "2", "3"]);
    drop(subscription);
}

#[wasm_bindgen_test]
async fn a_handler_that_drops_its_own_subscription() {
    let (wire, server) = open().await;
    let (own, count): (Rc<RefCell<Option<Subscription>>>, _) = (Rc::default(), Rc::new(Cell::new(0)));
    let (dropped, counted) = (own.clone(), count.clone());
    *own.borrow_mut() = Some(wire.on("text", move |_| {
        counted.set(counted.get() + 1);
        drop(dropped.take());
    }));
    server.receive_text(TEXT);
    server.receive_text(TEXT);
    assert_eq!(count.get(), 1);
}

#[wasm_bindgen_test]
async fn a_handler_that_drops_the_last_wire() {
    let (wire, server) = open().await;
    let before = page_listeners();
    let sending = wire.send("text", "unsettled", None);
    let only: Rc<RefCell<Option<Wire>>> = Rc::default();
    let dropped = only.clone();
    wire.on("text", move |_| drop(dropped.take())).keep();
    *only.borrow_mut() = Some(wire);
    server.receive_text(TEXT);
    assert!(only.borrow().is_none());
    assert_eq!(server.close_calls(), [(None, None)]);
    assert_eq!(page_listeners() + 2, before);
    sending.await.unwrap();
}

#[wasm_bindgen_test]
async fn a_wire_that_closes_is_finished_although_nobody_holds_it() {
    let wire = connect().build().unwrap();
    let sending = wire.send("text", "last words", None);
    drop(wire.close());
    drop(wire);
    let server = greet().await;
    sending.await.unwrap();
    assert_eq!(server.contents(), ["last words"]);
    assert_eq!(server.close_calls(), [(Some(1000.0), Some(String::new()))]);
    server.end(1000, "", true);
    assert_eq!(page_listeners(), 0);
}

#[wasm_bindgen_test]
async fn a_wire_in_its_own_handler_is_let_go_at_the_end() {
    let (wire, server) = open().await;
    let token = Rc::new(());
    let (own, held) = (wire.clone(), token.clone());
    wire.on("text", move |_| assert!(own.state() == State::Open && Rc::strong_count(&held) > 1)).keep();
    server.receive_text(TEXT);
    let closing = wire.close();
    server.end(1000, "", true);
    closing.await;
    assert_eq!(Rc::strong_count(&token), 1);
}
