//! What every part of the machine uses: the table, the order of actions, exits, and how a link ends.

use super::alarm::Alarm;
use super::pace::Ground;
use super::standing::{BROKEN_MAX, Count, REPORT_AFTER, STALLED_LINKS, Stage, Standing};
use super::{Action, Client, Close, Event, Link, Notice, Outbound, PageFailure, Phase, Step, Why};
use crate::session::up::{Dropped, Exit, Exited, LinkEnd, Outgoing, Unwritten};
use crate::time::{Duration, Instant};

/// A link that has been in use for so long has shown that the server means it. [TIME-14]
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(10);
/// How long the node's close behind `bye` is waited for. [TIME-13]
const HANDSHAKE_MAX: Duration = Duration::from_secs(2);
/// A wait without a network lasts so long, and up to so long again.
const OFFLINE_WAIT: Duration = Duration::from_secs(15);
/// A dial takes no longer than this on a network that works.
const HUNG_AFTER: Duration = Duration::from_secs(3);

/// How a link ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) why: Why,
    /// The close code that came, or 0.
    pub(super) code: u16,
    pub(super) ground: Ground,
    /// How this end closes, if it does.
    pub(super) close: Option<Close>,
    pub(super) sending: LinkEnd,
    /// The next dial waits for nothing, for the budget allows it.
    pub(super) at_once: bool,
}

impl End {
    pub(super) fn new(why: Why, ground: Ground) -> Self {
        Self { why, code: 0, ground, close: None, sending: LinkEnd::Other, at_once: false }
    }

