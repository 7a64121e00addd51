//! The states of a wire as a stream, the same for both deliveries.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use everwire_core::State;
use futures_core::Stream;

/// States that a [`States`] keeps until it is asked: the oldest of more than that are of no use to anybody.
const STATES_MAX: usize = 64;

/// The states of a wire, beginning with the one it had. The stream ends behind [`State::Closed`], or with the wire.
///
/// Of states that nobody asked for it keeps the newest 64.
#[must_use = "a stream does nothing unless it is polled"]
pub struct States {
    queue: Rc<RefCell<Queue>>,
    /// Kept for its end: each delivery has a type of its own.
    _subscription: Box<dyn Any>,
}

impl States {
    /// The present state, then those that are told to the handler that is given to `subscribe`.
    pub(crate) fn new<S: 'static>(now: State, subscribe: impl FnOnce(Box<dyn FnMut(State)>) -> S) -> Self {
        let queue = Rc::new(RefCell::new(Queue::default()));
        Queue::put(&queue, now);
        let teller = Teller(Rc::downgrade(&queue));
        let subscription = Box::new(subscribe(Box::new(move |state| teller.tell(state))));
        Self { queue, _subscription: subscription }
    }
}

impl Stream for States {
    type Item = State;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<State>> {
        let mut inner = self.queue.borrow_mut();
        match inner.waiting.pop_front() {
            Some(state) => Poll::Ready(Some(state)),
            None if inner.ended => Poll::Ready(None),
            None => {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("States").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<State>,
    ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn put(queue: &RefCell<Self>, state: State) {
        let waker = {
            let mut inner = queue.borrow_mut();
            if inner.ended {
                return;
            }
            inner.ended = state == State::Closed;
            inner.waiting.push_back(state);
            if inner.waiting.len() > STATES_MAX {
                inner.waiting.pop_front();
            }
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn end(queue: &RefCell<Self>) {
        let waker = {
            let mut inner = queue.borrow_mut();
            inner.ended = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What a wire knows of a stream of its states. Its end is that of the wire.
struct Teller(Weak<RefCell<Queue>>);

impl Teller {
    fn tell(&self, state: State) {
        if let Some(queue) = self.0.upgrade() {
            Queue::put(&queue, state);
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
