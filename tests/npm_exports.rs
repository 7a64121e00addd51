//! The exports of the npm package, called as the facade calls them.
#![cfg(all(target_family = "wasm", feature = "npm"))]

mod common;

use common::{Server, listeners, next_server, page_listeners, until};
use everwire::npm;
use js_sys::{Array, Float64Array, JsString};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Hosts that write down what they are told. `guard`, `release` and the timer's `enter` and `leave` keep count.
const HOSTS: &str = r"(() => {
  globalThis.__counts = { guarded: 0, released: 0, entered: 0, inside: 0 };
  const counts = globalThis.__counts;
  const instance = {
    panicked: (message) => console.error(message),
    guard: (fn) => { counts.guarded++; return (event) => fn(event); },
    enter: () => { counts.entered++; counts.inside++; },
    leave: () => { counts.inside--; },
    release: () => { counts.released++; },
  };
  const make = () => {
    const told = [];
    const host = { told, reenter: () => {} };
    for (const name of ['dial', 'settled', 'dropped', 'state', 'opened', 'ended', 'reconnecting', 'error']) {
      host[name] = (...args) => { told.push([name, ...args].join(' ')); host.reenter(name, ...args); };
    }
    host.beat = () => { told.push('beat'); return true; };
    host.write = (socket, ticket) => { told.push(`write ${ticket}`); socket.send(String(ticket)); return true; };
    host.listener = (link) => { counts.guarded++; return ({ data }) => host.heard(link, data === 'beat' ? 1 : 0); };
    return host;
  };
  return { instance, make };
})()";

#[wasm_bindgen]
extern "C" {
    type Hosts;
    #[wasm_bindgen(method, getter)]
    fn instance(this: &Hosts) -> JsValue;
    #[wasm_bindgen(method)]
    fn make(this: &Hosts) -> Told;

    #[derive(Clone)]
    type Told;
    #[wasm_bindgen(method, getter)]
    fn told(this: &Told) -> Array;
    #[wasm_bindgen(method, setter)]
    fn set_reenter(this: &Told, run: &js_sys::Function);
    #[wasm_bindgen(method, setter)]
    fn set_heard(this: &Told, run: &JsValue);

    #[wasm_bindgen(js_namespace = __counts, js_name = "valueOf")]
    fn counts() -> Counts;
    type Counts;
    #[wasm_bindgen(method, getter)]
    fn guarded(this: &Counts) -> u32;
    #[wasm_bindgen(method, getter)]
    fn entered(this: &Counts) -> u32;
    #[wasm_bindgen(method, getter)]
    fn inside(this: &Counts) -> u32;
    #[wasm_bindgen(method, getter)]
    fn released(this: &Counts) -> u32;

    #[wasm_bindgen(js_name = WebSocket)]
    type FakeSocket;
    #[wasm_bindgen(constructor, js_class = WebSocket)]
    fn new(url: &str, protocols: &Array) -> FakeSocket;
}

impl Told {
    fn lines(&self) -> Vec<String> {
        self.told().iter().filter_map(|line| line.as_string()).collect()
    }

    fn count(&self, word: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(word)).count()
    }
}

thread_local! {
    static MADE: Hosts = {
        let hosts: Hosts = js_sys::eval(HOSTS).unwrap().unchecked_into();
        npm::instance_start(hosts.instance().unchecked_into());
        hosts
    };
}

/// Seed, delays of 10 ms, factor 2, no limit, 20 s, no heartbeat …
const CONFIG: [f64; 18] = [
    1.0,
    2.0,
    10.0,
    10.0,
    2.0,
    0.0,
    20_000.0,
    0.0,
    0.0,
    1000.0,
    100.0,
    10_000.0,
    0.0,
    0.0,
    1_048_576.0,
    0.0,
    1.0,
    0.0,
];

/// Without priority, key and time to live.
fn submit(handle: u32, ticket: u32, bytes: u32) -> u32 {
    npm::wire_submit(handle, ticket, bytes, 0, -1.0, -1.0)
}

fn create(config: &[f64]) -> (Told, u32) {
    common::install();
    let host = MADE.with(Hosts::make);
    let handle = npm::wire_create(host.clone().unchecked_into(), &Float64Array::from(config));
    let heard = move |link: u32, kind: u32| npm::wire_frame(handle, link, kind);
    host.set_heard(&Closure::<dyn FnMut(u32, u32)>::new(heard).into_js_value());
    (host, handle)
}

async fn dialled(handle: u32, link: u32) -> Server {
    let socket = FakeSocket::new("wss://fake.example/", &Array::new());
    npm::wire_dialled(handle, link, socket.unchecked_into(), false);
    next_server().await
}

