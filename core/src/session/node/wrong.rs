//! What a process would remember of its links if it were wrong: known bugs that tests switch on.

#[cfg(feature = "mutants")]
pub(crate) use on::forget;
#[cfg(feature = "mutants")]
pub(super) use on::{note_mark, note_told, own_mark, server_cursor};

#[cfg(not(feature = "mutants"))]
pub(super) use off::{note_mark, note_told, own_mark, server_cursor};

#[cfg(feature = "mutants")]
mod on {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use crate::engine::{LogEpoch, Producer};
    use crate::mutant::mutant;

    type Key = (LogEpoch, Producer);

    std::thread_local! {
        static TOLD: RefCell<BTreeMap<Key, u64>> = const { RefCell::new(BTreeMap::new()) };
        static STORED: RefCell<BTreeMap<(u32, Key), u64>> = const { RefCell::new(BTreeMap::new()) };
    }

    /// Where the server last wrote to a client.
    pub(in crate::session::node) fn server_cursor(epoch: &LogEpoch, producer: Producer) -> Option<u64> {
        if !mutant!(ServerCursor) {
            return None;
        }
        TOLD.with_borrow(|told| told.get(&(epoch.clone(), producer)).copied())
    }

    /// The server has written up to here.
    pub(in crate::session::node) fn note_told(epoch: &LogEpoch, producer: Producer, upto: u64) {
        if mutant!(ServerCursor) {
            TOLD.with_borrow_mut(|told| told.insert((epoch.clone(), producer), upto));
        }
    }

    /// The mark that a process remembers of a producer.
    pub(in crate::session::node) fn own_mark(
        process: u32,
        epoch: &LogEpoch,
        producer: Producer,
    ) -> Option<u64> {
        if !mutant!(DedupePerNode) {
            return None;
        }
        STORED.with_borrow(|stored| stored.get(&(process, (epoch.clone(), producer))).copied())
    }

    /// A process has had this stored.
    pub(in crate::session::node) fn note_mark(process: u32, epoch: &LogEpoch, producer: Producer, mark: u64) {
        if mutant!(DedupePerNode) {
            STORED.with_borrow_mut(|stored| stored.insert((process, (epoch.clone(), producer)), mark));
        }
    }

    /// Forgets everything.
    pub(crate) fn forget() {
        TOLD.with_borrow_mut(BTreeMap::clear);
        STORED.with_borrow_mut(BTreeMap::clear);
    }
}

#[cfg(not(feature = "mutants"))]
mod off {
    use crate::engine::{LogEpoch, Producer};

    pub(in crate::session::node) const fn server_cursor(_: &LogEpoch, _: Producer) -> Option<u64> {
        None
    }

    pub(in crate::session::node) const fn note_told(_: &LogEpoch, _: Producer, _: u64) {}

    pub(in crate::session::node) const fn own_mark(_: u32, _: &LogEpoch, _: Producer) -> Option<u64> {
        None
    }

    pub(in crate::session::node) const fn note_mark(_: u32, _: &LogEpoch, _: Producer, _: u64) {}
}
