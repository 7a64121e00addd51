//! The rhythm of inbound traffic, so that its end is noticed.

use crate::time::{Duration, Instant};

/// Frames closer together than this are one arrival: a burst has no rhythm. So no silence of less than two seconds is
/// suspected.
const ARRIVAL_MIN: Duration = Duration::from_millis(250);
/// After a pause of this length the rhythm is learned anew; at eight such gaps the heartbeat asks long before.
const PAUSE: Duration = Duration::from_secs(15);
/// So many arrivals in a row make a rhythm.
const STEADY_AFTER: u8 = 16;
/// It has gone silent after so many of its gaps.
const QUIET_GAPS: u64 = 8;

/// The mean gap, leaning to the long ones: it rises half the way to a longer gap and falls a sixteenth of the way to a
/// shorter one, so that traffic that comes and goes is not suspected each time it goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rhythm {
    last: Instant,
    gap: Duration,
    arrivals: u8,
}

impl Rhythm {
    /// Traffic that was not asked for: no answer, no message of our own that came back.
    pub(crate) fn arrived(&mut self, now: Instant) {
        let gap = now.since(self.last);
        if self.arrivals > 0 && gap < ARRIVAL_MIN {
            return;
        }
        self.last = now;
        if gap > PAUSE {
            self.arrivals = 0;
        }
        self.gap = match self.arrivals {
            0 => Duration::ZERO,
            1 => gap,
            _ if gap > self.gap => (self.gap + gap).halved(1),
            _ => self.gap - (self.gap - gap).halved(4),
        };
        self.arrivals = self.arrivals.saturating_add(1);
    }

    /// After how much silence the traffic has ended, if it had a rhythm.
    pub(crate) fn quiet_after(&self) -> Option<Duration> {
        (self.arrivals >= STEADY_AFTER).then(|| self.gap.times(QUIET_GAPS))
    }

    /// The question has been asked; it is not asked again until there is a new rhythm.
    pub(crate) fn forget(&mut self) {
        self.arrivals = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds arrivals with these gaps in turn, for an hour; tells the shortest silence that would have been suspected
    /// after the first minute.
    fn shortest(gaps_ms: &[u64]) -> Option<u64> {
        let (mut rhythm, mut now) = (Rhythm::default(), Instant::default() + Duration::from_secs(100));
        let began = now;
        let mut shortest = None;
        for gap in gaps_ms.iter().cycle() {
            now = now + Duration::from_millis(*gap);
            rhythm.arrived(now);
            let quiet = rhythm.quiet_after().map(|span| span.as_micros() / 1000);
            if now.since(began) > Duration::from_secs(60) {
                shortest = [shortest, quiet].into_iter().flatten().min();
            }
            if now.since(began) > Duration::from_secs(3600) {
                return shortest;
            }
        }
        None
    }

    #[test]
    fn eight_gaps_and_two_seconds_at_the_least() {
        assert_eq!(shortest(&[100]), Some(2_400), "three frames are one arrival");
        assert_eq!(shortest(&[5]), Some(2_000));
        assert_eq!(shortest(&[1_000]), Some(8_000));
        assert_eq!(shortest(&[14_000]), Some(112_000));
        assert_eq!(shortest(&[15_001]), None, "no rhythm");
    }

    /// Streams that come and go: once that is known, what is suspected is longer than the pause.
    #[test]
    fn what_comes_and_goes_is_not_suspected() {
        let burst = |frames: usize, gap: u64, pause: u64| {
            let mut gaps = vec![gap; frames];
            gaps.push(pause);
            shortest(&gaps)
        };
        assert!(burst(50, 0, 10_000) > Some(10_000), "fifty at once every ten seconds");
        assert!(burst(30, 100, 7_000) > Some(7_000), "three seconds on, seven off");
        assert!(burst(50, 100, 5_000) > Some(5_000), "five on, five off");
    }

    /// A pause too long for the rhythm costs one question, and only after sixteen new arrivals the next.
    #[test]
    fn one_question_a_pause() {
        let mut rhythm = Rhythm::default();
        let mut now = Instant::default() + Duration::from_secs(100);
        for frame in 0..15 {
            rhythm.arrived(now);
            assert_eq!(rhythm.quiet_after(), None, "{frame}");
            now = now + Duration::from_millis(300);
        }
        rhythm.arrived(now);
        assert_eq!(rhythm.quiet_after(), Some(Duration::from_millis(2_400)));
        rhythm.forget();
        assert_eq!(rhythm.quiet_after(), None);
    }
}
