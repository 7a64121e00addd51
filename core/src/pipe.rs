//! What has been written on a link and not been confirmed, and how fast such bytes have drained before.
//!
//! A confirmation is an answered heartbeat or an own message that came back: the server has read everything up to it.
//! A later frame settles messages too, but confirms nothing, and nothing can be seen of what waits in the kernel.

use crate::time::{Duration, Instant};

/// What drains while nothing has been measured, in bytes a second: a poor mobile link.
const RATE_ASSUMED: u64 = 16_000;
/// No measured rate is taken to be lower: one such flight lasts longer than any patience.
const RATE_MIN: u64 = 1_000;
/// … nor higher: it would shorten the patience by less than two seconds a mebibyte, and a link that has since become
/// slow would be judged by it.
const RATE_MAX: u64 = 512_000;
/// A link that has become slower than it was measured by this factor is still given its time.
const RATE_MARGIN: u64 = 2;
/// With less than this in flight the time tells of the round trip, not of the rate.
pub(crate) const FLIGHT_MIN: u64 = 16 << 10;
/// No count of bytes is taken to be higher where it is multiplied: a tebibyte, and a million times that is no overflow.
const BYTES_MAX: u64 = 1 << 40;
/// A flight is measured over this long, or to its end: two confirmations may be handed over in one instant because the
/// page was busy, and tell nothing of the time between them.
const SPAN_MIN: Duration = Duration::from_millis(250);

/// The bytes of one link, and the rate learned over many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pipe {
    written: u64,
    confirmed: u64,
    /// The flight that is being measured: since when, and what had been confirmed then.
    flight: (Instant, u64),
    rate: Option<u64>,
}

impl Pipe {
    /// A new link: nothing is in it.
    pub(crate) fn begin(&mut self) {
        *self = Self { rate: self.rate, ..Self::default() };
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn unconfirmed(&self) -> u64 {
        self.written - self.confirmed
    }

    /// How much of what was written up to this point is unconfirmed.
    pub(crate) fn unconfirmed_of(&self, through: u64) -> u64 {
        through.saturating_sub(self.confirmed)
    }

    pub(crate) fn wrote(&mut self, bytes: u64, now: Instant) {
        if self.unconfirmed() == 0 {
            self.flight = (now, self.confirmed);
        }
        self.written += bytes;
    }

    /// The server has read the first so many bytes; the oldest message behind them was written at `next`.
    pub(crate) fn confirm(&mut self, through: u64, next: Option<Instant>, srtt: Duration, now: Instant) {
        let (began, mark) = self.flight;
        // A trickle is as slow as whoever sends it: it measures nothing.
        let trickle = self.confirmed == mark && self.unconfirmed() < FLIGHT_MIN;
        self.confirmed = self.confirmed.max(through.min(self.written));
        let (bytes, time) = (self.confirmed - mark, now.since(began));
        let full = bytes >= FLIGHT_MIN && (time >= SPAN_MIN || self.unconfirmed() == 0);
        if full {
            self.measured(bytes, time, srtt);
        }
        if full || trickle {
            // What follows can have begun to drain one round trip ago at the earliest.
            self.flight = (next.unwrap_or_default().max(now - srtt), self.confirmed);
        }
    }

    fn measured(&mut self, bytes: u64, time: Duration, srtt: Duration) {
        // The round trip was measured at other times: taking it off must not make a rate out of nothing.
        let span = (time - srtt).max(time.halved(1));
        let rate = per(bytes, span.max(SPAN_MIN).as_micros()).clamp(RATE_MIN, RATE_MAX);
        self.rate = Some(match self.rate {
            // Too low costs time until a dead link is noticed, too high costs a healthy link: down at once, up by half.
            Some(before) if rate > before => before.midpoint(rate),
            // So short a flight only shows that the link is not slower.
            Some(before) if span < SPAN_MIN => before,
            _ => rate,
        });
    }

    /// A link was given up: the rate may have been the reason. A verdict is no measurement, though: it takes nothing
    /// below what would be assumed.
    pub(crate) fn doubt(&mut self) {
        self.rate = self.rate.map(|rate| (rate / 2).max(rate.min(RATE_ASSUMED)));
    }

    /// How long these bytes may take.
    pub(crate) fn drain(&self, bytes: u64) -> Duration {
        let rate = self.rate.map_or(RATE_ASSUMED, |rate| rate / RATE_MARGIN);
        Duration::from_micros(per(bytes, rate))
    }
}

/// Millionths of a byte each: bytes per microsecond are a rate, bytes per rate are microseconds.
fn per(bytes: u64, each: u64) -> u64 {
    bytes.min(BYTES_MAX) * 1_000_000 / each
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRTT: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(1_000 + millis)
    }

