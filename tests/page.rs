//! What the page tells about the network.
#![cfg(target_family = "wasm")]

mod common;

use std::time::Duration;

use common::{greet, made, open, page, page_listeners};
use everwire::State;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn offline_slows_dialling_and_online_dials_now() {
    common::install();
    let wire = everwire::connect("wss://fake.example/")
        .delays(Duration::from_secs(30), Duration::from_secs(30))
        .build()
        .unwrap();
    let server = greet().await;
    page("offline");
    assert_eq!(wire.state(), State::Open, "offline is a hint");
    server.end(1006, "", false);
    assert_eq!(wire.state(), State::Offline);
    let before = made();
    page("online");
    assert_eq!((wire.state(), made()), (State::Connecting, before + 1));
    greet().await;
    assert_eq!(wire.state(), State::Open);
    page("offline");
    drop(wire);
    assert_eq!(page_listeners(), 0);
}

#[wasm_bindgen_test]
async fn a_closed_wire_stays_closed() {
    let (wire, server) = open().await;
    let closing = wire.close();
    server.end(1000, "", true);
    closing.await;
    let before = made();
    page("offline");
    page("online");
    wire.reconnect();
    assert_eq!((wire.state(), made()), (State::Closed, before));
}
