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
use everwire_core::frame::{BATCH_BYTES_FILLED, PageMark};
use everwire_core::session::Client;
use everwire_core::session::client::{
    Action, Cast, Close, Config, Notice, Opened, Outbound, PageAsk, PageFailure, PageId, PageUnfit, Phase,
    Unbacked, Why,
};
use everwire_core::session::down::{Delivery, Started, Taken, Unfit};
use everwire_core::session::up::{Dropped, Exited, Outgoing};
use everwire_core::{Closed, Duration, Instant, Refusal, State, Ticket};
use js_sys::{Function, JsString};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::Closure;
use web_sys::WebSocket;

use super::frame::Inbound;
use crate::clock::Clock;
use crate::life;
use crate::link::{self, Listener, Sink, Transport, WebSocketLink, empty};
use crate::page::{Page, PageEvent, is_hidden, offline};
use crate::timer::Timer;
use crate::trap::{self, Place};
use crate::yard::{self, Remains};

/// Whoever holds payloads and promises for the machine. Nothing here runs code of the user: it is queued.
pub(crate) trait Host: 'static {
    /// What of one drain is told together.
    type Batch: Default;

    /// Ask for url and token and make a socket; then [`Driver::dialled`], or the machine's `handle_dial_failed`.
    fn dial(&self, link: u64, redirected: bool);
    /// The socket is of no more use.
    fn forget_socket(&self);
    /// Writes a frame that begins with this; false if the socket did not take it.
    fn write(&self, socket: &WebSocket, head: &str, frame: &Outbound) -> bool;
    /// Reads one frame, and keeps its elements in hand until the next.
    fn inspect(&self, data: &JsValue) -> Inbound;
    /// Takes what is to be told together with its like: true if there is nothing more to do about it.
    fn gathers(&self, _action: &Action, _batch: &mut Self::Batch) -> bool {
        false
    }
    /// All that the machine wanted is done, for now.
    fn drained(&self, _batch: &mut Self::Batch) {}

    /// An entry is over, nothing is borrowed, and the timer is armed: now the application may be called.
    fn finished(&self) {}

    // ---- what the machine says, action by action ----

    fn renew(&self, link: u64);
    fn exited(&self, exited: &Exited, durable: bool);
    fn opened(&self, opened: &Opened);
    fn received(&self, taken: &Taken);
    fn start(&self, _started: &Started) {}
    fn joined(&self, room: &Subject, from: u64);
    fn denied(&self, subject: &Subject, code: &str);
    fn lost(&self, subjects: &[Subject]);
    fn unbacked(&self, unbacked: &Unbacked);
    fn answered(&self, ticket: Ticket);
    fn unanswered(&self, ticket: Ticket, why: Dropped);
    fn paged(&self, page: PageId, mark: PageMark, numbers: Vec<u64>);
    fn page_failed(&self, page: PageId, why: &PageFailure);
    fn casts(&self);
    fn state(&self, state: State);
    fn ended(&self, ended: Ended);
    fn reconnecting(&self, attempt: u32, delay: Duration, why: Why, code: u16);
    fn notice(&self, notice: Notice);

    // ---- the browser ----

    /// Wraps a function that is to be given to the browser.
    fn guard(&self, function: &Function) -> Function {
        function.clone()
    }
    /// What was wrapped must not be called any more.
    fn release(&self, _guarded: &Function) {}
    /// An entry through the timer begins: gloo-timers makes a closure of its own, which cannot be wrapped …
    fn timer_begins(&self) {}
    /// … and has ended.
    fn timer_ended(&self) {}
}

/// What the machine says of an end, and what the `close` event said.
pub(crate) struct Ended {
    #[cfg_attr(not(feature = "session"), expect(dead_code, reason = "the facade's alone"))]
    pub(crate) link: u64,
    pub(crate) why: Why,
    pub(crate) code: u16,
    pub(crate) retry: Option<Duration>,
    pub(crate) reason: JsString,
    pub(crate) clean: bool,
}

