//! The rate at which messages may leave, if the application sets one: a token bucket.
//!
//! It belongs to the wire, not to a link: a new link gives no new allowance. What it holds back waits in the outbox,
//! where time to live, key, priority and abort act on it as on anything else that waits.

use crate::time::{Duration, Instant};

/// A message, in the unit in which the allowance is counted: microseconds × thousandths of a message a second.
const ONE: u64 = 1_000_000_000;
/// What [`Rate::per_second_milli`] may be: from one message in 1,000 s to a million in one.
const MILLI_MAX: u64 = 1_000_000_000;
/// What [`Rate::burst`] may be.
const BURST_MAX: u32 = 1_000_000;

/// How many messages may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run, in thousandths of a message a second: 1 to 1,000,000,000.
    pub per_second_milli: u64,
    /// At once, after a pause: 1 to 1,000,000.
    pub burst: u32,
}

/// The bucket. Without a rate it holds nothing back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limiter(Option<Bucket>);

#[derive(Clone, Debug)]
struct Bucket {
    rate: Rate,
    /// How much may leave, and when that was; never more than the burst.
    allowed: u64,
    at: Instant,
}

impl Limiter {
    /// A full bucket. A rate out of range is brought into it.
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(|rate| {
            let per_second_milli = rate.per_second_milli.clamp(1, MILLI_MAX);
            let burst = rate.burst.clamp(1, BURST_MAX);
            let allowed = u64::from(burst) * ONE;
            Bucket { rate: Rate { per_second_milli, burst }, allowed, at: Instant::default() }
        }))
    }

    /// Whether one more may leave now; counts it.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let Some(bucket) = &mut self.0 else { return true };
        let gained = now.since(bucket.at).as_micros().saturating_mul(bucket.rate.per_second_milli);
        bucket.allowed = bucket.allowed.saturating_add(gained).min(u64::from(bucket.rate.burst) * ONE);
        bucket.at = bucket.at.max(now);
        let taken = bucket.allowed >= ONE;
        if taken {
            bucket.allowed -= ONE;
        }
        taken
    }

    /// One that was counted has not left after all.
    pub(crate) fn give_back(&mut self) {
        if let Some(bucket) = &mut self.0 {
            bucket.allowed = (bucket.allowed + ONE).min(u64::from(bucket.rate.burst) * ONE);
        }
    }

    /// When the next one may leave, if [`Self::take`] has just said no.
    pub(crate) fn next(&self) -> Option<Instant> {
        let bucket = self.0.as_ref()?;
        let wanted = ONE.saturating_sub(bucket.allowed);
        Some(bucket.at + Duration::from_micros(wanted.div_ceil(bucket.rate.per_second_milli)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn without_a_rate_nothing_is_held_back() {
        let mut limiter = Limiter::new(None);
        assert!((0..100_000).all(|_| limiter.take(micros(0))));
        assert_eq!(limiter.next(), None);
    }

    #[test]
    fn the_burst_and_not_one_more() {
        let mut limiter = Limiter::new(Some(Rate { per_second_milli: 2_000, burst: 3 }));
        let now = micros(7_000_000);
        assert_eq!((0..5).filter(|_| limiter.take(now)).count(), 3);
        assert_eq!(limiter.next(), Some(micros(7_500_000)));
        assert!(!limiter.take(micros(7_499_999)));
        assert!(limiter.take(micros(7_500_000)) && !limiter.take(micros(7_500_000)));
        limiter.give_back();
        assert!(limiter.take(micros(7_500_000)));
        assert_eq!(
            (0..5).filter(|_| limiter.take(micros(u64::MAX))).count(),
            3,
            "a long pause earns no more"
        );
    }

    #[test]
    fn a_rate_out_of_range_is_brought_into_it() {
        let mut limiter = Limiter::new(Some(Rate { per_second_milli: 0, burst: 0 }));
        assert!(limiter.take(micros(0)) && !limiter.take(micros(0)));
        assert_eq!(limiter.next(), Some(micros(1_000_000_000)));
        let mut limiter = Limiter::new(Some(Rate { per_second_milli: u64::MAX, burst: u32::MAX }));
        assert!(limiter.take(micros(0)));
    }

    proptest! {
        /// In no span does more leave than the burst and what the rate gives for it; whoever comes when told loses
        /// nothing of the rate; and nobody is told a time that is too early.
        #[test]
        fn never_more_than_the_bucket_and_never_less_than_the_rate(
            milli in 1u64..5_000_000, burst in 1u32..50, pauses in prop::collection::vec(0u64..3_000_000, 1..60),
        ) {
            let mut limiter = Limiter::new(Some(Rate { per_second_milli: milli, burst }));
            let mut now = micros(1_000_000);
            let mut left: Vec<Instant> = Vec::new();
            for pause in pauses {
                now = now + Duration::from_micros(pause);
                for _ in 0..burst + 1 {
                    if limiter.take(now) { left.push(now) }
                }
                let next = limiter.next().unwrap();
                prop_assert!(next > now, "told to come at once, and sent away");
                prop_assert!(!limiter.clone().take(next - Duration::from_micros(1)), "told too late a time");
                prop_assert!(limiter.clone().take(next), "told too early a time");
            }
            for (first, from) in left.iter().enumerate() {
                for (more, until) in left.iter().skip(first).enumerate() {
                    let gained = u128::from(until.since(*from).as_micros()) * u128::from(milli) / u128::from(ONE);
                    prop_assert!(more as u128 <= gained + u128::from(burst));
                    // The bucket may have held up to the burst when the span began.
                    prop_assert!(more as u128 <= gained + u128::from(burst));
                }
            }
            // Always busy from here on: the rate is reached.
            let (began, mut many) = (now, 0u64);
            for _ in 0..500 {
                now = limiter.next().unwrap();
                while limiter.take(now) { many += 1 }
            }
            // A bucket of one cannot keep the part of a microsecond that is left for the next.
            let cut = if burst == 1 { many } else { 0 };
            let busy = now.since(began).as_micros().saturating_sub(cut);
            let gained = u128::from(busy) * u128::from(milli) / u128::from(ONE);
            prop_assert!(u128::from(many) + 1 >= gained, "{many} of {gained}");
        }
    }
}
