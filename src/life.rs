//! Which events of the page bear on a link, and what each of them means.

use wasm_bindgen::JsValue;

use crate::page::{CHANGE, OFFLINE, ONLINE, PageEvent, is_hidden};

/// `visibilitychange` and `resume` bubble from the document; either may come without the other.
pub(crate) const KINDS: &[&str] = &[ONLINE, OFFLINE, "visibilitychange", "resume", "pagehide", "pageshow"];

/// What the page does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Online,
    Offline,
    /// It is on another network, or the same has changed.
    NetworkChanged,
    /// It is looked at, or no longer.
    Visible(bool),
    /// It was frozen and runs again, looked at or not.
    Thawed,
    /// It goes into the back/forward cache.
    PutAway,
    /// It comes back from there.
    Back,
}

impl Event {
    /// `None` if it means nothing: a page that is not kept is gone, and its socket goes with it.
    pub(crate) fn read(event: &PageEvent) -> Option<Self> {
        let kind = event.kind();
        let is = |name: &str| kind == JsValue::from_str(name);
        let kept = || event.persisted().is_truthy();
        if is(ONLINE) {
            Some(Self::Online)
        } else if is(OFFLINE) {
            Some(Self::Offline)
        } else if is(CHANGE) {
            Some(Self::NetworkChanged)
        } else if is("pagehide") {
            kept().then_some(Self::PutAway)
        } else if is("pageshow") {
            kept().then_some(Self::Back)
        } else if is("resume") {
            Some(Self::Thawed)
        } else {
            Some(Self::Visible(!is_hidden()))
        }
    }
}
