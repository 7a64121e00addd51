//! The one timer of a wire.

use std::cell::RefCell;

use everwire_core::{Duration, Instant};
use gloo_timers::callback::Timeout;

use crate::yard::{self, Remains};

/// `setTimeout` takes a signed 32-bit number; anything above it fires at once.
const TIMEOUT_MAX_MS: u32 = i32::MAX as u32;

struct Armed {
    at: Instant,
    timeout: Timeout,
}

#[derive(Default)]
pub(crate) struct Timer(RefCell<Option<Armed>>);

impl Timer {
    /// Sees to it that it fires in time. It may fire earlier than needed: most deadlines only ever move further away,
    /// and a timer that looks once in a while is cheaper than one that is armed anew with every frame.
    pub(crate) fn arm(&self, at: Instant, now: Instant, fire: impl FnOnce() + 'static) {
        if self.0.borrow().as_ref().is_some_and(|armed| armed.at <= at) {
            return;
        }
        let delay_ms = at.since(now).as_micros().div_ceil(1000).min(u64::from(TIMEOUT_MAX_MS)) as u32;
        let at = at.min(now + Duration::from_millis(u64::from(delay_ms)));
        // The one that this replaces has not fired, so its closure is not running.
        *self.0.borrow_mut() = Some(Armed { at, timeout: Timeout::new(delay_ms, fire) });
    }

    /// To be called first by what it fires, whose closure is running.
    pub(crate) fn fired(&self) {
        if let Some(armed) = self.0.take() {
            yard::bury(Remains::Timer(armed.timeout));
        }
    }

    /// It may have stood still: it is armed anew.
    pub(crate) fn stop(&self) {
        drop(self.0.take());
    }
}
