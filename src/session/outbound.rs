//! What the machine has to say, as the numbers and texts in which it crosses the boundary.

use everwire_core::engine::{Producer, Subject};
use everwire_core::session::Hello;
use everwire_core::session::client::{Notice, Opened, PageFailure, PageId, Unbacked, Why};
use everwire_core::session::up::{Dropped, Exit, Exited, Unwritten};
use js_sys::{Array, Float64Array, Uint32Array};
use wasm_bindgen::JsValue;
use web_sys::WebSocket;

use super::gather;
use super::host::{NONE, SessionHost, number, number_or_none};

pub(super) fn hello(host: &SessionHost, socket: &WebSocket, head: &str, hello: &Hello) -> bool {
    let mut numbers = vec![
        number(hello.link),
        number(hello.oldest),
        number(hello.written),
        number_or_none(hello.born),
        number_or_none(hello.position),
        number(hello.held.messages),
        number(hello.held.octets),
        if hello.visible { 1.0 } else { 0.0 },
        hello.rooms.len() as f64,
    ];
    for room in &hello.rooms {
        numbers.push(number_or_none(room.from));
    }
    numbers.push(hello.pending.len() as f64);
    for n in &hello.pending {
        numbers.push(number(*n));
    }
    let texts = Array::new();
    let text = |text: &str| {
        texts.push(&JsValue::from_str(text));
    };
    text(&hex(&hello.producer));
    text(&hello.successor.as_ref().map(hex).unwrap_or_default());
    text(hello.epoch.as_ref().map_or("", |epoch| epoch.as_str()));
    for room in &hello.rooms {
        text(room.room.as_str());
        text(room.grant.as_ref().map_or("", |grant| grant.reveal()));
    }
    host.hello(socket, head, &Float64Array::from(numbers.as_slice()), &texts)
}

pub(super) fn exited(host: &SessionHost, exited: &Exited, durable: bool) {
    let (exit, why, code) = match &exited.exit {
        Exit::Settled => (0, 0, ""),
        Exit::Refused(code) => (1, 0, code.as_str()),
        Exit::Dropped(why) => (2, dropped(*why), ""),
    };
    host.exited(exited.ticket.0, number_or_none(exited.n), exit, why, durable, code);
}

pub(super) fn opened(host: &SessionHost, opened: &Opened) {
    let numbers = [
        number(opened.link),
        if opened.durable { 1.0 } else { 0.0 },
        opened.message_bytes_max.into(),
        opened.rooms_max.into(),
        number(opened.time),
        opened.attempts.into(),
        number(opened.position),
    ];
    let names = Array::new();
    names.push(&JsValue::from_str(opened.own.as_str()));
    names.push(&JsValue::from_str(opened.epoch.as_str()));
    for room in &opened.joined {
        names.push(&JsValue::from_str(room.as_str()));
    }
    host.opened(&Float64Array::from(numbers.as_slice()), &names);
}

pub(super) fn unbacked(host: &SessionHost, unbacked: &Unbacked) {
    let mut ranges = Vec::new();
    for range in &unbacked.ranges {
        ranges.push(number(range.first));
        ranges.push(number(range.last));
    }
    let tickets = gather(unbacked.tickets.iter().map(|ticket| ticket.0));
    host.unbacked(&Float64Array::from(ranges.as_slice()), &Uint32Array::from(tickets.as_slice()));
}

pub(super) fn notice(host: &SessionHost, notice: Notice) {
    let (kind, a, b, clause) = match notice {
        Notice::TokenRefused => (0, NONE, NONE, ""),
        Notice::ProtocolError { count, clause } => (1, count.into(), NONE, clause.unwrap_or_default()),
        Notice::NotSpoken => (2, NONE, NONE, ""),
        Notice::Unavailable => (3, NONE, NONE, ""),
        Notice::StoreStalled { n, code } => (4, number(n), code.map_or(NONE, f64::from), ""),
        Notice::TooSlow => (5, NONE, NONE, ""),
        Notice::Unsettled(delivery) => (6, number(delivery.0), NONE, ""),
        Notice::WindowShut(delivery) => (7, number(delivery.0), NONE, ""),
    };
    host.notice(kind, a, b, clause);
}

pub(super) fn page_failed(host: &SessionHost, page: PageId, why: &PageFailure) {
    let (why, code) = match why {
        PageFailure::Refused(code) => (0, code.as_str()),
        PageFailure::LinkLost => (1, ""),
        PageFailure::Lost => (2, ""),
        PageFailure::Closed => (3, ""),
    };
    host.page_failed(page.0, why, code);
}

pub(super) fn texts(subjects: &[Subject]) -> Array {
    let texts = Array::new();
    for subject in subjects {
        texts.push(&JsValue::from_str(subject.as_str()));
    }
    texts
}

/// 32 lower-case hexadecimal digits.
fn hex(producer: &Producer) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::new();
    for octet in producer.0 {
        for nibble in [octet >> 4, octet & 15] {
            text.push(char::from(DIGITS[usize::from(nibble & 15)]));
        }
    }
    text
}

pub(super) fn dropped(why: Dropped) -> u32 {
    match why {
        Dropped::Unknown => 0,
        Dropped::InDoubt => 1,
        Dropped::NeverWritten(Unwritten::Overflow) => 2,
        Dropped::NeverWritten(Unwritten::Expired) => 3,
        Dropped::NeverWritten(Unwritten::Replaced) => 4,
        Dropped::NeverWritten(Unwritten::Aborted) => 5,
        Dropped::NeverWritten(Unwritten::TooLarge) => 6,
        Dropped::NeverWritten(Unwritten::Closed) => 7,
    }
}

pub(super) fn why_number(why: Why) -> u32 {
    match why {
        Why::Lost => 0,
        Why::ClosedByServer => 1,
        Why::NoReply => 2,
        Why::NoWelcome => 3,
        Why::Broken { .. } => 4,
        Why::NotSelected => 5,
        Why::ConnectTimeout => 6,
        Why::DialFailed => 7,
        Why::ProviderFailed => 8,
        Why::SameToken => 9,
        Why::Goaway => 10,
        Why::WriteFailed => 11,
        Why::Online => 12,
        Why::Wake => 13,
        Why::Visible => 14,
        Why::Restored => 15,
        Why::Wish => 16,
        Why::Suspended => 17,
        Why::Exhausted => 18,
        Why::Closed => 19,
        Why::Refused => 20,
        Why::Attempts => 21,
        Why::TooLong { .. } => 22,
    }
}
