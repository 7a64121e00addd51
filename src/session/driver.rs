//! The loop around the exactly-once machine of one wire.
//!
//! Every entry — an export, a socket event, the timer, a page event — does the same:
//! 1. read the clock; a machine that has slept hears of it first, and then what the socket's buffer holds;
//! 2. feed the input;
//! 3. drain the actions, **with nothing borrowed while one is carried out**. What the host does in there may come
//!    back in as another entry: that one only feeds, and leaves the draining to the loop that runs;
//! 4. arm the one timer at the next deadline.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use everwire_core::engine::{Producer, Subject};
use everwire_core::session::Client;
use everwire_core::session::client::{
    Action, Cast, Close, Config, Notice, Opened, Outbound, PageAsk, PageFailure, PageUnfit, Phase, Unbacked,
    Why,
};
use everwire_core::session::down::{Delivery, Unfit};
use everwire_core::session::up::{Dropped, Exit, Exited, Outgoing, Unwritten, Written};
use everwire_core::{Closed, Duration, Instant, Refusal};
use gloo_timers::callback::Timeout;
use js_sys::{Array, Float64Array, Function, JsString, Uint32Array};
use wasm_bindgen::JsValue;
use web_sys::WebSocket;

use super::host::{NONE, SessionHost, number, number_or_none};
use super::inbound::Inbound;
use super::page::{self, Page};
use crate::clock::Clock;
use crate::instance::InstanceHost;
use crate::link::{self, Sink, Transport, WebSocketLink, empty};
use crate::trap::{self, Place};
use crate::yard::{self, Remains};

/// `setTimeout` takes a signed 32-bit number; anything above it fires at once.
const TIMEOUT_MAX_MS: u32 = i32::MAX as u32;

struct Armed {
    at: Instant,
    timeout: Timeout,
}

struct Current {
    number: u64,
    transport: Rc<WebSocketLink>,
}

/// What of one drain crosses the boundary together: handlers to start, and messages that are settled.
#[derive(Default)]
struct Batch {
    started: Vec<f64>,
    settled: Vec<u32>,
    durable: bool,
}

pub(crate) struct Driver {
    me: Weak<Self>,
    host: SessionHost,
    instance: &'static InstanceHost,
    client: RefCell<Client>,
    clock: Cell<Clock>,
    draining: Cell<bool>,
    link: RefCell<Option<Current>>,
    timer: RefCell<Option<Armed>>,
    page: RefCell<Option<Page>>,
    /// How the last link's `close` event put it; empty if there was none.
    reason: RefCell<JsString>,
    clean: Cell<bool>,
}

