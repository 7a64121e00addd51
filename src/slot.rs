//! Where a result is put that a future waits for.

use std::cell::RefCell;
use std::fmt;
use std::task::{Context, Poll, Waker};

use crate::Error;

/// Filled once; whoever polls gets a copy each time.
pub(crate) struct Slot<T>(RefCell<Filling<T>>);

struct Filling<T> {
    result: Option<Result<T, Error>>,
    waker: Option<Waker>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(RefCell::new(Filling { result: None, waker: None }))
    }
}

impl<T: Clone> Slot<T> {
    /// The first result counts.
    pub(crate) fn fill(&self, result: Result<T, Error>) {
        let waker = {
            let mut inner = self.0.borrow_mut();
            inner.result.get_or_insert(result);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.0.borrow().result.is_some()
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Result<T, Error>> {
        let mut inner = self.0.borrow_mut();
        match &inner.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}
