//! One wire, as an application holds it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use everwire_bodies::ReceiptState;
use everwire_core::engine::{LogEpoch, Subject};
use everwire_core::frame::Form;
use everwire_core::session::client::{self, PageAsk, PageId, PageUnfit};
use everwire_core::session::down::Unfit;
use everwire_core::session::up::Outgoing;
use everwire_core::{Refusal, State, Ticket};
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::event::Event;
use super::local::{Local, Pending};
use super::message::{Head, Message, Meta, Octets, Position, Typed};
use crate::Error;
use crate::clock::wall_ms;
use crate::queue::Outlet;
use crate::session::driver::Driver;
use crate::slot::Slot;
use crate::states::States;
use crate::takers::Letter;
use crate::time::of_std;

/// One logical, long-lived connection whose messages arrive exactly once and in order.
///
/// Clones are the same wire. When the last one is dropped, the link is closed at once and what waits is lost;
/// [`Wire::close`] does it properly. A handler that holds a clone keeps the wire alive until it has closed; a [`Room`]
/// does, streams do not.
#[derive(Clone)]
pub struct Wire(pub(crate) Rc<Driver<Local>>);

impl Wire {
    /// What the wire is doing.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Its states, beginning with the present one; the stream ends behind [`State::Closed`], or with the wire.
    pub fn states(&self) -> States {
        States::new(self.state(), |tell| self.on_state(tell))
    }

    /// How many messages have not been written yet, and their bytes.
    pub fn queued(&self) -> (usize, u64) {
        self.0.host().queued()
    }

    /// Who the server says this client is; `None` before the first connection.
    pub fn identity(&self) -> Option<String> {
        self.0.host().identity()
    }

