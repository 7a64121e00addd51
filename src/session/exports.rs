//! The exports. None of them throws, so anything thrown through one means that the instance is dead.

use std::cell::Cell;
use std::rc::Rc;

use everwire_core::engine::{LogEpoch, Producer, Subject};
use everwire_core::frame::Form;
use everwire_core::session::client::{self, Cast, Client, Config, PageAsk, PageId};
use everwire_core::session::down::Delivery;
use everwire_core::session::up::Outgoing;
use everwire_core::{Duration, Instant, OutboxConfig, Ticket};
use js_sys::Float64Array;
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

use super::driver::Driver;
use super::facade::Facade;
pub use super::host::SessionHost;
use super::runs;
pub use crate::instance::InstanceHost;
use crate::instance::{self, Instance, Numbers};
use crate::link;

/// Octets of a producer.
const PRODUCER_BYTES: usize = 16;

thread_local! {
    static INSTANCE: Cell<Option<&'static Instance<Driver<Facade>>>> = const { Cell::new(None) };
}

fn wire(handle: u32) -> Option<Rc<Driver<Facade>>> {
    INSTANCE.get()?.wire(handle)
}

/// One entry that only feeds the machine.
fn tell(handle: u32, input: impl FnOnce(&mut Client, Instant)) {
    if let Some(wire) = wire(handle) {
        wire.enter(input);
    }
}

/// A time span that may be none.
fn span(ms: f64) -> Option<Duration> {
    (ms >= 0.0).then(|| Duration::from_millis_f64(ms))
}

/// The secrets that stand one after the other in these octets.
fn producer(octets: &[u8], at: usize) -> Producer {
    let mut producer = [0; PRODUCER_BYTES];
    let from = octets.iter().skip(at * PRODUCER_BYTES);
    producer.iter_mut().zip(from).for_each(|(to, octet)| *to = *octet);
    Producer(producer)
}

fn form(binary: bool) -> Form {
    if binary { Form::Binary } else { Form::Text }
}

/// Once per instance.
#[wasm_bindgen]
pub fn instance_start(instance: InstanceHost) {
    INSTANCE.set(Some(Instance::start(instance)));
}

/// A wire that dials nothing yet, under a producer of 16 octets that nobody else has. 0 if the instance was never
/// started.
#[wasm_bindgen]
pub fn wire_create(host: SessionHost, config: &Float64Array, secret: &[u8]) -> u32 {
    let Some(instance) = INSTANCE.get() else { return 0 };
    let (config, seed) = decode(config);
    instance.keep(Driver::new(config, seed, producer(secret, 0), Facade::new(host, &instance.host)))
}

/// The wire is wanted.
#[wasm_bindgen]
pub fn wire_connect(handle: u32) {
    if let Some(wire) = wire(handle) {
        wire.connect();
    }
}

/// 0 taken · 1 closed · 2 too large · 3 outbox full. It goes out when the turn is over.
#[wasm_bindgen]
#[expect(clippy::too_many_arguments, reason = "one call of numbers is what crosses the boundary fast")]
pub fn wire_submit(
    handle: u32,
    ticket: u32,
    bytes: u32,
    binary: bool,
    priority: u8,
    key: f64,
    ttl_ms: f64,
    answer_ms: f64,
) -> u32 {
    let Some(wire) = wire(handle) else { return 1 };
    let key = (key >= 0.0).then_some(key as u32);
    let message = Outgoing { priority, key, ..Outgoing::new(Ticket(ticket), bytes, form(binary)) };
    wire.submit(message, span(ttl_ms), span(answer_ms)).map_or_else(|refusal| 1 + refusal as u32, |()| 0)
}

/// The turn in which messages were submitted is over.
#[wasm_bindgen]
pub fn wire_turn_over(handle: u32) {
    if let Some(wire) = wire(handle) {
        wire.turn_over();
    }
}

/// The application no longer waits for a message.
#[wasm_bindgen]
pub fn wire_abort(handle: u32, ticket: u32) {
    tell(handle, |client, now| client.handle_abort(Ticket(ticket), now));
}

/// True if it went out; `cast` of the host was called inside.
#[wasm_bindgen]
pub fn wire_cast(handle: u32, ticket: u32, bytes: u32, binary: bool) -> bool {
    let cast = Cast { ticket: Ticket(ticket), bytes, form: form(binary) };
    wire(handle).is_some_and(|wire| wire.cast(cast))
}

/// 0 taken · 1 no room's name · 2 too many rooms.
#[wasm_bindgen]
pub fn wire_join(handle: u32, room: &str) -> u32 {
    let Some(wire) = wire(handle) else { return 0 };
    wire.join(Subject::from(room)).map_or_else(|unfit| 1 + unfit as u32, |()| 0)
}

