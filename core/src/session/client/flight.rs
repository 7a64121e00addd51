//! How fast octets leave, learned from what the peer has confirmed. [LIVE-9]

use crate::time::{Duration, Instant};

/// What is assumed before anything was measured, in octets a second. [LIVE-9]
const RATE_ASSUMED: u64 = 16_000;
/// No rate is taken to be lower. [LIVE-10]
const RATE_MIN: u64 = 1_000;
/// Nor higher: it would shorten the patience by less than two seconds a mebibyte, and a link that has become slow would
/// be judged by it.
const RATE_MAX: u64 = 512_000;
/// A shorter flight tells of the round trip, not of the rate. [LIVE-9]
pub(super) const FLIGHT_MIN: u64 = 16_384;
/// A flight of less than a round trip and this gives no rate. [LIVE-16]
const SPAN_MIN: Duration = Duration::from_millis(1);

/// Who says that octets have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    /// An `ack`: it may have waited for the store, and shows only that the link is not slower than that.
    Ack,
    /// A `pong`, which waits for nothing.
    Pong,
}

/// The flight that is being measured, and the rate, which outlives links.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flight {
    rate: Option<u64>,
    since: Instant,
    from: u64,
    confirmed: u64,
    /// What began to drain below this was under way while this end slept: its time tells nothing.
    void: u64,
}

impl Flight {
    /// A new link.
    pub(super) fn begin(&mut self) {
        *self = Self { rate: self.rate, ..Self::default() };
    }

    /// A frame goes out, behind so many octets.
    pub(super) fn wrote(&mut self, before: u64, now: Instant) {
        if before <= self.confirmed {
            (self.since, self.from) = (now, before);
        }
    }

    /// The peer has read the first so many octets, of so many that were written.
    pub(super) fn confirm(&mut self, through: u64, written: u64, srtt: Duration, by: Teller, now: Instant) {
        if through <= self.confirmed {
            return;
        }
        // A trickle is as slow as whoever sends it: it measures nothing.
        let trickle = written.saturating_sub(self.confirmed) < FLIGHT_MIN;
        self.confirmed = through;
        let (octets, time) = (through.saturating_sub(self.from), now.since(self.since));
        let full = octets >= FLIGHT_MIN;
        if full && time >= srtt + SPAN_MIN && self.from >= self.void {
            self.measured(octets, time - srtt, by);
        }
        if full || trickle {
            // What follows can have begun to drain one round trip ago at the earliest.
            (self.since, self.from) = (self.since.max(now - srtt), through);
        }
    }

    /// This end has slept, with so many octets written. [LIVE-16]
    pub(super) fn slept(&mut self, written: u64) {
        self.void = written;
    }

    fn measured(&mut self, octets: u64, time: Duration, by: Teller) {
        let rate = per(octets, time.as_micros().max(1)).clamp(RATE_MIN, RATE_MAX);
        let before = self.rate.unwrap_or(RATE_ASSUMED);
        if rate < before && by == Teller::Ack {
            return;
        }
        // Too low costs time until a dead link is noticed, too high costs a healthy link: down at once, up by half.
        self.rate = Some(self.rate.map_or(rate, |before| rate.min(before.midpoint(rate))));
    }

    /// What has got through only when the rate was halved so often goes on at that: acks alone would never lower it, and the
    /// next long frame would cost as many links again. [LIVE-10]
    pub(super) fn believe(&mut self, halvings: u32) {
        if halvings > 0 {
            self.rate = Some(self.halved(halvings));
        }
    }

    fn halved(&self, halvings: u32) -> u64 {
        (self.rate.unwrap_or(RATE_ASSUMED) >> halvings.min(16)).max(RATE_MIN)
    }

    /// How long so many octets take, where so many verdicts were followed by a healthy link. [LIVE-10]
    pub(super) fn drain(&self, octets: u64, halvings: u32) -> Duration {
        Duration::from_micros(per(octets, self.halved(halvings)))
    }
}

