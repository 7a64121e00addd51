//! Between the core's spans and the standard library's.

use std::time::Duration;

pub(crate) fn of_std(span: Duration) -> everwire_core::Duration {
    everwire_core::Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

pub(crate) fn to_std(span: everwire_core::Duration) -> Duration {
    Duration::from_micros(span.as_micros())
}
