//! Which events of the page bear on a link, and what each of them means.

use wasm_bindgen::JsValue;

use crate::page::{PageEvent, is_hidden};

/// What is listened to, in the order in which [`Event::read`] has it: what comes from the network information is none of them.
/// `visibilitychange` and `resume` bubble from the document; either may come without the other.
pub(crate) const KINDS: &[&str] =
    &["online", "offline", "visibilitychange", "resume", "pagehide", "pageshow"];

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
        let at = KINDS.iter().position(|name| kind == JsValue::from_str(name));
        match at {
            Some(0) => Some(Self::Online),
            Some(1) => Some(Self::Offline),
            Some(2) => Some(Self::Visible(!is_hidden())),
            Some(3) => Some(Self::Thawed),
            Some(_) if !event.persisted().is_truthy() => None,
            Some(4) => Some(Self::PutAway),
            Some(_) => Some(Self::Back),
            None => Some(Self::NetworkChanged),
        }
    }
}
