//! A close reason over 123 bytes is cut at a character boundary; longer ones would throw and leave the socket open.
#![cfg(target_family = "wasm")]

mod common;

use std::time::Duration;

use common::{Log, open};
use everwire::{Error, Event, State};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

async fn closed_with(reason: &str) -> String {
    let (wire, server) = open().await;
    drop(wire.close_with(4001, reason, Duration::ZERO).unwrap());
    assert_eq!(server.ready_state(), 2, "the socket stays open");
    let call = server.close_calls().pop().unwrap();
    assert_eq!(call.0, Some(4001.0));
    server.end(4001, "", true);
    assert_eq!(wire.state(), State::Closed);
    call.1.unwrap()
}

#[wasm_bindgen_test]
async fn cut_at_a_character() {
    let fits = "x".repeat(123);
    assert_eq!(closed_with(&fits).await, fits);
    assert_eq!(closed_with(&"x".repeat(124)).await, fits);
    assert_eq!(closed_with(&"é".repeat(100)).await, "é".repeat(61));
    assert_eq!(closed_with(&"€".repeat(41)).await, "€".repeat(41));
    assert_eq!(closed_with(&"€".repeat(42)).await, "€".repeat(41));
    assert_eq!(closed_with(&"🦀".repeat(40)).await, "🦀".repeat(30));
    assert_eq!(closed_with("").await, "");
}

#[wasm_bindgen_test]
async fn a_code_that_browsers_refuse_is_refused_at_once() {
    let (wire, server) = open().await;
    for code in [0, 999, 1001, 1005, 1006, 2999, 5000] {
        let refused = wire.close_with(code, "", Duration::ZERO);
        assert!(matches!(refused, Err(Error::Option { name: "code", .. })), "{code}");
    }
    assert_eq!(wire.state(), State::Open);
    let log = Log::of(&wire);
    server.end(1006, "", false);
    assert!(log.has(|event| matches!(event, Event::Reconnecting { .. })));
}
