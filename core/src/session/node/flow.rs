//! What waits for the transport of a link, and what may be written and read meanwhile.

use super::input::Transport;
use crate::frame::BATCH_BYTES_MAX;
use crate::time::{Duration, Instant};

/// While more than so many octets other than pushes wait, nothing is read. [NODE-14]
const WAITING_MAX: u64 = 1 << 20;
/// While more than so many wait, no further `page` or `reply` begins. [NODE-14]
const BIG_MAX: u64 = 65_536;
/// While more than so many octets wait at all, nothing is pushed: what waits here, a ping waits behind. As much as one
/// batch.
const CLOGGED_ABOVE: u64 = BATCH_BYTES_MAX;
/// In so much time a transport must take so many octets. [CODE-4007]
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(60);
const TAKEN_LEAST: u64 = 4096;

/// A frame of which it is of interest whether it still waits: since then, once its end is known.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    octets: u64,
    until: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// The driver tells what the transport takes. If not, it takes everything at once.
    reports: bool,
    seen: Transport,
    /// Octets of pages and replies that were written since.
    fresh: u64,
    big: Option<Waiting>,
    pong: Option<Waiting>,
    next_pong: Option<u64>,
    /// Something has waited since then, when so much had been taken.
    since: Option<(Instant, u64)>,
}

impl Flow {
    /// What the driver has seen. The x of a pong that may be written now.
    pub(super) fn report(&mut self, mut seen: Transport, now: Instant) -> Option<u64> {
        self.reports = true;
        // What does not add up is moved to where it does: it bounds memory, and promises nothing.
        seen.written = seen.written.max(self.seen.written);
        seen.taken = seen.taken.max(self.seen.taken).min(seen.written);
        self.seen = seen;
        self.fresh = 0;
        for waiting in [&mut self.big, &mut self.pong] {
            waiting.take_if(|waiting| *waiting.until.get_or_insert(seen.written) <= seen.taken);
        }
        if seen.written == seen.taken {
            self.since = None;
        } else {
            self.since.get_or_insert((now, seen.taken));
        }
        if self.pong.is_some() {
            return None;
        }
        let next = self.next_pong.take()?;
        self.pong = Some(Waiting { octets: 0, until: None });
        Some(next)
    }

    /// Octets of all frames that were written.
    pub(super) fn written(&self) -> u64 {
        self.seen.written
    }

    /// … and have left.
    pub(super) fn taken(&self) -> u64 {
        self.seen.taken
    }

    /// A page or a reply with a body of so many octets is being written.
    pub(super) fn write_big(&mut self, octets: u64) {
        if !self.reports {
            return;
        }
        self.fresh = self.fresh.saturating_add(octets);
        let longer = self.big.is_none_or(|big| big.octets <= octets);
        if longer {
            self.big = Some(Waiting { octets, until: None });
        }
    }

    /// Whether a further page or reply may begin.
    pub(super) fn admits_big(&self) -> bool {
        self.seen.waiting_other.saturating_add(self.fresh) <= BIG_MAX
    }

    /// Whether so much waits that nothing is to be read.
    pub(super) fn is_full(&self) -> bool {
        let big = self.big.map_or(0, |big| big.octets);
        self.seen.waiting_other.saturating_sub(big) > WAITING_MAX
    }

    /// Whether nothing more is to be pushed.
    pub(super) fn is_clogged(&self) -> bool {
        self.seen.written - self.seen.taken > CLOGGED_ABOVE
    }

    /// The x of the pong to be written now; while one waits, it is kept, and takes the place of an older one. [LIVE-1]
    pub(super) fn pong(&mut self, x: u64) -> Option<u64> {
        if self.pong.is_some() {
            self.next_pong = Some(x);
            return None;
        }
        if self.reports {
            self.pong = Some(Waiting { octets: 0, until: None });
        }
        Some(x)
    }

    /// When the transport must have taken something.
    pub(super) fn stuck_due(&self) -> Option<Instant> {
        self.since.map(|(since, _)| since + STUCK_AFTER)
    }

    /// Whether it has not; otherwise the time begins anew.
    pub(super) fn is_stuck(&mut self, now: Instant) -> bool {
        let Some((since, taken)) = self.since else { return false };
        if now.since(since) < STUCK_AFTER {
            return false;
        }
        let stuck = self.seen.taken.saturating_sub(taken) < TAKEN_LEAST;
        self.since = Some((now, self.seen.taken));
        stuck
    }
}
