//! Coming back spread out, as the server asked.
//!
//! Whoever restarts with N clients knows N and how many it can accept a second; a client knows neither. So the server
//! says over which window W its clients are to come back, and each of them keeps **one** place in it, its phase φ:
//! dials are due at φ, then at φ + W·{1, 2, 4, …}. Drawn anew for every dial, as full jitter does, the places of
//! those who failed would bunch up; kept, the crowd is as even at its fifth round as at its first.

use crate::random::Random;
use crate::time::{Duration, Instant};

/// No instruction is followed further than this: 10 minutes, the most that a `goaway` may ask for.
const INSTRUCTED_MAX: Duration = Duration::from_secs(600);
/// No wait behind φ is shorter, and over less than this nothing is spread: a shorter window has no rounds behind φ,
/// or a server that says 1 ms would have everybody dial in the same millisecond for ever.
pub(crate) const SPREAD_MIN: Duration = Duration::from_secs(1);
/// The smallest difference: φ is drawn from the half-open [0, W).
const TICK: Duration = Duration::from_micros(1);

/// Over which time a server wants its clients to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// What it said beforehand, for whenever it might fail. Capped as every wait of our own is.
    Advertised(Duration),
    /// What it says now, because it is going: used whole, up to 10 minutes.
    Instructed(Duration),
}

/// One sticky phase: from the word of the server until a link has proved stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    window: Duration,
    /// Our place in the window.
    phase: Duration,
    /// When the first dial is due.
    anchor: Instant,
    /// So much after it the dial is due that was scheduled last.
    offset: Duration,
    /// The longest wait behind the first.
    gap_max: Duration,
    instructed: bool,
    /// The first dial has been scheduled.
    begun: bool,
    /// The server has said so on the present link.
    told: bool,
}

impl Spread {
    /// A phase that is counted from `now`. `gap_max` bounds the later waits of a window that is shorter.
    pub(crate) fn begin(window: Window, gap_max: Duration, now: Instant, random: &mut Random) -> Self {
        let (window, instructed) = match window {
            Window::Advertised(window) => (window.min(gap_max), false),
            Window::Instructed(window) => (window.min(INSTRUCTED_MAX), true),
        };
        let phase = random.within(window - TICK);
        Self {
            window,
            phase,
            anchor: now + phase,
            offset: Duration::ZERO,
            gap_max: window.max(gap_max),
            instructed,
            begun: false,
            told: instructed,
        }
    }

    /// The server has said it again. True if it means this phase, which then goes on: φ is drawn once.
    pub(crate) fn told_again(&mut self, window: Duration) -> bool {
        let same = self.window == window.min(INSTRUCTED_MAX);
        self.instructed |= same;
        self.told |= same;
        same
    }

    /// Whether a stable link ends the phase: not the one on which the server has just said that it goes.
    pub(crate) fn told(&self) -> bool {
        self.told
    }

    /// A new link is dialled: nothing has been said on it.
    pub(crate) fn leave(&mut self) {
        self.told = false;
    }

    /// Whether the dial that comes next is the first.
    pub(crate) fn fresh(&self) -> bool {
        !self.begun
    }

    /// Until when nothing on this side may cut the wait short: φ of an instruction. What comes behind φ is our own.
    pub(crate) fn held_until(&self, now: Instant) -> Option<Instant> {
        let held = self.instructed && self.offset == Duration::ZERO && self.anchor > now;
        held.then_some(self.anchor)
    }

    /// How wide it is.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Our place in the window: the first dial is due then.
    pub(crate) fn anchor(&self) -> Instant {
        self.anchor
    }

