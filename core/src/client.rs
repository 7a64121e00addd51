//! The machine of one wire.

use std::collections::VecDeque;

use crate::backoff::{Backoff, BackoffConfig, Ground};
use crate::close::Closed;
use crate::codes::{Cause, Notice, Reason, Refusal, State};
use crate::liveness::{Heard, Liveness, LivenessConfig, Overdue};
use crate::outbox::{Entry, Outbox, OutboxConfig, Ticket};
use crate::pacer::Pacer;
use crate::random::Random;
use crate::state::{Event, Phase, Step};
use crate::time::{Duration, Instant};
use crate::timer::{Timer, Timers};

/// A link open for so long has shown that the server means it.
const STABLE_AFTER: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// How long the closing handshake may take. Browsers have been seen to fire `close` 18 s late, or never.
const HANDSHAKE_MAX: Duration = Duration::from_secs(2);
/// A silent link is used after twice the time its dial took, within these bounds: a server that accepts and then
/// refuses does so right behind the upgrade response.
const PROVE_MIN: Duration = Duration::from_millis(50);
const PROVE_MAX: Duration = Duration::from_secs(1);
/// A written message is settled by a frame that comes so much later at the least.
const SETTLE_AFTER: Duration = Duration::from_secs(2);

/// How a wire behaves. Every number is checked by whoever builds it; the machine clamps what would break it.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How reconnection is paced.
    pub backoff: BackoffConfig,
    /// How the link is watched.
    pub liveness: LivenessConfig,
    /// The bounds of the outbox.
    pub outbox: OutboxConfig,
    /// The longest message that is sent, in bytes.
    pub message_bytes_max: u32,
    /// How long the providers, and then the socket, may take.
    pub connect_timeout: Duration,
    /// Whether there is a token that could be asked for again.
    pub has_token: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: BackoffConfig::default(),
            liveness: LivenessConfig::default(),
            outbox: OutboxConfig::default(),
            message_bytes_max: 1 << 20,
            connect_timeout: Duration::from_secs(20),
            has_token: false,
        }
    }
}

/// What the host found an inbound frame to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Anything but a heartbeat, understood or not: it proves life.
    Message,
    /// A heartbeat: the answer to ours, as far as a best-effort server can answer.
    Heartbeat,
}

/// What the machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for url, token and protocols and make a socket; then `handle_dialled` or `handle_dial_failed`.
    Dial {
        /// The number of the link to be.
        link: u32,
    },
    /// Write this message. If the socket does not take it: `handle_write_failed`, before the next `poll`.
    Write {
        /// Which one.
        ticket: Ticket,
    },
    /// Write a heartbeat.
    Beat,
    /// Start the closing handshake and keep listening.
    CloseLink,
    /// Forget this link: no event of it matters any more. Close it if it is open; a socket that is still connecting
    /// is only closed if it ever opens, for some browsers break all sockets otherwise.
    DropLink {
        /// Which one.
        link: u32,
    },
    /// The message has left: it arrived as far as can be known.
    Settled {
        /// Which one.
        ticket: Ticket,
    },
    /// The message has left without being settled.
    Dropped {
        /// Which one.
        ticket: Ticket,
        /// Why.
        reason: Reason,
    },
    /// What the user is told of the state has changed.
    StateChanged(State),
    /// A link is in use.
    Opened {
        /// Its number.
        link: u32,
        /// How many dials it took since the last stable link.
        attempts: u32,
    },
    /// A link that was in use has ended, or the wire has closed for good.
    Ended {
        /// The link, or 0 if there was none.
        link: u32,
        /// Why.
        cause: Cause,
        /// What the `close` event told, if there was one.
        closed: Closed,
        /// When the next dial is due; `None`: never.
        retry: Option<Duration>,
    },
    /// A dial is scheduled.
    Reconnecting {
        /// Which one since the last stable link; the first is 1.
        attempt: u32,
        /// After which delay.
        delay: Duration,
        /// Why.
        cause: Cause,
        /// The close code, or 0.
        code: u16,
    },
    /// Something the user should hear of.
    Notice(Notice),
}

