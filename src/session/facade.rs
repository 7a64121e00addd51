//! The facade of the npm package as the driver's host.

use everwire_core::engine::Subject;
use everwire_core::frame::PageMark;
use everwire_core::session::client::{Action, Notice, Opened, Outbound, PageFailure, PageId, Unbacked, Why};
use everwire_core::session::down::Taken;
use everwire_core::session::up::{Dropped, Exit, Exited, Written};
use everwire_core::{Duration, State, Ticket};
use js_sys::{Float64Array, Function, Uint32Array};
use wasm_bindgen::JsValue;
use web_sys::WebSocket;

use super::driver::{Ended, Host};
use super::frame::Inbound;
use super::host::{NONE, SessionHost, number};
use super::runs::Runs;
use super::{gather, outbound};
use crate::instance::InstanceHost;

/// What of one drain crosses the boundary together: handlers to start, and messages that are settled.
#[derive(Default)]
pub(super) struct Batch {
    /// Delivery and s.
    started: Runs,
    settled: Vec<u32>,
    durable: bool,
}

pub(super) struct Facade {
    host: SessionHost,
    instance: &'static InstanceHost,
}

impl Facade {
    pub(super) fn new(host: SessionHost, instance: &'static InstanceHost) -> Self {
        Self { host, instance }
    }

    /// In the order in which they came; only those of one kind that stand together go together.
    fn flush(&self, batch: &mut Batch) {
        if !batch.settled.is_empty() {
            self.host.settled(&Uint32Array::from(batch.settled.as_slice()), batch.durable);
            batch.settled.clear();
        }
        if !batch.started.is_empty() {
            self.host.started(&batch.started.take());
        }
    }
}

impl Host for Facade {
    type Batch = Batch;

    fn dial(&self, link: u64, redirected: bool) {
        self.host.dial(number(link), redirected);
    }

    fn forget_socket(&self) {
        self.host.forget_socket();
    }

    fn write(&self, socket: &WebSocket, head: &str, frame: &Outbound) -> bool {
        match frame {
            Outbound::Hello(hello) => outbound::hello(&self.host, socket, head, hello),
            Outbound::Send(Written { messages, .. }) => {
                let tickets = gather(messages.iter().map(|numbered| numbered.message.ticket.0));
                let withdrawn = messages.first().is_some_and(|numbered| numbered.withdrawn);
                self.host.send(socket, head, &Uint32Array::from(tickets.as_slice()), withdrawn)
            }
            Outbound::Cast(cast) => self.host.cast(socket, head, cast.ticket.0),
            Outbound::Auth => self.host.auth(socket, head),
            _ => self.host.write(socket, head),
        }
    }

    fn inspect(&self, data: &JsValue) -> Inbound {
        self.host.inspect(data);
        Inbound::of(&self.host)
    }

    /// What is of another kind comes after what has been gathered.
    fn gathers(&self, action: &Action, batch: &mut Batch) -> bool {
        match action {
            Action::Start(started) => {
                if !batch.settled.is_empty() {
                    self.flush(batch);
                }
                batch.started.push(&[number(started.delivery.0), number(started.s)]);
                true
            }
            Action::Exited { exited: Exited { ticket, exit: Exit::Settled, .. }, durable } => {
                if !batch.started.is_empty() || batch.durable != *durable {
                    self.flush(batch);
                }
                batch.durable = *durable;
                batch.settled.push(ticket.0);
                true
            }
            _ => {
                self.flush(batch);
                false
            }
        }
    }

    fn drained(&self, batch: &mut Batch) {
        self.flush(batch);
    }

    fn renew(&self, link: u64) {
        self.host.renew(number(link));
    }

    fn exited(&self, exited: &Exited, durable: bool) {
        outbound::exited(&self.host, exited, durable);
    }

    fn opened(&self, opened: &Opened) {
        outbound::opened(&self.host, opened);
    }

    fn received(&self, taken: &Taken) {
        let mut indices = Runs::default();
        taken.fresh.iter().for_each(|fresh| indices.push(&[f64::from(fresh.index)]));
        if !indices.is_empty() {
            self.host.received(&indices.take());
        }
    }

    fn joined(&self, room: &Subject, from: u64) {
        self.host.joined(room.as_str(), number(from));
    }

    fn denied(&self, subject: &Subject, code: &str) {
        self.host.denied(subject.as_str(), code);
    }

    fn lost(&self, subjects: &[Subject]) {
        self.host.lost(&outbound::texts(subjects));
    }

    fn unbacked(&self, unbacked: &Unbacked) {
        outbound::unbacked(&self.host, unbacked);
    }

    fn answered(&self, ticket: Ticket) {
        self.host.answered(ticket.0);
    }

    fn unanswered(&self, ticket: Ticket, why: Dropped) {
        self.host.unanswered(ticket.0, outbound::dropped(why));
    }

    fn paged(&self, page: PageId, mark: PageMark, numbers: Vec<u64>) {
        let numbers = gather(numbers.into_iter().map(number));
        self.host.paged(page.0, mark as u32, &Float64Array::from(numbers.as_slice()));
    }

    fn page_failed(&self, page: PageId, why: &PageFailure) {
        outbound::page_failed(&self.host, page, why);
    }

    fn casts(&self) {
        self.host.casts();
    }

    fn state(&self, state: State) {
        self.host.state(state as u32);
    }

    fn ended(&self, ended: Ended) {
        let Ended { link, why, code, retry, reason, clean } = ended;
        let clause = if let Why::Broken { clause } = why { clause } else { "" };
        let retry_ms = retry.map_or(NONE, Duration::as_millis_f64);
        let why = outbound::why_number(why);
        self.host.ended(number(link), why, code.into(), retry_ms, clause, &reason, clean);
    }

    fn reconnecting(&self, attempt: u32, delay: Duration, why: Why, code: u16) {
        self.host.reconnecting(attempt, delay.as_millis_f64(), outbound::why_number(why), code.into());
    }

    fn notice(&self, notice: Notice) {
        outbound::notice(&self.host, notice);
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