    fn flight(pipe: &mut Pipe, bytes: u64, millis: u64) {
        pipe.begin();
        pipe.wrote(bytes, at(0));
        pipe.confirm(bytes, None, SRTT, at(millis));
    }

    #[test]
    fn bytes_over_time_less_the_round_trip() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.drain(160_000), Duration::from_secs(10));
        flight(&mut pipe, FLIGHT_MIN - 1, 2_050);
        assert_eq!(pipe.rate, None);
        flight(&mut pipe, 100_000, 2_050);
        assert_eq!((pipe.rate, pipe.drain(50_000)), (Some(50_000), Duration::from_secs(2)));
    }

    /// A round trip that was measured while it was longer makes no rate out of nothing.
    #[test]
    fn at_the_least_half_the_time_counts() {
        let mut pipe = Pipe::default();
        pipe.wrote(100_000, at(0));
        pipe.confirm(100_000, None, Duration::from_millis(1_900), at(2_000));
        assert_eq!(pipe.rate, Some(100_000));
    }

    #[test]
    fn down_at_once_and_up_by_half_within_bounds() {
        let mut pipe = Pipe::default();
        let mut rates = Vec::new();
        for (bytes, millis) in [
            (200_000, 1_050),
            (200_000, 10_050),
            (200_000, 1_050),
            (20_000, 60),
            (16 << 20, 60),
            (20_000, 90_000),
        ] {
            flight(&mut pipe, bytes, millis);
            rates.push(pipe.rate.unwrap());
        }
        // The short flight shows 80,000 at the least, and so changes nothing.
        assert_eq!(rates, [200_000, 20_000, 110_000, 110_000, 311_000, RATE_MIN]);
    }

    #[test]
    fn the_pieces_of_a_flight_count_together() {
        let mut pipe = Pipe::default();
        for _ in 0..16 {
            pipe.wrote(64 << 10, at(0));
        }
        // 200 kB/s: a piece every 328 ms, and two handed over in one instant: wrong by less than the margin.
        for piece in 1..=16u64 {
            let piece_at = if piece == 9 { 10 } else { piece };
            pipe.confirm(piece * (64 << 10), Some(at(0)), SRTT, at(50 + piece_at * 328));
            let rate = pipe.rate.unwrap();
            assert!((90_000..=270_000).contains(&rate), "{piece}: {rate}");
        }
    }

    #[test]
    fn a_trickle_measures_nothing() {
        let mut pipe = Pipe::default();
        for n in 0..10_000u64 {
            pipe.wrote(200, at(n * 5));
            if n >= 10 {
                pipe.confirm((n - 9) * 200, Some(at((n - 9) * 5)), SRTT, at(n * 5));
            }
        }
        assert_eq!(pipe.rate, None);
    }

    #[test]
    fn a_verdict_halves_down_to_what_would_be_assumed() {
        let mut pipe = Pipe { rate: Some(50_000), ..Pipe::default() };
        let mut rates = Vec::new();
        for _ in 0..3 {
            pipe.doubt();
            rates.push(pipe.rate.unwrap());
        }
        assert_eq!(rates, [25_000, 16_000, 16_000]);
        pipe.rate = Some(5_000);
        pipe.doubt();
        assert_eq!(pipe.rate, Some(5_000), "measured so");
    }
}
