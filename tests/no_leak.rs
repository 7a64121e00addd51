//! A hundred links leave nothing behind.
#![cfg(target_family = "wasm")]

mod common;

use common::{greet, listeners, open, page_listeners};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn memory() -> u32 {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    memory.buffer().unchecked_into::<js_sys::ArrayBuffer>().byte_length()
}

#[wasm_bindgen_test]
async fn listeners_values_and_memory_stay_flat() {
    let (wire, mut server) = open().await;
    let mut marks = Vec::new();
    for round in 0..100 {
        wire.send("text", "x", None).await.unwrap();
        if round % 2 == 0 {
            server.end(1006, "", false);
        } else {
            wire.reconnect();
            // As if it had never told.
            server.end(1006, "", false);
        }
        server = greet().await;
        if round % 10 == 9 {
            marks.push((listeners(), page_listeners(), wasm_bindgen::externref_heap_live_count(), memory()));
        }
    }
    // One listener for messages, three for changes; a link given up while open keeps a browser's own function.
    let given_up = 50;
    assert_eq!(marks[9].0, 4 + given_up, "{marks:?}");
    assert_eq!(marks[9].1, 2);
    let (live, after) = (marks[1].2, marks[9].2);
    assert!(after <= live + 8, "values: {marks:?}");
    assert_eq!(marks[1].3, marks[9].3, "memory: {marks:?}");

    let closing = wire.close();
    server.end(1000, "", true);
    closing.await;
    assert_eq!((listeners(), page_listeners()), (given_up, 0));
}
