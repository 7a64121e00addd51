//! What time brings. Deadlines are absolute, and looked at with every input. [TIME-19]

use super::alarm::Alarm;
use super::flow::End;
use super::liveness::Overdue;
use super::pace::Ground;
use super::{Action, Client, Event, Notice, Outbound, Phase, Renewal, Why};
use crate::session::down::Report;
use crate::session::up::Dropped;
use crate::time::{Duration, Instant};

/// A link that has lived for so long forgives the errors before it. [CLOSE-6]
pub(super) const LIVED_AFTER: Duration = Duration::from_secs(3600);
/// No renewal sooner after `welcome` or the last. [AUTH-4]
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(30);

impl Client {
    /// When [`Self::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        if matches!(self.phase, Phase::Suspended | Phase::Closed) {
            return None;
        }
        let open = self.phase.is_open() && !self.link.muted;
        let of_link = if open { self.link_deadline() } else { None };
        [self.alarms.next(), of_link, self.sending.expiry(), self.requests.due(), self.reader.stuck_due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn link_deadline(&self) -> Option<Instant> {
        let seen = if self.is_over_high_water() { None } else { self.reader.seen_due() };
        [seen, self.sending.deadline(), self.liveness.reply_due(), self.ping_due(), self.stalled_due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn ping_due(&self) -> Option<Instant> {
        let suspicions = [self.liveness.unsettled_due(), self.liveness.quiet_due(), self.liveness.ping_due()];
        suspicions.into_iter().flatten().min()
    }

    fn stalled_due(&self) -> Option<Instant> {
        let due = self.liveness.stalled_due()?;
        (self.link.stalled != Some(self.sending.oldest())).then_some(due)
    }

    /// The beginning of every input: time has passed.
    pub(super) fn enter(&mut self, now: Instant) {
        self.now = self.now.max(now);
        // Nothing becomes due while the clock stands still, as it does within a turn, but what was set to be at once.
        if now <= self.looked_at && self.alarms.next().is_none_or(|due| due > now) {
            return;
        }
        self.looked_at = now;
        if self.next_deadline().is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.phase == Phase::Suspended {
            return;
        }
        while let Some(alarm) = self.alarms.expire(now) {
            self.ring(alarm, now);
        }
        if self.phase.is_open() && !self.link.muted {
            self.look_at_link(now);
        }
        let late = self.sending.expire(now);
        self.exit_all(late);
        while let Some((n, asked)) = self.requests.take_due(now) {
            self.order(Action::Unanswered { ticket: asked.ticket, n, why: Dropped::InDoubt });
        }
        while let Some(report) = self.reader.poll_stuck(now) {
            match report {
                Report::Unsettled(delivery) => self.notice(Notice::Unsettled(delivery)),
                Report::WindowShut(delivery) => self.notice(Notice::WindowShut(delivery)),
                Report::Joined(_) | Report::Denied(..) | Report::Lost(_) => {}
            }
        }
    }

    fn ring(&mut self, alarm: Alarm, now: Instant) {
        match alarm {
            Alarm::Connect if self.phase == Phase::Asking => {
                self.lose(End::new(Why::ProviderFailed, Ground::Backoff), now);
            }
            Alarm::Connect => {
                let ground = self.standing.pace.dial_failed();
                self.lose(End::new(Why::ConnectTimeout, ground), now);
            }
            Alarm::Welcome => {
                let standing = self.stand();
                standing.patience = standing.patience.saturating_add(1).min(3);
                self.lose(End::new(Why::NoWelcome, Ground::Backoff).closing(4003, "WELC-3"), now);
            }
            Alarm::Redial if self.rests() => {}
            Alarm::Redial => {
                self.step(Event::Due);
                self.ask(now);
            }
            Alarm::Leave => {
                self.say_bye();
                self.lose(End::new(Why::Goaway, Ground::Backoff).closing(1000, ""), now);
            }
            Alarm::Mute => self.lose(End::new(Why::WriteFailed, Ground::Unexplained), now),
            Alarm::Stable => self.stable(),
            Alarm::Lived => {
                if self.standing.broken != [0; 3] {
                    self.stand().broken = [0; 3];
                }
            }
            Alarm::Renew => {
                if self.link.renewal == Renewal::None && self.config.has_token {
                    self.link.renewal = Renewal::Asked;
                    self.order(Action::Renew { link: self.number });
                }
            }
            Alarm::Drain => self.shut(now),
            Alarm::Handshake => self.handshake_over(0, false, now),
            // What the buffer holds was told before this.
            Alarm::Look => {}
        }
    }

    fn look_at_link(&mut self, now: Instant) {
        if self.liveness.reply_due().is_some_and(|due| due <= now) {
            match self.liveness.overdue(now) {
                Overdue::AskAgain => self.ping(now),
                Overdue::Wait => {}
                Overdue::Dead => return self.judge(now),
            }
        }
        if self.liveness.unsettled_due().is_some_and(|due| due <= now) {
            self.liveness.probed(now);
            self.ping(now);
        } else if self.ping_due().is_some_and(|due| due <= now) {
            self.ping(now);
        }
        if self.stalled_due().is_some_and(|due| due <= now) {
            let n = self.sending.oldest();
            self.link.stalled = Some(n);
            self.notice(Notice::StoreStalled { n, code: None });
        }
    }

    /// The link is dead. [LIVE-8]
    pub(super) fn judge(&mut self, now: Instant) {
        if self.liveness.judge(self.reader.received(), self.sending.oldest()) {
            self.notice(Notice::TooSlow);
        }
        self.lose(End::new(Why::NoReply, Ground::Local).closing(4003, "LIVE-8"), now);
    }

    pub(super) fn ping(&mut self, now: Instant) {
        let x = self.liveness.ping(|x| super::work::head_bytes(&Outbound::Ping(x)), now);
        self.link.buffered = self.link.buffered.saturating_add(super::work::head_bytes(&Outbound::Ping(x)));
        self.order(Action::Write { link: self.number, frame: Outbound::Ping(x) });
    }

    /// Something looks wrong: the link is asked, unless it is being asked. [LIVE-7]
    pub(super) fn suspect(&mut self, now: Instant) {
        if self.phase.is_open() && !self.link.muted && !self.liveness.is_asking() {
            self.ping(now);
        }
    }
}
