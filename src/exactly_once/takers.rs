//! Who takes the messages that come in, and when a message counts as processed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::{Rc, Weak};
use std::task::Waker;

use everwire_core::session::down::Delivery;

use super::local::Local;
use super::message::Message;
use crate::session::driver::Driver;

/// Casts that one stream keeps for its application: nobody promises to keep them, and no credit bounds them.
const CASTS_MAX: usize = 1024;

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

type Run = Box<dyn FnMut(&Message)>;

/// Messages that a stream has not been asked for.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<(Message, Option<Hold>)>,
    /// Of the message that the stream gave last: it is processed when the next one is asked for.
    in_hand: Option<Hold>,
    casts: usize,
    ended: bool,
    waker: Option<Waker>,
}

enum Way {
    Call(RefCell<Run>),
    Keep(Rc<RefCell<Queue>>),
}

struct Taker {
    id: u32,
    kind: Box<str>,
    room: Option<Box<str>>,
    removed: Cell<bool>,
    way: Way,
}

impl Taker {
    fn takes(&self, kind: &str, receiver: Option<&str>) -> bool {
        *self.kind == *kind && (self.room.is_none() || self.room.as_deref() == receiver)
    }
}

/// Handlers and streams, in the order in which they came.
#[derive(Default)]
pub(crate) struct Takers {
    last: Cell<u32>,
    list: RefCell<Vec<Rc<Taker>>>,
}

impl Takers {
    pub(crate) fn call(&self, kind: &str, room: Option<&str>, run: impl FnMut(&Message) + 'static) -> u32 {
        self.add(kind, room, Way::Call(RefCell::new(Box::new(run))))
    }

    pub(crate) fn keep(&self, kind: &str, room: Option<&str>) -> (u32, Rc<RefCell<Queue>>) {
        let queue = Rc::new(RefCell::new(Queue::default()));
        (self.add(kind, room, Way::Keep(Rc::clone(&queue))), queue)
    }

    fn add(&self, kind: &str, room: Option<&str>, way: Way) -> u32 {
        let id = self.last.get().wrapping_add(1);
        self.last.set(id);
        let (kind, room) = (kind.into(), room.map(Box::from));
        self.list.borrow_mut().push(Rc::new(Taker { id, kind, room, removed: Cell::new(false), way }));
        id
    }

    pub(crate) fn remove(&self, id: u32) {
        let removed = {
            let mut list = self.list.borrow_mut();
            list.iter().position(|taker| taker.id == id).map(|at| list.remove(at))
        };
        if let Some(taker) = removed {
            taker.removed.set(true);
        }
        // What the handler owned is dropped here, outside of the borrow; it may own subscriptions.
    }

    /// Nobody is called any more, and streams come to their end.
    pub(crate) fn end(&self) {
        let all = self.list.take();
        for taker in all {
            if let Way::Keep(queue) = &taker.way {
                Queue::end(queue);
            }
        }
    }

    pub(crate) fn wants(&self, kind: &str, receiver: Option<&str>) -> bool {
        self.list.borrow().iter().any(|taker| taker.takes(kind, receiver))
    }

    pub(crate) fn take(&self, message: &Message, hold: Option<&Hold>) {
        let wanted = |taker: &&Rc<Taker>| taker.takes(message.kind(), message.receiver());
        let now: Vec<_> = self.list.borrow().iter().filter(wanted).cloned().collect();
        for taker in now.iter().filter(|taker| !taker.removed.get()) {
            match &taker.way {
                // Nothing calls handlers while one runs, so this is free; one is skipped rather than the page lost.
                Way::Call(run) => {
                    if let Ok(mut run) = run.try_borrow_mut() {
                        run(message);
                    }
                }
                Way::Keep(queue) => Queue::put(queue, message.clone(), hold.cloned()),
            }
        }
    }
}

impl Queue {
    fn put(queue: &RefCell<Self>, message: Message, hold: Option<Hold>) {
        let waker = {
            let mut inner = queue.borrow_mut();
            if hold.is_none() {
                inner.casts += 1;
                if inner.casts > CASTS_MAX {
                    let oldest = inner.waiting.iter().position(|(_, hold)| hold.is_none());
                    oldest.map(|at| inner.waiting.remove(at));
                    inner.casts -= 1;
                }
            }
            inner.waiting.push_back((message, hold));
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

    /// The next message: `None` if there is none yet, `Some(None)` if there never will be. The one before it is
    /// processed.
    pub(crate) fn next(queue: &RefCell<Self>, waker: &Waker) -> Option<Option<Message>> {
        let (answer, done) = {
            let mut inner = queue.borrow_mut();
            let done = inner.in_hand.take();
            let answer = match inner.waiting.pop_front() {
                Some((message, hold)) => {
                    if hold.is_none() {
                        inner.casts -= 1;
                    }
                    inner.in_hand = hold;
                    Some(Some(message))
                }
                None if inner.ended => Some(None),
                None => {
                    inner.waker = Some(waker.clone());
                    None
                }
            };
            (answer, done)
        };
        drop(done);
        answer
    }

    /// The stream is gone: what it had not been asked for counts as processed.
    pub(crate) fn let_go(queue: &RefCell<Self>) {
        let left = {
            let mut inner = queue.borrow_mut();
            inner.ended = true;
            (mem::take(&mut inner.waiting), inner.in_hand.take())
        };
        drop(left);
    }
}
