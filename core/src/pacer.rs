//! The pace of the backlog.
//!
//! What piled up while there was no link would otherwise leave in one burst, and servers with a rate limit would
//! refuse the returning client for flooding. Live traffic is not slowed down.

use crate::time::{Duration, Instant};

/// The backlog leaves at this many messages a second at least …
const RATE_MIN: u64 = 200;
/// … and at this many times the application's own rate, or it would never be worked off.
const RATE_FACTOR: u64 = 2;
/// So many leave at once: 50 ms worth at the lowest rate, so that the timer is not the limit.
const BURST: u64 = 10;
/// A message, in the unit in which the allowance is counted: millionths, so that microseconds × rate needs no division.
const ONE: u64 = 1_000_000;
/// The application's rate is counted over windows of this length.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub(crate) struct Pacer {
    window_began: Instant,
    window_count: u64,
    window_before: u64,
    /// While a backlog is being written: when it was last looked at, and how many may leave, in millionths.
    running: Option<(Instant, u64)>,
}

impl Pacer {
    /// The application has handed in a message.
    pub(crate) fn submitted(&mut self, now: Instant) {
        self.roll(now);
        self.window_count += 1;
    }

    fn roll(&mut self, now: Instant) {
        let since = now.since(self.window_began);
        if since >= WINDOW {
            self.window_before = if since >= WINDOW.times(2) { 0 } else { self.window_count };
            self.window_count = 0;
            self.window_began = now;
        }
    }

    fn rate(&self) -> u64 {
        RATE_MIN.max(RATE_FACTOR * self.window_before.max(self.window_count))
    }

    /// A backlog is there to be written, from now on.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.running = Some((now, BURST * ONE));
    }

    /// The backlog has been written, or its link is gone.
    pub(crate) fn end(&mut self) {
        self.running = None;
    }

    /// Whether one more may leave now; counts it.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.roll(now);
        let rate = self.rate();
        let Some((last, allowed)) = &mut self.running else { return true };
        // One second's worth at the most: a throttled page has one timer a second and keeps its rate.
        *allowed = (*allowed + now.since(*last).as_micros().saturating_mul(rate)).min(rate.max(BURST) * ONE);
        *last = now;
        if *allowed < ONE {
            return false;
        }
        *allowed -= ONE;
        true
    }

    /// When the next burst may leave.
    pub(crate) fn next(&self, now: Instant) -> Instant {
        now + Duration::from_micros(BURST * ONE / self.rate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pacer: &mut Pacer, from: Instant, span: Duration, own_every: Option<Duration>) -> (u64, u64) {
        let (mut now, mut left, mut own, mut burst) = (from, 0, 0, 0u64);
        let mut next_own = from;
        while now.since(from) < span {
            while own_every.is_some_and(|_| next_own <= now) {
                pacer.submitted(next_own);
                own += 1;
                next_own = next_own + own_every.unwrap();
            }
            let before = left;
            while pacer.take(now) {
                left += 1;
            }
            burst = burst.max(left - before);
            now = pacer.next(now);
        }
        assert!(burst <= BURST + 1 || own_every.is_some(), "a burst of {burst}");
        (left, own)
    }

    #[test]
    fn two_hundred_a_second_when_the_application_is_quiet() {
        let mut pacer = Pacer::default();
        pacer.begin(Instant::default());
        let (left, _) = run(&mut pacer, Instant::default(), Duration::from_secs(10), None);
        assert!((2000..=2020).contains(&left), "{left}");
    }

    #[test]
    fn twice_the_application_when_it_is_busy() {
        let mut pacer = Pacer::default();
        pacer.begin(Instant::default());
        let every = Some(Duration::from_millis(2));
        let (left, own) = run(&mut pacer, Instant::default(), Duration::from_secs(10), every);
        assert!(left > own * 17 / 10 && left < own * 21 / 10, "{left} written, {own} handed in");
    }

    #[test]
    fn without_a_backlog_nothing_is_held_back() {
        let mut pacer = Pacer::default();
        assert!((0..10_000).all(|_| pacer.take(Instant::default())));
    }
}
