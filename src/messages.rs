//! Messages of best effort as a stream.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use everwire_core::State;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::envelope::Envelope;
use crate::queue::Outlet;
use crate::takers::Letter;
use crate::wire::{List, Subscription, Wire};

impl Letter for Envelope {
    /// Best effort tells the server of nothing that is processed.
    type Hold = Infallible;

    fn kind(&self) -> &str {
        &self.kind
    }

    fn receiver(&self) -> Option<&str> {
        self.receiver.as_deref()
    }
}

/// The messages of a type, in the order in which they came; [`Error::Content`] in the place of one that is of another
/// shape. It ends when the wire has closed.
///
/// Of messages that it has not been asked for it keeps the newest 1,024: nothing holds a server of best effort back.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Messages<T> {
    outlet: Outlet<Envelope, <Envelope as Letter>::Hold>,
    _subscription: Subscription,
    of: PhantomData<fn() -> T>,
}

impl<T> Messages<T> {
    pub(crate) fn new(wire: &Wire, kind: &str) -> Self {
        let (id, queue) = wire.0.host().takers.keep(kind, None);
        let outlet = Outlet::new(queue);
        if wire.state() == State::Closed {
            outlet.close();
        }
        Self { outlet, _subscription: wire.subscribe(id, List::Messages), of: PhantomData }
    }
}

impl<T: DeserializeOwned> Stream for Messages<T> {
    type Item = Result<Typed<T>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let typed = |message: Envelope| message.content().map(|content| Typed { content, message });
        self.outlet.poll(context).map(|message| message.map(typed))
    }
}

impl<T> fmt::Debug for Messages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

/// A message whose content has been read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Typed<T> {
    /// The content.
    pub content: T,
    /// The rest of it.
    pub message: Envelope,
}

impl<T> Deref for Typed<T> {
    type Target = Envelope;

    fn deref(&self) -> &Envelope {
        &self.message
    }
}