    pub(super) fn closing(self, code: u16, reason: &'static str) -> Self {
        Self { close: Some(Close { code, reason }), ..self }
    }
}

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

    /// What is counted, to be changed; the record hears of it before anything else is done.
    pub(super) fn stand(&mut self) -> &mut Standing {
        self.standing_changed = true;
        &mut self.standing
    }

    pub(super) fn keep(&mut self) {
        if core::mem::take(&mut self.standing_changed) {
            self.actions.push_back(Action::Keep(Box::new(self.standing)));
        }
    }

    pub(super) fn order(&mut self, action: Action) {
        self.keep();
        self.actions.push_back(action);
    }

    pub(super) fn tell(&mut self) {
        let state = self.state();
        if state != self.told {
            self.told = state;
            self.order(Action::StateChanged(state));
        }
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.order(Action::Notice(notice));
    }

    /// A message has left.
    pub(super) fn exit(&mut self, exited: Exited) {
        if let Some(n) = exited.n {
            if exited.exit == Exit::Settled {
                self.given.settled(self.sending.producer(), n, exited.ticket);
            } else {
                self.requests.end(n);
            }
        }
        let durable = self.link.durable;
        self.order(Action::Exited { exited, durable });
    }

    pub(super) fn exit_all(&mut self, left: Vec<Exited>) {
        left.into_iter().for_each(|exited| self.exit(exited));
    }

    /// A message that was not even taken.
    pub(super) fn exit_unwritten(&mut self, message: &Outgoing, why: Unwritten) {
        let exit = Exit::Dropped(Dropped::NeverWritten(why));
        self.exit(Exited { ticket: message.ticket, n: None, exit });
    }

    /// Requests whose producer has gone, or their wire: nobody will answer them.
    pub(super) fn end_requests(&mut self) {
        while let Some((n, asked)) = self.requests.take_first() {
            self.order(Action::Unanswered { ticket: asked.ticket, n, why: Dropped::InDoubt });
        }
    }

    pub(super) fn let_everything_go(&mut self) {
        let left = self.sending.close();
        self.exit_all(left);
        self.end_requests();
        let asked = self.pages.link_ended();
        for page in asked.into_iter().chain(self.pages.close()) {
            self.order(Action::PageFailed { page, why: PageFailure::Closed });
        }
    }

    /// The server does not know the producer: what had a number leaves, the rest goes on under fresh ones.
    pub(super) fn begin_anew(&mut self) {
        // Every link was dialled with fresh ones, and uses these once.
        let Some([_, producer, successor]) = self.link.fresh else { return };
        let left = self.sending.unknown(producer, successor);
        self.exit_all(left);
        self.end_requests();
        self.order(Action::Produce { producer, successor });
        self.alone = self.sending.alone();
        if self.standing.stalled > 0 {
            self.stand().stalled = 0;
        }
    }

    // ---- dialling ----

    /// Dials: the number is on the record first.
    pub(super) fn ask(&mut self, now: Instant) {
        self.number += 1;
        self.link = Link::default();
        let redirected = self.standing.redirected;
        let standing = self.stand();
        standing.stage = Stage::Linked;
        standing.redirected = false;
        self.alarms.stop(Alarm::Redial);
        self.alarms.set(Alarm::Connect, now + self.config.connect_timeout);
        self.tell();
        self.order(Action::Dial { link: self.number, redirected });
    }

    pub(super) fn due(&mut self, ground: Ground, failed: bool, now: Instant) -> Instant {
        self.standing_changed = true;
        self.standing.pace.due(ground, failed, now, &mut self.random)
    }

    /// When to dial without a network: it is tried, for that there is none is a hint, but seldom, for a dial that cannot succeed
    /// may hang, and in Firefox its failure holds back the next. [AWAY-11]
    pub(super) fn due_offline(&mut self, now: Instant) -> Instant {
        let due = now + OFFLINE_WAIT + self.random.within(OFFLINE_WAIT);
        self.standing.pace.held_until(now).map_or(due, |held| held.max(due))
    }

    pub(super) fn wait_until(&mut self, due: Instant) {
        self.stand().stage = Stage::Waiting(due);
        self.alarms.set(Alarm::Redial, due);
    }

    pub(super) fn tell_of_dial(&mut self, why: Why, code: u16, due: Instant, now: Instant) {
        let attempt = self.standing.pace.attempt().max(1);
        self.order(Action::Reconnecting { attempt, delay: due.since(now), why, code });
    }

    /// A phone lets the socket of a hidden page stall: it is dialled when the page is looked at, or the application asks for it.
    pub(super) fn rests(&self) -> bool {
        !self.visible && self.config.rests_hidden
    }

    /// A dial from before the network came back, or from before the machine slept, may hang until it is given up: what it sent is
    /// lost, and what is sent again comes ever more rarely. Another is begun, but for one that has hardly begun itself, with a
    /// network. [AWAY-11]
    pub(super) fn redial_hung(&mut self, why: Why, was_offline: bool, now: Instant) {
        let dialling = matches!(self.phase, Phase::Asking | Phase::Dialling);
        let due = self.alarms.at(Alarm::Connect).filter(|_| dialling);
        if due.is_some_and(|due| was_offline || due.since(now) + HUNG_AFTER <= self.config.connect_timeout) {
            let at_once = self.stand().pace.take_budget(now);
            return self.lose(End { at_once, ..End::new(why, Ground::Local) }, now);
        }
        self.redial(why, now);
    }

    /// Cuts a wait short. [AWAY-12]
    pub(super) fn redial(&mut self, why: Why, now: Instant) {
        let wish = why == Why::Wish;
        if self.phase != Phase::Waiting || self.rests() && !wish {
            return;
        }
        if let Some(until) = self.standing.pace.held_until(now).filter(|_| !wish) {
            if self.alarms.at(Alarm::Redial).is_none() {
                self.wait_until(until);
            }
            return;
        }
        let pace = &mut self.stand().pace;
        let at_once = if wish { pace.take_budget(now) } else { pace.take_undelayed(now) };
        if at_once {
            self.stand().pace.count();
            self.tell_of_dial(why, 0, now, now);
            self.step(Event::Due);
            self.ask(now);
            return;
        }
        // A wait that is short already is kept: drawn anew at every call it would shrink to nothing.
        let short = Duration::from_secs(1);
        if self.alarms.at(Alarm::Redial).is_none_or(|due| due.since(now) > short) {
            let due = now + self.random.within(short);
            self.wait_until(due);
        }
    }

    // ---- the end of a link ----

    /// The dial has failed or the link has ended, and the wire goes on, unless it has ended for good.
    pub(super) fn lose(&mut self, end: End, now: Instant) {
        let was_open = self.phase.is_open();
        let failed = self.leave_link(&end, now);
        // Of a wish nothing has failed.
        let wish = end.why == Why::Wish;
        let bounded = self.config.attempts_max != 0 && !wish;
        if bounded && self.standing.pace.attempt() >= self.config.attempts_max {
            return self.finish(End { why: Why::Attempts, ..end });
        }
        if self.closing.is_some() && self.is_drained() {
            return self.finish(End { why: Why::Closed, ..end });
        }
        let due = if self.offline && !wish {
            self.stand().pace.count();
            self.due_offline(now)
        } else if end.at_once {
            if !wish {
                self.stand().pace.count();
            }
            now
        } else {
            self.due(end.ground, failed, now)
        };
        self.stand().hurried = false;
        self.step(Event::Ended);
        self.wait_until(due);
        self.tell();
        if was_open {
            let retry = Some(due.since(now));
            self.order(Action::Ended { link: self.number, why: end.why, code: end.code, retry });
        }
        self.tell_of_dial(end.why, end.code, due, now);
    }

    /// Forgets the link; true if it was in use and did not live long enough to count as none that failed. [AWAY-7]
    pub(super) fn leave_link(&mut self, end: &End, now: Instant) -> bool {
        let welcomed = self.link.welcomed_at;
        let opened = self.link.opened_at;
        let lived = welcomed.map_or(Duration::ZERO, |at| now.since(at));
        if welcomed.is_some() {
            if lived >= STABLE_AFTER {
                // Its timer may be late, on a page whose timers are throttled.
                self.stable();
            }
            self.count_stalled(end.code);
            self.stand().pace.earn(lived);
        } else if opened.is_some() && !matches!(end.why, Why::Suspended | Why::Wish | Why::Closed) {
            self.count_unwelcome(end.code);
        }
        if opened.is_some() {
            let local = end.ground == Ground::Local;
            self.stand().pace.link_ended(local);
        }
        let left = self.sending.link_ended(end.sending);
        self.exit_all(left);
        self.tell_of_alone();
        self.reader.link_lost();
        self.liveness.end();
        self.alarms.stop_for_link();
        for page in self.pages.link_ended() {
            self.order(Action::PageFailed { page, why: PageFailure::LinkLost });
        }
        if !matches!(self.phase, Phase::Waiting | Phase::Idle | Phase::Suspended) {
            self.order(Action::Leave { link: self.number, close: end.close });
        }
        let fresh = self.link.fresh;
        self.link = Link { fresh, ..Link::default() };
        welcomed.is_some() && lived < STABLE_AFTER
    }

    fn tell_of_alone(&mut self) {
        let (until, broken_links) = self.sending.alone();
        let withdrawn = self.sending.is_first_withdrawn();
        if (until, broken_links) != self.alone || withdrawn {
            self.alone = (until, broken_links);
            self.order(Action::Alone { until, broken_links, withdrawn });
        }
    }

    /// [CLOSE-10]
    fn count_stalled(&mut self, code: u16) {
        if self.link.mark_rose {
            return;
        }
        if !self.sending.is_oldest_written() {
            if self.standing.stalled > 0 {
                self.stand().stalled = 0;
            }
            return;
        }
        let standing = self.stand();
        standing.stalled = standing.stalled.saturating_add(1);
        if standing.stalled == STALLED_LINKS {
            let n = self.sending.oldest();
            self.notice(Notice::StoreStalled { n, code: Some(code) });
        }
    }

    /// [WELC-2] [CODE-4004]
    fn count_unwelcome(&mut self, code: u16) {
        let standing = self.stand();
        let before = standing.unwelcome;
        standing.unavailable = if code == 4004 { standing.unavailable.saturating_add(1) } else { 0 };
        standing.unwelcome = match code {
            // A code of this protocol is a word of it.
            4000..=4999 => 0,
            // Whoever restarts has not been asked: neither a word of the protocol nor a want of it.
            1001 | 1012 | 1013 => standing.unwelcome,
            _ => standing.unwelcome.saturating_add(1),
        };
        let (unavailable, unwelcome) = (standing.unavailable, standing.unwelcome);
        if unavailable == REPORT_AFTER {
            self.notice(Notice::Unavailable);
        }
        if unwelcome == REPORT_AFTER && unwelcome > before {
            self.notice(Notice::NotSpoken);
        }
    }

    /// The link has been in use for 10 s. [AWAY-7]
    pub(super) fn stable(&mut self) {
        if self.standing.stalled < STALLED_LINKS && self.standing.pace.attempt() > 0 {
            self.stand().pace.reset();
        }
    }

    /// The peer has broken a rule. [CLOSE-2] [CLOSE-6]
    pub(super) fn broken(&mut self, clause: &'static str, count: Count, now: Instant) {
        let end = End::new(Why::Broken { clause }, Ground::Backoff).closing(4002, clause);
        self.count_broken(end, count, Some(clause), now);
    }

    /// As [`Self::broken`], for a link that ends so by either end.
    pub(super) fn count_broken(
        &mut self,
        end: End,
        count: Count,
        clause: Option<&'static str>,
        now: Instant,
    ) {
        if self.link.welcomed_at.is_some_and(|at| now.since(at) >= super::times::LIVED_AFTER) {
            self.stand().broken = [0; 3];
        }
        let many = self.stand().count_broken(count);
        self.notice(Notice::ProtocolError { count: many, clause });
        if many >= BROKEN_MAX {
            self.leave_link(&end, now);
            return self.finish(end);
        }
        self.lose(end, now);
    }

    // ---- the end of the wire ----

    pub(super) fn is_drained(&self) -> bool {
        self.sending.is_empty()
    }

    /// For good, and without a word; the link is gone.
    pub(super) fn finish(&mut self, end: End) {
        self.finish_by(Event::Finish, end);
    }

    fn finish_by(&mut self, event: Event, end: End) {
        self.step(event);
        self.ended = true;
        self.stand().stage = Stage::Closed(end.why, end.code);
        self.alarms.stop_all();
        self.let_everything_go();
        self.tell();
        self.order(Action::Ended { link: self.number, why: end.why, code: end.code, retry: None });
    }

    /// As [`Self::finish`], of a link that may still be there.
    pub(super) fn leave_and_finish(&mut self, end: End, now: Instant) {
        self.leave_link(&end, now);
        self.finish(end);
    }

    /// The last word on a link. [BYE-1]
    pub(super) fn say_bye(&mut self) {
        if self.link.opened_at.is_some() && !self.link.muted {
            let s = if self.phase.is_open() { self.reader.seen() } else { 0 };
            self.order(Action::Write { link: self.number, frame: Outbound::Bye(s) });
        }
    }

    /// The application has closed, and everything has left or its time is up.
    pub(super) fn shut(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        let opened = self.link.opened_at.is_some();
        if !opened {
            let end = End::new(Why::Closed, Ground::Backoff);
            self.leave_link(&end, now);
            return self.finish_by(Event::Shut, end);
        }
        self.say_bye();
        self.step(Event::Shut);
        self.stand().stage = Stage::Closed(Why::Closed, 0);
        self.let_everything_go();
        self.alarms.stop_all();
        self.alarms.set(Alarm::Handshake, now + HANDSHAKE_MAX);
        self.tell();
    }

    /// The node has closed behind `bye`, or has had its time. [BYE-4] [CLOSE-9]
    pub(super) fn handshake_over(&mut self, code: u16, closed: bool, now: Instant) {
        let end = End { code, ..End::new(Why::Closed, Ground::Backoff) };
        let end = if closed { end } else { end.closing(1000, "") };
        self.leave_link(&end, now);
        self.step(Event::HandshakeOver);
        self.alarms.stop_all();
        self.tell();
        self.ended = true;
        self.order(Action::Ended { link: self.number, why: Why::Closed, code, retry: None });
    }
}
