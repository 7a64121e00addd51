//! The token is asked for before every dial.
#![cfg(target_family = "wasm")]

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{Log, connect, greet, next_server, until};
use everwire::{Error, Event, State};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn offered(server: &common::Server) -> Vec<String> {
    server.protocols().iter().filter_map(|protocol| protocol.as_string()).collect()
}

#[wasm_bindgen_test]
async fn asked_again_and_offered_last() {
    let count = Rc::new(Cell::new(0));
    let asked = count.clone();
    let wire = connect()
        .protocols(["chat"])
        .token_with(move || {
            asked.set(asked.get() + 1);
            let token = format!("token-{}", asked.get());
            async move { Ok::<_, Error>(token) }
        })
        .build()
        .unwrap();
    let first = greet().await;
    assert_eq!(offered(&first), ["chat", "token-1"]);
    first.end(1006, "", false);
    let second = greet().await;
    assert_eq!(offered(&second), ["chat", "token-2"]);
    drop(wire);
}

#[wasm_bindgen_test]
async fn a_provider_that_fails_is_a_failed_attempt() {
    let count = Rc::new(Cell::new(0));
    let asked = count.clone();
    let wire = connect()
        .token_with(move || {
            asked.set(asked.get() + 1);
            let fails = asked.get() == 1;
            async move { if fails { Err("no session") } else { Ok(String::from("late")) } }
        })
        .build()
        .unwrap();
    let log = Log::of(&wire);
    let server = greet().await;
    assert_eq!((offered(&server), wire.state()), (vec![String::from("late")], State::Open));
    let error = Error::Provider { message: String::from("no session") };
    assert!(log.all().contains(&Event::Error(error)), "{:?}", log.all());
}

#[wasm_bindgen_test]
async fn an_answer_that_nobody_waits_for_makes_no_socket() {
    let mut let_go = None;
    let promise = js_sys::Promise::new(&mut |resolve, _| let_go = Some(resolve));
    let gone = Rc::new(Cell::new(false));
    let tell = gone.clone();
    let wire = connect()
        .token_with(move || {
            let (promise, tell) = (promise.clone(), tell.clone());
            async move {
                promise.await.unwrap();
                tell.set(true);
                Ok::<_, Error>(String::from("late"))
            }
        })
        .build()
        .unwrap();
    let before = common::made();
    wire.close().await;
    let_go.unwrap().call0(&JsValue::NULL).unwrap();
    until(|| gone.get()).await;
    assert_eq!(common::made(), before);
}

#[wasm_bindgen_test]
async fn two_refused_tokens_are_the_end() {
    let count = Rc::new(Cell::new(0));
    let wire = connect()
        .token_with(move || {
            count.set(count.get() + 1);
            let token = format!("t{}", count.get());
            async move { Ok::<_, Error>(token) }
        })
        .build()
        .unwrap();
    let log = Log::of(&wire);
    for _ in 0..2 {
        let server = next_server().await;
        server.accept();
        server.end(1008, "who are you", true);
    }
    assert_eq!(wire.state(), State::Closed, "{:?}", log.all());
    assert!(log.all().contains(&Event::Error(Error::AuthRefused)));
}
