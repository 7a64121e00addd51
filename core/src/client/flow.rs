//! What follows from an input: the one place where phases change, timers are set and actions are ordered.

use super::{Action, Client, Credential, Link, Ticket, Unwrite};
use crate::backoff::Ground;
use crate::close::Closed;
use crate::codes::{Cause, Notice, Reason};
use crate::outbox::LOOK_AGAIN;
use crate::state::{Event, Phase, Step};
use crate::time::{Duration, Instant};
use crate::timer::Timer;

/// A link open for so long has shown that the server means it.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// A dial takes no longer than this on a network that works.
const HUNG_AFTER: Duration = Duration::from_secs(3);
/// How long the closing handshake may take. Browsers have been seen to fire `close` 18 s late, or never.
const HANDSHAKE_MAX: Duration = Duration::from_secs(2);

impl Client {
    /// Asks the table. True if the phase has changed.
    pub(super) fn step(&mut self, event: Event) -> bool {
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

    pub(super) fn order(&mut self, action: Action) {
        self.actions.push_back(Some(action));
    }

    pub(super) fn tell(&mut self) {
        let state = self.state();
        if state != self.told {
            self.told = state;
            self.order(Action::StateChanged(state));
        }
    }

    pub(super) fn ask(&mut self, now: Instant) {
        self.number = self.number.wrapping_add(1);
        self.link = Link::default();
        self.backoff.leave();
        self.timers.stop(Timer::Backoff);
        self.timers.set(Timer::Connect, now + self.config.connect_timeout);
        self.tell();
        self.order(Action::Dial { link: self.number });
    }

    pub(super) fn prove(&mut self, now: Instant) {
        self.step(Event::Proved);
        self.timers.stop(Timer::Prove);
        self.link.proved_at = now;
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
            self.order(Action::Opened { link: self.number, attempts });
        }
    }

    pub(super) fn write(&mut self, now: Instant) {
        if self.phase != Phase::Open || self.link.mute {
            return;
        }
        self.expire(now);
        while self.outbox.len() > 0 {
            if self.is_over_high_water() {
                // A browser says nothing when its buffer empties.
                self.timers.set(Timer::Pace, now + LOOK_AGAIN);
                break;
            }
            if !self.pacer.take(now) {
                self.timers.set(Timer::Pace, self.pacer.next(now));
                break;
            }
            if !self.limiter.take(now) {
                self.timers.set(Timer::Pace, self.limiter.next().unwrap_or(now));
                break;
            }
            let Some(entry) = self.outbox.write(now) else { break };
            self.order(Action::Write { ticket: entry.ticket });
            self.link.wrote = true;
            self.link.buffered += u64::from(entry.bytes);
            self.liveness.wrote(entry.bytes, now);
            self.spill();
        }
        if self.outbox.len() == 0 {
            self.pacer.end();
            self.timers.stop(Timer::Pace);
        }
        self.watch();
        self.shut_if_drained(now);
    }

    /// Lets go of what waits and is too late.
    pub(super) fn expire(&mut self, now: Instant) {
        for late in self.outbox.take_late(now) {
            self.order(Action::Dropped { ticket: late.ticket, reason: Reason::Expired });
        }
    }

    /// Sets the timer for what waits.
    pub(super) fn watch_late(&mut self) {
        match self.outbox.late_at() {
            Some(at) => self.timers.set(Timer::Expire, at),
            None => self.timers.stop(Timer::Expire),
        }
    }

    /// The newest that was ordered was not written. False if it is another one.
    pub(super) fn unwrite(&mut self, ticket: Ticket) -> bool {
        let Some(unwritten) = self.outbox.unwrite(ticket) else { return false };
        self.limiter.give_back();
        if unwritten == Unwrite::Replaced {
            self.order(Action::Dropped { ticket, reason: Reason::Replaced });
        }
        self.watch_late();
        true
    }

    pub(super) fn spill(&mut self) {
        while let Some(ticket) = self.outbox.spill() {
            if !self.link.spilled {
                self.link.spilled = true;
                self.order(Action::Notice(Notice::InDoubtOverflow));
            }
            self.order(Action::Dropped { ticket, reason: Reason::InDoubtOverflow });
        }
    }

    pub(super) fn settle(&mut self, until: Instant) {
        while let Some(ticket) = self.outbox.settle_by(until) {
            self.order(Action::Settled { ticket });
        }
    }

