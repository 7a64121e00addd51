//! No text of an event or an error holds the token or the url, whatever the browser says. The sockets are its own.
#![cfg(target_family = "wasm")]

mod common;

use std::time::Duration;

use common::Log;
use everwire::{Error, Event, Wire};
use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const URL: &str = "wss://fake.example/chat";

fn asking(token: &'static str) -> Wire {
    everwire::connect(URL)
        .protocols(["chat"])
        .delays(Duration::from_millis(10), Duration::from_millis(10))
        .max_attempts(1)
        .token_with(move || async move { Ok::<_, Error>(token.into()) })
        .build()
        .unwrap()
}

/// Every way in which an event could end up in a log.
fn texts(log: &Log) -> String {
    let mut texts = format!("{:?}", log.all());
    for event in log.all() {
        if let Event::Error(error) = event {
            texts += &format!("\n{error} {error:?} {error:#?}");
        }
    }
    texts
}

/// What is told until the wire has given up.
async fn told_about(wire: &Wire) -> Log {
    let log = Log::of(wire);
    let closed = Promise::new(&mut |resolve, _| {
        wire.on_event(move |event| {
            if let Event::Close { retry_in: None, .. } = event {
                resolve.call0(&JsValue::NULL).unwrap();
            }
        })
        .keep();
    });
    closed.await.unwrap();
    log
}

/// Replaces a constructor by one that throws.
struct Thrower(&'static str);

impl Thrower {
    fn new(class: &'static str, exception: &str) -> Self {
        let text = format!(
            "globalThis.__{class} = globalThis.{class};
             globalThis.{class} = class {{ constructor() {{ throw {exception}; }} }}"
        );
        js_sys::eval(&text).unwrap();
        Self(class)
    }
}

impl Drop for Thrower {
    fn drop(&mut self) {
        js_sys::eval(&format!("globalThis.{0} = globalThis.__{0}", self.0)).unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_token_that_is_no_subprotocol() {
    for token in ["SECRET token=", "", "SECRET,token", "SECRET/é"] {
        let log = told_about(&asking(token)).await;
        let error = Error::Provider { message: "the token is no subprotocol".into() };
        assert!(log.all().contains(&Event::Error(error)), "{token}: {:?}", log.all());
        assert!(!texts(&log).contains("SECRET"), "{}", texts(&log));
    }
}

#[wasm_bindgen_test]
async fn a_token_that_is_one_of_the_protocols() {
    let log = told_about(&asking("chat")).await;
    let error = Error::Provider { message: "the token is one of the protocols".into() };
    assert!(log.all().contains(&Event::Error(error)), "{:?}", log.all());
}

#[wasm_bindgen_test]
async fn a_socket_that_cannot_be_made() {
    let exceptions = [
        ("new DOMException(\"The subprotocol 'SECRET' is invalid.\", 'SyntaxError')", "SyntaxError"),
        ("'SECRET'", "unknown"),
    ];
    for (exception, name) in exceptions {
        let thrower = Thrower::new("WebSocket", exception);
        let log = told_about(&asking("SECRET")).await;
        drop(thrower);
        let error = Error::Connect { message: format!("the WebSocket threw: {name}") };
        assert!(log.all().contains(&Event::Error(error)), "{:?}", log.all());
        assert!(!texts(&log).contains("SECRET"), "{}", texts(&log));
    }
}

#[wasm_bindgen_test]
fn a_url_that_cannot_be_read() {
    let thrower = Thrower::new("URL", "new TypeError('wss://a.example/?key=SECRET is not a valid URL.')");
    let error = everwire::connect("wss://a.example/?key=SECRET").build().unwrap_err();
    drop(thrower);
    assert_eq!(error, Error::Connect { message: "the url cannot be read: TypeError".into() });
}
