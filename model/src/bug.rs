//! A known bug of the core that may be on while a model is explored.

#[cfg(feature = "mutants")]
use everwire_core::mutant;
use everwire_core::mutant::Mutant;

/// Which bug, if any. A switch belongs to a thread and the explorer has threads of its own, so the model throws it at
/// every step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bug(Option<Mutant>);

impl Bug {
    /// Everything as it should be.
    pub const NONE: Self = Self(None);

    /// This bug and no other; `None` where bugs are not compiled.
    pub fn of(mutant: Mutant) -> Option<Self> {
        cfg!(feature = "mutants").then_some(Self(Some(mutant)))
    }

    pub(crate) fn on(self) {
        #[cfg(feature = "mutants")]
        mutant::switch(self.0);
    }

    pub(crate) fn off(self) {
        #[cfg(feature = "mutants")]
        mutant::switch(None);
    }

    /// Whether it is this one, which the model's host has to make itself.
    pub(crate) fn is(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
}
