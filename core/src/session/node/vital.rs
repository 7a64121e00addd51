//! Whether the client is alive, as its node sees it.

use std::collections::VecDeque;

use crate::time::{Duration, Instant};

/// How long a ping may go unanswered, octets apart. [LIVE-4]
const PATIENCE: Duration = Duration::from_secs(20);
/// What one octet takes at the rate that a node reckons with: 4,000 a second. It keeps nothing, so it cannot learn a
/// rate over many links. [LIVE-4]
const OCTET_TIME: Duration = Duration::from_micros(250);
/// So many octets that no `pong` confirms are asked about: they would add up, and put off a verdict by hours. [LIVE-3]
const UNREAD_MAX: u64 = 65_536;
/// A timer that is later than this gives no verdict: it asks again. [LIVE-11]
const LATE: Duration = Duration::from_secs(1);
/// Pings that are unanswered: the one, and the one that a late timer has sent.
const PINGS_MAX: usize = 4;

/// What a passed deadline leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The timer was late: ask again.
    AskAgain,
    /// It was late again: once the frames that were waiting have been read, that is a verdict.
    NextTurn,
    /// The link is dead.
    Dead,
}

#[derive(Clone, Debug)]
pub(super) struct Vital {
    heartbeat: Duration,
    heard_at: Instant,
    /// The x of the newest ping.
    sent: u64,
    /// Those that are unanswered, each with the octets that had been written before it.
    pings: VecDeque<(u64, u64)>,
    pinged_at: Instant,
    /// Octets that have been read: those before the newest ping that is answered, or up to the newest push, if nothing of
    /// what was pushed is outstanding.
    confirmed: u64,
    /// Where the newest push ends, once the transport has told.
    push_end: u64,
    pushed: bool,
    /// An announced frame is on its way. [LIVE-14]
    grace: Duration,
    late: bool,
    /// A timer was late twice: then the verdict is given.
    verdict_at: Option<Instant>,
    /// Since then nothing is read.
    stopped_at: Option<Instant>,
}

impl Vital {
    pub(super) fn new(heartbeat: Duration, now: Instant) -> Self {
        Self {
            heartbeat,
            heard_at: now,
            sent: 0,
            pings: VecDeque::new(),
            pinged_at: now,
            confirmed: 0,
            push_end: 0,
            pushed: false,
            grace: Duration::ZERO,
            late: false,
            verdict_at: None,
            stopped_at: None,
        }
    }

    /// Something has come.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.late = false;
        self.verdict_at = None;
        if let Some(stopped_at) = &mut self.stopped_at {
            *stopped_at = now;
        }
    }

    /// A frame of so many octets is announced.
    pub(super) fn announced(&mut self, octets: u64) {
        self.grace = OCTET_TIME.times(octets);
    }

    /// A frame has come.
    pub(super) fn arrived(&mut self) {
        self.grace = Duration::ZERO;
    }

    /// The ping to be written now; so many octets have been written before it.
    pub(super) fn ping(&mut self, written: u64, now: Instant) -> u64 {
        self.sent += 1;
        if self.pings.len() >= PINGS_MAX {
            self.pings.pop_front();
        }
        self.pings.push_back((self.sent, written));
        self.pinged_at = now;
        self.sent
    }

    /// A `pong` answers its ping and every one before it. [LIVE-2]
    pub(super) fn pong(&mut self, x: u64) {
        while let Some((_, written)) =
            self.pings.front().copied().filter(|(sent, _)| *sent <= x && x <= self.sent)
        {
            self.pings.pop_front();
            self.confirmed = self.confirmed.max(written);
        }
    }

    /// A push is being written.
    pub(super) fn pushed(&mut self) {
        self.pushed = true;
    }

    /// So many octets have been written.
    pub(super) fn wrote(&mut self, written: u64) {
        if self.pushed {
            (self.push_end, self.pushed) = (written, false);
        }
    }

    /// Everything that was pushed has been processed: nothing need be asked.
    pub(super) fn caught_up(&mut self) {
        self.confirmed = self.confirmed.max(self.push_end);
    }

    /// Whether anything is read; time in which it is not does not count.
    pub(super) fn read(&mut self, reads: bool, now: Instant) {
        match (reads, self.stopped_at) {
            (false, None) => self.stopped_at = Some(now),
            (true, Some(stopped_at)) => {
                let stopped = now.since(stopped_at);
                self.heard_at = self.heard_at + stopped;
                self.pinged_at = self.pinged_at + stopped;
                self.stopped_at = None;
            }
            _ => {}
        }
    }

    /// When the client is to be asked, where the transport has taken so many octets.
    pub(super) fn ping_due(&self, taken: u64) -> Option<Instant> {
        let asks = self.pings.is_empty() && self.stopped_at.is_none();
        let unread = taken.saturating_sub(self.confirmed) >= UNREAD_MAX;
        asks.then(|| if unread { self.heard_at } else { self.heard_at + self.heartbeat + self.grace })
    }

    /// When it must have answered, where so many octets have been written.
    pub(super) fn verdict_due(&self, written: u64) -> Option<Instant> {
        let asked = !self.pings.is_empty() && self.stopped_at.is_none();
        let unconfirmed = written.saturating_sub(self.confirmed);
        let patience = PATIENCE + OCTET_TIME.times(unconfirmed) + self.grace;
        asked.then(|| self.verdict_at.unwrap_or(self.heard_at.max(self.pinged_at) + patience))
    }

    /// What to do about a verdict that was due then.
    pub(super) fn overdue(&mut self, due: Instant, now: Instant) -> Overdue {
        if self.verdict_at.is_some() || now.since(due) <= LATE {
            return Overdue::Dead;
        }
        if self.late {
            self.verdict_at = Some(now + Duration::from_micros(1));
            return Overdue::NextTurn;
        }
        self.late = true;
        Overdue::AskAgain
    }
}
