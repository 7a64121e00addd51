//! The machine's own randomness: seeded once by the shell, the same sequence for the same seed.

use crate::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, full period, any seed is good. It spreads delays; it
/// protects nothing and is no source of secrets.
///
/// Public for whoever simulates crowds of machines, so that there is one generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed, from its beginning.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of the sequence.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[inline(never)]
    /// A span drawn evenly from [0, `window`].
    pub fn within(&mut self, window: Duration) -> Duration {
        // The top of a 128-bit product: no division, and no bias that a reconnect delay could feel.
        let product = u128::from(self.next_u64()) * (u128::from(window.as_micros()) + 1);
        Duration::from_micros((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the seed 1234567, as published with the reference implementation's many ports.
    #[test]
    fn it_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        let drawn: [u64; 5] = std::array::from_fn(|_| random.next_u64());
        let known = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(drawn, known);
    }
}
