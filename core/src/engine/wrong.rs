//! What only known bugs remember. Without the feature `mutants` nothing is remembered.

use super::Producer;
use crate::time::Instant;

#[cfg(feature = "mutants")]
mod kept {
    use super::{Instant, Producer};
    use crate::mutant::{Mutant, is_on};
    use crate::time::Duration;
    use core::cell::RefCell;
    use std::collections::BTreeMap;

    /// For how long duplicates are known: brokers have minutes, and outages of hours; here both are shorter.
    const WINDOW: Duration = Duration::from_secs(5);

    std::thread_local! {
        static STORED: RefCell<BTreeMap<Producer, Instant>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(in crate::engine) fn stored(producer: &Producer, now: Instant) {
        if is_on(Mutant::DedupeByWindow) {
            STORED.with_borrow_mut(|stored| stored.insert(*producer, now));
        }
    }

    pub(in crate::engine) fn is_forgotten(producer: &Producer, now: Instant) -> bool {
        let stored = STORED.with_borrow(|stored| stored.get(producer).copied());
        is_on(Mutant::DedupeByWindow) && stored.is_some_and(|at| now.since(at) > WINDOW)
    }

    pub(crate) fn forget() {
        STORED.with_borrow_mut(BTreeMap::clear);
    }
}

#[cfg(feature = "mutants")]
pub(crate) use kept::forget;
#[cfg(feature = "mutants")]
pub(super) use kept::{is_forgotten, stored};

/// Duplicates are known by the mark, and that has no window. [ENG-21]
#[cfg(not(feature = "mutants"))]
pub(super) const fn stored(_: &Producer, _: Instant) {}

/// Duplicates are known by the mark, and that has no window. [ENG-21]
#[cfg(not(feature = "mutants"))]
pub(super) const fn is_forgotten(_: &Producer, _: Instant) -> bool {
    false
}
