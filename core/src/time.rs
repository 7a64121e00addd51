//! Points in time and spans of it, in whole microseconds.
//!
//! `core::time::Duration` is twelve bytes and divides by 10⁹ on every use; the whole core runs on these two
//! eight-byte integers instead. The origin of [`Instant`] is whatever the shell likes.

use core::ops::{Add, Sub};

/// A point in time on the shell's clock: microseconds since an arbitrary origin. It never goes backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

/// A span of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Instant {
    /// The point `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The point `millis` milliseconds after the origin. What is no finite, positive number is the origin.
    pub fn from_millis_f64(millis: f64) -> Self {
        // A float-to-int `as` cast saturates, and NaN becomes 0: no hostile clock can panic here.
        Self((millis * 1000.0) as u64)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until this point; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// A span of `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// A span of `millis` milliseconds. What is no positive number is zero.
    pub fn from_millis_f64(millis: f64) -> Self {
        Self((millis * 1000.0) as u64)
    }

    /// The span in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span in milliseconds.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// This span `factor` times.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// This span divided by two, so many times.
    #[must_use]
    pub const fn halved(self, times: u32) -> Self {
        Self(self.0 >> times)
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_clock_saturates() {
        for millis in [f64::NAN, f64::NEG_INFINITY, -1.0] {
            assert_eq!(Instant::from_millis_f64(millis).as_micros(), 0);
            assert_eq!(Duration::from_millis_f64(millis), Duration::ZERO);
        }
        assert_eq!(Instant::from_millis_f64(f64::INFINITY).as_micros(), u64::MAX);
        assert_eq!(Instant::from_micros(u64::MAX) + Duration::from_secs(1), Instant::from_micros(u64::MAX));
        assert_eq!(Instant::from_micros(5).since(Instant::from_micros(9)), Duration::ZERO);
    }
}
