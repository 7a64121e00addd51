//! How often a link may ask for something. [NODE-9]

use crate::time::{Duration, Instant};

/// So many may come at once: every room joined, left and joined again.
const BURST: u64 = 1024;
/// And one in so much time afterwards: faster than any page's animation.
const EACH: Duration = Duration::from_millis(2);
/// A pause: half of the longest one, for a ping must still be answered in time.
const PAUSE: Duration = Duration::from_millis(250);

/// Frames that cost their sender nothing: `join`, `leave`, `page`, `cast`, `ping`, `auth`, `vis` and releases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// All would be forgiven then.
    empty_at: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { empty_at: now }
    }

    /// One more has come; until when nothing is to be read, if it was too much.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        self.empty_at = self.empty_at.max(now) + EACH;
        let ahead = self.empty_at.since(now);
        let most = EACH.times(BURST);
        if ahead <= most {
            return None;
        }
        // Who goes on all the same is not made to wait for ever.
        self.empty_at = self.empty_at.min(now + most + PAUSE);
        Some(now + PAUSE)
    }
}
