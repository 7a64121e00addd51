//! Who takes the messages that come in, in both deliveries: handlers and streams.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::queue::Queue;

/// Messages without a hold that one stream keeps for its application: nobody promises to keep them, and no credit
/// bounds them.
const UNHELD_MAX: usize = 1024;

/// A message as it came, cheap to clone.
pub(crate) trait Letter: Clone {
    /// As long as any clone of it lives, its message is not processed.
    type Hold: Clone;

    fn kind(&self) -> &str;
    fn receiver(&self) -> Option<&str>;
}

type Run<M> = Box<dyn FnMut(&M)>;

/// Messages that a stream has not been asked for.
pub(crate) type Letters<M> = Queue<M, <M as Letter>::Hold>;

enum Way<M: Letter> {
    Call(RefCell<Run<M>>),
    Keep(Rc<RefCell<Letters<M>>>),
}

struct Taker<M: Letter> {
    id: u32,
    kind: Box<str>,
    room: Option<Box<str>>,
    removed: Cell<bool>,
    way: Way<M>,
}

impl<M: Letter> Taker<M> {
    fn takes(&self, kind: &str, receiver: Option<&str>) -> bool {
        *self.kind == *kind && (self.room.is_none() || self.room.as_deref() == receiver)
    }
}

/// Handlers and streams, in the order in which they came.
pub(crate) struct Takers<M: Letter> {
    last: Cell<u32>,
    list: RefCell<Vec<Rc<Taker<M>>>>,
}

impl<M: Letter> Takers<M> {
    pub(crate) fn new() -> Self {
        Self { last: Cell::new(0), list: RefCell::new(Vec::new()) }
    }

    pub(crate) fn call(&self, kind: &str, room: Option<&str>, run: impl FnMut(&M) + 'static) -> u32 {
        self.add(kind, room, Way::Call(RefCell::new(Box::new(run))))
    }

    pub(crate) fn keep(&self, kind: &str, room: Option<&str>) -> (u32, Rc<RefCell<Letters<M>>>) {
        let queue = Rc::new(RefCell::new(Queue::new(UNHELD_MAX)));
        (self.add(kind, room, Way::Keep(Rc::clone(&queue))), queue)
    }

    fn add(&self, kind: &str, room: Option<&str>, way: Way<M>) -> u32 {
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

    pub(crate) fn take(&self, message: &M, hold: Option<&M::Hold>) {
        let wanted = |taker: &&Rc<Taker<M>>| taker.takes(message.kind(), message.receiver());
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
