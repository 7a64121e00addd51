//! The randomness of everything but the machine, which owns its own.

use everwire_core::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014), as in the core; of the core's own seeds it is kept apart by the mixing.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// As `Math.random()`: evenly from [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A span drawn evenly from [0, `window`).
    pub(crate) fn within(&mut self, window: Duration) -> Duration {
        Duration::from_micros((self.unit() * window.as_micros() as f64) as u64)
    }
}
