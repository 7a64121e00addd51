//! The machine of one wire.

mod action;
mod flow;
mod page;

use std::collections::VecDeque;

pub use action::{Action, Config, Frame};

use crate::backoff::{Backoff, Ground};
use crate::close::Closed;
use crate::codes::{Cause, Notice, Reason, Refusal, State};
use crate::frame::Form;
use crate::limiter::Limiter;
use crate::liveness::{Heard, LATE, Liveness, Overdue};
use crate::outbox::{Outbox, Ticket, Unwrite};
use crate::pacer::Pacer;
use crate::random::Random;
use crate::session::up::{Outgoing, Unwritten};
use crate::spread::Window;
use crate::state::{Event, Phase};
use crate::time::{Duration, Instant};
use crate::timer::{Timer, Timers};

/// With no time at all a dial would fail in the instant in which it starts, for ever.
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// A silent link is used after twice the time its dial took, within these bounds: a server that accepts and then
/// refuses does so right behind the upgrade response.
const PROVE_MIN: Duration = Duration::from_millis(50);
const PROVE_MAX: Duration = Duration::from_secs(1);
/// A written message is settled by a frame that comes so much later at the least.
const SETTLE_AFTER: Duration = Duration::from_secs(2);

/// What the machine keeps about the current link.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    dialled_at: Instant,
    opened_at: Instant,
    proved_at: Instant,
    /// A frame has come in.
    heard: bool,
    /// A message has been written.
    wrote: bool,
    /// The socket takes nothing more; its `close` event, which knows why, is awaited.
    mute: bool,
    /// The last written message was spilled and the user has been told.
    spilled: bool,
    /// What is in the transport's buffer, as far as is known: what was there when it was last looked at, and what has
    /// been written since.
    buffered: u64,
    /// An own message has come back in the frame that is about to be told: when it had been written.
    echo: Option<Instant>,
}

/// What the machine remembers of refused tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    /// Nothing has been refused.
    Fresh,
    /// One was refused; the next dial asks for another.
    Refused,
    /// One was refused, and the dial that runs uses another.
    Replaced,
}

/// The state machine of one wire, best effort.
///
/// Drive it like this:
/// 1. Tell it what happened with `handle_*(…, now)` or [`Client::submit`]. `now` never goes backwards.
/// 2. Carry out what [`Client::poll`] returns **until it returns `None`**, in that order. An action may lead to an
///    input at once (a write that fails, a dial that cannot start): give it before the next `poll`.
/// 3. Wait for the next event, at the longest until [`Client::next_deadline`]; then [`Client::handle_timeout`].
///
/// Every ticket that [`Client::submit`] took leaves by exactly one [`Action::Settled`] or [`Action::Dropped`].
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    random: Random,
    phase: Phase,
    told: State,
    offline: bool,
    hidden: bool,
    draining: bool,
    number: u32,
    link: Link,
    credential: Credential,
    timers: Timers,
    backoff: Backoff,
    liveness: Liveness,
    outbox: Outbox,
    pacer: Pacer,
    limiter: Limiter,
    /// What is to be done, in order; `None` was taken back.
    actions: VecDeque<Option<Action>>,
}

