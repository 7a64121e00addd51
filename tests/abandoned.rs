//! A socket that is still connecting when it is given up. Safari can break all others when it is closed: there it is
//! closed if it ever opens. Elsewhere it would hold up every later dial to its host: there it is closed at once.
#![cfg(target_family = "wasm")]

mod common;

use common::{Log, connect, greet, listeners, next_server, page_listeners};
use everwire::{Event, State};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The browser says whose it is, as long as this lives: every WebKit, on Linux too, says that it is Apple's.
struct Vendor;

impl Vendor {
    fn apple() -> Self {
        Self::pretend("Apple Computer, Inc.")
    }

    fn other() -> Self {
        Self::pretend("Google Inc.")
    }

    fn pretend(name: &str) -> Self {
        let property = format!("{{ value: '{name}', configurable: true }}");
        js_sys::eval(&format!("Object.defineProperty(navigator, 'vendor', {property})")).unwrap();
        Self
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        js_sys::eval("delete navigator.vendor").unwrap();
    }
}

#[wasm_bindgen_test]
async fn closed_at_once_where_that_is_safe() {
    let _vendor = Vendor::other();
    let wire = connect().connect_timeout(std::time::Duration::from_secs(1)).build().unwrap();
    let first = next_server().await;
    assert_eq!(first.close_calls().len(), 0);
    let _second = greet().await;
    assert_eq!((first.close_calls().len(), wire.state()), (1, State::Open));
}

#[wasm_bindgen_test]
async fn left_alone_and_closed_if_it_opens() {
    let _safari = Vendor::apple();
    let wire = connect().build().unwrap();
    let server = next_server().await;
    let log = Log::of(&wire);
    wire.close().await;
    assert_eq!((wire.state(), server.close_calls().len()), (State::Closed, 0));
    let told = log.all().len();

    server.accept();
    assert_eq!(server.close_calls(), [(Some(1000.0), Some(String::new()))]);
    server.receive_text("{}");
    server.end(1006, "", false);
    assert_eq!(log.all().len(), told);
    assert_eq!(page_listeners(), 0);
}

#[wasm_bindgen_test]
async fn dropped_with_its_wire() {
    let _safari = Vendor::apple();
    let before = listeners();
    let wire = connect().build().unwrap();
    let server = next_server().await;
    drop(wire);
    assert_eq!(server.close_calls().len(), 0);
    // The browser's own `close`, bound, on `open` and `error`.
    assert_eq!(listeners(), before + 2);
    server.accept();
    assert_eq!(server.close_calls().len(), 1);
}

#[wasm_bindgen_test]
async fn a_dial_that_never_ends_is_given_up() {
    let _safari = Vendor::apple();
    let wire = connect().connect_timeout(std::time::Duration::from_secs(1)).build().unwrap();
    let log = Log::of(&wire);
    let first = next_server().await;
    let second = greet().await;
    assert_eq!((wire.state(), first.close_calls().len()), (State::Open, 0));
    first.accept();
    assert_eq!(first.close_calls().len(), 1);
    assert_eq!((wire.state(), second.close_calls().len()), (State::Open, 0));
    assert!(log.has(|event| matches!(event, Event::Open { link: 2, .. })));
}
