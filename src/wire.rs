//! The Rust API: one wire, as an application holds it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use everwire_core::frame::Form;
use everwire_core::session::up::Outgoing;
use everwire_core::{CLOSE_NORMAL, Refusal, State, Ticket};
use js_sys::JsString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::driver::Driver;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::host::LocalHost;
use crate::messages::Messages;
use crate::slot::Slot;
use crate::states::States;
use crate::{Error, time};

/// One logical, long-lived connection. It survives many sockets.
///
/// Clones are the same wire. When the last one is dropped, the link is closed at once and what waits is lost;
/// [`Wire::close`] does it properly.
/// A handler that holds a clone keeps the wire alive until it has closed.
#[derive(Clone)]
pub struct Wire(pub(crate) Rc<Driver<LocalHost>>);

impl Wire {
    /// What the wire is doing.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Its states, beginning with the present one; the stream ends behind [`State::Closed`], or with the wire.
    pub fn states(&self) -> States {
        States::new(self.state(), |tell| self.on_state(tell))
    }

    /// How many messages wait to be written, and their bytes.
    pub fn queued(&self) -> (usize, u64) {
        self.0.waiting()
    }

    /// Sends a message. It is taken in this very call, in order, whether or not there is a link; the future tells
    /// when it has been written and may be ignored: what is not delivered is told as [`Event::Undelivered`], too.
    ///
    /// ```no_run
    /// # async fn example(wire: everwire::Wire) -> Result<(), everwire::Error> {
    /// let receipt = wire.send("text", "hello", "room_456").await?;
    /// # Ok(()) }
    /// ```
    pub fn send<'a, T: Serialize + ?Sized>(
        &self,
        kind: &str,
        content: &T,
        to: impl Into<Option<&'a str>>,
    ) -> Sending {
        let slot = Rc::new(Slot::default());
        let host = self.0.host();
        let (id, ticket, made) = host.take(kind, content, to.into(), &slot);
        let taken = made.and_then(|bytes| {
            let message = Outgoing::new(ticket, bytes, Form::Text);
            self.0.submit(message, None).map_err(refusal_error)
        });
        if let Err(error) = taken {
            host.refused(ticket, error);
            // There is nothing to take back. It is an entry like any other, and at its end the event is told: not
            // now if this call comes from within one, as from a token provider.
            self.0.abort(ticket);
        }
        Sending { id, ticket, slot, wire: Rc::downgrade(&self.0) }
    }

    /// Calls a handler with every message of a type, until the subscription is dropped.
    pub fn on(&self, kind: &str, handler: impl FnMut(&Envelope) + 'static) -> Subscription {
        self.subscribe(self.0.host().takers.call(kind, None, handler), List::Messages)
    }

    /// The messages of a type, read as `T`. See [`Messages`].
    ///
    /// ```no_run
    /// # use std::future::poll_fn;
    /// # use std::pin::Pin;
    /// # use futures_core::Stream;
    /// # async fn example(wire: everwire::Wire) -> Result<(), everwire::Error> {
    /// let mut texts = wire.messages::<String>("text"); // a `Stream`
    /// while let Some(text) = poll_fn(|cx| Pin::new(&mut texts).poll_next(cx)).await {
    ///     let text = text?;
    ///     println!("{:?}: {}", text.sender, text.content);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn messages<T: DeserializeOwned>(&self, kind: &str) -> Messages<T> {
        Messages::new(self, kind)
    }

    /// Calls a handler with everything that is told about the life of the wire, until the subscription is dropped.
    pub fn on_event(&self, handler: impl FnMut(&Event) + 'static) -> Subscription {
        self.subscribe(self.0.host().watchers.add(None, handler), List::Events)
    }

    /// Calls a handler with every new state, until the subscription is dropped.
    pub fn on_state(&self, mut handler: impl FnMut(State) + 'static) -> Subscription {
        self.on_event(move |event| {
            if let Event::State(state) = event {
                handler(*state);
            }
        })
    }

    /// Asks for a new link now, whatever the backoff says.
    pub fn reconnect(&self) {
        self.0.reconnect();
    }

    /// Closes for good: what waits may be written for so long as the option `close_timeout` says. The future tells
    /// when it is done and may be ignored.
    pub fn close(&self) -> Closing {
        self.shut(CLOSE_NORMAL, "", self.0.host().options.close_timeout)
    }

    /// Closes with a code and a reason of the application; what waits may be written for so long as `drain`.
    /// A reason over 123 bytes is cut at a character boundary.
    ///
    /// # Errors
    /// [`Error::Option`] if the code is neither 1000 nor 3000 to 4999: browsers send no other.
    pub fn close_with(&self, code: u16, reason: &str, drain: Duration) -> Result<Closing, Error> {
        if code != CLOSE_NORMAL && !(3000..=4999).contains(&code) {
            return Err(Error::Option { name: "code", range: "1000 or 3000 to 4999" });
        }
        Ok(self.shut(code, reason, drain))
    }

    fn shut(&self, code: u16, reason: &str, drain: Duration) -> Closing {
        self.0.close(code, JsString::from(reason), time::of_std(drain));
        self.0.host().hold_until_end(&self.0);
        Closing { wire: self.clone() }
    }

    pub(crate) fn subscribe(&self, id: u32, list: List) -> Subscription {
        Subscription { id, list, wire: Rc::downgrade(&self.0) }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("state", &self.state()).finish_non_exhaustive()
    }
}

fn refusal_error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Closed => Error::Closed,
        Refusal::TooLarge => Error::TooLarge,
        Refusal::OutboxFull => Error::OutboxFull,
    }
}

/// How far a message provably got.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The id of the message.
    pub id: String,
    /// How far.
    pub level: Level,
    /// Whether the server has it on disk.
    pub durable: bool,
}

impl Receipt {
    pub(crate) fn written(id: String) -> Self {
        Self { id, level: Level::Written, durable: false }
    }
}

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// The browser has taken it for the socket.
    Written,
}

/// What becomes of a message. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "or say `drop`: the message is on its way all the same"]
pub struct Sending {
    id: String,
    ticket: Ticket,
    slot: Rc<Slot<Receipt>>,
    wire: Weak<Driver<LocalHost>>,
}

impl Sending {
    /// The id of the message.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes the message back. True if it had not been written: it never will be.
    pub fn abort(&self) -> bool {
        self.wire.upgrade().is_some_and(|wire| wire.abort(self.ticket))
    }
}

impl Future for Sending {
    type Output = Result<Receipt, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context)
    }
}

/// The end of a wire. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "or say `drop`: the wire closes all the same"]
pub struct Closing {
    wire: Wire,
}

impl Future for Closing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.wire.state() == State::Closed {
            return Poll::Ready(());
        }
        self.wire.0.host().wake_at_end(context.waker());
        Poll::Pending
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum List {
    Messages,
    Events,
}

/// A handler is called as long as this lives.
#[must_use = "the handler is removed when this is dropped"]
pub struct Subscription {
    id: u32,
    list: List,
    wire: Weak<Driver<LocalHost>>,
}

impl Subscription {
    /// Keeps the handler for as long as the wire.
    pub fn keep(mut self) {
        self.wire = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(wire) = self.wire.upgrade() else { return };
        match self.list {
            List::Messages => wire.host().takers.remove(self.id),
            List::Events => wire.host().watchers.remove(self.id),
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("list", &self.list).finish_non_exhaustive()
    }
}
