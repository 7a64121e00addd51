//! The states of a wire as a stream, the same for both deliveries.

use std::any::Any;
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use everwire_core::State;
use futures_core::Stream;

use crate::queue::{Outlet, Queue};

/// States that a [`States`] keeps until it is asked: the oldest of more than that are of no use to anybody.
const STATES_MAX: usize = 64;

/// The states of a wire, beginning with the one it had. The stream ends behind [`State::Closed`], or with the wire.
///
/// Of states that nobody asked for it keeps the newest 64.
#[must_use = "a stream does nothing unless it is polled"]
pub struct States {
    outlet: Outlet<State, Infallible>,
    /// Kept for its end: each delivery has a type of its own.
    _subscription: Box<dyn Any>,
}

impl States {
    /// The present state, then those that are told to the handler that is given to `subscribe`.
    pub(crate) fn new<S: 'static>(now: State, subscribe: impl FnOnce(Box<dyn FnMut(State)>) -> S) -> Self {
        let queue = Rc::new(RefCell::new(Queue::new(STATES_MAX)));
        let teller = Teller(Rc::downgrade(&queue));
        teller.tell(now);
        let subscription = Box::new(subscribe(Box::new(move |state| teller.tell(state))));
        Self { outlet: Outlet::new(queue), _subscription: subscription }
    }
}

impl Stream for States {
    type Item = State;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<State>> {
        self.outlet.poll(context)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").finish_non_exhaustive()
    }
}

/// What a wire knows of a stream of its states. Its end is that of the wire.
struct Teller(Weak<RefCell<Queue<State, Infallible>>>);

impl Teller {
    fn tell(&self, state: State) {
        if let Some(queue) = self.0.upgrade() {
            Queue::put(&queue, state, None);
            if state == State::Closed {
                Queue::end(&queue);
            }
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(queue) = self.0.upgrade() {
            Queue::end(&queue);
        }
    }
}