/// The room is no longer wanted.
#[wasm_bindgen]
pub fn wire_leave(handle: u32, room: &str) {
    tell(handle, |client, now| client.handle_leave(&Subject::from(room), now));
}

/// 0 taken · 1 no room's name or a count out of range · 2 too many wait · 3 closed.
#[wasm_bindgen]
pub fn wire_page(handle: u32, page: u32, room: &str, epoch: &str, before: f64, count: u16) -> u32 {
    let Some(wire) = wire(handle) else { return 3 };
    let before = (before >= 0.0).then(|| (LogEpoch::from(epoch), before as u64));
    let ask = PageAsk { page: PageId(page), subject: Subject::from(room), before, count };
    wire.page(ask).map_or_else(|unfit| 1 + unfit as u32, |()| 0)
}

/// A page is no longer wanted.
#[wasm_bindgen]
pub fn wire_page_abort(handle: u32, page: u32) {
    tell(handle, |client, now| client.handle_page_abort(PageId(page), now));
}

/// Handlers that have ended, well or badly: runs of their deliveries.
#[wasm_bindgen]
pub fn wire_settled(handle: u32, runs: &[f64]) {
    if let Some(wire) = wire(handle) {
        wire.handlers_settled(runs::numbers(runs).map(Delivery));
    }
}

/// A socket has been made for this link; 48 octets of secrets that nobody has used.
#[wasm_bindgen]
pub fn wire_dialled(handle: u32, link: f64, socket: WebSocket, token_changed: bool, fresh: &[u8]) {
    match wire(handle) {
        Some(wire) => {
            let fresh = [0, 1, 2].map(|at| producer(fresh, at));
            wire.dialled(link as u64, socket, token_changed, fresh);
        }
        None => link::abandon(&socket),
    }
}

/// No socket could be made for this link.
#[wasm_bindgen]
pub fn wire_dial_failed(handle: u32, link: f64) {
    tell(handle, |client, now| client.handle_dial_failed(link as u64, now));
}

/// The token that `renew` has asked for is there; its frame has so many octets.
#[wasm_bindgen]
pub fn wire_renewed(handle: u32, link: f64, bytes: f64) {
    tell(handle, |client, now| client.handle_renewed(link as u64, bytes as u64, now));
}

/// There is none.
#[wasm_bindgen]
pub fn wire_renewal_failed(handle: u32, link: f64) {
    tell(handle, |client, now| client.handle_renewal_failed(link as u64, now));
}

/// The smoothed round trip in ms; 0 while none has been measured.
#[wasm_bindgen]
pub fn wire_round_trip(handle: u32) -> f64 {
    wire(handle).map_or(0.0, |wire| wire.round_trip().as_millis_f64())
}

/// A new link is wanted now.
#[wasm_bindgen]
pub fn wire_reconnect(handle: u32) {
    tell(handle, Client::handle_reconnect);
}

/// The wire is no longer wanted; what waits may be written for so long.
#[wasm_bindgen]
pub fn wire_close(handle: u32, drain_ms: f64) {
    tell(handle, |client, now| client.handle_close(Duration::from_millis_f64(drain_ms), now));
}

/// The wire is forgotten, and its link with it.
#[wasm_bindgen]
pub fn wire_free(handle: u32) {
    if let Some(instance) = INSTANCE.get() {
        instance.free(handle);
    }
}

/// Whether a client at `present` may dial the `url` of a `goaway`. [AWAY-8]
#[wasm_bindgen]
pub fn wire_follows(url: &str, present: &str, redirects: Vec<String>) -> bool {
    client::may_follow(url, present, &redirects)
}

fn decode(config: &Float64Array) -> (Config, u64) {
    const U32_MAX: f64 = Numbers::U32_MAX;
    const HOUR_MS: f64 = 3_600_000.0;
    let mut numbers = Numbers::new(config);
    let seed = numbers.seed();
    let mut next = |min: f64, max: f64| numbers.next(min, max);
    let millis = Duration::from_millis_f64;
    let config = Config {
        attempts_max: next(0.0, U32_MAX) as u32,
        connect_timeout: millis(next(1.0, HOUR_MS)),
        interval: millis(next(1.0, HOUR_MS)),
        message_bytes_max: next(1.0, U32_MAX) as u32,
        takes_bytes_max: next(1.0, U32_MAX) as u32,
        high_water: next(0.0, U32_MAX) as u64,
        outbox: OutboxConfig {
            messages_max: next(1.0, U32_MAX) as u32,
            bytes_max: next(1.0, 2f64.powi(53)) as u64,
            overflow: instance::overflow(next(0.0, 3.0)),
        },
        has_token: next(0.0, 1.0) != 0.0,
        rate: instance::rate(next(0.0, 1e9), next(1.0, U32_MAX)),
        rests_hidden: next(0.0, 1.0) != 0.0,
    };
    (config, seed)
}