impl Client {
    /// A wire that does nothing until [`Self::handle_connect`]. The seed spreads its delays.
    pub fn new(mut config: Config, seed: u64) -> Self {
        config.connect_timeout = config.connect_timeout.max(CONNECT_TIMEOUT_MIN);
        Self {
            config,
            random: Random::new(seed),
            phase: Phase::Idle,
            told: State::Connecting,
            offline: false,
            hidden: false,
            draining: false,
            number: 0,
            link: Link::default(),
            credential: Credential::Fresh,
            timers: Timers::default(),
            backoff: Backoff::new(config.backoff),
            liveness: Liveness::new(config.liveness),
            outbox: Outbox::new(config.outbox),
            pacer: Pacer::default(),
            limiter: Limiter::new(config.rate),
            actions: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        while let Some(slot) = self.actions.pop_front() {
            if slot.is_some() {
                return slot;
            }
        }
        None
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What the user is told.
    pub fn state(&self) -> State {
        self.phase.state(self.offline, self.draining)
    }

    /// What the wire is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of the current link, and of the last one while there is none.
    pub fn link(&self) -> u32 {
        self.number
    }

    /// How many messages wait, and their bytes.
    pub fn waiting(&self) -> (usize, u64) {
        (self.outbox.len(), self.outbox.bytes())
    }

    /// The smoothed round trip; zero while none has been measured.
    pub fn round_trip(&self) -> Duration {
        self.liveness.rtt.smoothed()
    }

    /// Whether the transport's buffer is fuller than is written into, as far as is known: look at it, and tell it with
    /// [`Self::handle_buffered`], before the next input and after the last action.
    pub fn is_over_high_water(&self) -> bool {
        self.link.buffered > self.config.high_water
    }

    /// How many written messages are unsettled.
    pub fn in_flight(&self) -> usize {
        self.outbox.in_flight()
    }

    // ---- inputs: the application ----

    /// The application wants the wire.
    pub fn handle_connect(&mut self, now: Instant) {
        if self.step(Event::Connect) {
            self.ask(now);
        }
    }

    /// The application hands in a message of so many bytes, under a ticket that is not in use.
    ///
    /// # Errors
    /// [`Refusal`]: the message was not taken, and its ticket is free.
    pub fn submit(&mut self, ticket: Ticket, bytes: u32, now: Instant) -> Result<(), Refusal> {
        self.submit_as(Outgoing::new(ticket, bytes, Form::Text), now)
    }

    /// As [`Self::submit`], of a message with a priority, a key or a time to live. These act on it while it waits; what
    /// has been written stays. Its form and the time for an answer mean nothing here.
    ///
    /// # Errors
    /// [`Refusal`]: the message was not taken, and its ticket is free.
    pub fn submit_as(&mut self, message: Outgoing, now: Instant) -> Result<(), Refusal> {
        // An overdue answer is a verdict before it is a write: the message stays here.
        self.handle_timeout(now);
        if self.draining || matches!(self.phase, Phase::Closing | Phase::Closed) {
            return Err(Refusal::Closed);
        }
        if message.bytes > self.config.message_bytes_max {
            return Err(Refusal::TooLarge);
        }
        let actions = &mut self.actions;
        self.outbox.push(message, &mut |gone, why| {
            let reason = if why == Unwritten::Replaced { Reason::Replaced } else { Reason::Overflow };
            actions.push_back(Some(Action::Dropped { ticket: gone.ticket, reason }));
        })?;
        self.pacer.submitted(now);
        self.write(now);
        self.watch_late();
        Ok(())
    }

    /// The application no longer wants a message to be sent. True if it had not been written: it leaves. What has
    /// been written stays in flight.
    pub fn handle_abort(&mut self, ticket: Ticket, now: Instant) -> bool {
        let waited = self.outbox.remove(ticket);
        if waited {
            self.order(Action::Dropped { ticket, reason: Reason::Aborted });
            self.shut_if_drained(now);
        }
        waited
    }

    /// The application wants a new link now, whatever the backoff says. A link in use is given up for it, and what
    /// was written on it and is not settled is in doubt; a dial that runs goes on.
    pub fn handle_reconnect(&mut self, now: Instant) {
        if !self.draining && matches!(self.phase, Phase::Proving | Phase::Open) {
            // Nothing has failed: this counts as no attempt, and no limit of attempts forbids it.
            let undelayed = self.backoff.take_budget(now);
            let short = self.config.backoff.delay_min;
            let delay = if undelayed { Duration::ZERO } else { self.random.within(short) };
            self.part(Cause::Reconnect, Closed::NONE, delay, now);
            self.handle_timeout(now);
        } else {
            self.redial(Cause::Reconnect, now);
        }
    }

    /// The application closes: what waits may be written for so long, then it leaves.
    pub fn handle_close(&mut self, drain: Duration, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        if self.outbox.len() == 0 || drain == Duration::ZERO || self.phase == Phase::Idle {
            return self.shut(now);
        }
        let until = now + drain;
        if !self.draining || self.timers.at(Timer::Drain).is_none_or(|at| until < at) {
            self.timers.set(Timer::Drain, until);
        }
        self.draining = true;
        self.tell();
    }

    // ---- inputs: the link ----

    /// The providers have answered and a socket is connecting.
    pub fn handle_dialled(&mut self, link: u32, token_changed: bool, now: Instant) {
        if link != self.number || self.phase != Phase::Asking {
            return;
        }
        self.step(Event::Dialled);
        if self.credential == Credential::Refused && token_changed {
            self.credential = Credential::Replaced;
        }
        self.link.dialled_at = now;
        self.timers.set(Timer::Connect, now + self.config.connect_timeout);
    }

    /// A provider failed, or gave something of which no socket can be made.
    pub fn handle_dial_failed(&mut self, link: u32, now: Instant) {
        if link == self.number && self.phase == Phase::Asking {
            self.lose(Cause::ProviderFailed, Ground::Refused, Closed { code: 0, clean: false }, now);
        }
    }

    /// The socket opened.
    pub fn handle_link_open(&mut self, link: u32, now: Instant) {
        if link != self.number || self.phase != Phase::Dialling {
            return;
        }
        self.step(Event::LinkOpened);
        self.link.opened_at = now;
        self.timers.stop(Timer::Connect);
        let dial = now.since(self.link.dialled_at);
        self.liveness.rtt.seed(dial);
        let dialling = dial.times(2);
        self.timers.set(Timer::Prove, now + dialling.max(PROVE_MIN).min(PROVE_MAX));
        self.liveness.begin(now);
    }

    /// A frame came in.
    pub fn handle_frame(&mut self, link: u32, frame: Frame, now: Instant) {
        if link != self.number {
            return;
        }
        match self.phase {
            Phase::Proving => {
                self.link.heard = true;
                self.prove(now);
            }
            Phase::Open | Phase::Closing => self.link.heard = true,
            _ => return,
        }
        self.credential = Credential::Fresh;
        let echo = self.link.echo.take();
        if let Some(at) = echo {
            self.liveness.echoed(at, self.outbox.in_flight_bytes(), self.outbox.oldest(), now);
        }
        if self.timers.next().is_some_and(|due| now.since(due) > LATE) {
            // This page was busy or frozen: the frame may have come in long before it is heard.
            self.outbox.restamp(now);
        }
        let before = now - SETTLE_AFTER.max(self.liveness.rtt.smoothed().times(4));
        self.settle(before);
        let heard = self.liveness.heard(frame == Frame::Heartbeat, echo.is_some(), now);
        if let Heard::Answer { messages, bytes } = heard {
            self.settle_through(messages);
            self.liveness.confirmed(bytes, self.outbox.oldest(), now);
        }
        // The frame in hand was heard before the clock is asked.
        self.watch();
        self.handle_timeout(now);
    }

    /// The server has sent one of our own messages back, known by an id that nobody could guess: it has read this one
    /// and, a connection being one stream, everything written before it. Tell it before the frame it came in.
    pub fn handle_echo(&mut self, ticket: Ticket) {
        if let Some((written, at)) = self.outbox.position(ticket) {
            self.settle_through(written);
            self.link.echo = Some(at);
        }
    }

    /// The server has said over which time its clients are to come back: beforehand, or because it goes. What a close
    /// reason says ([`crate::window_in`]) is told before [`Self::handle_link_closed`].
    ///
    /// An instruction begins the sticky phase at once: its φ is counted from `now`, whenever the link ends, and holds
    /// for every end. An advertised window begins it when the server goes, restarts, or cannot be reached. The phase
    /// ends when a later link has proved stable; the advertised window is kept until it is replaced.
    pub fn handle_window(&mut self, link: u32, window: Window, now: Instant) {
        if link == self.number && matches!(self.phase, Phase::Proving | Phase::Open) {
            self.backoff.hear(window, now, &mut self.random);
        }
    }

    /// The link is gone: its `close` event.
    pub fn handle_link_closed(&mut self, link: u32, closed: Closed, now: Instant) {
        if link != self.number {
            return;
        }
        match self.phase {
            Phase::Dialling => self.lose(Cause::DialFailed, Ground::Crowded, closed, now),
            Phase::Proving | Phase::Open => self.closed_by_peer(closed, now),
            Phase::Closing => {
                if closed.clean {
                    // The peer's close frame answers ours, which stood behind everything that was written.
                    self.settle(now);
                }
                self.handshake_over(closed, now);
            }
            Phase::Idle | Phase::Asking | Phase::Waiting | Phase::Closed => {}
        }
    }

    /// What the transport's buffer of the link in use holds.
    pub fn handle_buffered(&mut self, octets: u64, now: Instant) {
        let over = self.is_over_high_water();
        self.link.buffered = octets;
        if over && !self.is_over_high_water() {
            self.write(now);
        }
    }

    /// The socket did not take this message although it had not said that it was closed.
    pub fn handle_write_failed(&mut self, ticket: Ticket, now: Instant) {
        self.take_back_writes();
        if !self.unwrite(ticket) {
            return;
        }
        match self.phase {
            Phase::Open => self.mute(now),
            // It was the last word before the closing handshake, which has still to be spoken.
            _ => self.discard_waiting(),
        }
    }

    /// The socket did not take a heartbeat.
    pub fn handle_beat_failed(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.take_back_writes();
            self.mute(now);
        }
    }

    // ---- inputs: the clock ----

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((timer, due)) = self.timers.expire(now) {
            match timer {
                Timer::Connect if self.phase == Phase::Asking => {
                    self.lose(Cause::ProviderTimeout, Ground::Refused, Closed { code: 0, clean: false }, now);
                }
                Timer::Connect => self.lose(Cause::ConnectTimeout, Ground::Crowded, Closed::NONE, now),
                Timer::Prove => self.prove(now),
                Timer::Backoff if self.rests() => {}
                Timer::Backoff => {
                    self.step(Event::Redial);
                    self.ask(now);
                }
                Timer::Heartbeat => self.beat(now),
                Timer::Reply => match self.liveness.overdue(due, now) {
                    Overdue::AskAgain => self.beat(now),
                    Overdue::Dead { unlearned } => {
                        if unlearned {
                            self.order(Action::Notice(Notice::ReplyUnlearned));
                        }
                        self.lose(Cause::NoReply, Ground::Local, Closed::NONE, now);
                    }
                },
                Timer::Unsettled => self.probe(now),
                Timer::Quiet => {
                    self.liveness.asked_about_quiet();
                    self.probe(now);
                }
                Timer::Mute => self.lose(Cause::WriteFailed, Ground::Unexplained, Closed::NONE, now),
                Timer::Stable => self.stable(),
                Timer::Pace => self.write(now),
                Timer::Expire => {
                    self.expire(now);
                    self.shut_if_drained(now);
                    self.watch_late();
                }
                Timer::Drain => self.shut(now),
                Timer::Handshake => self.handshake_over(Closed::NONE, now),
            }
        }
    }
}
