//! Which events of the page bear on a link, and what each of them means.

use wasm_bindgen::JsValue;

use crate::page::{OFFLINE, ONLINE, PageEvent, is_hidden};

/// `visibilitychange` bubbles from the document; `resume` may come without it, and looks at the same thing.
pub(super) const KINDS: &[&str] = &[ONLINE, OFFLINE, "visibilitychange", "resume", "pagehide", "pageshow"];

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

impl Event {
    /// `None` if it means nothing: a page that is not kept is gone, and its socket goes with it.
    pub(super) fn read(event: &PageEvent) -> Option<Self> {
        let kind = event.kind();
        let is = |name: &str| kind == JsValue::from_str(name);
        let kept = || event.persisted().is_truthy();
        if is(ONLINE) {
            Some(Self::Online)
        } else if is(OFFLINE) {
            Some(Self::Offline)
        } else if is("pagehide") {
            kept().then_some(Self::PutAway)
        } else if is("pageshow") {
            kept().then_some(Self::Back)
        } else {
            Some(Self::Visible(!is_hidden()))
        }
    }
}
