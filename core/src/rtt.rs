//! The round trip, estimated as TCP does (RFC 6298), from answered heartbeats and own
//! messages that come back.

use crate::time::Duration;

/// No deadline for an answer is shorter than this.
const DEADLINE_MIN: Duration = Duration::from_secs(1);
/// The deadline while nothing has been measured.
const DEADLINE_UNKNOWN: Duration = Duration::from_secs(3);

/// Smoothed round trip and its deviation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt(Option<(Duration, Duration)>);

impl Rtt {
    pub(crate) fn sample(&mut self, round_trip: Duration) {
        self.0 = Some(match self.0 {
            None => (round_trip, round_trip.halved(1)),
            Some((smoothed, deviation)) => {
                let off = (smoothed - round_trip).max(round_trip - smoothed);
                (
                    (smoothed.times(7) + round_trip).halved(3), //
                    (deviation.times(3) + off).halved(2),
                )
            }
        });
    }

    /// What dialling took, while nothing else is known: connecting is one round trip and the upgrade another, or more. A dial
    /// that took no time tells nothing.
    pub(crate) fn seed(&mut self, dial: Duration) {
        if self.0.is_none() && dial > Duration::ZERO {
            self.sample(dial.halved(1));
        }
    }

    /// The smoothed round trip; zero while nothing has been measured.
    pub(crate) fn smoothed(self) -> Duration {
        self.0.map_or(Duration::ZERO, |(smoothed, _)| smoothed)
    }

    /// How long an answer may take: srtt + 4·rttvar, within reason.
    #[inline(never)] // smaller: asked for in several places
    pub(crate) fn deadline(self) -> Duration {
        self.0.map_or(DEADLINE_UNKNOWN, |(smoothed, deviation)| {
            (smoothed + deviation.times(4)).max(DEADLINE_MIN)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_rfc_6298() {
        let ms = Duration::from_millis;
        let mut rtt = Rtt::default();
        assert_eq!((rtt.smoothed(), rtt.deadline()), (ms(0), ms(3000)));
        rtt.sample(ms(800));
        assert_eq!((rtt.smoothed(), rtt.deadline()), (ms(800), ms(800 + 4 * 400)));
        rtt.sample(ms(1600));
        assert_eq!((rtt.smoothed(), rtt.deadline()), (ms(900), ms(900 + 4 * 500)));
        rtt.seed(ms(8_000));
        assert_eq!(rtt.smoothed(), ms(900), "measured is better");
        for _ in 0..100 {
            rtt.sample(ms(10));
        }
        assert_eq!(rtt.deadline(), ms(1000), "never shorter than a second");
    }

    #[test]
    fn a_dial_is_two_round_trips() {
        let ms = Duration::from_millis;
        let mut rtt = Rtt::default();
        rtt.seed(Duration::ZERO);
        assert_eq!(rtt.deadline(), ms(3000), "nothing is known");
        rtt.seed(ms(1600));
        assert_eq!((rtt.smoothed(), rtt.deadline()), (ms(800), ms(800 + 4 * 400)));
    }
}
