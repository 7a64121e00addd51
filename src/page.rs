//! What the page (or the worker) tells.

use js_sys::{Function, JsString};
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

    #[wasm_bindgen(method, getter, structural)]
    fn document(this: &Global) -> Option<Document>;

    type Document;
    #[wasm_bindgen(method, getter, structural)]
    fn hidden(this: &Document) -> JsValue;

    type Navigator;
    #[wasm_bindgen(method, getter, structural, js_name = onLine)]
    fn on_line(this: &Navigator) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    fn vendor(this: &Navigator) -> JsValue;

    #[wasm_bindgen(method, getter, structural, js_name = userAgent)]
    fn user_agent(this: &Navigator) -> JsValue;

    /// Not everywhere.
    #[wasm_bindgen(method, getter, structural)]
    fn connection(this: &Navigator) -> Option<Global>;

    pub(crate) type PageEvent;
    #[wasm_bindgen(method, getter, structural, js_name = type)]
    pub(crate) fn kind(this: &PageEvent) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn persisted(this: &PageEvent) -> JsValue;
}

/// Of the network information.
const CHANGE: &str = "change";

/// Listeners that are removed with it.
pub(crate) struct Page {
    kinds: &'static [&'static str],
    listener: Function,
    _closure: Closure<dyn FnMut(PageEvent)>,
}

impl Page {
    /// Listens to these kinds of events, where there is anything to listen to.
    pub(crate) fn listen(
        kinds: &'static [&'static str],
        sink: &dyn Sink,
        closure: Closure<dyn FnMut(PageEvent)>,
    ) -> Option<Self> {
        let listener = sink.guard(closure.as_ref().unchecked_ref());
        GLOBAL.with(|global| kinds.iter().try_for_each(|kind| global.listen(kind, &listener)).ok())?;
        if let Some(connection) = connection() {
            let _ = connection.listen(CHANGE, &listener);
        }
        Some(Self { kinds, listener, _closure: closure })
    }

    /// No more events.
    pub(crate) fn leave(&self, sink: &dyn Sink) {
        sink.release(&self.listener);
        GLOBAL.with(|global| {
            for kind in self.kinds {
                let _ = global.unlisten(kind, &self.listener);
            }
        });
        if let Some(connection) = connection() {
            let _ = connection.unlisten(CHANGE, &self.listener);
        }
    }
}

fn connection() -> Option<Global> {
    GLOBAL.with(|global| global.navigator().and_then(|navigator| navigator.connection()))
}

/// Whether it is a phone: its browser says `Mobi` in its name.
pub(crate) fn is_phone() -> bool {
    let name = GLOBAL.with(|global| global.navigator().map(|navigator| navigator.user_agent()));
    name.and_then(|name| name.dyn_into::<JsString>().ok()).is_some_and(|name| name.includes("Mobi", 0))
}

/// Whether the browser is one of Apple's.
pub(crate) fn is_safari() -> bool {
    let vendor = GLOBAL.with(|global| global.navigator().map(|navigator| navigator.vendor()));
    vendor
        .and_then(|vendor| vendor.dyn_into::<JsString>().ok())
        .is_some_and(|name| name.starts_with("Apple", 0))
}

/// Whether the browser says that there is no network. That there is one proves nothing.
pub(crate) fn offline() -> bool {
    GLOBAL.with(|global| global.navigator().is_some_and(|navigator| navigator.on_line() == JsValue::FALSE))
}

/// Whether there is a page and nobody looks at it.
pub(crate) fn is_hidden() -> bool {
    GLOBAL.with(|global| global.document().is_some_and(|document| document.hidden().is_truthy()))
}
