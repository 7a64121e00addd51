//! The loop around the machine of one wire.
//!
//! Every entry — an export, a socket event, the timer, a page event — does the same:
//! 1. read the clock; a machine that has slept hears of it first;
//! 2. feed the input;
//! 3. drain the actions, **with nothing borrowed while one is carried out**. What the host does in there may come
//!    back in as another entry: that one only feeds, and leaves the draining to the loop that runs;
//! 4. arm the one timer at the next deadline.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::{Rc, Weak};

use everwire_core::session::up::Outgoing;
use everwire_core::{
    Action, Cause, Client, Closed, Config, Duration, Frame, Instant, Notice, Phase, Reason, Refusal, State,
    Ticket, Window,
};
use js_sys::{Function, JsString};
use wasm_bindgen::prelude::Closure;
use web_sys::WebSocket;

use crate::clock::Clock;
use crate::life;
use crate::link::{self, Listener, Sink, Transport, WebSocketLink, empty};
use crate::page::{self, Page, PageEvent};
use crate::timer::Timer;
use crate::trap::{self, Place};
use crate::yard::{self, Remains};

/// Whoever holds payloads and promises for the machine. Nothing here runs code of the user: it is queued.
pub(crate) trait Host: 'static {
    fn dial(&self, link: u32);
    fn write(&self, socket: &WebSocket, ticket: Ticket) -> bool;
    fn beat(&self, socket: &WebSocket) -> bool;
    fn settled(&self, ticket: Ticket);
    fn dropped(&self, ticket: Ticket, reason: Reason);
    fn state(&self, state: State);
    fn opened(&self, link: u32, attempts: u32);
    fn ended(&self, link: u32, cause: Cause, closed: Closed, reason: &JsString, retry: Option<Duration>);
    fn reconnecting(&self, attempt: u32, delay: Duration, cause: Cause, code: u16);
    fn notice(&self, notice: Notice);

    /// What is to hear of the frames of a link, and to tell [`Driver::frame`].
    fn listener(driver: &Driver<Self>, link: u32) -> Listener
    where
        Self: Sized;
    /// An entry is over, and all is settled.
    fn drained(&self) {}
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

struct Current {
    number: u32,
    transport: Rc<dyn Transport>,
}

/// What the application says when it closes.
struct Goodbye {
    code: u16,
    reason: JsString,
}

pub(crate) struct Driver<H: Host> {
    me: Weak<Self>,
    host: H,
    client: RefCell<Client>,
    clock: Cell<Clock>,
    draining: Cell<bool>,
    /// The last that the machine was told is a frame with messages of others on this link, at this time, and it had nothing
    /// to do about it.
    heard: Cell<Option<(u32, Instant)>>,
    /// An own message has come back in the frame that is about to be told.
    echo: Cell<bool>,
    link: RefCell<Option<Current>>,
    timer: Timer,
    page: RefCell<Option<Page>>,
    goodbye: RefCell<Option<Goodbye>>,
    /// The reason in the `close` event of the last link; empty if there was none.
    reason: RefCell<JsString>,
}

