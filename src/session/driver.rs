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
use everwire_core::frame::BATCH_BYTES_MAX;
use everwire_core::session::Client;
use everwire_core::session::client::{Action, Cast, Close, Config, Outbound, PageAsk, PageUnfit, Phase, Why};
use everwire_core::session::down::{Delivery, Unfit};
use everwire_core::session::up::{Exit, Exited, Outgoing, Written};
use everwire_core::{Closed, Duration, Instant, Refusal};
use js_sys::{Float64Array, Function, JsString, Uint32Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::Closure;
use web_sys::WebSocket;

use super::host::{NONE, SessionHost, number};
use super::inbound::Inbound;
use super::{gather, outbound, page};
use crate::clock::Clock;
use crate::instance::InstanceHost;
use crate::link::{self, Sink, Transport, WebSocketLink, empty};
use crate::page::{Page, PageEvent, is_hidden, offline};
use crate::timer::Timer;
use crate::trap::{self, Place};
use crate::yard::{self, Remains};

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
    /// When the messages of this turn began to gather, if nothing else has been done since, and their octets.
    gathering: Cell<Option<(Instant, u64)>>,
    draining: Cell<bool>,
    link: RefCell<Option<Current>>,
    timer: Timer,
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
            gathering: Cell::new(None),
            draining: Cell::new(false),
            link: RefCell::new(None),
            timer: Timer::default(),
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
            let me = self.me.clone();
            *self.page.borrow_mut() = Page::listen(
                page::KINDS,
                self,
                Closure::new(move |event: PageEvent| {
                    if let Some((driver, event)) = me.upgrade().zip(page::Event::read(&event)) {
                        driver.page_changed(event);
                    }
                }),
            );
            let mut client = self.client.borrow_mut();
            if is_hidden() {
                client.handle_visible(false, now);
            }
            client.handle_connect(now);
            if offline() {
                client.handle_offline(now);
            }
        }
        self.finish(now);
    }

    /// The one entry that does not drain at once: what is submitted in one turn shares frames, so the host calls
    /// [`Self::turn_over`] when the turn is over. Any other entry before that drains it along.
    pub(super) fn submit(
        &self,
        message: Outgoing,
        ttl: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Result<(), Refusal> {
        // With the comma or bracket in front of it.
        let octets = u64::from(message.bytes) + 1;
        // A frame that is full need not wait for the turn to end.
        let gathered = self.gathering.get().filter(|(_, gathered)| gathered + octets < BATCH_BYTES_MAX);
        if let Some((now, _)) = self.gathering.get().filter(|_| gathered.is_none()) {
            self.finish(now);
        }
        // Two clocks are read and a socket asked: once a frame will do, unless the message has a time of its own.
        let (since, gathered) = gathered.unwrap_or_else(|| (self.begin(Place::Export), 0));
        let timed = ttl.is_some() || timeout.is_some();
        let now = if timed && gathered > 0 { self.begin(Place::Export) } else { since };
        self.gathering.set(Some((now, gathered + octets)));
        let message = Outgoing { expires: ttl.map(|ttl| now + ttl), ..message };
        let message = timeout.map_or(message, |timeout| message.answered_within(timeout, now));
        let mut client = self.client.borrow_mut();
        client.admits(&message)?;
        client.submit(message, now);
        Ok(())
    }

    /// Lets out what was submitted in the turn.
    pub(super) fn turn_over(&self) {
        if self.gathering.get().is_some() {
            self.enter(|_, _| ());
        }
    }

    /// The smoothed round trip; zero while none has been measured.
    pub(super) fn round_trip(&self) -> Duration {
        self.client.borrow().round_trip()
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
            self.timer.stop();
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
        self.gathering.set(None);
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
                batch.started.push(number(started.delivery.0));
                batch.started.push(number(started.s));
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
            Action::Exited { exited, durable } => outbound::exited(&self.host, &exited, durable),
            Action::Opened(opened) => outbound::opened(&self.host, &opened),
            Action::Received(taken) => {
                let indices = gather(taken.fresh.iter().map(|fresh| u32::from(fresh.index)));
                if !indices.is_empty() {
                    self.host.received(&Uint32Array::from(indices.as_slice()));
                }
            }
            Action::Joined(place) => self.host.joined(place.subject.as_str(), number(place.from)),
            Action::Denied { subject, code } => self.host.denied(subject.as_str(), &code),
            Action::Lost { subjects, .. } => self.host.lost(&outbound::texts(&subjects)),
            Action::Unbacked(unbacked) => outbound::unbacked(&self.host, &unbacked),
            Action::Answered { ticket, .. } => self.host.answered(ticket.0),
            Action::Unanswered { ticket, why, .. } => self.host.unanswered(ticket.0, outbound::dropped(why)),
            Action::Paged { page, mark, numbers } => {
                let numbers = gather(numbers.into_iter().map(number));
                self.host.paged(page.0, mark as u32, &Float64Array::from(numbers.as_slice()));
            }
            Action::PageFailed { page, why } => outbound::page_failed(&self.host, page, &why),
            Action::Casts => self.host.casts(),
            Action::StateChanged(state) => self.host.state(state as u32),
            Action::Ended { link, why, code, retry } => self.ended(link, why, code, retry),
            Action::Reconnecting { attempt, delay, why, code } => {
                self.host.reconnecting(
                    attempt,
                    delay.as_millis_f64(),
                    outbound::why_number(why),
                    code.into(),
                );
            }
            Action::Notice(notice) => outbound::notice(&self.host, notice),
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
            Outbound::Hello(hello) => outbound::hello(&self.host, socket, &head, hello),
            Outbound::Send(Written { messages, .. }) => {
                let tickets = gather(messages.iter().map(|numbered| numbered.message.ticket.0));
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
        let (why, clean) = (outbound::why_number(why), self.clean.get());
        self.host.ended(number(link), why, code.into(), retry_ms, clause, &reason, clean);
    }

    fn arm(&self, now: Instant) {
        let Some(at) = self.client.borrow().next_deadline() else { return };
        let me = self.me.clone();
        self.timer.arm(at, now, move || {
            if let Some(driver) = me.upgrade() {
                driver.fired();
            }
        });
    }

    fn fired(&self) {
        self.instance.enter();
        yard::sweep();
        {
            let _frame = yard::Frame::enter();
            self.timer.fired();
            let now = self.begin(Place::Timer);
            self.finish(now);
        }
        self.instance.leave();
    }

    fn leave_page(&self) {
        if let Some(page) = self.page.take() {
            page.leave(self);
            yard::bury(Remains::Page(page));
        }
    }

    fn page_changed(&self, event: page::Event) {
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
