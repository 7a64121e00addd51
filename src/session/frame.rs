//! A frame that has come in, read, as the machine takes it.

use everwire_core::engine::LogEpoch;
use everwire_core::frame::Shape;
use everwire_core::session::Welcome;
use everwire_core::session::client::Body;
use everwire_core::session::down::{Element, Loss};

/// A frame's body, read.
pub(crate) enum Found {
    None,
    Welcome(Box<Welcome>),
    Lost(LogEpoch, Loss),
    Goaway { redirect: bool },
    Auth { expires: Option<u64>, renewed: bool },
    Elements(Vec<Element>),
    Unreadable,
}

/// A frame, read.
pub(crate) struct Inbound {
    pub(crate) head: String,
    pub(crate) shape: Shape,
    pub(crate) body: Found,
}

impl Inbound {
    pub(crate) fn body(&self) -> Body<'_> {
        match &self.body {
            Found::None => Body::None,
            Found::Welcome(welcome) => Body::Welcome(welcome),
            Found::Lost(epoch, loss) => Body::Lost { epoch, loss },
            Found::Goaway { redirect } => Body::Goaway { redirect: *redirect },
            Found::Auth { expires, renewed } => Body::Auth { expires: *expires, renewed: *renewed },
            Found::Elements(elements) => Body::Elements(elements),
            Found::Unreadable => Body::Unreadable,
        }
    }
}
