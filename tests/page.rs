//! What the page tells: of the network, of being looked at, of being put away.
#![cfg(target_family = "wasm")]

mod common;

use std::time::Duration;

use common::{greet, kept, made, open, page, page_listeners};
use everwire::{State, Wire};
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

async fn closed() -> Wire {
    let (wire, server) = open().await;
    let closing = wire.close();
    server.end(1000, "", true);
    closing.await;
    wire
}

#[wasm_bindgen_test]
async fn a_closed_wire_stays_closed() {
    let wire = closed().await;
    let before = made();
    page("offline");
    page("online");
    wire.reconnect();
    assert_eq!((wire.state(), made()), (State::Closed, before));
}

#[wasm_bindgen_test]
async fn a_page_that_is_put_away_has_no_link_and_dials_when_it_is_back() {
    let (wire, _server) = open().await;
    let before = made();
    kept("pagehide");
    assert_eq!((wire.state(), made()), (State::Waiting, before));
    kept("pageshow");
    // The browser may say all of this on the same occasion.
    page("visibilitychange");
    page("resume");
    page("online");
    assert_eq!((wire.state(), made()), (State::Connecting, before + 1), "one link, at once");
    greet().await;
    assert_eq!(wire.state(), State::Open);
}

#[wasm_bindgen_test]
async fn a_page_that_is_not_kept_is_left_alone() {
    let (wire, _server) = open().await;
    page("pagehide");
    page("pageshow");
    assert_eq!(wire.state(), State::Open);
}

#[wasm_bindgen_test]
async fn a_page_that_is_looked_at_does_not_wait() {
    common::install();
    let wire = everwire::connect("wss://fake.example/")
        .delays(Duration::from_secs(30), Duration::from_secs(30))
        .build()
        .unwrap();
    let server = greet().await;
    server.end(1006, "", false);
    assert_eq!(wire.state(), State::Waiting);
    let before = made();
    page("visibilitychange");
    assert_eq!((wire.state(), made()), (State::Connecting, before + 1));
}

#[wasm_bindgen_test]
async fn a_closed_wire_survives_the_whole_life_of_a_page() {
    let wire = closed().await;
    let before = made();
    kept("pagehide");
    kept("pageshow");
    page("visibilitychange");
    page("resume");
    page("online");
    assert_eq!((wire.state(), made()), (State::Closed, before));
}
