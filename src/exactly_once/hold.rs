//! When a message counts as processed.

use std::rc::{Rc, Weak};

use everwire_core::session::down::Delivery;

use super::local::Local;
use crate::session::driver::Driver;

/// As long as any clone of it lives, its message is not processed.
#[derive(Clone)]
pub(crate) struct Hold(#[expect(dead_code, reason = "kept for its end")] Rc<Held>);

struct Held {
    delivery: Delivery,
    wire: Weak<Driver<Local>>,
}

impl Hold {
    pub(crate) fn new(delivery: Delivery, wire: Weak<Driver<Local>>) -> Self {
        Self(Rc::new(Held { delivery, wire }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(wire) = self.wire.upgrade() {
            wire.host().processed(self.delivery);
        }
    }
}
