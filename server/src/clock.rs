//! The one clock of a server: microseconds since 1970, and never backwards.

use std::time::{Duration, Instant as Monotonic, SystemTime, UNIX_EPOCH};

use everwire_core::Instant;

/// The wall clock where the process began, and the monotonic one since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Monotonic,
    at: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Monotonic::now(), at }
    }

    pub(crate) fn now(&self) -> Instant {
        let micros = (self.at + self.began.elapsed()).as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// A span as the core counts it.
pub(crate) fn span(time: Duration) -> everwire_core::Duration {
    everwire_core::Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// A span as the standard library counts it.
pub(crate) fn time(span: everwire_core::Duration) -> Duration {
    Duration::from_micros(span.as_micros())
}