impl<H: Host> Driver<H> {
    /// A wire that does nothing until [`Self::connect`].
    pub(crate) fn new(config: Config, seed: u64, host: H) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            host,
            client: RefCell::new(Client::new(config, seed)),
            clock: Cell::new(Clock::start()),
            draining: Cell::new(false),
            heard: Cell::new(None),
            echo: Cell::new(false),
            link: RefCell::new(None),
            timer: Timer::default(),
            page: RefCell::new(None),
            goodbye: RefCell::new(None),
            reason: RefCell::new(empty()),
        })
    }

    pub(crate) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(crate) fn host(&self) -> &H {
        &self.host
    }

    pub(crate) fn state(&self) -> State {
        self.client.borrow().state()
    }

    /// How many messages wait, and their bytes.
    pub(crate) fn waiting(&self) -> (usize, u64) {
        self.client.borrow().waiting()
    }

    /// The smoothed round trip; zero while none has been measured.
    #[cfg(feature = "npm")]
    pub(crate) fn round_trip(&self) -> Duration {
        self.client.borrow().round_trip()
    }

    /// Whether a socket for this link is still asked for.
    pub(crate) fn wants(&self, number: u32) -> bool {
        let client = self.client.borrow();
        client.link() == number && client.phase() == Phase::Asking
    }

    // ---- entries: the application and the host ----

    pub(crate) fn connect(&self) {
        let now = self.begin(Place::Export);
        if self.client.borrow().phase() == Phase::Idle {
            self.client.borrow_mut().handle_connect(now);
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
            if page::is_hidden() {
                client.handle_visible(false, now);
            }
            if page::offline() {
                client.handle_offline(now);
            }
        }
        self.finish(now);
    }

    /// A message, and how long it is worth writing.
    pub(crate) fn submit(&self, message: Outgoing, ttl: Option<Duration>) -> Result<(), Refusal> {
        let now = self.begin(Place::Export);
        let message = Outgoing { expires: ttl.map(|ttl| now + ttl), ..message };
        let taken = self.client.borrow_mut().submit_as(message, now);
        self.finish(now);
        taken
    }

    pub(crate) fn abort(&self, ticket: Ticket) -> bool {
        let now = self.begin(Place::Export);
        let waited = self.client.borrow_mut().handle_abort(ticket, now);
        self.finish(now);
        waited
    }

    /// An own message has come back; told before the frame that it came in, so this only feeds.
    pub(crate) fn echoed(&self, ticket: Ticket) {
        self.echo.set(true);
        self.client.borrow_mut().handle_echo(ticket);
    }

    /// The host has made a socket.
    pub(crate) fn dialled(&self, number: u32, socket: WebSocket, token_changed: bool) {
        let now = self.begin(Place::Export);
        match self.sink().filter(|_| self.wants(number)) {
            Some(sink) => {
                let transport = Rc::new(WebSocketLink::attach(number, socket, &sink));
                *self.link.borrow_mut() = Some(Current { number, transport });
                self.client.borrow_mut().handle_dialled(number, token_changed, now);
            }
            // The providers took so long that the dial has been given up.
            None => link::abandon(&socket),
        }
        self.finish(now);
    }

    pub(crate) fn dial_failed(&self, number: u32) {
        let now = self.begin(Place::Export);
        self.client.borrow_mut().handle_dial_failed(number, now);
        self.finish(now);
    }

    pub(crate) fn reconnect(&self) {
        let now = self.begin(Place::Export);
        self.client.borrow_mut().handle_reconnect(now);
        self.finish(now);
    }

    pub(crate) fn close(&self, code: u16, reason: JsString, drain: Duration) {
        let now = self.begin(Place::Export);
        // The first one counts; another only shortens the time.
        self.goodbye.borrow_mut().get_or_insert(Goodbye { code, reason });
        self.client.borrow_mut().handle_close(drain, now);
        self.finish(now);
    }

    /// Whether it is the link in use.
    pub(crate) fn has_link(&self, link: u32) -> bool {
        self.link.borrow().as_ref().is_some_and(|current| current.number == link)
    }

    /// A frame has come.
    ///
    /// Of several in a row in the same instant, all with messages of others, the machine hears of the first: if it has
    /// nothing to do about that, any other would find every deadline where it is to set it. A feed of 15,000 frames a
    /// second has a dozen to a millisecond, and each that the machine hears of costs a page 3 µs: most of that is for code
    /// that has left the caches since.
    pub(crate) fn frame(&self, link: u32, frame: Frame) {
        trap::spring(Place::Socket);
        let (now, slept) = self.tick(false);
        let of_others = !self.echo.take() && frame == Frame::Message;
        if of_others && !slept && self.heard.get() == Some((link, now)) {
            return self.host.drained();
        }
        self.begin_now(now, slept);
        if self.has_link(link) {
            self.client.borrow_mut().handle_frame(link, frame, now);
            // Before what follows from it: whoever comes in again has told something else.
            self.heard.set(of_others.then_some((link, now)));
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
        let (now, slept) = self.tick(place != Place::Export);
        self.begin_now(now, slept);
        now
    }

    /// The time, and whether the machine has slept.
    fn tick(&self, exact: bool) -> (Instant, bool) {
        let mut clock = self.clock.get();
        let read = clock.read(exact);
        self.clock.set(clock);
        read
    }

    fn begin_now(&self, now: Instant, slept: bool) {
        self.heard.set(None);
        self.look_at_buffer(now);
        if slept {
            self.timer.stop();
            self.client.borrow_mut().handle_wake(now);
        }
    }

    /// Only once the machine holds the buffer for full: it reckons with what it writes, and this is a call out of every
    /// entry.
    fn look_at_buffer(&self, now: Instant) {
        if !self.client.borrow().is_over_high_water() {
            return;
        }
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
        let mut acted = false;
        loop {
            let action = self.client.borrow_mut().poll();
            if let Some(action) = action {
                self.heard.set(None);
                self.perform(action, now);
                acted = true;
            } else if mem::take(&mut acted) {
                // What was written may have left already: then there is more to do at once.
                self.look_at_buffer(now);
            } else {
                break;
            }
        }
        self.draining.set(false);
        self.arm(now);
        self.host.drained();
    }

    fn current(&self) -> Option<Rc<dyn Transport>> {
        self.link.borrow().as_ref().map(|link| Rc::clone(&link.transport))
    }

    fn perform(&self, action: Action, now: Instant) {
        match action {
            Action::Dial { link } => {
                self.reason.replace(empty());
                self.host.dial(link);
            }
            Action::Write { ticket } => {
                let written = self.current().is_some_and(|link| self.host.write(link.socket(), ticket));
                if !written {
                    self.client.borrow_mut().handle_write_failed(ticket, now);
                }
            }
            Action::Beat => {
                let written = self.current().is_some_and(|link| self.host.beat(link.socket()));
                if !written {
                    self.client.borrow_mut().handle_beat_failed(now);
                }
            }
            Action::CloseLink => {
                let goodbye = self.goodbye.take();
                if let Some((link, goodbye)) = self.current().zip(goodbye) {
                    link.close(goodbye.code, &goodbye.reason);
                }
            }
            Action::DropLink { link } => {
                let dropped = self.link.borrow_mut().take_if(|current| current.number == link);
                if let Some(dropped) = dropped {
                    retire(dropped, self);
                }
            }
            Action::Settled { ticket } => self.host.settled(ticket),
            Action::Dropped { ticket, reason } => self.host.dropped(ticket, reason),
            Action::StateChanged(state) => self.host.state(state),
            Action::Opened { link, attempts } => self.host.opened(link, attempts),
            Action::Ended { link, cause, closed, retry } => {
                if retry.is_none() {
                    self.leave_page();
                }
                let reason = self.reason.replace(empty());
                self.host.ended(link, cause, closed, &reason, retry);
            }
            Action::Reconnecting { attempt, delay, cause, code } => {
                self.host.reconnecting(attempt, delay, cause, code);
            }
            Action::Notice(notice) => self.host.notice(notice),
        }
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
                    client.handle_visible(!page::is_hidden(), now);
                }
                life::Event::PutAway => client.handle_suspend(now),
                life::Event::Back => client.handle_resume(!page::is_hidden(), now),
            }
        }
        self.finish(now);
    }

    fn leave_page(&self) {
        if let Some(page) = self.page.take() {
            page.leave(self);
            yard::bury(Remains::Page(page));
        }
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
        H::listener(self, link)
    }

    fn link_opened(&self, link: u32) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Socket);
        self.client.borrow_mut().handle_link_open(link, now);
        self.finish(now);
    }

    fn link_closed(&self, link: u32, code: u16, clean: bool, reason: JsString) {
        let _frame = yard::Frame::enter();
        let now = self.begin(Place::Socket);
        if self.has_link(link) {
            let mut client = self.client.borrow_mut();
            if let Some(window) = link::window_in(&reason) {
                client.handle_window(link, Window::Instructed(window), now);
            }
            client.handle_link_closed(link, Closed { code, clean }, now);
            *self.reason.borrow_mut() = reason;
        }
        self.finish(now);
    }
}

impl<H: Host> Drop for Driver<H> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            retire(link, self);
        }
        self.leave_page();
    }
}

fn retire(link: Current, sink: &dyn Sink) {
    link.transport.abandon(sink);
    yard::bury(Remains::Link(link.transport));
}
