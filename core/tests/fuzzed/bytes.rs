//! Octets read as choices: whatever they are, they mean something, and a change to a few of them changes a few choices.
#![allow(dead_code, unreachable_pub, reason = "each machine uses its own part")]

use everwire_core::frame::NUMBER_MAX;

/// What is left of an input. At its end every choice is the first.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    pub fn flag(&mut self) -> bool {
        self.u8() % 2 == 1
    }

    /// Below `most`.
    pub fn below(&mut self, most: u8) -> u8 {
        self.u8() % most
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.u8()) % of.len()]
    }

    /// `None` three times out of four.
    pub fn rarely<T>(&mut self, give: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.u8() % 4 == 3).then(|| give(self))
    }

    /// Mostly small, sometimes where ranges end.
    pub fn number(&mut self) -> u64 {
        const EDGES: [u64; 8] =
            [1024, 8192, 65_536, 1 << 20, NUMBER_MAX - 1, NUMBER_MAX, NUMBER_MAX + 1, u64::MAX];
        match self.u8() {
            small @ 0..=191 => u64::from(small % 16),
            192..=223 => self.u16().into(),
            224..=239 => self.u32().into(),
            edge => EDGES[usize::from(edge) % EDGES.len()],
        }
    }

    /// Mostly about as high as this one.
    pub fn near(&mut self, base: u64) -> u64 {
        match self.u8() {
            step @ 0..=223 => base.saturating_add(u64::from(step % 8)).saturating_sub(2),
            _ => self.number(),
        }
    }

    /// Up to 63 octets as they are.
    pub fn octets(&mut self) -> &'a [u8] {
        let many = usize::from(self.u8() % 64).min(self.0.len());
        let (taken, rest) = self.0.split_at(many);
        self.0 = rest;
        taken
    }
}
