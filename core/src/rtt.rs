//! The round trip, estimated as TCP does (RFC 6298), from answered heartbeats and own
//! messages that come back.

use crate::time::Duration;

/// No deadline for an answer is shorter than this.
const DEADLINE_MIN: Duration = Duration::from_secs(1);
/// The deadline while nothing has been measured.
const DEADLINE_UNKNOWN: Duration = Duration::from_secs(3);

/// Smoothed round trip and its deviation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    known: Option<(Duration, Duration)>,
    measured: bool,
}

impl Rtt {
    pub(crate) fn sample(&mut self, round_trip: Duration) {
        let known = self.known.filter(|_| self.measured);
        self.measured = true;
        self.known = Some(match known {
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

    /// What dialling took, until something is measured: connecting is one round trip and the upgrade another, or more. Browsers
    /// also hold dials back by seconds without a word (Chromium when many are pending, Firefox after failures), so that it is a
    /// guess, and the first measurement takes its place. A dial that took no time tells nothing.
    pub(crate) fn seed(&mut self, dial: Duration) {
        if !self.measured && dial > Duration::ZERO {
            self.sample(dial.halved(1));
            self.measured = false;
        }
    }

    /// The smoothed round trip; zero while nothing has been measured.
    pub(crate) fn smoothed(self) -> Duration {
        self.known.map_or(Duration::ZERO, |(smoothed, _)| smoothed)
    }

    /// How long an answer may take: srtt + 4·rttvar, within reason.
    #[inline(never)] // smaller: asked for in several places
    pub(crate) fn deadline(self) -> Duration {
        self.known.map_or(DEADLINE_UNKNOWN, |(smoothed, deviation)| {
            (smoothed + deviation.times(4)).max(DEADLINE_MIN)
        })
    }

    /// After what time without an answer it is worth asking. A guess does not put that off: it is the question that measures.
    pub(crate) fn suspicion(self) -> Duration {
        let due = self.deadline();
        if self.measured { due } else { due.min(DEADLINE_UNKNOWN) }
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

    #[test]
    fn a_dial_that_the_browser_held_back_is_forgotten_with_the_first_answer() {
        let ms = Duration::from_millis;
        let mut rtt = Rtt::default();
        rtt.seed(ms(8_000));
        assert_eq!((rtt.suspicion(), rtt.deadline()), (ms(3_000), ms(4_000 + 4 * 2_000)));
        rtt.seed(ms(2_000));
        assert_eq!(rtt.deadline(), ms(3_000), "the dial of a later link is a newer guess");
        rtt.seed(ms(8_000));
        rtt.sample(ms(10));
        assert_eq!((rtt.smoothed(), rtt.suspicion(), rtt.deadline()), (ms(10), ms(1_000), ms(1_000)));
        for _ in 0..9 {
            rtt.sample(ms(8_000));
        }
        assert_eq!(rtt.suspicion(), rtt.deadline(), "what was measured is believed");
    }
}
