//! The server that everybody comes back to.

use everwire_core::{Duration, Instant};

/// What a dial that arrives finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nobody listens, or the queue is full.
    Refused,
    /// Its turn comes then.
    Accepted(Instant),
}

/// Accepts at a steady rate; what cannot be accepted within [`QUEUE`] is refused, as a full listen queue does.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    accepts_per_second: u64,
    up_at: Instant,
    /// When the next one can be accepted, in microseconds × `accepts_per_second`: whole numbers at every rate.
    free_at: u128,
}

/// One second's worth of accepts waits: 250 at the default rate, between a listen queue of 128 and one of 511.
pub(crate) const QUEUE: Duration = Duration::from_secs(1);

const SECOND: u128 = 1_000_000;

impl Server {
    pub(crate) fn new(accepts_per_second: u64, up_at: Instant) -> Self {
        Self { accepts_per_second, up_at, free_at: 0 }
    }

    pub(crate) fn dial(&mut self, now: Instant) -> Answer {
        let rate = u128::from(self.accepts_per_second);
        let at = u128::from(now.as_micros()) * rate;
        let turn = self.free_at.max(at);
        if now < self.up_at || turn - at > u128::from(QUEUE.as_micros()) * rate {
            return Answer::Refused;
        }
        self.free_at = turn + SECOND;
        Answer::Accepted(Instant::from_micros(self.free_at.div_ceil(rate) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_its_rate_and_a_second_of_queue() {
        let up_at = Instant::from_micros(5_000_000);
        let mut server = Server::new(30, up_at);
        assert_eq!(server.dial(Instant::from_micros(4_999_999)), Answer::Refused);
        let answers: Vec<_> = (0..100).map(|_| server.dial(up_at)).collect();
        let taken: Vec<_> = answers.iter().filter(|answer| **answer != Answer::Refused).collect();
        assert_eq!(taken.len(), 31, "one in hand and thirty in the queue");
        assert_eq!(*taken[29], Answer::Accepted(up_at + Duration::from_secs(1)));
        let later = up_at + Duration::from_secs(10);
        assert_eq!(server.dial(later), Answer::Accepted(later + Duration::from_micros(33_334)));
    }
}
