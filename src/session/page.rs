//! What the page tells: whether it is looked at, put away and back, and what the browser says of the network.

use std::rc::{Rc, Weak};

use js_sys::{Function, JsString};
use wasm_bindgen::prelude::*;

use super::driver::Driver;
use crate::link::Sink as _;

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
    fn document(this: &Global) -> Option<Document>;

    type Document;
    #[wasm_bindgen(method, getter, structural)]
    fn hidden(this: &Document) -> JsValue;

    type PageEvent;
    #[wasm_bindgen(method, getter, structural, js_name = type)]
    fn kind(this: &PageEvent) -> JsString;
    #[wasm_bindgen(method, getter, structural)]
    fn persisted(this: &PageEvent) -> JsValue;
}

/// What the page does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Online,
    Offline,
    /// It is looked at, or no longer.
    Visible(bool),
    /// It goes into the back/forward cache.
    PutAway,
    /// It comes back from there.
    Back,
}

/// `visibilitychange` bubbles from the document; `resume` may come without it, and looks at the same thing.
const KINDS: [&str; 6] = ["online", "offline", "visibilitychange", "resume", "pagehide", "pageshow"];

/// Listeners that are removed with it.
pub(crate) struct Page {
    listener: Function,
    _closure: Closure<dyn FnMut(PageEvent)>,
}

impl Page {
    /// Listens where there is anything to listen to.
    pub(super) fn listen(driver: &Rc<Driver>) -> Option<Self> {
        let to: Weak<Driver> = Rc::downgrade(driver);
        let closure = Closure::<dyn FnMut(PageEvent)>::new(move |event: PageEvent| {
            if let Some((driver, event)) = to.upgrade().zip(read(&event)) {
                driver.page_changed(event);
            }
        });
        let listener = driver.guard(closure.as_ref().unchecked_ref());
        GLOBAL.with(|global| KINDS.iter().try_for_each(|kind| global.listen(kind, &listener)).ok())?;
        Some(Self { listener, _closure: closure })
    }

    /// No more events.
    pub(super) fn leave(&self, driver: &Driver) {
        driver.release(&self.listener);
        GLOBAL.with(|global| {
            for kind in KINDS {
                let _ = global.unlisten(kind, &self.listener);
            }
        });
    }
}

fn read(event: &PageEvent) -> Option<Event> {
    let kind = event.kind();
    let is = |name: &str| kind == name;
    // A page that is not kept is gone; its socket goes with it.
    let kept = || event.persisted().is_truthy();
    if is("online") {
        Some(Event::Online)
    } else if is("offline") {
        Some(Event::Offline)
    } else if is("pagehide") {
        kept().then_some(Event::PutAway)
    } else if is("pageshow") {
        kept().then_some(Event::Back)
    } else {
        Some(Event::Visible(!is_hidden()))
    }
}

/// Whether there is a page and nobody looks at it.
pub(super) fn is_hidden() -> bool {
    GLOBAL.with(|global| global.document().is_some_and(|document| document.hidden().is_truthy()))
}
