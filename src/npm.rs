//! The exports of the npm package. `docs/DESIGN.md` §3 is the contract; none of them throws, so anything thrown
//! through one means that the instance is dead.

use std::cell::Cell;
use std::rc::Rc;

use everwire_core::frame::Form;
use everwire_core::session::up::Outgoing;
use everwire_core::{
    BackoffConfig, Cause, Closed, Config, Duration, ExpectReply, Frame, LivenessConfig, Notice, OutboxConfig,
    Reason, State, Ticket,
};
use js_sys::{Float64Array, Function, JsString};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

use crate::driver::{self, Driver};
use crate::instance::{self, Instance, InstanceHost, Numbers};
use crate::link::{self, Listener};

#[wasm_bindgen]
extern "C" {
    /// Whoever holds the payloads and promises of one wire.
    pub type Host;
    #[wasm_bindgen(method, structural)]
    fn dial(this: &Host, link: u32);
    #[wasm_bindgen(method, structural)]
    fn write(this: &Host, socket: &WebSocket, ticket: u32) -> bool;
    #[wasm_bindgen(method, structural)]
    fn beat(this: &Host, socket: &WebSocket) -> bool;
    #[wasm_bindgen(method, structural)]
    fn listener(this: &Host, link: u32) -> Function;
    #[wasm_bindgen(method, structural)]
    fn settled(this: &Host, ticket: u32);
    #[wasm_bindgen(method, structural)]
    fn dropped(this: &Host, ticket: u32, reason: u32);
    #[wasm_bindgen(method, structural)]
    fn state(this: &Host, state: u32);
    #[wasm_bindgen(method, structural)]
    fn opened(this: &Host, link: u32, attempts: u32);
    #[wasm_bindgen(method, structural)]
    fn ended(this: &Host, link: u32, cause: u32, code: u32, reason: &JsString, clean: bool, retry_ms: f64);
    #[wasm_bindgen(method, structural)]
    fn reconnecting(this: &Host, attempt: u32, retry_ms: f64, cause: u32, code: u32);
    #[wasm_bindgen(method, structural)]
    fn error(this: &Host, code: u32);
}

/// What [`wire_frame`] is given for a heartbeat.
const KIND_HEARTBEAT: u32 = 1;

struct NpmHost {
    host: Host,
    instance: &'static InstanceHost,
}

impl driver::Host for NpmHost {
    fn dial(&self, link: u32) {
        self.host.dial(link);
    }

    fn write(&self, socket: &WebSocket, ticket: Ticket) -> bool {
        self.host.write(socket, ticket.0)
    }

    fn beat(&self, socket: &WebSocket) -> bool {
        self.host.beat(socket)
    }

    /// A function that calls [`wire_frame`]. A closure of ours would cost a frame a microsecond: wasm-bindgen calls it by
    /// way of two lists of arguments, and it would have to ask JavaScript for the data that JavaScript is to look at.
    fn listener(driver: &Driver<Self>, link: u32) -> Listener {
        Listener::of_host(driver.host().host.listener(link))
    }

    fn settled(&self, ticket: Ticket) {
        self.host.settled(ticket.0);
    }

    fn dropped(&self, ticket: Ticket, reason: Reason) {
        self.host.dropped(ticket.0, reason as u32);
    }

    fn state(&self, state: State) {
        self.host.state(state as u32);
    }

    fn opened(&self, link: u32, attempts: u32) {
        self.host.opened(link, attempts);
    }

    fn ended(&self, link: u32, cause: Cause, closed: Closed, reason: &JsString, retry: Option<Duration>) {
        let retry_ms = retry.map_or(-1.0, Duration::as_millis_f64);
        self.host.ended(link, cause as u32, closed.code.into(), reason, closed.clean, retry_ms);
    }

    fn reconnecting(&self, attempt: u32, delay: Duration, cause: Cause, code: u16) {
        self.host.reconnecting(attempt, delay.as_millis_f64(), cause as u32, code.into());
    }

    fn notice(&self, notice: Notice) {
        self.host.error(notice as u32);
    }

    fn guard(&self, function: &Function) -> Function {
        self.instance.guard(function)
    }

    fn release(&self, guarded: &Function) {
        self.instance.release(guarded);
    }

    fn timer_begins(&self) {
        self.instance.enter();
    }

    fn timer_ended(&self) {
        self.instance.leave();
    }
}

type Wire = Rc<Driver<NpmHost>>;

thread_local! {
    static INSTANCE: Cell<Option<&'static Instance<Driver<NpmHost>>>> = const { Cell::new(None) };
}

fn wire(handle: u32) -> Option<Wire> {
    INSTANCE.get()?.wire(handle)
}

/// Once per instance.
#[wasm_bindgen]
pub fn instance_start(instance: InstanceHost) {
    INSTANCE.set(Some(Instance::start(instance)));
}

/// A wire that dials nothing yet. 0 if the instance was never started.
#[wasm_bindgen]
pub fn wire_create(host: Host, config: &Float64Array) -> u32 {
    let Some(instance) = INSTANCE.get() else { return 0 };
    let (config, seed) = decode(config);
    instance.keep(Driver::new(config, seed, NpmHost { host, instance: &instance.host }))
}

