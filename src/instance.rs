//! What there is once in a WebAssembly instance: its host, its allocator, its panic hook, its wires.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use everwire_core::{Overflow, Rate};
use js_sys::Function;
use wasm_bindgen::prelude::*;

#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[wasm_bindgen]
extern "C" {
    /// What is told about the instance as a whole.
    #[derive(Clone)]
    pub type InstanceHost;
    #[wasm_bindgen(method, structural)]
    fn panicked(this: &InstanceHost, message: &str);
    #[wasm_bindgen(method, structural)]
    pub(crate) fn guard(this: &InstanceHost, function: &Function) -> Function;
    #[wasm_bindgen(method, structural)]
    pub(crate) fn release(this: &InstanceHost, guarded: &Function);
    #[wasm_bindgen(method, structural)]
    pub(crate) fn enter(this: &InstanceHost);
    #[wasm_bindgen(method, structural)]
    pub(crate) fn leave(this: &InstanceHost);
}

/// For as long as the instance lives.
pub(crate) struct Instance<Wire: 'static> {
    pub(crate) host: InstanceHost,
    /// A handle is never used twice: whoever still holds an old one must not reach a new wire.
    last: Cell<u32>,
    wires: RefCell<Vec<(u32, Rc<Wire>)>>,
}

impl<Wire> Instance<Wire> {
    /// Once per instance.
    pub(crate) fn start(host: InstanceHost) -> &'static Self {
        let told = host.clone();
        std::panic::set_hook(Box::new(move |info| {
            let mut message = String::new();
            let payload = info.payload();
            if let Some(text) = payload.downcast_ref::<&str>() {
                message.push_str(text);
            } else if let Some(text) = payload.downcast_ref::<String>() {
                message.push_str(text);
            }
            if let Some(location) = info.location() {
                message.push_str(" at ");
                message.push_str(location.file());
                message.push(':');
                push_number(&mut message, location.line());
            }
            told.panicked(&message);
        }));
        Box::leak(Box::new(Self { host, last: Cell::new(0), wires: RefCell::new(Vec::new()) }))
    }

    /// Keeps a wire: its handle.
    pub(crate) fn keep(&self, wire: Rc<Wire>) -> u32 {
        let handle = self.last.get() + 1;
        self.last.set(handle);
        self.wires.borrow_mut().push((handle, wire));
        handle
    }

    pub(crate) fn wire(&self, handle: u32) -> Option<Rc<Wire>> {
        let wires = self.wires.borrow();
        Some(Rc::clone(&wires.iter().find(|(one, _)| *one == handle)?.1))
    }

    /// Forgets a wire, and its link with it.
    pub(crate) fn free(&self, handle: u32) {
        let mut wires = self.wires.borrow_mut();
        let Some(at) = wires.iter().position(|(one, _)| *one == handle) else { return };
        let freed = wires.swap_remove(at);
        drop(wires);
        // Only now: its link is closed, and that runs code of the socket's.
        drop(freed);
    }
}

/// Without `core::fmt`, which would be linked for this alone.
fn push_number(text: &mut String, number: u32) {
    if number > 9 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// Numbers of a configuration, one after the other. The facade has checked every option and names the one that is
/// wrong; here they are only kept in bounds.
pub(crate) struct Numbers<'a> {
    from: &'a js_sys::Float64Array,
    at: u32,
}

impl<'a> Numbers<'a> {
    pub(crate) const U32_MAX: f64 = u32::MAX as f64;

    pub(crate) fn new(from: &'a js_sys::Float64Array) -> Self {
        Self { from, at: 0 }
    }

    /// The next one.
    pub(crate) fn next(&mut self, min: f64, max: f64) -> f64 {
        let value = self.from.get_index(self.at);
        self.at += 1;
        // In this form it is `min` for what is no number, too.
        if value >= min { value.min(max) } else { min }
    }

    /// Two of them.
    pub(crate) fn seed(&mut self) -> u64 {
        (self.next(0.0, Self::U32_MAX) as u64) << 32 | self.next(0.0, Self::U32_MAX) as u64
    }
}

/// The policy of a full outbox.
pub(crate) fn overflow(number: f64) -> Overflow {
    match number as u32 {
        0 => Overflow::Reject,
        1 => Overflow::DropOldest,
        2 => Overflow::DropNewest,
        _ => Overflow::Wait,
    }
}

/// The rate of messages, in thousandths of one a second; 0 sets none.
pub(crate) fn rate(per_second_milli: f64, burst: f64) -> Option<Rate> {
    let rate = Rate { per_second_milli: per_second_milli as u64, burst: burst as u32 };
    (rate.per_second_milli > 0).then_some(rate)
}