struct Current {
    number: u64,
    transport: Rc<WebSocketLink>,
}

pub(crate) struct Driver<H: Host> {
    me: Weak<Self>,
    host: H,
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

impl<H: Host> Driver<H> {
    /// A wire that does nothing until [`Self::connect`].
    pub(crate) fn new(config: Config, seed: u64, producer: Producer, host: H) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            host,
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

    pub(crate) fn host(&self) -> &H {
        &self.host
    }

    pub(crate) fn state(&self) -> State {
        self.client.borrow().state()
    }

    // ---- entries: the application and the host ----

    /// One entry of the application's: what it wants of the machine, between the clock and the drain.
    pub(crate) fn enter<T>(&self, input: impl FnOnce(&mut Client, Instant) -> T) -> T {
        let now = self.begin(Place::Export);
        let answer = input(&mut self.client.borrow_mut(), now);
        self.finish(now);
        answer
    }

    pub(crate) fn connect(&self) {
        let now = self.begin(Place::Export);
        if self.client.borrow().phase() == Phase::Idle {
            let me = self.me.clone();
            *self.page.borrow_mut() = Page::listen(
                life::KINDS,
                self,
                Closure::new(move |event: PageEvent| {
                    if let Some((driver, event)) = me.upgrade().zip(life::Event::read(&event)) {
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
    pub(crate) fn submit(
        &self,
        message: Outgoing,
        ttl: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Result<(), Refusal> {
        // With the comma or bracket in front of it.
        let octets = u64::from(message.bytes) + 1;
        // A frame that is full need not wait for the turn to end.
        let gathered = self.gathering.get().filter(|(_, gathered)| gathered + octets < BATCH_BYTES_FILLED);
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
    pub(crate) fn turn_over(&self) {
        if self.gathering.get().is_some() {
            self.enter(|_, _| ());
        }
    }

    #[cfg(feature = "session")]
    /// The smoothed round trip; zero while none has been measured.
    pub(super) fn round_trip(&self) -> Duration {
        self.client.borrow().round_trip()
    }

    /// True if it went out.
    pub(crate) fn cast(&self, cast: Cast) -> bool {
        self.enter(|client, now| client.cast(cast, now))
    }

    pub(crate) fn join(&self, room: Subject) -> Result<(), Unfit> {
        self.enter(|client, now| {
            client.admits_room(&room)?;
            client.handle_join(room, now);
            Ok(())
        })
    }

    pub(crate) fn page(&self, ask: PageAsk) -> Result<(), PageUnfit> {
        self.enter(|client, now| client.page(ask, now))
    }

    pub(crate) fn handlers_settled(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        self.enter(|client, now| {
            for delivery in deliveries {
                client.handle_settled(delivery, now);
            }
        });
    }

    /// The host has made a socket.
    pub(crate) fn dialled(&self, link: u64, socket: WebSocket, token_changed: bool, fresh: [Producer; 3]) {
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
        let (now, slept) = clock.read(true);
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
        let mut batch = H::Batch::default();
        loop {
            let action = self.client.borrow_mut().poll();
            match action {
                Some(action) => self.perform(action, &mut batch, now),
                None => break,
            }
        }
        self.host.drained(&mut batch);
        self.draining.set(false);
        self.arm(now);
        self.host.finished();
    }

    fn current(&self) -> Option<Rc<WebSocketLink>> {
        self.link.borrow().as_ref().map(|link| Rc::clone(&link.transport))
    }

    fn perform(&self, action: Action, batch: &mut H::Batch, now: Instant) {
        if self.host.gathers(&action, batch) {
            return;
        }
        match action {
            Action::Write { link, frame } => self.write(link, &frame, now),
            Action::Dial { link, redirected } => {
                self.reason.replace(empty());
                self.clean.set(false);
                self.host.dial(link, redirected);
            }
            Action::Leave { link, close } => self.leave(link, close),
            Action::Ended { link, why, code, retry } => self.ended(link, why, code, retry),
            Action::Renew { link } => self.host.renew(link),
            Action::Exited { exited, durable } => self.host.exited(&exited, durable),
            Action::Opened(opened) => self.host.opened(&opened),
            Action::Received(taken) => self.host.received(&taken),
            Action::Start(started) => self.host.start(&started),
            Action::Joined(place) => self.host.joined(&place.subject, place.from),
            Action::Denied { subject, code } => self.host.denied(&subject, &code),
            Action::Lost { subjects, .. } => self.host.lost(&subjects),
            Action::Unbacked(unbacked) => self.host.unbacked(&unbacked),
            Action::Answered { ticket, .. } => self.host.answered(ticket),
            Action::Unanswered { ticket, why, .. } => self.host.unanswered(ticket, why),
            Action::Paged { page, mark, numbers } => self.host.paged(page, mark, numbers),
            Action::PageFailed { page, why } => self.host.page_failed(page, &why),
            Action::Casts => self.host.casts(),
            Action::StateChanged(state) => self.host.state(state),
            Action::Reconnecting { attempt, delay, why, code } => {
                self.host.reconnecting(attempt, delay, why, code);
            }
            Action::Notice(notice) => self.host.notice(notice),
            // For a record that outlives the instance; nobody keeps one yet.
            Action::Keep(_) | Action::Alone { .. } | Action::Produce { .. } | Action::Advanced { .. } => {}
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
        let written = self.host.write(socket, &head, frame);
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
        let reason = self.reason.replace(empty());
        self.host.ended(Ended { link, why, code, retry, reason, clean: self.clean.get() });
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
        self.host.timer_begins();
        yard::sweep();
        {
            let _frame = yard::Frame::enter();
            self.timer.fired();
            let now = self.begin(Place::Timer);
            self.finish(now);
        }
        self.host.timer_ended();
    }

    fn leave_page(&self) {
        if let Some(page) = self.page.take() {
            page.leave(self);
            yard::bury(Remains::Page(page));
        }
    }

    fn page_changed(&self, event: life::Event) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Page);
        {
            let mut client = self.client.borrow_mut();
            match event {
                life::Event::Online => client.handle_online(now),
                life::Event::Offline => client.handle_offline(now),
                life::Event::NetworkChanged => client.handle_network_changed(now),
                life::Event::Visible(visible) => client.handle_visible(visible, now),
                life::Event::Thawed => {
                    client.handle_wake(now);
                    // Browsers differ in whether this is told apart.
                    client.handle_visible(!is_hidden(), now);
                }
                life::Event::PutAway => client.handle_suspend(now),
                life::Event::Back => client.handle_resume(!is_hidden(), now),
            }
        }
        self.finish(now);
    }
}

impl<H: Host> Sink for Driver<H> {
    fn guard(&self, function: &Function) -> Function {
        self.host.guard(function)
    }

    fn release(&self, guarded: &Function) {
        self.host.release(guarded);
    }

    fn listener(&self, link: u32) -> Listener {
        let to = self.me.clone();
        Listener::new(self, move |data| {
            if let Some(driver) = to.upgrade() {
                driver.frame(link, data);
            }
        })
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

impl<H: Host> Driver<H> {
    fn frame(&self, link: u32, data: &JsValue) {
        let now = self.begin(Place::Socket);
        if let Some((number, _)) = self.of(link) {
            let inbound = self.host.inspect(data);
            let head = inbound.head.as_bytes();
            self.client.borrow_mut().handle_frame(number, head, inbound.shape, inbound.body(), now);
        }
        self.finish(now);
    }

    /// The link in use, if an event is of it.
    fn of(&self, link: u32) -> Option<(u64, Rc<WebSocketLink>)> {
        let current = self.link.borrow();
        let current = current.as_ref().filter(|current| current.number as u32 == link)?;
        Some((current.number, Rc::clone(&current.transport)))
    }
}

impl<H: Host> Drop for Driver<H> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.retire(link);
        }
        self.leave_page();
    }
}