    pub(super) fn settle_through(&mut self, written: u64) {
        while let Some(ticket) = self.outbox.settle_through(written) {
            self.order(Action::Settled { ticket });
        }
    }

    /// Sets the timers that watch an open link.
    pub(super) fn watch(&mut self) {
        if self.phase != Phase::Open {
            return;
        }
        for (timer, due) in [
            (Timer::Heartbeat, self.liveness.beat_due()),
            (Timer::Reply, self.liveness.reply_due()),
            (Timer::Unsettled, self.liveness.unsettled_due(self.outbox.oldest())),
            (Timer::Quiet, self.liveness.quiet_due()),
        ] {
            match due {
                Some(due) => self.timers.set(timer, due),
                None => self.timers.stop(timer),
            }
        }
    }

    pub(super) fn beat(&mut self, now: Instant) {
        if self.link.mute {
            return;
        }
        self.liveness.beat(self.outbox.written(), now);
        self.order(Action::Beat);
        self.watch();
    }

    pub(super) fn probe(&mut self, now: Instant) {
        if self.phase == Phase::Open && self.liveness.probe(now) {
            self.beat(now);
        }
    }

    /// A phone lets the socket of a hidden page stall: it is dialled when the page is looked at, or the application asks for it.
    pub(super) fn rests(&self) -> bool {
        self.hidden && self.config.rests_hidden
    }

    /// A dial from before the network came back, or from before the machine slept, may hang until it is given up: what it sent is
    /// lost, and what is sent again comes ever more rarely. Another is begun, but for one that has hardly begun itself, with a network.
    pub(super) fn redial_hung(&mut self, cause: Cause, was_offline: bool, now: Instant) {
        let dialling = matches!(self.phase, Phase::Asking | Phase::Dialling);
        let due = self.timers.at(Timer::Connect).filter(|_| dialling);
        if due.is_some_and(|due| was_offline || due.since(now) + HUNG_AFTER <= self.config.connect_timeout) {
            self.leave_link(now);
            self.step(Event::Lost);
            self.tell();
        }
        self.redial(cause, now);
    }

    /// Cuts a wait short.
    pub(super) fn redial(&mut self, cause: Cause, now: Instant) {
        if self.phase != Phase::Waiting || self.rests() && cause != Cause::Reconnect {
            return;
        }
        if let Some(until) = self.backoff.held_until(now).filter(|_| cause != Cause::Reconnect) {
            // The network coming back tells nothing of a server that has asked to be left alone until then.
            self.timers.set(Timer::Backoff, until);
            return;
        }
        if !self.backoff.take_budget(now) {
            // The budget keeps a page that flaps between online and offline, or an application that calls
            // `reconnect()` in a loop, from hammering the server. It delays; it never refuses. A wait that is short
            // already is kept: drawn anew at every call it would shrink to nothing.
            let short = self.config.backoff.delay_min;
            if self.timers.at(Timer::Backoff).is_none_or(|due| due.since(now) > short) {
                self.timers.set(Timer::Backoff, now + self.random.within(short));
            }
            return;
        }
        let delay = Duration::ZERO;
        let attempt = self.backoff.attempt().max(1);
        self.order(Action::Reconnecting { attempt, delay, cause, code: 0 });
        self.step(Event::Redial);
        self.ask(now);
    }

