//! How many messages a second one link may write. Who writes more waits: the limit is credit, never refusal. [SEND-24]

use everwire_core::session::up::WINDOW_MESSAGES_MAX;
use everwire_core::{Duration, Instant};

/// A full window may come at once: a client that returns with everything that it could have written.
pub const BURST_MESSAGES: u64 = WINDOW_MESSAGES_MAX;
/// A window that has shut is looked at again after so long.
const AGAIN: Duration = Duration::from_millis(20);
const SECOND: u64 = 1_000_000;

/// A bucket of tokens, one for each message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    per_second: u64,
    tokens: u64,
    filled_at: Instant,
    /// The window that the link was told last.
    window: u64,
}

impl Pace {
    pub(crate) fn new(per_second: u64, now: Instant) -> Self {
        Self { per_second: per_second.max(1), tokens: BURST_MESSAGES, filled_at: now, window: BURST_MESSAGES }
    }

    /// So many messages have come, or time has passed. The window that the link is to be told, if it is another one.
    pub(crate) fn take(&mut self, messages: u64, now: Instant) -> Option<u64> {
        let fresh = now.since(self.filled_at).as_micros().saturating_mul(self.per_second) / SECOND;
        if fresh > 0 {
            self.tokens = self.tokens.saturating_add(fresh).min(BURST_MESSAGES);
            self.filled_at = if self.tokens == BURST_MESSAGES {
                now
            } else {
                // What is left of a token stays.
                self.filled_at + Duration::from_micros(fresh.saturating_mul(SECOND) / self.per_second)
            };
        }
        self.tokens = self.tokens.saturating_sub(messages);
        // Nobody is told of a limit that he is far from.
        let window = if self.tokens < BURST_MESSAGES / 2 { self.tokens } else { BURST_MESSAGES };
        let before = core::mem::replace(&mut self.window, window);
        (self.window != before).then_some(self.window)
    }

    /// When time alone opens the window.
    pub(crate) fn due(&self) -> Option<Instant> {
        let one = Duration::from_micros(SECOND.div_ceil(self.per_second));
        (self.window < BURST_MESSAGES).then(|| self.filled_at + AGAIN.max(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [SEND-24]
    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let at = |ms: u64| Instant::default() + Duration::from_millis(ms);
        let mut pace = Pace::new(100, at(0));
        assert_eq!((pace.take(0, at(0)), pace.due()), (None, None));
        assert_eq!(pace.take(BURST_MESSAGES, at(0)), Some(0));
        assert_eq!(pace.take(0, at(9)), None, "not one yet");
        assert_eq!(pace.due(), Some(at(20)));
        assert_eq!(pace.take(0, at(25)), Some(2));
        assert_eq!(pace.take(0, at(30)), Some(3), "half a token was kept");
        let mut sent = 0;
        for ms in 0..10_000 {
            let window = pace.take(0, at(1_000 + ms)).unwrap_or(pace.window);
            sent += window;
            pace.take(window, at(1_000 + ms));
        }
        assert!((1_000..=1_100).contains(&sent), "{sent}");
        pace.take(0, at(1_000_000));
        assert_eq!((pace.window, pace.due()), (BURST_MESSAGES, None));
    }
}
