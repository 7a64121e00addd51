//! What a stream has not been asked for yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What waits for a stream, each perhaps with a hold, which is kept until the next one is asked for.
pub(crate) struct Queue<T, H> {
    waiting: VecDeque<(T, Option<H>)>,
    /// Of what the stream gave last.
    in_hand: Option<H>,
    unheld: usize,
    /// So many without a hold are kept, the newest: nobody promises to keep them, and nothing else bounds them.
    unheld_max: usize,
    ended: bool,
    waker: Option<Waker>,
}

impl<T, H> Queue<T, H> {
    pub(crate) fn new(unheld_max: usize) -> Self {
        Self { waiting: VecDeque::new(), in_hand: None, unheld: 0, unheld_max, ended: false, waker: None }
    }

    pub(crate) fn put(queue: &RefCell<Self>, item: T, hold: Option<H>) {
        let waker = {
            let mut inner = queue.borrow_mut();
            if inner.ended {
                return;
            }
            if hold.is_none() {
                inner.unheld += 1;
                if inner.unheld > inner.unheld_max {
                    let oldest = inner.waiting.iter().position(|(_, hold)| hold.is_none());
                    oldest.map(|at| inner.waiting.remove(at));
                    inner.unheld -= 1;
                }
            }
            inner.waiting.push_back((item, hold));
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(queue: &RefCell<Self>) {
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

/// The stream's end of a queue. When it is gone, so is everything that it had not been asked for.
pub(crate) struct Outlet<T, H>(Rc<RefCell<Queue<T, H>>>);

impl<T, H> Outlet<T, H> {
    pub(crate) fn new(queue: Rc<RefCell<Queue<T, H>>>) -> Self {
        Self(queue)
    }

    /// The next one, as a stream gives it. What held the one before is let go.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let (answer, done) = {
            let mut inner = self.0.borrow_mut();
            let done = inner.in_hand.take();
            let answer = match inner.waiting.pop_front() {
                Some((item, hold)) => {
                    if hold.is_none() {
                        inner.unheld -= 1;
                    }
                    inner.in_hand = hold;
                    Poll::Ready(Some(item))
                }
                None if inner.ended => Poll::Ready(None),
                None => {
                    inner.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            };
            (answer, done)
        };
        drop(done);
        answer
    }

    /// Nothing more is wanted, and what is left is let go.
    pub(crate) fn close(&self) {
        let left = {
            let mut inner = self.0.borrow_mut();
            inner.ended = true;
            (mem::take(&mut inner.waiting), inner.in_hand.take())
        };
        drop(left);
    }
}

impl<T, H> Drop for Outlet<T, H> {
    fn drop(&mut self) {
        self.close();
    }
}