impl Driver {
    /// A wire that does nothing until [`Self::connect`].
    pub(super) fn new(
        config: Config,
        seed: u64,
        producer: Producer,
        host: SessionHost,
        instance: &'static InstanceHost,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            host,
            instance,
            client: RefCell::new(Client::new(config, seed, producer)),
            clock: Cell::new(Clock::start()),
            draining: Cell::new(false),
            link: RefCell::new(None),
            timer: RefCell::new(None),
            page: RefCell::new(None),
            reason: RefCell::new(empty()),
            clean: Cell::new(false),
        })
    }

    // ---- entries: the application and the host ----

    /// One entry of the application's: what it wants of the machine, between the clock and the drain.
    pub(super) fn enter<T>(&self, input: impl FnOnce(&mut Client, Instant) -> T) -> T {
        let now = self.begin(Place::Export);
        let answer = input(&mut self.client.borrow_mut(), now);
        self.finish(now);
        answer
    }

    pub(super) fn connect(&self) {
        let now = self.begin(Place::Export);
        if self.client.borrow().phase() == Phase::Idle {
            *self.page.borrow_mut() = self.me.upgrade().and_then(|me| Page::listen(&me));
            let mut client = self.client.borrow_mut();
            if page::is_hidden() {
                client.handle_visible(false, now);
            }
            client.handle_connect(now);
            if crate::page::offline() {
                client.handle_offline(now);
            }
        }
        self.finish(now);
    }

    pub(super) fn submit(
        &self,
        message: Outgoing,
        ttl: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Result<(), Refusal> {
        self.enter(|client, now| {
            let message = Outgoing { expires: ttl.map(|ttl| now + ttl), ..message };
            let message = timeout.map_or(message, |timeout| message.answered_within(timeout, now));
            client.admits(&message)?;
            client.submit(message, now);
            Ok(())
        })
    }

    /// True if it went out.
    pub(super) fn cast(&self, cast: Cast) -> bool {
        self.enter(|client, now| client.cast(cast, now))
    }

    pub(super) fn join(&self, room: Subject) -> Result<(), Unfit> {
        self.enter(|client, now| {
            client.admits_room(&room)?;
            client.handle_join(room, now);
            Ok(())
        })
    }

    pub(super) fn page(&self, ask: PageAsk) -> Result<(), PageUnfit> {
        self.enter(|client, now| client.page(ask, now))
    }

    pub(super) fn handlers_settled(&self, deliveries: &[f64]) {
        self.enter(|client, now| {
            for delivery in deliveries {
                client.handle_settled(Delivery(*delivery as u64), now);
            }
        });
    }

    /// The host has made a socket.
    pub(super) fn dialled(&self, link: u64, socket: WebSocket, token_changed: bool, fresh: [Producer; 3]) {
        let now = self.begin(Place::Export);
        let wanted = {
            let client = self.client.borrow();
            client.link() == link && client.phase() == Phase::Asking
        };
        match self.sink().filter(|_| wanted) {
            Some(sink) => {
                let transport = Rc::new(WebSocketLink::attach(link as u32, socket, &sink));
                *self.link.borrow_mut() = Some(Current { number: link, transport });
                self.client.borrow_mut().handle_dialled(link, token_changed, fresh, now);
            }
            // The providers took so long that the dial has been given up.
            None => link::abandon(&socket),
        }
        self.finish(now);
    }

    // ---- the loop ----

    fn sink(&self) -> Option<Rc<dyn Sink>> {
        Some(self.me.upgrade()?)
    }

    fn begin(&self, place: Place) -> Instant {
        trap::spring(place);
        if place == Place::Export {
            yard::sweep();
        }
        let mut clock = self.clock.get();
        let (now, slept) = clock.read();
        self.clock.set(clock);
        self.buffered(now);
        if slept {
            // The browser's timer may have stood still: it is armed anew.
            drop(self.timer.take());
            self.client.borrow_mut().handle_wake(now);
        }
        now
    }

    /// Before each input: what has left the buffer since the last one.
    fn buffered(&self, now: Instant) {
        if let Some(link) = self.current() {
            let octets = link::buffered(link.socket());
            self.client.borrow_mut().handle_buffered(octets, now);
        }
    }

    fn finish(&self, now: Instant) {
        // Deadlines are looked at in every entry, not only in the timer's: a throttled page has few of those.
        self.client.borrow_mut().handle_timeout(now);
        if self.draining.replace(true) {
            return;
        }
        let mut batch = Batch::default();
        loop {
            let action = self.client.borrow_mut().poll();
            match action {
                Some(action) => self.perform(action, &mut batch, now),
                None => break,
            }
        }
        self.flush(&mut batch);
        self.draining.set(false);
        self.arm(now);
    }

    /// In the order in which they came; only those of one kind that stand together go together.
    fn flush(&self, batch: &mut Batch) {
        if !batch.settled.is_empty() {
            self.host.settled(&Uint32Array::from(batch.settled.as_slice()), batch.durable);
            batch.settled.clear();
        }
        if !batch.started.is_empty() {
            self.host.started(&Float64Array::from(batch.started.as_slice()));
            batch.started.clear();
        }
    }

    fn current(&self) -> Option<Rc<WebSocketLink>> {
        self.link.borrow().as_ref().map(|link| Rc::clone(&link.transport))
    }

    fn perform(&self, action: Action, batch: &mut Batch, now: Instant) {
        match action {
            Action::Start(started) => {
                if !batch.settled.is_empty() {
                    self.flush(batch);
                }
                batch.started.extend([number(started.delivery.0), number(started.s)]);
                return;
            }
            Action::Exited { exited: Exited { ticket, exit: Exit::Settled, .. }, durable } => {
                if !batch.started.is_empty() || batch.durable != durable {
                    self.flush(batch);
                }
                batch.durable = durable;
                batch.settled.push(ticket.0);
                return;
            }
            _ => self.flush(batch),
        }
        match action {
            Action::Write { link, frame } => self.write(link, &frame, now),
            Action::Dial { link, redirected } => {
                self.reason.replace(empty());
                self.clean.set(false);
                self.host.dial(number(link), redirected);
            }
            Action::Leave { link, close } => self.leave(link, close),
            Action::Renew { link } => self.host.renew(number(link)),
            Action::Exited { exited, durable } => self.exited(&exited, durable),
            Action::Opened(opened) => self.opened(&opened),
            Action::Received(taken) => {
                let indices: Vec<u32> = taken.fresh.iter().map(|fresh| fresh.index.into()).collect();
                if !indices.is_empty() {
                    self.host.received(&Uint32Array::from(indices.as_slice()));
                }
            }
            Action::Joined(place) => self.host.joined(place.subject.as_str(), number(place.from)),
            Action::Denied { subject, code } => self.host.denied(subject.as_str(), &code),
            Action::Lost { subjects, .. } => self.host.lost(&texts(&subjects)),
            Action::Unbacked(unbacked) => self.unbacked(&unbacked),
            Action::Answered { ticket, .. } => self.host.answered(ticket.0),
            Action::Unanswered { ticket, why, .. } => self.host.unanswered(ticket.0, dropped(why)),
            Action::Paged { page, mark, numbers } => {
                let numbers: Vec<f64> = numbers.into_iter().map(number).collect();
                self.host.paged(page.0, mark as u32, &Float64Array::from(numbers.as_slice()));
            }
            Action::PageFailed { page, why } => match why {
                PageFailure::Refused(code) => self.host.page_failed(page.0, 0, code.as_str()),
                PageFailure::LinkLost => self.host.page_failed(page.0, 1, ""),
                PageFailure::Lost => self.host.page_failed(page.0, 2, ""),
                PageFailure::Closed => self.host.page_failed(page.0, 3, ""),
            },
            Action::Casts => self.host.casts(),
            Action::StateChanged(state) => self.host.state(state as u32),
            Action::Ended { link, why, code, retry } => self.ended(link, why, code, retry),
            Action::Reconnecting { attempt, delay, why, code } => {
                self.host.reconnecting(attempt, delay.as_millis_f64(), why_number(why), code.into());
            }
            Action::Notice(notice) => self.notice(notice),
            // For a record that outlives the instance; this host keeps none.
            Action::Keep(_) | Action::Alone { .. } | Action::Produce { .. } | Action::Advanced { .. } => {}
            // Both are above.
            Action::Start(_) => {}
        }
    }

    fn write(&self, link: u64, frame: &Outbound, now: Instant) {
        let current = self
            .link
            .borrow()
            .as_ref()
            .filter(|current| current.number == link)
            .map(|current| Rc::clone(&current.transport));
        let Some(transport) = current else { return };
        let socket = transport.socket();
        let mut head = Vec::new();
        frame.head(&mut head);
        // It is ASCII.
        let head = String::from_utf8(head).unwrap_or_default();
        let written = match frame {
            Outbound::Hello(hello) => self.hello(socket, &head, hello),
            Outbound::Send(Written { messages, .. }) => {
                let tickets: Vec<u32> = messages.iter().map(|numbered| numbered.message.ticket.0).collect();
                let withdrawn = messages.first().is_some_and(|numbered| numbered.withdrawn);
                self.host.send(socket, &head, &Uint32Array::from(tickets.as_slice()), withdrawn)
            }
            Outbound::Cast(cast) => self.host.cast(socket, &head, cast.ticket.0),
            Outbound::Auth => self.host.auth(socket, &head),
            _ => self.host.write(socket, &head),
        };
        if !written {
            self.client.borrow_mut().handle_write_failed(link, now);
        }
    }

    fn hello(&self, socket: &WebSocket, head: &str, hello: &everwire_core::session::Hello) -> bool {
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
        numbers.extend(hello.rooms.iter().map(|room| number_or_none(room.from)));
        numbers.push(hello.pending.len() as f64);
        numbers.extend(hello.pending.iter().copied().map(number));
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
        self.host.hello(socket, head, &Float64Array::from(numbers.as_slice()), &texts)
    }

    fn leave(&self, link: u64, close: Option<Close>) {
        // Behind a `bye` the machine waits for the `close` event: the link stays until then.
        let closing = self.client.borrow().phase() == Phase::Closing;
        let left = self.link.borrow_mut().take_if(|current| current.number == link);
        let Some(left) = left else { return };
        if let Some(close) = close {
            left.transport.close(close.code, &JsString::from(close.reason));
        }
        if closing {
            *self.link.borrow_mut() = Some(left);
        } else {
            self.retire(left);
            self.host.forget_socket();
        }
    }

    fn retire(&self, link: Current) {
        link.transport.abandon(self);
        yard::bury(Remains::Link(link.transport));
    }

    fn exited(&self, exited: &Exited, durable: bool) {
        let (exit, why, code) = match &exited.exit {
            Exit::Settled => (0, 0, ""),
            Exit::Refused(code) => (1, 0, code.as_str()),
            Exit::Dropped(why) => (2, dropped(*why), ""),
        };
        self.host.exited(exited.ticket.0, number_or_none(exited.n), exit, why, durable, code);
    }

    fn opened(&self, opened: &Opened) {
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
        self.host.opened(&Float64Array::from(numbers.as_slice()), &names);
    }

    fn unbacked(&self, unbacked: &Unbacked) {
        let ranges: Vec<f64> =
            unbacked.ranges.iter().flat_map(|range| [number(range.first), number(range.last)]).collect();
        let tickets: Vec<u32> = unbacked.tickets.iter().map(|ticket| ticket.0).collect();
        self.host.unbacked(&Float64Array::from(ranges.as_slice()), &Uint32Array::from(tickets.as_slice()));
    }

    fn ended(&self, link: u64, why: Why, code: u16, retry: Option<Duration>) {
        if retry.is_none() && why != Why::Suspended {
            self.leave_page();
            let left = self.link.take();
            if let Some(left) = left {
                self.retire(left);
            }
        }
        let clause = if let Why::Broken { clause } = why { clause } else { "" };
        let reason = self.reason.replace(empty());
        let retry_ms = retry.map_or(NONE, Duration::as_millis_f64);
        let (why, clean) = (why_number(why), self.clean.get());
        self.host.ended(number(link), why, code.into(), retry_ms, clause, &reason, clean);
    }

    fn notice(&self, notice: Notice) {
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
        self.host.notice(kind, a, b, clause);
    }

    /// Sees to it that the timer fires in time. It may fire earlier than needed: most deadlines only ever move
    /// further away, and a timer that looks once in a while is cheaper than one that is armed anew with every frame.
    fn arm(&self, now: Instant) {
        let Some(at) = self.client.borrow().next_deadline() else { return };
        if self.timer.borrow().as_ref().is_some_and(|armed| armed.at <= at) {
            return;
        }
        let delay_ms = at.since(now).as_micros().div_ceil(1000).min(u64::from(TIMEOUT_MAX_MS)) as u32;
        let at = at.min(now + Duration::from_millis(u64::from(delay_ms)));
        let me = self.me.clone();
        let timeout = Timeout::new(delay_ms, move || {
            if let Some(driver) = me.upgrade() {
                driver.fired();
            }
        });
        // The one that this replaces has not fired, so its closure is not running.
        *self.timer.borrow_mut() = Some(Armed { at, timeout });
    }

    fn fired(&self) {
        self.instance.enter();
        yard::sweep();
        {
            let _frame = yard::Frame::enter();
            if let Some(armed) = self.timer.take() {
                yard::bury(Remains::Timer(armed.timeout));
            }
            let now = self.begin(Place::Timer);
            self.finish(now);
        }
        self.instance.leave();
    }

    fn leave_page(&self) {
        if let Some(page) = self.page.take() {
            page.leave(self);
            yard::bury(Remains::SessionPage(page));
        }
    }

    pub(super) fn page_changed(&self, event: page::Event) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Page);
        {
            let mut client = self.client.borrow_mut();
            match event {
                page::Event::Online => client.handle_online(now),
                page::Event::Offline => client.handle_offline(now),
                page::Event::Visible(visible) => client.handle_visible(visible, now),
                page::Event::PutAway => client.handle_suspend(now),
                page::Event::Back => client.handle_resume(now),
            }
        }
        self.finish(now);
    }
}

