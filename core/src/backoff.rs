//! How long to wait before the next dial.
//!
//! Exponential with a cap, and full jitter **after** the cap: the delay is drawn evenly from [0, window]. Jitter
//! before the cap is lost once the cap is reached, and then every client of a restarted server comes back in the
//! same instant. The exponent is capped by stopping at the cap, never by computing factorⁿ.

use crate::random::Random;
use crate::spread::{SPREAD_MIN, Spread, Window};
use crate::time::{Duration, Instant};

/// No wait of our own is longer than this, whatever is configured.
pub const DELAY_CAP: Duration = Duration::from_secs(30);
/// RFC 6455 §7.2.3 advises a first wait of 0–5 s; at the default base of 1 s these are 5 s.
const FIRST_WINDOW_BASES: u64 = 5;
/// One dial without any wait in this span; those after it wait at least a little.
const UNDELAYED_EVERY: Duration = Duration::from_secs(60);
/// The budget of undelayed dials, in tenths: 10.0 at the start and at the most.
const BUDGET_MAX: u32 = 100;
/// What one undelayed dial costs, in tenths.
const BUDGET_COST: u32 = 10;
/// A link that was open for so long earns a tenth.
const BUDGET_GOOD: Duration = Duration::from_secs(60);

/// How reconnection is paced.
#[derive(Clone, Copy, Debug)]
pub struct BackoffConfig {
    /// The first window. 10 ms to `delay_max`.
    pub delay_min: Duration,
    /// The widest window. At most [`DELAY_CAP`].
    pub delay_max: Duration,
    /// How much each window is wider than the one before. 1 to 10.
    pub factor: f64,
    /// Dials in a row that may fail before the wire gives up; 0 never gives up.
    pub attempts_max: u32,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { delay_min: Duration::from_secs(1), delay_max: DELAY_CAP, factor: 2.0, attempts_max: 0 }
    }
}

/// Why a dial is needed, as far as its delay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Our own verdict, or something on this side: the server is probably well.
    Local,
    /// A link was lost and nobody knows why.
    Unexplained,
    /// The server is going, or cannot be reached: come back spread out, over its own window if it has named one.
    Crowded,
    /// This client alone is refused, or a provider of its own fails: nobody else comes back with it.
    Refused,
}

#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    config: BackoffConfig,
    /// Dials scheduled since the last time a link proved stable.
    attempt: u32,
    /// The window of the attempt that comes next, before [`FIRST_WINDOW_BASES`].
    window: Duration,
    undelayed_at: Option<Instant>,
    budget: u32,
    /// The window that the server would like, for when it fails; zero if it has named none.
    advertised: Duration,
    /// The sticky phase that runs.
    spread: Option<Spread>,
}

impl Backoff {
    pub(crate) fn new(mut config: BackoffConfig) -> Self {
        config.delay_max = config.delay_max.min(DELAY_CAP);
        config.delay_min = config.delay_min.min(config.delay_max);
        Self {
            config,
            attempt: 0,
            window: config.delay_min,
            undelayed_at: None,
            budget: BUDGET_MAX,
            advertised: Duration::ZERO,
            spread: None,
        }
    }

