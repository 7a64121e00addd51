//! Where closures wait for their end.
//!
//! A closure must not be dropped inside its own call, and a link, a timer or the page's listeners are often given up
//! by the very event that they deliver. What is given up is left here, and taken away by a later entry that the
//! browser did not make through one of them. Never `forget()`: that leaks with every reconnect.

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;

use gloo_timers::callback::Timeout;

use crate::link::Transport;
use crate::page::Page;

/// Something that owns closures.
pub(crate) enum Remains {
    Link(#[expect(dead_code, reason = "kept for its closures")] Rc<dyn Transport>),
    Timer(#[expect(dead_code, reason = "kept for its closures")] Timeout),
    Page(#[expect(dead_code, reason = "kept for its closures")] Page),
}

thread_local! {
    static FRAMES: Cell<u32> = const { Cell::new(0) };
    // Without a destructor: there is no end of the thread to run it at, and the code to register it is not linked.
    static YARD: RefCell<ManuallyDrop<Vec<Remains>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// As long as it lives, the browser is inside one of our closures.
pub(crate) struct Frame(());

impl Frame {
    pub(crate) fn enter() -> Self {
        FRAMES.set(FRAMES.get() + 1);
        Self(())
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        FRAMES.set(FRAMES.get() - 1);
    }
}

/// Leaves something to be dropped later.
pub(crate) fn bury(remains: Remains) {
    YARD.with(|yard| yard.borrow_mut().push(remains));
}

/// Drops what was left, unless one of our closures is running.
pub(crate) fn sweep() {
    if FRAMES.get() == 0 {
        let remains = YARD.with(|yard| mem::take(&mut **yard.borrow_mut()));
        drop(remains);
    }
}