fn close(handle: u32) {
    npm::wire_close(handle, 1000, JsString::from(""), 0.0);
    npm::wire_free(handle);
}

#[wasm_bindgen_test]
async fn a_wire_from_dial_to_close() {
    let (host, handle) = create(&CONFIG);
    let (guarded, released, heard) = (counts().guarded(), counts().released(), listeners());
    npm::wire_connect(handle);
    npm::wire_connect(handle);
    assert_eq!((host.lines(), page_listeners()), (vec![String::from("dial 1")], 2));
    let server = dialled(handle, 1).await;
    assert_eq!(counts().guarded(), guarded + 3, "message, changes, page");
    assert_eq!(submit(handle, 7, 100), 0);
    assert_eq!(submit(handle, 8, 1001), 2);
    server.accept();
    server.receive_text("hello");
    assert_eq!(host.lines()[1..], ["write 7", "state 1", "opened 1 0"]);
    npm::wire_close(handle, 4000, JsString::from("done"), 1000.0);
    assert_eq!(server.close_calls(), [(Some(4000.0), Some(String::from("done")))]);
    assert_eq!(submit(handle, 9, 1), 1);
    server.end(4000, "done", true);
    assert_eq!(host.lines()[4..], ["state 4", "settled 7", "state 5", "ended 1 10 4000 done true -1"]);
    npm::wire_free(handle);
    assert_eq!((listeners(), page_listeners()), (heard, 0));
    assert_eq!(counts().released(), released + 3, "what was guarded");
}

#[wasm_bindgen_test]
async fn the_timer_says_when_it_enters_and_leaves() {
    let (host, handle) = create(&CONFIG);
    npm::wire_connect(handle);
    let (before, server) = (counts().entered(), dialled(handle, 1).await);
    server.end(1006, "", false);
    until(|| host.count("dial") == 2).await;
    assert!(counts().entered() > before);
    assert_eq!(counts().inside(), 0);
    close(handle);
}

#[wasm_bindgen_test]
async fn a_handle_is_never_used_twice() {
    let (_, first) = create(&CONFIG);
    npm::wire_free(first);
    let (host, second) = create(&CONFIG);
    assert_ne!(first, second);
    npm::wire_connect(second);
    // Everything that may still come for a wire that is gone.
    npm::wire_connect(first);
    npm::wire_reconnect(first);
    npm::wire_frame(first, 1, 0);
    npm::wire_echoed(first, 1);
    npm::wire_dial_failed(first, 1);
    npm::wire_close(first, 1000, JsString::from(""), 0.0);
    npm::wire_free(first);
    assert!(!npm::wire_abort(first, 1));
    assert_eq!(submit(first, 1, 1), 1);
    let orphan = dialled(first, 1).await;
    orphan.accept();
    assert_eq!(orphan.close_calls().len(), 1, "a socket that nobody wants");
    assert_eq!(host.lines(), ["dial 1"]);
    close(second);
}

#[wasm_bindgen_test]
async fn a_host_that_comes_back_in_while_actions_are_carried_out() {
    let (host, handle) = create(&CONFIG);
    npm::wire_connect(handle);
    let server = dialled(handle, 1).await;
    let own = host.clone();
    let reenter = Closure::<dyn FnMut(JsString)>::new(move |name: JsString| {
        own.told().push(&format!("in {}", String::from(&name)).into());
        if name == *"opened" {
            assert_eq!(submit(handle, 2, 1), 0);
            npm::wire_close(handle, 1000, JsString::from(""), 5000.0);
        }
    });
    host.set_reenter(reenter.as_ref().unchecked_ref());
    assert_eq!(submit(handle, 1, 1), 0);
    server.accept();
    server.receive_text("hello");
    let expected =
        ["write 1", "state 1", "in state", "opened 1 0", "in opened", "write 2", "state 4", "in state"];
    assert_eq!(host.lines()[1..], expected);
    assert_eq!(server.close_calls().len(), 1);
    npm::wire_free(handle);
}

#[wasm_bindgen_test]
fn a_config_of_nonsense_is_kept_in_bounds() {
    for value in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
        let (host, handle) = create(&[value; 18]);
        npm::wire_connect(handle);
        npm::wire_dial_failed(handle, 1);
        assert_eq!(host.count("dial"), 1, "{value}: {:?}", host.lines());
        close(handle);
    }
    let (host, handle) = create(&[]);
    npm::wire_connect(handle);
    assert_eq!(host.lines(), ["dial 1"]);
    close(handle);
}
