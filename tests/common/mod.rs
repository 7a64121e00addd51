//! A fake server behind a fake `WebSocket`, and ways to wait for what happens.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part of it")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use everwire::{Builder, Event, Wire};
use futures_core::Stream;
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    pub type Server;
    #[wasm_bindgen(method)]
    pub fn accept(this: &Server);
    #[wasm_bindgen(method, js_name = accept)]
    pub fn accept_as(this: &Server, protocol: &str);
    #[wasm_bindgen(method)]
    pub fn receive(this: &Server, data: &JsValue);
    #[wasm_bindgen(method)]
    pub fn end(this: &Server, code: u16, reason: &str, clean: bool);
    #[wasm_bindgen(method, js_name = dispatchEvent)]
    pub fn dispatch(this: &Server, event: &JsValue);
    #[wasm_bindgen(method, getter)]
    pub fn sent(this: &Server) -> Array;
    #[wasm_bindgen(method, getter)]
    pub fn closes(this: &Server) -> Array;
    #[wasm_bindgen(method, getter)]
    pub fn protocols(this: &Server) -> Array;
    #[wasm_bindgen(method, getter)]
    pub fn url(this: &Server) -> String;
    #[wasm_bindgen(method, getter, js_name = readyState)]
    pub fn ready_state(this: &Server) -> u16;
    #[wasm_bindgen(method, getter, js_name = binaryType)]
    pub fn binary_type(this: &Server) -> String;
    #[wasm_bindgen(method, setter)]
    pub fn set_sticky(this: &Server, sticky: bool);
    #[wasm_bindgen(method, setter)]
    pub fn set_refusing(this: &Server, refusing: bool);

    #[wasm_bindgen(js_namespace = __fake)]
    fn next() -> Promise;
    #[wasm_bindgen(js_namespace = __fake)]
    fn turn() -> Promise;
    #[wasm_bindgen(js_namespace = __fake)]
    fn skip();
    /// How many sockets have been made.
    #[wasm_bindgen(js_namespace = __fake)]
    pub fn made() -> u32;
    /// How many listeners all sockets have.
    #[wasm_bindgen(js_namespace = __fake)]
    pub fn listeners() -> i32;
    /// How many listeners the page has for `online` and `offline`.
    #[wasm_bindgen(js_namespace = __fake, js_name = pageListeners)]
    pub fn page_listeners() -> u32;
    /// The browser says `online` or `offline`.
    #[wasm_bindgen(js_namespace = __fake)]
    pub fn page(kind: &str);
    /// `pagehide` or `pageshow` of a page that is kept in the back/forward cache.
    #[wasm_bindgen(js_namespace = __fake)]
    pub fn kept(kind: &str);
}

thread_local! {
    static INSTALLED: () = {
        js_sys::eval(include_str!("fake_socket.js")).unwrap();
    };
}

pub fn install() {
    INSTALLED.with(|()| ());
    skip();
}

/// A wire that dials again soon.
pub fn connect() -> Builder {
    install();
    everwire::connect("wss://fake.example/chat").delays(Duration::from_millis(10), Duration::from_millis(10))
}

pub async fn next_server() -> Server {
    next().await.unwrap().unchecked_into()
}

/// A wire in use, and its server.
pub async fn open() -> (Wire, Server) {
    let wire = connect().build().unwrap();
    let server = greet().await;
    (wire, server)
}

/// The next server, accepting with a greeting that is no full envelope.
pub async fn greet() -> Server {
    let server = next_server().await;
    server.accept();
    server.receive(&r#"{"type":"welcome","message":"hello"}"#.into());
    server
}

/// Waits until something is true, turn by turn; the runner's time limit ends it.
pub async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        turn().await.unwrap();
    }
}

/// The next item of a stream, or `None` at its end.
pub async fn next_item<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// When the browser comes round again, promises settled.
pub async fn next_turn() {
    turn().await.unwrap();
}

impl Server {
    /// What was written, as JSON values.
    pub fn frames(&self) -> Vec<serde_like::Frame> {
        self.sent().iter().map(|text| serde_like::Frame::parse(&text)).collect()
    }

    /// The contents of what was written.
    pub fn contents(&self) -> Vec<String> {
        self.frames().into_iter().map(|frame| frame.content).collect()
    }

    pub fn receive_text(&self, text: &str) {
        self.receive(&text.into());
    }

    /// What `close()` was called with.
    pub fn close_calls(&self) -> Vec<(Option<f64>, Option<String>)> {
        let call = |call: JsValue| {
            let call: Array = call.unchecked_into();
            (call.get(0).as_f64(), call.get(1).as_string())
        };
        self.closes().iter().map(call).collect()
    }
}

pub mod serde_like {
    use serde::Deserialize;
    use wasm_bindgen::JsValue;

    /// An envelope as a server reads it.
    #[derive(Debug, Deserialize)]
    pub struct Frame {
        #[serde(default)]
        pub id: String,
        #[serde(rename = "type")]
        pub kind: String,
        pub sender: Option<String>,
        pub receiver: Option<String>,
        #[serde(default, deserialize_with = "text")]
        pub content: String,
        #[serde(default)]
        pub timestamp: f64,
    }

    impl Frame {
        pub fn parse(text: &JsValue) -> Self {
            let value = js_sys::JSON::parse(&text.as_string().unwrap()).unwrap();
            serde_wasm_bindgen::from_value(value).unwrap()
        }
    }

    fn text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        let value: JsValue = serde_wasm_bindgen::preserve::deserialize(from)?;
        Ok(value.as_string().unwrap_or_else(|| js_sys::JSON::stringify(&value).unwrap().into()))
    }
}

/// Everything that is told about a wire.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<Event>>>);

impl Log {
    pub fn of(wire: &Wire) -> Self {
        let log = Self::default();
        let events = log.0.clone();
        wire.on_event(move |event| events.borrow_mut().push(event.clone())).keep();
        log
    }

    pub fn all(&self) -> Vec<Event> {
        self.0.borrow().clone()
    }

    pub fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.0.borrow().iter().any(wanted)
    }
}

/// The contents of every message of a type, as text.
pub fn texts(wire: &Wire, kind: &str) -> Rc<RefCell<Vec<String>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let to = heard.clone();
    wire.on(kind, move |message| to.borrow_mut().push(message.content().unwrap_or_default())).keep();
    heard
}