    /// Sends a message to a room or an identity: once, in order, now or as soon as there is a connection. It is taken in
    /// this very call; the future tells when the server has it, and may be dropped.
    pub fn send<'a, T: Serialize + ?Sized>(
        &self,
        kind: &str,
        content: &T,
        to: impl Into<Option<&'a str>>,
    ) -> Sending {
        self.draft(kind).addressed(to.into()).send(content)
    }

    /// A message with more to be said about it than its receiver.
    pub fn draft<'a>(&'a self, kind: &'a str) -> Draft<'a> {
        Draft { wire: self, kind, to: None, ttl: None, key: None, priority: 0 }
    }

    /// Sends a message that nobody keeps, if there is a connection now. True: it went out.
    pub fn cast<'a, T: Serialize + ?Sized>(
        &self,
        kind: &str,
        content: &T,
        to: impl Into<Option<&'a str>>,
    ) -> bool {
        let host = self.0.host();
        let (ticket, id) = host.name();
        let Ok(octets) = Octets::text(self.head(&id, kind, to.into(), false), content) else { return false };
        // With the brackets around it.
        let Ok(bytes) = u32::try_from(octets.len() + 2) else { return false };
        host.keep_cast(ticket, octets);
        let went = self.0.cast(client::Cast { ticket, bytes, form: Form::Text });
        host.forget_cast(ticket);
        went
    }

    /// Asks the server's handler of this type; the answer comes within `timeout` (up to an hour), or the request has
    /// failed. A request runs at most once. The type `error` is an answer too.
    pub fn request<T: Serialize + ?Sized>(&self, kind: &str, content: &T, timeout: Duration) -> Asking {
        let (slot, answer) = (Rc::new(Slot::default()), Rc::new(Slot::default()));
        let draft = self.draft(kind);
        let (_, ticket) = draft.hand_over(
            |host_head| Octets::text(host_head, content),
            &slot,
            Some((Rc::clone(&answer), timeout)),
        );
        Asking { ticket, slot: answer, wire: Rc::downgrade(&self.0) }
    }

    /// Joins a room for as long as this wire lives, or until [`Room::leave`]. A room that has been joined is the same
    /// room.
    ///
    /// # Errors
    /// [`Error::Option`] if the name is no room's (1 to 128 UTF-8 bytes without control characters) or it would be the
    /// 257th.
    pub fn join(&self, name: &str) -> Result<Room, Error> {
        let host = self.0.host();
        if !host.in_room(name) {
            self.0.join(Subject::from(name)).map_err(|unfit| match unfit {
                Unfit::Malformed => ROOM_NAME,
                Unfit::TooMany => Error::Option { name: "room", range: "one of at most 256" },
            })?;
        }
        let joined = host.room(name);
        if self.state() == State::Closed {
            joined.fill(Err(Error::Closed));
        }
        Ok(Room { wire: self.clone(), name: name.into(), joined })
    }

    /// A page of a room's history: the `count` (1 to 256) newest, or those before a position.
    pub fn history(&self, room: &str, count: u16, before: Option<&Position>) -> Paging {
        let slot = Rc::new(Slot::default());
        let page = self.0.host().page(&slot);
        let before = before.map(|before| (LogEpoch::from(before.log_epoch.as_str()), before.s));
        let ask = PageAsk { page, subject: Subject::from(room), before, count };
        if let Err(unfit) = self.0.page(ask) {
            self.0.host().forget_page(page);
            slot.fill(Err(match unfit {
                PageUnfit::Closed => Error::Closed,
                PageUnfit::TooMany => Error::OutboxFull,
                _ => Error::Option { name: "history", range: "a room's name and a count of 1 to 256" },
            }));
        }
        Paging { page, slot, wire: Rc::downgrade(&self.0) }
    }

    /// Calls a handler with every message of a type, until the subscription is dropped.
    pub fn on(&self, kind: &str, handler: impl FnMut(&Message) + 'static) -> Subscription {
        self.subscribe(self.0.host().takers.call(kind, None, handler), List::Messages)
    }

    /// The messages of a type, read as `T`. See [`Messages`].
    pub fn messages<T: DeserializeOwned>(&self, kind: &str) -> Messages<T> {
        Messages::new(self, kind, None)
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

    /// Tells the sender of a message that it has been read. False if there is nobody to tell, or it has been done.
    pub fn mark_read(&self, message: &Message) -> bool {
        self.tell_sender(message, ReceiptState::Read)
    }

    /// Asks for a new link now, whatever the backoff says.
    pub fn reconnect(&self) {
        self.0.enter(|client, now| client.handle_reconnect(now));
    }

    /// Closes for good: what waits may be written for so long as the option `close_timeout` says. The future tells
    /// when it is done and may be dropped.
    pub fn close(&self) -> Closing {
        self.close_within(self.0.host().options.close_timeout)
    }

    /// The same, with a time of its own for what waits.
    pub fn close_within(&self, drain: Duration) -> Closing {
        let drain = of_std(drain.min(Duration::from_secs(60)));
        self.0.enter(|client, now| client.handle_close(drain, now));
        self.0.host().hold_until_end(&self.0);
        Closing { wire: self.clone() }
    }

    pub(crate) fn tell_sender(&self, message: &Message, state: ReceiptState) -> bool {
        let Some((content, sender)) = self.0.host().receipt_due(message, state).zip(message.sender()) else {
            return false;
        };
        let Ok(content) = serde_json::value::RawValue::from_string(content) else { return false };
        drop(self.send("receipt", &content, sender));
        true
    }

    fn head<'a>(&'a self, id: &'a str, kind: &'a str, to: Option<&'a str>, request: bool) -> Head<'a> {
        Head {
            id,
            kind,
            sender: self.0.host().options.sender.as_deref(),
            receiver: to,
            timestamp: wall_ms() as u64,
            meta: request.then_some(Meta { read: false, delivered: false, request }),
        }
    }

    fn subscribe(&self, id: u32, list: List) -> Subscription {
        Subscription { id, list, wire: Rc::downgrade(&self.0) }
    }
}

const ROOM_NAME: Error =
    Error::Option { name: "room", range: "1 to 128 UTF-8 bytes without control characters" };

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// A message that is being put together; [`Draft::send`] hands it over.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Draft<'a> {
    wire: &'a Wire,
    kind: &'a str,
    to: Option<&'a str>,
    ttl: Option<Duration>,
    key: Option<&'a str>,
    priority: u8,
}

impl<'a> Draft<'a> {
    /// A room or an identity. Default: none.
    pub fn to(self, to: &'a str) -> Self {
        self.addressed(Some(to))
    }