impl Sink for Driver {
    fn guard(&self, function: &Function) -> Function {
        self.instance.guard(function)
    }

    fn release(&self, guarded: &Function) {
        self.instance.release(guarded);
    }

    fn link_opened(&self, link: u32) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Socket);
        if let Some((number, transport)) = self.of(link) {
            let selected = link::protocol(transport.socket()) == JsValue::from_str("everwire.v1");
            self.client.borrow_mut().handle_link_open(number, selected, now);
        }
        self.finish(now);
    }

    fn link_frame(&self, link: u32, data: &JsValue) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Socket);
        if let Some((number, _)) = self.of(link) {
            self.host.inspect(data);
            let inbound = Inbound::of(&self.host);
            let head = inbound.head.as_bytes();
            self.client.borrow_mut().handle_frame(number, head, inbound.shape, inbound.body(), now);
        }
        self.finish(now);
    }

    fn link_closed(&self, link: u32, code: u16, clean: bool, reason: JsString) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Socket);
        if let Some((number, _)) = self.of(link) {
            let text = String::from(&reason);
            *self.reason.borrow_mut() = reason;
            self.clean.set(clean);
            self.client.borrow_mut().handle_link_closed(number, Closed { code, clean }, &text, now);
        }
        self.finish(now);
    }

    fn network_changed(&self, online: bool) {
        self.page_changed(if online { page::Event::Online } else { page::Event::Offline });
    }
}

impl Driver {
    /// The link in use, if an event is of it.
    fn of(&self, link: u32) -> Option<(u64, Rc<WebSocketLink>)> {
        let current = self.link.borrow();
        let current = current.as_ref().filter(|current| current.number as u32 == link)?;
        Some((current.number, Rc::clone(&current.transport)))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.retire(link);
        }
        self.leave_page();
    }
}

fn texts(subjects: &[Subject]) -> Array {
    subjects.iter().map(|subject| JsValue::from_str(subject.as_str())).collect()
}

/// 32 lower-case hexadecimal digits.
fn hex(producer: &Producer) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    producer.0.iter().flat_map(|octet| [digit(octet >> 4), digit(*octet)]).collect()
}

fn dropped(why: Dropped) -> u32 {
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

fn why_number(why: Why) -> u32 {
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