    /// When the next dial is due of a client that never outlives φ on its link, as one of `everwire.v1`: late is at
    /// once. [AWAY-4]
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        if !self.begun {
            self.begun = true;
            return self.anchor.max(now);
        }
        now + self.delay(now).unwrap_or(SPREAD_MIN)
    }

    /// The wait for the next dial; `None`: the window is too short for another round.
    pub(crate) fn delay(&mut self, now: Instant) -> Option<Duration> {
        if !self.begun {
            self.begun = true;
            if self.anchor < now {
                // The link outlived φ. Its end is what the others see as well, so the window begins there.
                self.anchor = now + self.phase;
            }
            return Some(self.anchor.since(now));
        }
        if self.window < SPREAD_MIN {
            return None;
        }
        let earliest = now + SPREAD_MIN;
        while self.due() < earliest && self.offset < self.gap_max {
            self.offset = self.offset + self.gap();
        }
        if self.due() < earliest {
            // However long the machine slept: no loop over what was slept through.
            let gap = self.gap();
            let rounds = earliest.since(self.due()).as_micros().div_ceil(gap.as_micros());
            self.offset = self.offset + gap.times(rounds);
        }
        Some(self.due().since(now).min(self.gap_max))
    }

    fn due(&self) -> Instant {
        self.anchor + self.offset
    }

    /// From the dial scheduled last to the one behind it: W, W, 2·W, 4·W … up to the longest.
    fn gap(&self) -> Duration {
        self.offset.max(self.window).min(self.gap_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAP: Duration = Duration::from_secs(30);
    const CLIENTS: u64 = 10_000;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// The times of the first dials, counted from the beginning, if each is refused at once.
    fn dials(window: Window, seed: u64, count: usize) -> Vec<Duration> {
        let began = Instant::from_micros(77_000_000);
        let mut spread = Spread::begin(window, CAP, began, &mut Random::new(seed));
        let mut now = began;
        std::iter::from_fn(|| {
            now = now + spread.delay(now)?;
            Some(now.since(began))
        })
        .take(count)
        .collect()
    }

    #[test]
    fn phi_and_then_w_times_one_two_four() {
        for (window, rounds) in [
            (secs(40), vec![0, 40, 80, 120, 160, 200]),
            (secs(10), vec![0, 10, 20, 40, 70, 100]),
            (secs(2), vec![0, 2, 4, 8, 16, 32, 62]),
            (secs(600), vec![0, 600, 1200, 1800]),
        ] {
            for seed in 0..100 {
                let dials = dials(Window::Instructed(window), seed, rounds.len());
                let phase = dials[0];
                assert!(phase < window);
                let expected: Vec<_> = rounds.iter().map(|round| phase + secs(*round)).collect();
                assert_eq!(dials, expected, "W = {window:?}");
            }
        }
    }

    /// Even over W, and over every later round: 20 bins, six standard deviations.
    #[test]
    fn ten_thousand_clients_fill_the_window_evenly_in_every_round() {
        const BINS: u64 = 20;
        let window = secs(40);
        let all: Vec<_> = (0..CLIENTS).map(|n| dials(Window::Instructed(window), n * 7919, 4)).collect();
        for (round, begins) in [0, 40, 80, 120].into_iter().enumerate() {
            let mut bins = [0u64; BINS as usize];
            for dials in &all {
                let place = dials[round] - secs(begins);
                bins[(place.as_micros() * BINS / window.as_micros()) as usize] += 1;
            }
            // 500 expected in each; six standard deviations (√(500·0.95) ≈ 21.8) are 131.
            assert!(bins.iter().all(|count| count.abs_diff(CLIENTS / BINS) < 131), "round {round}: {bins:?}");
        }
    }

    #[test]
    fn an_advertised_window_is_capped_and_an_instruction_is_used_whole() {
        let longest = |window: Window| (0..1000).map(|seed| dials(window, seed, 1)[0]).max().unwrap();
        let near =
            |longest: Duration, window: u64| longest < secs(window) && longest > secs(window * 99 / 100);
        let hostile = Duration::from_micros(u64::MAX);
        assert!(near(longest(Window::Advertised(secs(40))), 30));
        assert!(near(longest(Window::Advertised(hostile)), 30));
        assert!(near(longest(Window::Instructed(secs(40))), 40));
        assert!(near(longest(Window::Instructed(hostile)), 600));
    }

    /// One dial at once is what such a server asks for; rounds of a millisecond are not.
    #[test]
    fn a_window_below_a_second_has_no_second_round() {
        for window in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(1), secs(1) - TICK] {
            let dials = dials(Window::Instructed(window), 5, 10);
            assert_eq!(dials.len(), 1);
            assert!(dials[0] <= window);
        }
    }

    #[test]
    fn a_link_that_outlives_phi_does_not_end_the_spread() {
        let mut places = (0..1000).map(|seed| {
            let began = Instant::from_micros(5);
            let mut spread = Spread::begin(Window::Instructed(secs(10)), CAP, began, &mut Random::new(seed));
            spread.delay(began + secs(60)).unwrap()
        });
        assert!(places.any(|place| place > secs(9)));
        assert!(places.all(|place| place < secs(10)));
    }

    proptest! {
        /// However long each dial takes: φ stays the same, and no wait is shorter than a second or longer than
        /// max(W, 30 s).
        #[test]
        fn phi_is_kept_and_waits_are_bounded(
            window in prop_oneof![0u64..2_000, 0u64..1_000_000, Just(u64::MAX)], instructed: bool, seed: u64,
            began in prop_oneof![0u64..1_000_000, Just(u64::MAX / 2), Just(u64::MAX)],
            took in prop::collection::vec(prop_oneof![0u64..100, 0u64..40_000, 0u64..1_000_000_000], 1..30),
        ) {
            let window = Duration::from_millis(window);
            let window = if instructed { Window::Instructed(window) } else { Window::Advertised(window) };
            let began = Instant::from_micros(began);
            let mut now = began;
            let mut spread = Spread::begin(window, CAP, now, &mut Random::new(seed));
            let (width, phase) = (spread.window, spread.phase);
            let longest = width.max(CAP);
            let widest = if instructed { secs(600) } else { CAP };
            prop_assert!(width <= widest);
            // At the end of time there is no later.
            prop_assert_eq!(spread.delay(now), Some((began + phase).since(began)));
            now = now + phase;
            for took in took {
                now = now + Duration::from_millis(took);
                let Some(delay) = spread.delay(now) else {
                    prop_assert!(width < SPREAD_MIN);
                    return Ok(());
                };
                prop_assert!(delay <= longest, "{delay:?}");
                prop_assert_eq!(spread.phase, phase);
                let due = now + delay;
                if due < Instant::from_micros(u64::MAX) {
                    prop_assert!(delay >= SPREAD_MIN, "{delay:?}");
                    // Always a place of the one grid that all clients of this window share.
                    let since = (due.since(began) - phase).as_micros();
                    if spread.gap_max == width && spread.due() == due {
                        prop_assert_eq!(since % width.as_micros(), 0);
                    }
                }
                now = due;
            }
        }
    }
}