    fn addressed(self, to: Option<&'a str>) -> Self {
        Self { to, ..self }
    }

    /// After so long it is no longer worth writing; what is written stays. Default: never.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// Of the messages of a key that wait only the newest is kept: cursors, game state. Default: none.
    pub fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Higher ones are written first. Default: 0.
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// Sends it. See [`Wire::send`].
    pub fn send<T: Serialize + ?Sized>(self, content: &T) -> Sending {
        self.sending(|head| Octets::text(head, content))
    }

    /// Sends it with octets for a content.
    pub fn send_bytes(self, content: &[u8]) -> Sending {
        self.sending(|head| Octets::binary(&head, content))
    }

    fn sending(self, make: impl FnOnce(Head<'_>) -> Result<Octets, Error>) -> Sending {
        let slot = Rc::new(Slot::default());
        let (id, ticket) = self.hand_over(make, &slot, None);
        Sending { id, ticket, slot, wire: Rc::downgrade(&self.wire.0) }
    }

    fn hand_over(
        &self,
        make: impl FnOnce(Head<'_>) -> Result<Octets, Error>,
        slot: &Rc<Slot<Receipt>>,
        request: Option<(Rc<Slot<Message>>, Duration)>,
    ) -> (String, Ticket) {
        let driver = &self.wire.0;
        let host = driver.host();
        let (ticket, id) = host.name();
        let (answer, timeout) = request.unzip();
        let octets = make(self.wire.head(&id, self.kind, self.to, answer.is_some()));
        let made = octets.and_then(|octets| {
            let bytes = u32::try_from(octets.len()).map_err(|_| Error::TooLarge)?;
            Ok((octets, bytes))
        });
        let (octets, bytes) = match made {
            Ok(made) => made,
            Err(error) => {
                slot.fill(Err(error.clone()));
                if let Some(answer) = answer {
                    answer.fill(Err(error.clone()));
                }
                host.unmade(id.clone(), self.kind.to_owned(), error);
                return (id, ticket);
            }
        };
        let form = if octets.is_binary() { Form::Binary } else { Form::Text };
        let key = host.keep(
            ticket,
            Pending {
                id: id.clone(),
                kind: self.kind.to_owned(),
                octets,
                numbered: false,
                key: self.key.map(str::to_owned),
                slot: Rc::clone(slot),
                answer,
            },
        );
        let message = Outgoing { priority: self.priority, key, ..Outgoing::new(ticket, bytes, form) };
        if let Err(refusal) = driver.submit(message, self.ttl.map(of_std), timeout.map(of_std)) {
            host.refused(
                ticket,
                match refusal {
                    Refusal::Closed => Error::Closed,
                    Refusal::TooLarge => Error::TooLarge,
                    Refusal::OutboxFull => Error::OutboxFull,
                },
            );
        }
        host.turn_over_soon();
        (id, ticket)
    }
}

/// The server has the message in its log, once and in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The id of the message.
    pub id: String,
    /// Whether it survives a crash of the server.
    pub durable: bool,
}

/// What becomes of a message. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "or say `drop`: the message is on its way all the same"]
pub struct Sending {
    id: String,
    ticket: Ticket,
    slot: Rc<Slot<Receipt>>,
    wire: Weak<Driver<Local>>,
}

impl Sending {
    /// The id of the message.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes the message back while it waits. Once it is written it stays, and its end is told as an event.
    pub fn abort(&self) {
        if let Some(wire) = self.wire.upgrade().filter(|_| !self.slot.is_filled()) {
            self.slot.fill(Err(Error::Aborted));
            wire.enter(|client, now| client.handle_abort(self.ticket, now));
        }
    }
}

impl Future for Sending {
    type Output = Result<Receipt, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context)
    }
}

/// The answer to a request. Dropping it gives up the answer, not the request.
#[derive(Debug)]
#[must_use = "dropping it gives up the answer"]
pub struct Asking {
    ticket: Ticket,
    slot: Rc<Slot<Message>>,
    wire: Weak<Driver<Local>>,
}

impl Future for Asking {
    type Output = Result<Message, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(wire) = self.wire.upgrade().filter(|_| !self.slot.is_filled()) {
            wire.enter(|client, now| client.handle_abort(self.ticket, now));
        }
    }
}