/// The wire is wanted.
#[wasm_bindgen]
pub fn wire_connect(handle: u32) {
    if let Some(wire) = wire(handle) {
        wire.connect();
    }
}

/// 0 taken · 1 closed · 2 too large · 3 outbox full. A key or a time to live below 0 is none.
#[wasm_bindgen]
pub fn wire_submit(handle: u32, ticket: u32, bytes: u32, priority: u8, key: f64, ttl_ms: f64) -> u32 {
    let key = (key >= 0.0).then_some(key as u32);
    let ttl = (ttl_ms >= 0.0).then(|| Duration::from_millis_f64(ttl_ms));
    let message = Outgoing { priority, key, ..Outgoing::new(Ticket(ticket), bytes, Form::Text) };
    match wire(handle).map(|wire| wire.submit(message, ttl)) {
        Some(Ok(())) => 0,
        Some(Err(refusal)) => 1 + refusal as u32,
        None => 1,
    }
}

/// True if the message was still waiting; `dropped` follows, or has been told inside this call.
#[wasm_bindgen]
pub fn wire_abort(handle: u32, ticket: u32) -> bool {
    wire(handle).is_some_and(|wire| wire.abort(Ticket(ticket)))
}

/// A frame has come on this link: 1 for a heartbeat. Only what the `listener` of the host has made calls it.
#[wasm_bindgen]
pub fn wire_frame(handle: u32, link: u32, kind: u32) {
    if let Some(wire) = wire(handle) {
        wire.frame(link, if kind == KIND_HEARTBEAT { Frame::Heartbeat } else { Frame::Message });
    }
}

/// An own message has come back; to be called before [`wire_frame`] for the frame that brought it.
#[wasm_bindgen]
pub fn wire_echoed(handle: u32, ticket: u32) {
    if let Some(wire) = wire(handle) {
        wire.echoed(Ticket(ticket));
    }
}

/// A socket has been made for this link.
#[wasm_bindgen]
pub fn wire_dialled(handle: u32, link: u32, socket: WebSocket, token_changed: bool) {
    match wire(handle) {
        Some(wire) => wire.dialled(link, socket, token_changed),
        None => link::abandon(&socket),
    }
}

/// No socket could be made for this link.
#[wasm_bindgen]
pub fn wire_dial_failed(handle: u32, link: u32) {
    if let Some(wire) = wire(handle) {
        wire.dial_failed(link);
    }
}

/// The smoothed round trip in ms; 0 while none has been measured.
#[wasm_bindgen]
pub fn wire_round_trip(handle: u32) -> f64 {
    wire(handle).map_or(0.0, |wire| wire.round_trip().as_millis_f64())
}

/// A new link is wanted now.
#[wasm_bindgen]
pub fn wire_reconnect(handle: u32) {
    if let Some(wire) = wire(handle) {
        wire.reconnect();
    }
}

/// The wire is no longer wanted; what waits may be written for so long.
#[wasm_bindgen]
pub fn wire_close(handle: u32, code: u16, reason: JsString, drain_ms: f64) {
    if let Some(wire) = wire(handle) {
        wire.close(code, reason, Duration::from_millis_f64(drain_ms));
    }
}

/// The wire is forgotten, and its link with it.
#[wasm_bindgen]
pub fn wire_free(handle: u32) {
    if let Some(instance) = INSTANCE.get() {
        instance.free(handle);
    }
}

fn decode(config: &Float64Array) -> (Config, u64) {
    const U32_MAX: f64 = Numbers::U32_MAX;
    const HOUR_MS: f64 = 3_600_000.0;
    let mut numbers = Numbers::new(config);
    let seed = numbers.seed();
    let mut next = |min: f64, max: f64| numbers.next(min, max);
    let millis = Duration::from_millis_f64;
    let backoff = BackoffConfig {
        delay_min: millis(next(1.0, HOUR_MS)),
        delay_max: millis(next(1.0, HOUR_MS)),
        factor: next(1.0, 10.0),
        attempts_max: next(0.0, U32_MAX) as u32,
    };
    let connect_timeout = millis(next(1.0, HOUR_MS));
    let liveness = LivenessConfig {
        interval: millis(next(0.0, HOUR_MS)),
        expect_reply: match next(0.0, 2.0) as u32 {
            0 => ExpectReply::No,
            1 => ExpectReply::Yes,
            _ => ExpectReply::Learn,
        },
    };
    let message_bytes_max = next(1.0, U32_MAX) as u32;
    let outbox = OutboxConfig {
        messages_max: next(1.0, U32_MAX) as u32,
        bytes_max: next(1.0, 2f64.powi(53)) as u64,
        overflow: instance::overflow(next(0.0, 3.0)),
    };
    let has_token = next(0.0, 1.0) != 0.0;
    let high_water = next(0.0, U32_MAX) as u64;
    let rate = instance::rate(next(0.0, 1e9), next(1.0, U32_MAX));
    let config = Config {
        backoff,
        liveness,
        outbox,
        message_bytes_max,
        connect_timeout,
        has_token,
        high_water,
        rate,
        rests_hidden: next(0.0, 1.0) != 0.0,
    };
    (config, seed)
}
