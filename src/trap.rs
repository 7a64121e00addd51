//! Traps on purpose, for the tests of what notices a dead instance. Without the feature `trap-hooks` nothing of it is
//! built.

/// How the browser came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Export,
    Socket,
    Timer,
    Page,
}

#[cfg(not(feature = "trap-hooks"))]
#[inline(always)]
pub(crate) fn spring(_place: Place) {}

#[cfg(feature = "trap-hooks")]
pub(crate) use armed::spring;
#[cfg(feature = "trap-hooks")]
pub use armed::trap_arm;

#[cfg(feature = "trap-hooks")]
mod armed {
    use std::cell::Cell;
    use std::hint::black_box;

    use wasm_bindgen::prelude::wasm_bindgen;

    use super::Place;

    thread_local! {
        static TRAP: Cell<Option<(u32, u32)>> = const { Cell::new(None) };
    }

    /// The next entry of this place (0 export, 1 socket event, 2 timer, 3 page event) panics (kind 0) or overflows
    /// the stack (kind 1).
    #[wasm_bindgen]
    pub fn trap_arm(place: u32, kind: u32) {
        TRAP.set(Some((place, kind)));
    }

    pub(crate) fn spring(place: Place) {
        match TRAP.get() {
            Some((at, kind)) if at == place as u32 => {
                TRAP.set(None);
                if kind == 0 {
                    panic!("a trap of the tests");
                }
                black_box(deeper(0));
            }
            _ => {}
        }
    }

    /// Calls itself until the stack is used up. The condition is opaque to the optimiser, and what is done with the
    /// result keeps the call from becoming a jump.
    #[inline(never)]
    fn deeper(depth: u64) -> u64 {
        if black_box(depth) == u64::MAX {
            return 0;
        }
        let below = deeper(depth + 1);
        black_box(below) + black_box(depth)
    }
}