/// What the machine keeps about the current link.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    dialled_at: Instant,
    opened_at: Instant,
    /// A frame has come in.
    heard: bool,
    /// A message has been written.
    wrote: bool,
    /// The last written message was spilled and the user has been told.
    spilled: bool,
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
    draining: bool,
    number: u32,
    link: Link,
    credential: Credential,
    timers: Timers,
    backoff: Backoff,
    liveness: Liveness,
    outbox: Outbox,
    pacer: Pacer,
    actions: VecDeque<Action>,
}

impl Client {
    /// A wire that does nothing until [`Self::handle_connect`]. The seed spreads its delays.
    pub fn new(mut config: Config, seed: u64) -> Self {
        // With no time at all a dial would fail in the instant in which it starts, for ever.
        config.connect_timeout = config.connect_timeout.max(CONNECT_TIMEOUT_MIN);
        Self {
            config,
            random: Random::new(seed),
            phase: Phase::Idle,
            told: State::Connecting,
            offline: false,
            draining: false,
            number: 0,
            link: Link::default(),
            credential: Credential::Fresh,
            timers: Timers::default(),
            backoff: Backoff::new(config.backoff),
            liveness: Liveness::new(config.liveness),
            outbox: Outbox::new(config.outbox),
            pacer: Pacer::default(),
            actions: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
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
        // An overdue answer is a verdict before it is a write: the message stays here.
        self.handle_timeout(now);
        if self.draining || matches!(self.phase, Phase::Closing | Phase::Closed) {
            return Err(Refusal::Closed);
        }
        if bytes > self.config.message_bytes_max {
            return Err(Refusal::TooLarge);
        }
        let actions = &mut self.actions;
        self.outbox.push(Entry { ticket, bytes }, |ticket| {
            actions.push_back(Action::Dropped { ticket, reason: Reason::Overflow });
        })?;
        self.pacer.submitted(now);
        self.write(now);
        Ok(())
    }

    /// The application no longer wants a message to be sent. True if it had not been written: it leaves. What has
    /// been written stays in flight.
    pub fn handle_abort(&mut self, ticket: Ticket, now: Instant) -> bool {
        let waited = self.outbox.remove(ticket);
        if waited {
            self.actions.push_back(Action::Dropped { ticket, reason: Reason::Aborted });
            self.shut_if_drained(now);
        }
        waited
    }

    /// The application wants a new link now, whatever the backoff says. A link in use is given up for it, and what
    /// was written on it and is not settled is in doubt; a dial that runs goes on.
    pub fn handle_reconnect(&mut self, now: Instant) {
        if !self.draining && matches!(self.phase, Phase::Proving | Phase::Open) {
            let ground = if self.backoff.take_budget(now) { None } else { Some(Ground::Local) };
            self.lose_after(Cause::Reconnect, ground, Closed::NONE, now);
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
            self.lose(Cause::ProviderFailed, Ground::Crowded, Closed { code: 0, clean: false }, now);
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
        let dialling = now.since(self.link.dialled_at).times(2);
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
        let before = now - SETTLE_AFTER.max(self.liveness.rtt.smoothed().times(4));
        self.settle(before);
        let unconfirmed = self.outbox.in_flight_bytes();
        if let Heard::Answer(written) = self.liveness.heard(frame == Frame::Heartbeat, unconfirmed, now) {
            while let Some(ticket) = self.outbox.settle_through(written) {
                self.actions.push_back(Action::Settled { ticket });
            }
        }
        // The frame in hand was heard before the clock is asked.
        self.watch();
        self.handle_timeout(now);
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

    /// The socket did not take this message although it had not said that it was closed.
    pub fn handle_write_failed(&mut self, ticket: Ticket, now: Instant) {
        self.take_back_writes();
        if !self.outbox.unwrite(ticket) {
            return;
        }
        match self.phase {
            Phase::Open => self.lose(Cause::WriteFailed, Ground::Unexplained, Closed::NONE, now),
            // It was the last word before the closing handshake, which has still to be spoken.
            _ => self.discard_waiting(),
        }
    }

    // ---- inputs: the clock and the page ----

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((timer, due)) = self.timers.expire(now) {
            match timer {
                Timer::Connect if self.phase == Phase::Asking => {
                    self.lose(Cause::ProviderTimeout, Ground::Crowded, Closed { code: 0, clean: false }, now);
                }
                Timer::Connect => self.lose(Cause::ConnectTimeout, Ground::Crowded, Closed::NONE, now),
                Timer::Prove => self.prove(now),
                Timer::Backoff => {
                    self.step(Event::Redial);
                    self.ask(now);
                }
                Timer::Heartbeat => self.beat(now),
                Timer::Reply => match self.liveness.overdue(due, now) {
                    Overdue::AskAgain => self.beat(now),
                    Overdue::Dead { unlearned } => {
                        if unlearned {
                            self.actions.push_back(Action::Notice(Notice::ReplyUnlearned));
                        }
                        self.lose(Cause::NoReply, Ground::Local, Closed::NONE, now);
                    }
                },
                Timer::Stable => self.backoff.reset(),
                Timer::Pace => self.write(now),
                Timer::Drain => self.shut(now),
                Timer::Handshake => self.handshake_over(Closed::NONE, now),
            }
        }
    }

    /// The machine has slept: the wall clock jumped against the monotonic one.
    pub fn handle_wake(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            // Queued events are delivered after the timers: whatever was due while asleep asks again.
            if self.liveness.may_probe(now) || self.timers.at(Timer::Reply).is_some_and(|due| due <= now) {
                self.beat(now);
            }
        }
        self.redial(Cause::Wake, now);
    }

    /// The browser says that the network is back.
    pub fn handle_online(&mut self, now: Instant) {
        self.offline = false;
        self.tell();
        self.probe(now);
        self.redial(Cause::Online, now);
    }

    /// The browser says that there is no network. It is a hint: an open link is asked, not killed.
    pub fn handle_offline(&mut self, now: Instant) {
        self.offline = true;
        self.tell();
        self.probe(now);
        if self.phase == Phase::Waiting {
            let delay = self.backoff.delay_offline(&mut self.random);
            self.timers.set(Timer::Backoff, now + delay);
        }
    }

    // ---- what happens then ----

    /// Asks the table. True if the phase has changed.
    fn step(&mut self, event: Event) -> bool {
        match self.phase.next(event) {
            Step::To(phase) => {
                self.phase = phase;
                true
            }
            Step::Ignored => false,
            Step::Never => {
                debug_assert!(false, "{event:?} in {:?}", self.phase);
                false
            }
        }
    }

    fn tell(&mut self) {
        let state = self.state();
        if state != self.told {
            self.told = state;
            self.actions.push_back(Action::StateChanged(state));
        }
    }

    fn ask(&mut self, now: Instant) {
        self.number = self.number.wrapping_add(1);
        self.link = Link::default();
        self.timers.stop(Timer::Backoff);
        self.timers.set(Timer::Connect, now + self.config.connect_timeout);
        self.tell();
        self.actions.push_back(Action::Dial { link: self.number });
    }

    fn prove(&mut self, now: Instant) {
        self.step(Event::Proved);
        self.timers.stop(Timer::Prove);
        self.timers.set(Timer::Stable, now + STABLE_AFTER);
        if self.outbox.len() > 0 {
            self.pacer.begin(now);
        }
        // What waited goes out before the user hears of `open` and sends more.
        self.write(now);
        if self.phase == Phase::Open {
            self.watch();
            self.tell();
            let attempts = self.backoff.attempt();
            self.actions.push_back(Action::Opened { link: self.number, attempts });
        }
    }

    fn write(&mut self, now: Instant) {
        if self.phase != Phase::Open {
            return;
        }
        while self.outbox.len() > 0 {
            if !self.pacer.take(now) {
                self.timers.set(Timer::Pace, self.pacer.next(now));
                break;
            }
            let Some(entry) = self.outbox.write(now) else { break };
            self.actions.push_back(Action::Write { ticket: entry.ticket });
            self.link.wrote = true;
            self.liveness.wrote(now);
            self.spill();
        }
        if self.outbox.len() == 0 {
            self.pacer.end();
            self.timers.stop(Timer::Pace);
        }
        self.watch();
        self.shut_if_drained(now);
    }

    fn spill(&mut self) {
        if let Some(ticket) = self.outbox.spill() {
            if !self.link.spilled {
                self.link.spilled = true;
                self.actions.push_back(Action::Notice(Notice::InDoubtOverflow));
            }
            self.actions.push_back(Action::Dropped { ticket, reason: Reason::InDoubtOverflow });
        }
    }

    fn settle(&mut self, until: Instant) {
        while let Some(ticket) = self.outbox.settle_by(until) {
            self.actions.push_back(Action::Settled { ticket });
        }
    }

    /// Sets the timers that watch an open link.
    fn watch(&mut self) {
        if self.phase != Phase::Open {
            return;
        }
        for (timer, due) in
            [(Timer::Heartbeat, self.liveness.beat_due()), (Timer::Reply, self.liveness.reply_due())]
        {
            match due {
                Some(due) => self.timers.set(timer, due),
                None => self.timers.stop(timer),
            }
        }
    }

    fn beat(&mut self, now: Instant) {
        self.liveness.beat(self.outbox.written(), self.outbox.in_flight_bytes(), now);
        self.actions.push_back(Action::Beat);
        self.watch();
    }

    fn probe(&mut self, now: Instant) {
        if self.phase == Phase::Open && self.liveness.may_probe(now) {
            self.beat(now);
        }
    }

    /// Cuts a wait short.
    fn redial(&mut self, cause: Cause, now: Instant) {
        if self.phase != Phase::Waiting {
            return;
        }
        if !self.backoff.take_budget(now) {
            // The budget keeps a page that flaps between online and offline, or an application that calls
            // `reconnect()` in a loop, from hammering the server. It delays; it never refuses. A wait that is short
            // already is kept: drawn anew at every call it would shrink to nothing.
            let short = self.config.backoff.delay_min;
            if self.timers.at(Timer::Backoff).is_some_and(|due| due.since(now) > short) {
                self.timers.set(Timer::Backoff, now + self.random.within(short));
            }
            return;
        }
        let delay = Duration::ZERO;
        let attempt = self.backoff.attempt().max(1);
        self.actions.push_back(Action::Reconnecting { attempt, delay, cause, code: 0 });
        self.step(Event::Redial);
        self.ask(now);
    }

    fn closed_by_peer(&mut self, closed: Closed, now: Instant) {
        let refused = closed.refuses_credential()
            && self.config.has_token
            && !self.link.heard
            && !self.link.wrote
            && self.credential != Credential::Refused;
        if !refused {
            return self.lose(closed.cause(), closed.ground(), closed, now);
        }
        if self.credential == Credential::Replaced {
            return self.finish(Cause::AuthRefused, closed, now);
        }
        self.credential = Credential::Refused;
        // One fresh token, at once; from then on with backoff.
        let ground = if self.backoff.take_budget(now) { None } else { Some(closed.ground()) };
        self.lose_after(closed.cause(), ground, closed, now);
    }

    fn lose(&mut self, cause: Cause, ground: Ground, closed: Closed, now: Instant) {
        self.lose_after(cause, Some(ground), closed, now);
    }

    /// The dial failed or the link is lost; `None` dials again at once.
    fn lose_after(&mut self, cause: Cause, ground: Option<Ground>, closed: Closed, now: Instant) {
        if self.backoff.exhausted() {
            return self.finish(Cause::MaxAttempts, closed, now);
        }
        let was_open = self.phase == Phase::Open;
        self.leave_link(now);
        self.step(Event::Lost);
        let delay = match ground {
            None => {
                self.backoff.count();
                Duration::ZERO
            }
            Some(_) if self.offline => {
                self.backoff.count();
                self.backoff.delay_offline(&mut self.random)
            }
            Some(ground) => self.backoff.delay(ground, now, &mut self.random),
        };
        self.timers.set(Timer::Backoff, now + delay);
        self.tell();
        if was_open {
            let link = self.number;
            self.actions.push_back(Action::Ended { link, cause, closed, retry: Some(delay) });
        }
        let (attempt, code) = (self.backoff.attempt(), closed.code);
        self.actions.push_back(Action::Reconnecting { attempt, delay, cause, code });
    }

    /// Forgets the current link. What was written on it and is not settled stays in doubt.
    fn leave_link(&mut self, now: Instant) {
        self.take_back_writes();
        if self.phase == Phase::Open {
            self.backoff.earn(now.since(self.link.opened_at));
        }
        let drain = self.timers.at(Timer::Drain);
        self.timers.stop_all();
        if let Some(drain) = drain {
            self.timers.set(Timer::Drain, drain);
        }
        self.pacer.end();
        if matches!(
            self.phase,
            Phase::Asking | Phase::Dialling | Phase::Proving | Phase::Open | Phase::Closing
        ) {
            self.actions.push_back(Action::DropLink { link: self.number });
        }
        while let Some(ticket) = self.outbox.settle() {
            self.actions.push_back(Action::Dropped { ticket, reason: Reason::InDoubt });
        }
    }

    /// Takes back the writes that have been ordered and not been carried out: they wait again, in their order.
    fn take_back_writes(&mut self) {
        let ordered: Vec<Ticket> = self
            .actions
            .iter()
            .filter_map(|action| if let Action::Write { ticket } = action { Some(*ticket) } else { None })
            .collect();
        for ticket in ordered.into_iter().rev() {
            self.outbox.unwrite(ticket);
        }
        self.actions.retain(|action| !matches!(action, Action::Write { .. } | Action::Beat));
    }

    /// For good, without a handshake.
    fn finish(&mut self, cause: Cause, closed: Closed, now: Instant) {
        self.leave_link(now);
        self.step(Event::Finished);
        self.end(cause, closed);
    }

    fn shut_if_drained(&mut self, now: Instant) {
        if self.draining && self.outbox.len() == 0 {
            self.shut(now);
        }
    }

    /// The application closes, and nothing is left to write or nothing more is to be.
    fn shut(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        self.discard_waiting();
        if matches!(self.phase, Phase::Proving | Phase::Open) {
            self.step(Event::Shut);
            self.timers.stop_all();
            self.timers.set(Timer::Handshake, now + HANDSHAKE_MAX);
            self.actions.push_back(Action::CloseLink);
            self.tell();
        } else {
            self.leave_link(now);
            self.step(Event::Shut);
            self.end(Cause::ClosedByUser, Closed { code: 0, clean: false });
        }
    }

    fn handshake_over(&mut self, closed: Closed, now: Instant) {
        self.leave_link(now);
        self.step(Event::HandshakeOver);
        self.end(Cause::ClosedByUser, closed);
    }

    fn end(&mut self, cause: Cause, closed: Closed) {
        self.timers.stop_all();
        self.discard_waiting();
        self.tell();
        self.actions.push_back(Action::Ended { link: self.number, cause, closed, retry: None });
    }

    fn discard_waiting(&mut self) {
        while let Some(entry) = self.outbox.take() {
            self.actions.push_back(Action::Dropped { ticket: entry.ticket, reason: Reason::Closed });
        }
    }
}
