//! The handlers of an application.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Run<T> = Box<dyn FnMut(&T)>;

struct Entry<T> {
    id: u32,
    /// Only values of this kind; `None`: all.
    kind: Option<String>,
    removed: Cell<bool>,
    run: RefCell<Run<T>>,
}

/// Handlers, called in the order in which they came. One that runs may add and remove others, and itself.
pub(crate) struct Handlers<T> {
    last: Cell<u32>,
    list: RefCell<Vec<Rc<Entry<T>>>>,
}

impl<T> Handlers<T> {
    pub(crate) fn new() -> Self {
        Self { last: Cell::new(0), list: RefCell::new(Vec::new()) }
    }

    pub(crate) fn add(&self, kind: Option<&str>, run: impl FnMut(&T) + 'static) -> u32 {
        let id = self.last.get().wrapping_add(1);
        self.last.set(id);
        let entry = Entry {
            id,
            kind: kind.map(str::to_owned),
            removed: Cell::new(false),
            run: RefCell::new(Box::new(run)),
        };
        self.list.borrow_mut().push(Rc::new(entry));
        id
    }

    pub(crate) fn remove(&self, id: u32) {
        let removed = {
            let mut list = self.list.borrow_mut();
            list.iter().position(|entry| entry.id == id).map(|at| list.remove(at))
        };
        if let Some(entry) = removed {
            entry.removed.set(true);
        }
        // What the handler owned is dropped here, outside of the borrow; it may own subscriptions.
    }

    pub(crate) fn clear(&self) {
        let all = self.list.take();
        drop(all);
    }

    pub(crate) fn call(&self, kind: Option<&str>, value: &T) {
        let wanted = |entry: &&Rc<Entry<T>>| entry.kind.is_none() || entry.kind.as_deref() == kind;
        let now: Vec<_> = self.list.borrow().iter().filter(wanted).cloned().collect();
        for entry in now {
            // Nothing calls handlers while one runs, so this is free; a handler is skipped rather than the page lost.
            if let (false, Ok(mut run)) = (entry.removed.get(), entry.run.try_borrow_mut()) {
                run(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_handler_may_remove_itself_and_those_after_it() {
        let handlers = Rc::new(Handlers::<u32>::new());
        let heard = Rc::new(RefCell::new(Vec::new()));
        for name in ["a", "b", "c"] {
            let (handlers_, heard) = (handlers.clone(), heard.clone());
            handlers.add(None, move |value| {
                heard.borrow_mut().push((name, *value));
                if name == "a" {
                    handlers_.remove(1);
                    handlers_.remove(2);
                    let heard = heard.clone();
                    handlers_.add(Some("x"), move |value| heard.borrow_mut().push(("x", *value)));
                }
            });
        }
        handlers.call(Some("x"), &1);
        handlers.call(Some("x"), &2);
        handlers.call(Some("y"), &3);
        assert_eq!(*heard.borrow(), [("a", 1), ("c", 1), ("c", 2), ("x", 2), ("c", 3)]);
    }
}