    /// How many dials have been scheduled since the last reset.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn exhausted(&self) -> bool {
        self.config.attempts_max != 0 && self.attempt >= self.config.attempts_max
    }

    /// The server has named its window.
    pub(crate) fn hear(&mut self, window: Window, now: Instant, random: &mut Random) {
        match window {
            Window::Advertised(window) => self.advertised = window,
            Window::Instructed(instructed) => {
                let known = self.spread.as_mut().is_some_and(|spread| spread.told_again(instructed));
                if !known {
                    self.spread = Some(Spread::begin(window, self.config.delay_max, now, random));
                }
            }
        }
    }

    /// Whether a sticky phase runs.
    pub(crate) fn spreading(&self) -> bool {
        self.spread.is_some()
    }

    /// Until when nothing but the application may cut a wait short: the server has asked for it.
    pub(crate) fn held_until(&self, now: Instant) -> Option<Instant> {
        self.spread.as_ref().and_then(|spread| spread.held_until(now))
    }

    /// The delay before the next dial; counts it as an attempt.
    pub(crate) fn delay(&mut self, ground: Ground, now: Instant, random: &mut Random) -> Duration {
        if ground == Ground::Crowded && self.spread.is_none() && self.advertised >= SPREAD_MIN {
            let window = Window::Advertised(self.advertised);
            self.spread = Some(Spread::begin(window, self.config.delay_max, now, random));
        }
        let Some(spread) = &mut self.spread else { return self.delay_own(ground, now, random) };
        // An instruction on a link that never proved stable does not take the place of the backoff: a server that
        // accepts, says `window=0` and closes would make a tight loop of it.
        let unproved = spread.told() && spread.fresh() && self.attempt > 0;
        match spread.delay(now) {
            Some(delay) if unproved => delay.max(self.delay_own(ground, now, random)),
            Some(delay) => {
                self.count();
                delay
            }
            None => {
                self.spread = None;
                self.delay_own(ground, now, random)
            }
        }
    }

    /// As [`Self::delay`], of our own accord: nobody has told us how many come back.
    fn delay_own(&mut self, ground: Ground, now: Instant, random: &mut Random) -> Duration {
        let first = self.attempt == 0;
        let window = match ground {
            Ground::Local if first && self.take_undelayed(now) => Duration::ZERO,
            Ground::Local | Ground::Unexplained if first => self.window,
            _ => self.window.max(self.config.delay_min.times(FIRST_WINDOW_BASES)).min(self.config.delay_max),
        };
        self.count();
        random.within(window)
    }

    /// The wait while there is no network: as long as they get. The lower half is left out, for nothing is gained by
    /// an early dial, and `online` cuts the wait short. Counts no attempt: the page may say `offline` many times.
    pub(crate) fn delay_offline(&self, now: Instant, random: &mut Random) -> Duration {
        let half = self.config.delay_max.halved(1);
        let held = self.held_until(now).map_or(Duration::ZERO, |until| until.since(now));
        held.max(half + random.within(half))
    }

    /// Whether a dial may start without any wait, and pays for it.
    pub(crate) fn take_undelayed(&mut self, now: Instant) -> bool {
        let recent = self.undelayed_at.is_some_and(|at| now.since(at) < UNDELAYED_EVERY);
        !recent && self.take_budget(now)
    }

    /// As [`Self::take_undelayed`], for what the user or a fresh token asked for: only the budget limits it.
    pub(crate) fn take_budget(&mut self, now: Instant) -> bool {
        if self.budget < BUDGET_COST {
            return false;
        }
        self.budget -= BUDGET_COST;
        self.undelayed_at = Some(now);
        true
    }

    /// Counts a dial that was not scheduled by [`Self::delay`].
    pub(crate) fn count(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        let wider = self.window.as_millis_f64() * self.config.factor;
        self.window = Duration::from_millis_f64(wider).min(self.config.delay_max);
    }

    /// A dial begins: what the server said of leaving, it said of the link before.
    pub(crate) fn leave(&mut self) {
        if let Some(spread) = &mut self.spread {
            spread.leave();
        }
    }

    /// A link has proved stable: earlier failures are forgotten, unless its server has said that it goes.
    pub(crate) fn reset(&mut self) {
        if self.spread.as_ref().is_some_and(Spread::told) {
            return;
        }
        self.spread = None;
        self.attempt = 0;
        self.window = self.config.delay_min;
    }

    /// A link that had been open for `span` has ended.
    pub(crate) fn earn(&mut self, span: Duration) {
        let minutes = span.as_micros() / BUDGET_GOOD.as_micros();
        self.budget = BUDGET_MAX.min(self.budget.saturating_add(minutes.min(u64::from(BUDGET_MAX)) as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fresh(config: BackoffConfig, attempts: u32) -> Backoff {
        let mut backoff = Backoff::new(config);
        for _ in 0..attempts {
            backoff.count();
        }
        backoff
    }

    /// 10,000 clients at every attempt number: the delays fill their window evenly, at the cap too.
    #[test]
    fn delays_stay_spread_at_every_attempt() {
        const CLIENTS: usize = 10_000;
        const BINS: usize = 20;
        let windows = [1u64, 5, 5, 8, 16, 30, 30, 30, 30, 30, 30, 30];
        for attempt in 0..40 {
            let window = Duration::from_secs(windows.get(attempt).copied().unwrap_or(30));
            let mut bins = [0usize; BINS];
            for client in 0..CLIENTS {
                let mut random = Random::new(client as u64 * 7919 + attempt as u64);
                let mut backoff = fresh(BackoffConfig::default(), attempt as u32);
                let delay = backoff.delay(Ground::Unexplained, Instant::default(), &mut random);
                assert!(delay <= window, "attempt {attempt}: {delay:?}");
                bins[((delay.as_micros() * BINS as u64) / (window.as_micros() + 1)) as usize] += 1;
            }
            // 500 expected in each; six standard deviations (√(500·0.95) ≈ 21.8) are 131.
            for count in bins {
                assert!(count.abs_diff(CLIENTS / BINS) < 131, "attempt {attempt}: {bins:?}");
            }
        }
    }

    #[test]
    fn one_undelayed_dial_a_minute_until_the_budget_is_spent() {
        let mut random = Random::new(1);
        let mut backoff = Backoff::new(BackoffConfig::default());
        let mut undelayed = 0;
        for minute in 0..20 {
            let now = Instant::default() + Duration::from_secs(60 * minute);
            undelayed += u32::from(backoff.take_undelayed(now));
            assert!(!backoff.take_undelayed(now + Duration::from_secs(59)), "twice in minute {minute}");
        }
        assert_eq!(undelayed, 10);
        let later = Instant::default() + Duration::from_secs(7200);
        backoff.earn(Duration::from_secs(599));
        assert!(!backoff.take_undelayed(later), "nine good minutes are not enough");
        backoff.earn(Duration::from_secs(60));
        assert!(backoff.take_undelayed(later));
        assert!(backoff.delay(Ground::Local, later, &mut random) <= Duration::from_secs(1));
    }

    #[test]
    fn a_limit_of_three_is_three() {
        let mut backoff = Backoff::new(BackoffConfig { attempts_max: 3, ..BackoffConfig::default() });
        for _ in 0..3 {
            assert!(!backoff.exhausted());
            backoff.count();
        }
        assert!(backoff.exhausted());
        backoff.reset();
        assert!(!backoff.exhausted());
    }

    proptest! {
        /// No configuration and no number of attempts gives a delay over the cap.
        #[test]
        fn delays_never_exceed_the_cap(
            min in 0u64..100_000, max in 0u64..1_000_000, factor in 1.0f64..1000.0,
            attempts in prop_oneof![0u32..100, Just(u32::MAX)], seed: u64, offline: bool, ground in 0usize..4,
        ) {
            let config = BackoffConfig {
                delay_min: Duration::from_millis(min), delay_max: Duration::from_millis(max), factor, attempts_max: 0,
            };
            let mut backoff = fresh(config, attempts.min(1000));
            backoff.attempt = attempts;
            let mut random = Random::new(seed);
            let ground = [Ground::Local, Ground::Unexplained, Ground::Crowded, Ground::Refused][ground];
            for _ in 0..50 {
                let delay = if offline {
                    backoff.delay_offline(Instant::default(), &mut random)
                } else {
                    backoff.delay(ground, Instant::default(), &mut random)
                };
                prop_assert!(delay <= DELAY_CAP && delay <= Duration::from_millis(max));
            }
        }
    }
}
