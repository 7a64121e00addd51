//! Whoever holds payloads and promises for one wire. `docs/DESIGN.md` §3 is the contract.

use js_sys::{Array, Float64Array, JsString, Uint32Array};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

// No method throws or runs code of the user; what is for the user is queued.
#[wasm_bindgen]
extern "C" {
    pub type SessionHost;

    // ---- the dial ----
    #[wasm_bindgen(method, structural)]
    pub(super) fn dial(this: &SessionHost, link: f64, redirected: bool);
    #[wasm_bindgen(method, structural)]
    pub(super) fn renew(this: &SessionHost, link: f64);
    #[wasm_bindgen(method, structural)]
    pub(super) fn forget_socket(this: &SessionHost);

    // ---- what goes out: false if the socket did not take it ----
    #[wasm_bindgen(method, structural)]
    pub(super) fn hello(
        this: &SessionHost,
        socket: &WebSocket,
        head: &str,
        numbers: &Float64Array,
        texts: &Array,
    ) -> bool;
    #[wasm_bindgen(method, structural)]
    pub(super) fn write(this: &SessionHost, socket: &WebSocket, head: &str) -> bool;
    #[wasm_bindgen(method, structural)]
    pub(super) fn send(
        this: &SessionHost,
        socket: &WebSocket,
        head: &str,
        tickets: &Uint32Array,
        withdrawn: bool,
    ) -> bool;
    #[wasm_bindgen(method, structural)]
    pub(super) fn cast(this: &SessionHost, socket: &WebSocket, head: &str, ticket: u32) -> bool;
    #[wasm_bindgen(method, structural)]
    pub(super) fn auth(this: &SessionHost, socket: &WebSocket, head: &str) -> bool;

    // ---- what comes in ----
    /// Reads one frame, keeps its elements in hand, and leaves what it has found in the three below.
    #[wasm_bindgen(method, structural)]
    pub(super) fn inspect(this: &SessionHost, data: &JsValue);
    #[wasm_bindgen(method, structural)]
    pub(super) fn head(this: &SessionHost) -> String;
    #[wasm_bindgen(method, structural)]
    pub(super) fn found(this: &SessionHost) -> Vec<f64>;
    #[wasm_bindgen(method, structural)]
    pub(super) fn texts(this: &SessionHost) -> Array;
    #[wasm_bindgen(method, structural)]
    pub(super) fn received(this: &SessionHost, runs: &Float64Array);
    #[wasm_bindgen(method, structural)]
    pub(super) fn started(this: &SessionHost, runs: &Float64Array);
    #[wasm_bindgen(method, structural)]
    pub(super) fn casts(this: &SessionHost);
    #[wasm_bindgen(method, structural)]
    pub(super) fn answered(this: &SessionHost, ticket: u32);
    #[wasm_bindgen(method, structural)]
    pub(super) fn paged(this: &SessionHost, page: u32, mark: u32, numbers: &Float64Array);
    #[wasm_bindgen(method, structural)]
    pub(super) fn page_failed(this: &SessionHost, page: u32, why: u32, code: &str);

    // ---- what becomes of messages ----
    #[wasm_bindgen(method, structural)]
    pub(super) fn settled(this: &SessionHost, tickets: &Uint32Array, durable: bool);
    #[wasm_bindgen(method, structural)]
    pub(super) fn exited(
        this: &SessionHost,
        ticket: u32,
        n: f64,
        exit: u32,
        why: u32,
        durable: bool,
        code: &str,
    );
    #[wasm_bindgen(method, structural)]
    pub(super) fn unanswered(this: &SessionHost, ticket: u32, why: u32);
    #[wasm_bindgen(method, structural)]
    pub(super) fn unbacked(this: &SessionHost, ranges: &Float64Array, tickets: &Uint32Array);

    // ---- rooms, and the life of the wire ----
    #[wasm_bindgen(method, structural)]
    pub(super) fn joined(this: &SessionHost, room: &str, from: f64);
    #[wasm_bindgen(method, structural)]
    pub(super) fn denied(this: &SessionHost, room: &str, code: &str);
    #[wasm_bindgen(method, structural)]
    pub(super) fn lost(this: &SessionHost, subjects: &Array);
    #[wasm_bindgen(method, structural)]
    pub(super) fn state(this: &SessionHost, state: u32);
    #[wasm_bindgen(method, structural)]
    pub(super) fn opened(this: &SessionHost, numbers: &Float64Array, texts: &Array);
    #[wasm_bindgen(method, structural)]
    pub(super) fn ended(
        this: &SessionHost,
        link: f64,
        why: u32,
        code: u32,
        retry_ms: f64,
        clause: &str,
        reason: &JsString,
        clean: bool,
    );
    #[wasm_bindgen(method, structural)]
    pub(super) fn reconnecting(this: &SessionHost, attempt: u32, delay_ms: f64, why: u32, code: u32);
    #[wasm_bindgen(method, structural)]
    pub(super) fn notice(this: &SessionHost, kind: u32, a: f64, b: f64, clause: &str);
}

/// What crosses the boundary for a number that is not there.
pub(super) const NONE: f64 = -1.0;

pub(super) fn number(n: u64) -> f64 {
    n as f64
}

pub(super) fn number_or_none(n: Option<u64>) -> f64 {
    n.map_or(NONE, number)
}