/// Octets a microsecond are a rate, octets by a rate are microseconds.
/// In two parts, since a division of 128 bits is 1 KB of WebAssembly; exact while `each` is below 2⁴⁴, which as a time are
/// 200 days.
fn per(octets: u64, each: u64) -> u64 {
    const MILLION: u64 = 1_000_000;
    let each = each.max(1);
    let part = (octets % each).saturating_mul(MILLION) / each;
    (octets / each).saturating_mul(MILLION).saturating_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRTT: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(1_000 + millis)
    }

    #[test]
    fn a_rate_is_exact() {
        let some =
            [0, 1, 2, 3, 999, 1_000, 16_001, 511_999, 512_000, 1 << 20, 3 << 30, 1 << 43, (1 << 44) - 1];
        for octets in some.into_iter().chain([1 << 53, u64::MAX - 1, u64::MAX]) {
            for each in some {
                let exact = u128::from(octets) * 1_000_000 / u128::from(each.max(1));
                assert_eq!(per(octets, each), u64::try_from(exact).unwrap_or(u64::MAX), "{octets} / {each}");
            }
        }
    }

    /// [LIVE-9]
    #[test]
    fn octets_over_time_less_the_round_trip() {
        let mut flight = Flight::default();
        assert_eq!(flight.drain(160_000, 0), Duration::from_secs(10));
        flight.wrote(0, at(0));
        flight.confirm(FLIGHT_MIN - 1, FLIGHT_MIN - 1, SRTT, Teller::Pong, at(2_050));
        assert_eq!(flight.rate, None, "too short");
        flight.begin();
        flight.wrote(0, at(0));
        flight.confirm(100_000, 100_000, SRTT, Teller::Pong, at(2_050));
        assert_eq!(flight.drain(50_000, 0), Duration::from_secs(1));
    }

    /// A store that stalls makes no link slow: else what is in flight would hold off a verdict for minutes. [LIVE-9]
    #[test]
    fn an_ack_lowers_no_rate() {
        let mut flight = Flight::default();
        for (by, rate) in [(Teller::Ack, None), (Teller::Pong, Some(5_000)), (Teller::Ack, Some(5_000))] {
            flight.begin();
            flight.wrote(0, at(0));
            flight.confirm(100_000, 100_000, SRTT, by, at(20_050));
            assert_eq!(flight.rate, rate, "{by:?}");
        }
        flight.begin();
        flight.wrote(0, at(0));
        flight.confirm(100_000, 100_000, SRTT, Teller::Ack, at(2_050));
        assert_eq!(flight.rate, Some(27_500), "it raises one");
    }

    /// What was under way while this end slept measures nothing. [LIVE-16]
    #[test]
    fn a_flight_that_was_slept_through_gives_no_rate() {
        let mut flight = Flight::default();
        flight.wrote(0, at(0));
        flight.slept(100_000);
        flight.confirm(100_000, 100_000, SRTT, Teller::Pong, at(100_000));
        assert_eq!(flight.rate, None);
        flight.wrote(100_000, at(100_000));
        flight.confirm(200_000, 200_000, SRTT, Teller::Pong, at(102_050));
        assert_eq!(flight.rate, Some(50_000));
    }

    /// [LIVE-16]
    #[test]
    fn a_flight_of_one_round_trip_gives_no_rate() {
        let mut flight = Flight::default();
        flight.wrote(0, at(0));
        flight.confirm(100_000, 100_000, SRTT, Teller::Pong, at(50));
        assert_eq!(flight.rate, None);
        flight.begin();
        flight.wrote(0, at(0));
        flight.confirm(100_000, 100_000, SRTT, Teller::Pong, at(51));
        assert_eq!(flight.rate, Some(RATE_MAX));
    }

    /// [LIVE-10]
    #[test]
    fn it_halves_down_to_a_thousand() {
        let flight = Flight::default();
        let spans = [0, 1, 2, 3, 4, 5, 40].map(|halvings| flight.drain(16_000, halvings));
        assert_eq!(spans, [1, 2, 4, 8, 16, 16, 16].map(Duration::from_secs));
    }

    /// [LIVE-10]
    #[test]
    fn what_got_through_at_a_halved_rate_goes_on_at_it_until_measured() {
        let mut flight = Flight { rate: Some(400_000), ..Flight::default() };
        flight.believe(0);
        assert_eq!(flight.rate, Some(400_000));
        flight.believe(3);
        assert_eq!((flight.rate, flight.drain(50_000, 0)), (Some(50_000), Duration::from_secs(1)));
        flight.wrote(0, at(0));
        flight.confirm(100_000, 100_000, SRTT, Teller::Ack, at(1_050));
        assert_eq!(flight.rate, Some(75_000), "up by half");
        flight.believe(40);
        assert_eq!(flight.rate, Some(1_000));
    }

    #[test]
    fn a_trickle_measures_nothing() {
        let mut flight = Flight::default();
        for n in 0..10_000u64 {
            flight.wrote(n * 200, at(n * 5));
            if n >= 10 {
                flight.confirm((n - 9) * 200, (n + 1) * 200, SRTT, Teller::Pong, at(n * 5));
            }
        }
        assert_eq!(flight.rate, None);
    }
}
