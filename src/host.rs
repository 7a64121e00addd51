//! Whoever holds the payloads for the machine when the application is written in Rust.
//!
//! While the machine's actions are carried out, everything for the application is only queued; it is told after all
//! is settled and nothing is borrowed, so that a handler may do what it likes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::task::Waker;

use everwire_core::{Cause, Closed, Duration, Frame, Notice, Reason, State, Ticket};
use js_sys::{Array, ArrayBuffer, JsString, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

use crate::builder::{Options, random};
use crate::clock::wall_ms;
use crate::driver::{Driver, Host};
use crate::envelope::{self, Envelope, HEARTBEAT, Meta, Outgoing};
use crate::event::Event;
use crate::handlers::Handlers;
use crate::link::Listener;
use crate::slot::Slot;
use crate::takers::Takers;
use crate::token::Token;
use crate::wire::Receipt;
use crate::{Error, time};

#[wasm_bindgen]
extern "C" {
    type Socket;
    #[wasm_bindgen(method, structural, catch)]
    fn send(this: &Socket, data: &JsString) -> Result<(), JsValue>;
}

/// A message whose ticket has not left.
struct Pending {
    id: String,
    kind: String,
    /// `None`: JSON cannot hold the content.
    text: Option<JsString>,
    /// A written message is never written again; its text is kept for the event if it is lost.
    written: bool,
    slot: Rc<Slot<Receipt>>,
}

/// What is told to the application when all is settled.
enum Call {
    Fill(Rc<Slot<Receipt>>, Result<Receipt, Error>),
    Event(Event),
    Message(Envelope),
    /// The wire has closed for good: nobody is called any more, and what the handlers own is let go.
    End,
}

pub(crate) struct LocalHost {
    pub(crate) options: Options,
    pub(crate) takers: Takers<Envelope>,
    pub(crate) watchers: Handlers<Event>,
    driver: RefCell<Weak<Driver<Self>>>,
    /// The driver itself, while it closes: what waits is still written when the application holds the wire no more.
    closing: RefCell<Option<Rc<Driver<Self>>>>,
    last: Cell<u32>,
    pending: RefCell<BTreeMap<Ticket, Pending>>,
    /// The tickets of what has been written and is not settled, by id.
    written: RefCell<BTreeMap<String, Ticket>>,
    calls: RefCell<VecDeque<Call>>,
    /// Messages of the frame in hand. They are told after what the frame itself has changed: `open` comes first.
    inbox: RefCell<Vec<Envelope>>,
    calling: Cell<bool>,
    at_end: RefCell<Vec<Waker>>,
    last_token: RefCell<Option<String>>,
}

impl LocalHost {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            takers: Takers::new(),
            watchers: Handlers::new(),
            driver: RefCell::new(Weak::new()),
            closing: RefCell::new(None),
            last: Cell::new(0),
            pending: RefCell::new(BTreeMap::new()),
            written: RefCell::new(BTreeMap::new()),
            calls: RefCell::new(VecDeque::new()),
            inbox: RefCell::new(Vec::new()),
            calling: Cell::new(false),
            at_end: RefCell::new(Vec::new()),
            last_token: RefCell::new(None),
        }
    }

    pub(crate) fn drive(&self, driver: &Rc<Driver<Self>>) {
        *self.driver.borrow_mut() = Rc::downgrade(driver);
    }

    /// Keeps the driver until the wire has closed, which takes `drain` and the closing handshake at the longest.
    pub(crate) fn hold_until_end(&self, driver: &Rc<Driver<Self>>) {
        if driver.state() != State::Closed {
            *self.closing.borrow_mut() = Some(Rc::clone(driver));
        }
    }

    pub(crate) fn wake_at_end(&self, waker: &Waker) {
        let mut wakers = self.at_end.borrow_mut();
        if !wakers.iter().any(|one| one.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Makes a message and keeps it, for good or to be refused: its id, its ticket, its length.
    pub(crate) fn take<T: Serialize + ?Sized>(
        &self,
        kind: &str,
        content: &T,
        to: Option<&str>,
        slot: &Rc<Slot<Receipt>>,
    ) -> (String, Ticket, Result<u32, Error>) {
        // Each by itself unpredictable: one that comes back is taken for proof that it had arrived.
        let id: String = random().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = self.text_for(&id, kind, content, to);
        let ticket = self.free_ticket();
        let made = match &text {
            Ok(text) => u32::try_from(utf8_bytes(text)).map_err(|_| Error::TooLarge),
            Err(error) => Err(error.clone()),
        };
        let (kind, slot) = (kind.to_owned(), Rc::clone(slot));
        let pending = Pending { id: id.clone(), kind, text: text.ok(), written: false, slot };
        self.pending.borrow_mut().insert(ticket, pending);
        (id, ticket, made)
    }

    fn text_for<T: Serialize + ?Sized>(
        &self,
        id: &str,
        kind: &str,
        content: &T,
        to: Option<&str>,
    ) -> Result<JsString, Error> {
        let outgoing = Outgoing {
            id,
            kind,
            sender: self.options.sender.as_deref(),
            receiver: to,
            content: envelope::content(content)?,
            timestamp: wall_ms(),
            meta: Meta::default(),
        };
        outgoing.to_text()
    }

    fn free_ticket(&self) -> Ticket {
        let pending = self.pending.borrow();
        loop {
            let next = self.last.get().wrapping_add(1);
            self.last.set(next);
            if !pending.contains_key(&Ticket(next)) {
                return Ticket(next);
            }
        }
    }

    /// It was not taken. The event is only queued: an entry must follow.
    pub(crate) fn refused(&self, ticket: Ticket, error: Error) {
        let Some(pending) = self.forget(ticket) else { return };
        pending.slot.fill(Err(error.clone()));
        let reason = if error == Error::Closed { Reason::Closed } else { Reason::Overflow };
        self.undelivered(pending, reason, Some(error));
    }

    fn undelivered(&self, pending: Pending, reason: Reason, refused: Option<Error>) {
        let Pending { id, kind, text, .. } = pending;
        let value = text.as_ref().and_then(envelope::read_text);
        let message = value.as_ref().and_then(Envelope::of).map(Box::new);
        self.tell(Event::Undelivered { id, kind, reason, refused, message });
    }

    fn forget(&self, ticket: Ticket) -> Option<Pending> {
        let pending = self.pending.borrow_mut().remove(&ticket)?;
        self.written.borrow_mut().remove(&pending.id);
        Some(pending)
    }

    fn call(&self, call: Call) {
        self.calls.borrow_mut().push_back(call);
    }

    fn tell(&self, event: Event) {
        self.call(Call::Event(event));
    }

    fn complain(&self, error: Error) {
        self.tell(Event::Error(error));
    }

    /// Makes the socket of a dial.
    fn open(&self, driver: &Driver<Self>, link: u32, token: Option<String>) {
        let protocols = Array::new();
        for protocol in self.options.protocols.iter().chain(&token) {
            protocols.push(&JsValue::from_str(protocol));
        }
        let changed = self.last_token.replace(token.clone()) != token;
        match WebSocket::new_with_str_sequence(&self.options.url, &protocols) {
            Ok(socket) => driver.dialled(link, socket, changed),
            Err(error) => {
                // Chromium's message quotes the subprotocol, and with it the token.
                let message = format!("the WebSocket threw: {}", envelope::name_of(&error));
                self.complain(Error::Connect { message });
                driver.dial_failed(link);
            }
        }
    }

    /// Reads one frame, and puts what it brings into the inbox.
    fn inspect(&self, data: &JsValue) -> Frame {
        let text = match self.text_of(data) {
            Ok(text) => text,
            Err(error) => {
                self.complain(error);
                return Frame::Message;
            }
        };
        let frame = envelope::read_text(&text).and_then(|value| self.receive(&value));
        frame.unwrap_or_else(|| {
            self.complain(Error::MalformedFrame);
            Frame::Message
        })
    }

    fn receive_one(&self, envelope: Envelope) {
        let echo = envelope.id.as_ref().and_then(|id| self.written.borrow().get(id).copied());
        if let Some((ticket, driver)) = echo.zip(self.driver.borrow().upgrade()) {
            driver.echoed(ticket);
        }
        self.inbox.borrow_mut().push(envelope);
    }

    fn receive(&self, value: &JsValue) -> Option<Frame> {
        if let Some(batch) = value.dyn_ref::<Array>() {
            let mut understood = true;
            for one in batch.iter() {
                match Envelope::of(&one) {
                    Some(envelope) if envelope.kind == HEARTBEAT => {}
                    Some(envelope) => self.receive_one(envelope),
                    None => understood = false,
                }
            }
            return understood.then_some(Frame::Message);
        }
        let envelope = Envelope::of(value)?;
        if envelope.kind == HEARTBEAT {
            return Some(Frame::Heartbeat);
        }
        self.receive_one(envelope);
        Some(Frame::Message)
    }

    /// The text of a frame; Node's `ws` echoes text as binary.
    fn text_of(&self, data: &JsValue) -> Result<JsString, Error> {
        let max = self.options.max_message_bytes as usize;
        if let Some(text) = data.dyn_ref::<JsString>() {
            // A UTF-16 unit is at least one byte and at most three.
            let units = text.length() as usize;
            if units > max || units * 3 > max && utf8_bytes(text) > max {
                return Err(Error::TooLarge);
            }
            return Ok(text.clone());
        }
        let buffer = data.dyn_ref::<ArrayBuffer>().ok_or(Error::MalformedFrame)?;
        if buffer.byte_length() as usize > max {
            return Err(Error::TooLarge);
        }
        let text = String::from_utf8(Uint8Array::new(buffer).to_vec()).map_err(|_| Error::MalformedFrame)?;
        Ok(text.into())
    }
}

impl Host for LocalHost {
    fn dial(&self, link: u32) {
        let Some(driver) = self.driver.borrow().upgrade() else { return };
        match &self.options.token {
            Token::None => self.open(&driver, link, None),
            Token::Fixed(token) => self.open(&driver, link, Some(token.clone())),
            Token::Ask(ask) => {
                let asked = ask();
                let to = Rc::downgrade(&driver);
                js_sys::futures::spawn_local(async move {
                    let answer = asked.await;
                    // The wire may be gone by now, and the dial may have been given up.
                    let Some(driver) = to.upgrade().filter(|driver| driver.wants(link)) else { return };
                    let fault = |token: &String| driver.host().options.fault_of_token(token);
                    let answer = answer.and_then(|token| match fault(&token) {
                        None => Ok(token),
                        Some(fault) => Err(String::from(fault)),
                    });
                    match answer {
                        Ok(token) => driver.host().open(&driver, link, Some(token)),
                        Err(message) => {
                            driver.host().complain(Error::Provider { message });
                            driver.dial_failed(link);
                        }
                    }
                });
            }
        }
    }

    fn write(&self, socket: &WebSocket, ticket: Ticket) -> bool {
        if socket.ready_state() != WebSocket::OPEN {
            return false;
        }
        let mut pending = self.pending.borrow_mut();
        let Some(one) = pending.get_mut(&ticket) else { return false };
        let Some(text) = one.text.as_ref().filter(|_| !one.written) else { return false };
        if socket.unchecked_ref::<Socket>().send(text).is_err() {
            return false;
        }
        one.written = true;
        self.written.borrow_mut().insert(one.id.clone(), ticket);
        self.call(Call::Fill(Rc::clone(&one.slot), Ok(Receipt::written(one.id.clone()))));
        true
    }

    fn beat(&self, socket: &WebSocket) -> bool {
        socket.ready_state() == WebSocket::OPEN
            && socket.unchecked_ref::<Socket>().send(&envelope::heartbeat()).is_ok()
    }

    fn listener(driver: &Driver<Self>, link: u32) -> Listener {
        let to = driver.weak();
        Listener::new(driver, move |data| {
            if let Some(driver) = to.upgrade().filter(|driver| driver.has_link(link)) {
                let frame = driver.host().inspect(data);
                driver.frame(link, frame);
            }
        })
    }

    fn settled(&self, ticket: Ticket) {
        if let Some(pending) = self.forget(ticket) {
            self.tell(Event::Settled { id: pending.id });
        }
    }

    fn dropped(&self, ticket: Ticket, reason: Reason) {
        let Some(pending) = self.forget(ticket) else { return };
        let error = match reason {
            Reason::Overflow => Error::OutboxFull,
            Reason::Aborted => Error::Aborted,
            // Of those that were written the sender already has a receipt.
            _ => Error::Closed,
        };
        self.call(Call::Fill(Rc::clone(&pending.slot), Err(error)));
        self.undelivered(pending, reason, None);
    }

    fn state(&self, state: State) {
        self.tell(Event::State(state));
    }

    fn opened(&self, link: u32, attempts: u32) {
        self.tell(Event::Open { link, attempts });
    }

    fn ended(&self, _link: u32, cause: Cause, closed: Closed, reason: &JsString, retry: Option<Duration>) {
        let retry_in = retry.map(time::to_std);
        let (code, clean) = (closed.code, closed.clean);
        self.tell(Event::Close { cause, code, reason: reason.into(), clean, retry_in });
        match cause {
            _ if retry.is_some() => return,
            Cause::AuthRefused => self.complain(Error::AuthRefused),
            Cause::MaxAttempts => self.complain(Error::MaxAttempts),
            _ => {}
        }
        self.call(Call::End);
    }

    fn reconnecting(&self, attempt: u32, delay: Duration, cause: Cause, code: u16) {
        self.tell(Event::Reconnecting { attempt, delay: time::to_std(delay), cause, code });
    }

    fn notice(&self, notice: Notice) {
        self.complain(match notice {
            Notice::InDoubtOverflow => Error::InDoubtOverflow,
            Notice::ReplyUnlearned => Error::ReplyUnlearned,
        });
    }

    fn drained(&self) {
        self.calls.borrow_mut().extend(self.inbox.borrow_mut().drain(..).map(Call::Message));
        if self.calling.replace(true) {
            // A handler came in again: the loop below, further up the stack, goes on with what it has caused.
            return;
        }
        let mut last_round = false;
        loop {
            let call = self.calls.borrow_mut().pop_front();
            match call {
                None => break,
                Some(Call::Fill(slot, result)) => slot.fill(result),
                Some(Call::Event(event)) => self.watchers.call(None, &event),
                Some(Call::Message(envelope)) => self.takers.take(&envelope, None),
                // What handlers of the last events did is told too: they may have sent something. One round, for
                // one that sends whenever a message is refused would never be done.
                Some(Call::End) if !last_round => {
                    last_round = true;
                    self.call(Call::End);
                }
                Some(Call::End) => {
                    self.takers.end();
                    self.watchers.clear();
                    let wakers = self.at_end.take();
                    wakers.into_iter().for_each(Waker::wake);
                    // Not the last one: whoever called this loop holds the driver too.
                    drop(self.closing.take());
                }
            }
        }
        self.calling.set(false);
    }
}

impl Drop for LocalHost {
    /// The wire was dropped: nobody else will say what became of what is left.
    fn drop(&mut self) {
        for (_, pending) in self.pending.take() {
            pending.slot.fill(Err(Error::Closed));
        }
        self.takers.end();
    }
}

fn utf8_bytes(text: &JsString) -> usize {
    String::from(text).len()
}