    pub(super) fn closed_by_peer(&mut self, closed: Closed, now: Instant) {
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

    pub(super) fn lose(&mut self, cause: Cause, ground: Ground, closed: Closed, now: Instant) {
        self.lose_after(cause, Some(ground), closed, now);
    }

    /// The dial failed or the link is lost; `None` dials again at once.
    pub(super) fn lose_after(&mut self, cause: Cause, ground: Option<Ground>, closed: Closed, now: Instant) {
        if self.phase == Phase::Open && now.since(self.link.proved_at) >= STABLE_AFTER {
            // Its timer may be late, on a page whose timers are throttled.
            self.stable();
        }
        if self.backoff.exhausted() {
            return self.finish(Cause::MaxAttempts, closed, now);
        }
        let delay = match ground {
            None => {
                self.backoff.count();
                Duration::ZERO
            }
            Some(_) if self.offline => {
                self.backoff.count();
                self.backoff.delay_offline(now, &mut self.random)
            }
            Some(ground) => self.backoff.delay(ground, now, &mut self.random),
        };
        self.part(cause, closed, delay, now);
    }

    /// Leaves the link, and dials again after this delay.
    pub(super) fn part(&mut self, cause: Cause, closed: Closed, delay: Duration, now: Instant) {
        let was_open = self.phase == Phase::Open;
        self.leave_link(now);
        self.step(Event::Lost);
        self.timers.set(Timer::Backoff, now + delay);
        self.tell();
        if was_open {
            let link = self.number;
            self.order(Action::Ended { link, cause, closed, retry: Some(delay) });
        }
        let (attempt, code) = (self.backoff.attempt().max(1), closed.code);
        self.order(Action::Reconnecting { attempt, delay, cause, code });
    }

    /// The link has shown that the server means it: failures and refusals before it are forgotten.
    pub(super) fn stable(&mut self) {
        self.backoff.reset();
        self.credential = Credential::Fresh;
    }

    /// Nothing more is written to this link. A socket knows that it is closing before it says why, and the code in its
    /// `close` event decides how to come back; only if that stays out is the link given up.
    pub(super) fn mute(&mut self, now: Instant) {
        self.link.mute = true;
        self.pacer.end();
        self.timers.stop(Timer::Pace);
        self.timers.set(Timer::Mute, now + HANDSHAKE_MAX);
    }

    /// Forgets the current link. What was written on it and is not settled stays in doubt.
    pub(super) fn leave_link(&mut self, now: Instant) {
        self.take_back_writes();
        if self.phase == Phase::Open {
            self.backoff.earn(now.since(self.link.opened_at));
        }
        let drain = self.timers.at(Timer::Drain);
        self.timers.stop_all();
        if let Some(drain) = drain {
            self.timers.set(Timer::Drain, drain);
        }
        self.watch_late();
        self.pacer.end();
        if matches!(
            self.phase,
            Phase::Asking | Phase::Dialling | Phase::Proving | Phase::Open | Phase::Closing
        ) {
            self.order(Action::DropLink { link: self.number });
        }
        while let Some(ticket) = self.outbox.settle() {
            self.order(Action::Dropped { ticket, reason: Reason::InDoubt });
        }
    }

    /// Takes back the writes that have been ordered and not been carried out: they wait again, in their order.
    pub(super) fn take_back_writes(&mut self) {
        for at in (0..self.actions.len()).rev() {
            let Some(slot) = self.actions.get_mut(at) else { continue };
            match *slot {
                Some(Action::Write { ticket }) => {
                    *slot = None;
                    self.unwrite(ticket);
                }
                Some(Action::Beat) => *slot = None,
                _ => {}
            }
        }
    }

    /// For good, without a handshake.
    pub(super) fn finish(&mut self, cause: Cause, closed: Closed, now: Instant) {
        self.leave_link(now);
        self.step(Event::Finished);
        self.end(cause, closed);
    }

    pub(super) fn shut_if_drained(&mut self, now: Instant) {
        if self.draining && self.outbox.len() == 0 {
            self.shut(now);
        }
    }

    /// The application closes, and nothing is left to write or nothing more is to be.
    pub(super) fn shut(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        self.discard_waiting();
        if matches!(self.phase, Phase::Proving | Phase::Open) {
            self.step(Event::Shut);
            self.timers.stop_all();
            self.timers.set(Timer::Handshake, now + HANDSHAKE_MAX);
            self.order(Action::CloseLink);
            self.tell();
        } else {
            self.leave_link(now);
            self.step(Event::Shut);
            self.end(Cause::ClosedByUser, Closed { code: 0, clean: false });
        }
    }

    pub(super) fn handshake_over(&mut self, closed: Closed, now: Instant) {
        self.leave_link(now);
        self.step(Event::HandshakeOver);
        self.end(Cause::ClosedByUser, closed);
    }

    pub(super) fn end(&mut self, cause: Cause, closed: Closed) {
        self.timers.stop_all();
        self.discard_waiting();
        self.tell();
        self.order(Action::Ended { link: self.number, cause, closed, retry: None });
    }

    pub(super) fn discard_waiting(&mut self) {
        while let Some(entry) = self.outbox.take() {
            self.order(Action::Dropped { ticket: entry.ticket, reason: Reason::Closed });
        }
    }
}
