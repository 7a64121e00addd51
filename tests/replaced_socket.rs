//! Events of a replaced socket still arrive, and are nobody's.
#![cfg(target_family = "wasm")]

mod common;

use common::{Log, greet, open, texts};
use everwire::State;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn late_events_change_nothing() {
    let (wire, first) = open().await;
    // It goes on delivering although its listeners have been removed.
    first.set_sticky(true);
    wire.reconnect();
    let second = greet().await;
    let (log, heard) = (Log::of(&wire), texts(&wire, "text"));
    first.receive_text(r#"{"type":"text","content":"from the grave"}"#);
    first.accept();
    first.end(1006, "late", false);
    assert_eq!(wire.state(), State::Open);
    assert!(log.all().is_empty() && heard.borrow().is_empty(), "{:?} {heard:?}", log.all());
    second.receive_text(r#"{"type":"text","content":"alive"}"#);
    assert_eq!(*heard.borrow(), ["alive"]);
    wire.send("text", "to the second", None).await.unwrap();
    assert_eq!((first.contents().len(), second.contents().len()), (0, 1));
}
