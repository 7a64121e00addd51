//! What the page (or the worker) tells about the network.

use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use crate::link::Sink;

#[wasm_bindgen]
extern "C" {
    type Global;
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL: Global;
    // `catch`: Node has no listeners on its global object.
    #[wasm_bindgen(method, structural, catch, js_name = addEventListener)]
    fn listen(this: &Global, kind: &str, listener: &Function) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch, js_name = removeEventListener)]
    fn unlisten(this: &Global, kind: &str, listener: &Function) -> Result<(), JsValue>;
    #[wasm_bindgen(method, getter, structural)]
    fn navigator(this: &Global) -> Option<Navigator>;

    type Navigator;
    #[wasm_bindgen(method, getter, structural, js_name = onLine)]
    fn on_line(this: &Navigator) -> JsValue;

    type PageEvent;
    #[wasm_bindgen(method, getter, structural, js_name = type)]
    fn kind(this: &PageEvent) -> JsValue;
}

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";

/// Listeners that are removed with it.
pub(crate) struct Page {
    listener: Function,
    _closure: Closure<dyn FnMut(PageEvent)>,
}

impl Page {
    /// Listens where there is anything to listen to.
    pub(crate) fn listen(sink: &Rc<dyn Sink>) -> Option<Self> {
        let to = Rc::downgrade(sink);
        let closure = Closure::<dyn FnMut(PageEvent)>::new(move |event: PageEvent| {
            if let Some(sink) = to.upgrade() {
                sink.network_changed(event.kind() == JsValue::from_str(ONLINE));
            }
        });
        let listener = sink.guard(closure.as_ref().unchecked_ref());
        GLOBAL.with(|global| {
            global.listen(ONLINE, &listener).ok()?;
            global.listen(OFFLINE, &listener).ok()
        })?;
        Some(Self { listener, _closure: closure })
    }

    /// No more events.
    pub(crate) fn leave(&self, sink: &dyn Sink) {
        sink.release(&self.listener);
        GLOBAL.with(|global| {
            let _ = global.unlisten(ONLINE, &self.listener);
            let _ = global.unlisten(OFFLINE, &self.listener);
        });
    }
}

/// Whether the browser says that there is no network. That there is one proves nothing.
pub(crate) fn offline() -> bool {
    GLOBAL.with(|global| global.navigator().is_some_and(|navigator| navigator.on_line() == JsValue::FALSE))
}
