//! The clock of a wire: monotonic while the machine is awake, and not standing still while it sleeps.
//!
//! `performance.now()` may stop during sleep, the wall clock may be set by hand. Their difference is added to the
//! former, and is raised only when it has grown by more than a second: the machine has slept (or somebody has set the
//! clock, which is then taken for sleep and costs one probe). No tick is needed to notice, every entry looks.

use everwire_core::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

/// What the two clocks may drift apart (slewing, rounding) before it means sleep.
const JUMP_MIN_MS: f64 = 1000.0;

/// How often in a row the same answer is given while the wall clock does not move: a 32nd of the cost is no cost.
const REPEATS_MAX: u32 = 32;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic() -> f64;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn wall() -> f64;
}

/// Milliseconds since the epoch.
pub(crate) fn wall_ms() -> f64 {
    wall()
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset: f64,
    /// What the wall clock showed at the last look.
    wall: f64,
    last: Instant,
    /// How often the last answer has been given again.
    repeats: u32,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { offset: wall() - monotonic(), wall: f64::NAN, last: Instant::default(), repeats: 0 }
    }

    /// The time, and whether the machine has slept since the last look.
    ///
    /// What may happen a thousand times in a row, a send or a frame, need not be exact: then the time is a millisecond late at
    /// the most. While the wall clock has not moved no sleep can show, and `performance.now()` is the dearest call of an entry
    /// (in Chromium 160 ns in a loop and 1.3 µs once in a frame, where `Date.now()` takes 40 ns and 0.3 µs). Somebody's test
    /// may have stopped the wall clock, and this one must go on: timers and other events are exact, and of looks in a row
    /// every thirty-third.
    pub(crate) fn read(&mut self, exact: bool) -> (Instant, bool) {
        self.look(wall(), exact, monotonic)
    }

    fn look(&mut self, wall: f64, exact: bool, monotonic: fn() -> f64) -> (Instant, bool) {
        if wall == self.wall && !exact && self.repeats < REPEATS_MAX {
            self.repeats += 1;
            (self.last, false)
        } else {
            self.at(monotonic(), wall)
        }
    }

    fn at(&mut self, monotonic: f64, wall: f64) -> (Instant, bool) {
        self.wall = wall;
        self.repeats = 0;
        let gap = wall - monotonic;
        let slept = gap - self.offset > JUMP_MIN_MS;
        if slept {
            self.offset = gap;
        }
        // The machine is promised a clock that never goes backwards, whatever a page does to `performance`.
        self.last = self.last.max(Instant::from_millis_f64(monotonic + self.offset));
        (self.last, slept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    impl Clock {
        fn unread() -> Self {
            Self { offset: 0.0, wall: f64::NAN, last: Instant::default(), repeats: 0 }
        }
    }

    #[test]
    fn only_a_jump_forward_is_sleep() {
        let mut clock = Clock { offset: 1_000_000.0, ..Clock::unread() };
        assert_eq!(clock.at(10.0, 1_000_010.0), (Instant::from_micros(1_000_010_000), false));
        assert_eq!(clock.at(20.0, 1_000_920.0), (Instant::from_micros(1_000_020_000), false), "slewing");
        assert_eq!(clock.at(30.0, 3_600_030.0), (Instant::from_micros(3_600_030_000), true), "slept");
        assert_eq!(clock.at(40.0, 3_600_040.0), (Instant::from_micros(3_600_040_000), false), "told once");
        assert_eq!(clock.at(50.0, 50.0), (Instant::from_micros(3_600_050_000), false), "set back by hand");
        assert_eq!(clock.at(0.0, f64::NAN), (Instant::from_micros(3_600_050_000), false), "never backwards");
    }

    #[test]
    fn in_the_same_millisecond_the_dear_clock_is_asked_when_it_must_be_exact() {
        let mut clock = Clock { offset: 1_000_000.0, ..Clock::unread() };
        let unasked = || -> f64 { unreachable!("the wall clock has not moved") };
        let at = |millis: u64| (Instant::from_micros(millis * 1_000), false);
        assert_eq!(
            clock.look(1_000_010.0, false, || 10.0),
            at(1_000_010),
            "nothing is known before the first look"
        );
        assert_eq!(clock.look(1_000_010.0, false, unasked), at(1_000_010));
        assert_eq!(clock.look(1_000_011.0, false, || 11.0), at(1_000_011));
        assert_eq!(
            clock.look(1_000_011.0, true, || 5_000.0),
            at(1_005_000),
            "a wall clock that stands still"
        );
        for _ in 0..REPEATS_MAX {
            assert_eq!(clock.look(1_000_011.0, false, unasked), at(1_005_000));
        }
        assert_eq!(clock.look(1_000_011.0, false, || 6_000.0), at(1_006_000), "once in a while all the same");
        assert_eq!(clock.look(1_000_011.0, false, unasked), at(1_006_000));
    }
}