/// A page of history on its way. Dropping it gives it up.
#[derive(Debug)]
#[must_use = "dropping it gives up the page"]
pub struct Paging {
    page: PageId,
    slot: Rc<Slot<Page>>,
    wire: Weak<Driver<Local>>,
}

/// A page of a room's history.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// Oldest first.
    pub messages: Vec<Message>,
    /// Before what to ask next; `None` if the log keeps nothing older.
    pub older: Option<Position>,
}

impl Future for Paging {
    type Output = Result<Page, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context)
    }
}

impl Drop for Paging {
    fn drop(&mut self) {
        if let Some(wire) = self.wire.upgrade().filter(|_| !self.slot.is_filled()) {
            wire.enter(|client, now| client.handle_page_abort(self.page, now));
        }
    }
}

/// A room that this wire is in, or wants to be in, over all reconnections. Dropping it does not leave it.
#[derive(Clone, Debug)]
pub struct Room {
    wire: Wire,
    name: Rc<str>,
    joined: Rc<Slot<()>>,
}

impl Room {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the server has let this client in; fails with [`Error::Denied`] if it does not.
    pub fn joined(&self) -> Joining {
        Joining { slot: Rc::clone(&self.joined) }
    }

    /// As [`Wire::send`], to this room.
    pub fn send<T: Serialize + ?Sized>(&self, kind: &str, content: &T) -> Sending {
        self.wire.send(kind, content, &*self.name)
    }

    /// As [`Wire::draft`], to this room.
    pub fn draft<'a>(&'a self, kind: &'a str) -> Draft<'a> {
        self.wire.draft(kind).to(&self.name)
    }

    /// As [`Wire::cast`], to this room.
    pub fn cast<T: Serialize + ?Sized>(&self, kind: &str, content: &T) -> bool {
        self.wire.cast(kind, content, &*self.name)
    }

    /// As [`Wire::on`], for messages of this room.
    pub fn on(&self, kind: &str, handler: impl FnMut(&Message) + 'static) -> Subscription {
        let id = self.wire.0.host().takers.call(kind, Some(&self.name), handler);
        self.wire.subscribe(id, List::Messages)
    }

    /// As [`Wire::messages`], of this room.
    pub fn messages<T: DeserializeOwned>(&self, kind: &str) -> Messages<T> {
        Messages::new(&self.wire, kind, Some(&self.name))
    }

    /// As [`Wire::history`].
    pub fn history(&self, count: u16, before: Option<&Position>) -> Paging {
        self.wire.history(&self.name, count, before)
    }

    /// Leaves it for good.
    pub fn leave(&self) {
        self.wire.0.host().leave(&self.name);
        self.wire.0.enter(|client, now| client.handle_leave(&Subject::from(&*self.name), now));
    }
}

/// See [`Room::joined`].
#[derive(Debug)]
#[must_use = "it waits when it is awaited"]
pub struct Joining {
    slot: Rc<Slot<()>>,
}

impl Future for Joining {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context)
    }
}

/// The messages of a type, in the order of the log, and casts; [`Error::Content`] in the place of one that is of another
/// shape. It ends when the wire has closed.
///
/// A message counts as processed when the next one is asked for, or the stream is dropped. What a stream has not been
/// asked for counts against the window: a stream that nobody polls holds up the whole wire. Of casts it keeps the newest
/// 1,024.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Messages<T> {
    outlet: Outlet<Message, <Message as Letter>::Hold>,
    _subscription: Subscription,
    of: PhantomData<fn() -> T>,
}

impl<T> Messages<T> {
    fn new(wire: &Wire, kind: &str, room: Option<&str>) -> Self {
        let (id, queue) = wire.0.host().takers.keep(kind, room);
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
        let typed = |message: Message| message.content().map(|content| Typed { content, message });
        self.outlet.poll(context).map(|message| message.map(typed))
    }
}

impl<T> fmt::Debug for Messages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
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
enum List {
    Messages,
    Events,
}

/// A handler is called as long as this lives.
#[must_use = "the handler is removed when this is dropped"]
pub struct Subscription {
    id: u32,
    list: List,
    wire: Weak<Driver<Local>>,
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
