//! The machine's own randomness: seeded once by the shell, the same sequence for the same seed.

use crate::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, full period, any seed is good. It spreads delays; it
/// protects nothing and is no source of secrets.
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

    /// A span drawn evenly from [0, `window`].
    pub(crate) fn within(&mut self, window: Duration) -> Duration {
        // The top of a 128-bit product: no division, and no bias that a reconnect delay could feel.
        let product = u128::from(self.next_u64()) * (u128::from(window.as_micros()) + 1);
        Duration::from_micros((product >> 64) as u64)
    }
}
