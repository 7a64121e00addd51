//! Whoever holds the payloads for the machine when the application is written in Rust.
//!
//! While the machine's actions are carried out, everything for the application is only queued; it is told after all
//! is settled and nothing is borrowed, so that a handler may do what it likes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::rc::{Rc, Weak};
use std::task::Waker;

use everwire_bodies as bodies;
use everwire_core::engine::{LogEpoch, Producer, Subject};
use everwire_core::frame::{self, Form, FromServer, PageMark};
use everwire_core::session::Secret;
use everwire_core::session::client::{
    Notice, Opened, Outbound, PageFailure, PageId, Unbacked, Why, may_follow,
};
use everwire_core::session::down::{Delivery, Element, Started, Taken};
use everwire_core::session::up::{Dropped, Exit, Exited, Unwritten, Written};
use everwire_core::{Duration, State, Ticket};
use js_sys::{Array, ArrayBuffer, JsString, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::WebSocket;

use super::builder::{Options, token_fault};
use super::event::{Event, Read, Undelivered};
use super::hold::Hold;
use super::message::{Message, Octets, Position};
use super::wire::{Page, Receipt};
use crate::builder::random;
use crate::handlers::Handlers;
use crate::session::driver::{Driver, Ended, Host};
use crate::session::frame::{Found, Inbound};
use crate::slot::Slot;
use crate::takers::Takers;
use crate::token::Token;
use crate::{Error, envelope, time};

/// Ids of settled messages that are kept to be able to say which receipts are no longer backed. [EPOCH-4]
const SETTLED_IDS_MAX: usize = 1024;
/// Each state of a message is told to its sender once in the life of a wire. So many are remembered.
const RECEIPTS_MAX: usize = 8192;
const SUBPROTOCOL: &str = "everwire.v1";

/// A message whose ticket has not left.
pub(crate) struct Pending {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) octets: Octets,
    pub(crate) numbered: bool,
    pub(crate) key: Option<String>,
    pub(crate) slot: Rc<Slot<Receipt>>,
    pub(crate) answer: Option<Rc<Slot<Message>>>,
}

/// A page of history that is waited for.
struct Paging {
    messages: Vec<Message>,
    slot: Rc<Slot<Page>>,
}

/// What is told to the application when all is settled.
enum Call {
    Stored(Rc<Slot<Receipt>>, Result<Receipt, Error>),
    Answer(Rc<Slot<Message>>, Result<Message, Error>),
    Page(Rc<Slot<Page>>, Result<Page, Error>),
    Room(Rc<Slot<()>>, Result<(), Error>),
    Event(Event),
    Message(Message, Delivery),
    Cast(Message),
    /// The wire has closed for good: nobody is called any more, and what the handlers own is let go.
    End,
}

pub(crate) struct Local {
    pub(crate) options: Options,
    pub(crate) takers: Takers<Message>,
    pub(crate) watchers: Handlers<Event>,
    /// Ids begin so. Nobody but this wire's own identity is believed to have drawn them.
    prefix: String,
    driver: RefCell<Weak<Driver<Self>>>,
    /// The driver itself, while it closes: what waits is still written when the application holds the wire no more.
    closing: RefCell<Option<Rc<Driver<Self>>>>,
    last_ticket: Cell<u32>,
    last_page: Cell<u32>,
    pending: RefCell<BTreeMap<Ticket, Pending>>,
    /// Of requests that are stored and not answered.
    answers: RefCell<BTreeMap<Ticket, Rc<Slot<Message>>>>,
    casts: RefCell<BTreeMap<Ticket, Octets>>,
    settled: RefCell<VecDeque<(Ticket, String)>>,
    keys: RefCell<BTreeMap<String, (u32, u32)>>,
    last_key: Cell<u32>,
    rooms: RefCell<BTreeMap<String, Rc<Slot<()>>>>,
    pages: RefCell<BTreeMap<u32, Paging>>,
    told: RefCell<BTreeSet<(String, u64, bool)>>,
    /// The messages of the frame in hand, and those received and not started.
    in_hand: RefCell<Vec<Option<Message>>>,
    received: RefCell<VecDeque<Message>>,
    /// Deliveries that have ended since the machine was last told.
    processed: RefCell<Vec<Delivery>>,
    turn: Cell<bool>,
    epoch: RefCell<Option<LogEpoch>>,
    identity: RefCell<Option<Box<str>>>,
    dialling: Cell<u64>,
    token: RefCell<Option<String>>,
    redirect: RefCell<Option<String>>,
    /// The `url` of the socket in use: what a redirection is held against.
    url: RefCell<String>,
    calls: RefCell<VecDeque<Call>>,
    calling: Cell<bool>,
    at_end: RefCell<Vec<Waker>>,
}

impl Local {
    pub(crate) fn new(options: Options) -> Self {
        let prefix = random().iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            options,
            takers: Takers::new(),
            watchers: Handlers::new(),
            prefix,
            driver: RefCell::default(),
            closing: RefCell::default(),
            last_ticket: Cell::new(0),
            last_page: Cell::new(0),
            pending: RefCell::default(),
            answers: RefCell::default(),
            casts: RefCell::default(),
            settled: RefCell::default(),
            keys: RefCell::default(),
            last_key: Cell::new(0),
            rooms: RefCell::default(),
            pages: RefCell::default(),
            told: RefCell::default(),
            in_hand: RefCell::default(),
            received: RefCell::default(),
            processed: RefCell::default(),
            turn: Cell::new(false),
            epoch: RefCell::default(),
            identity: RefCell::default(),
            dialling: Cell::new(0),
            token: RefCell::default(),
            redirect: RefCell::default(),
            url: RefCell::default(),
            calls: RefCell::default(),
            calling: Cell::new(false),
            at_end: RefCell::default(),
        }
    }

    pub(crate) fn drive(&self, driver: &Rc<Driver<Self>>) {
        *self.driver.borrow_mut() = Rc::downgrade(driver);
    }

    fn driver(&self) -> Option<Rc<Driver<Self>>> {
        self.driver.borrow().upgrade()
    }

    /// Keeps the driver until the wire has closed.
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

    pub(crate) fn identity(&self) -> Option<String> {
        self.identity.borrow().as_deref().map(str::to_owned)
    }

    /// How many messages have no number, and their octets.
    pub(crate) fn queued(&self) -> (usize, u64) {
        let pending = self.pending.borrow();
        let waiting = pending.values().filter(|one| !one.numbered);
        waiting.fold((0, 0), |(many, octets), one| (many + 1, octets + one.octets.len() as u64))
    }

    // ---- what goes out ----

    /// A name for a message that is not in use, and its id.
    pub(crate) fn name(&self) -> (Ticket, String) {
        loop {
            let next = self.last_ticket.get().wrapping_add(1);
            self.last_ticket.set(next);
            let ticket = Ticket(next);
            let used =
                self.pending.borrow().contains_key(&ticket) || self.answers.borrow().contains_key(&ticket);
            if !used {
                return (ticket, format!("{}-{next:x}", self.prefix));
            }
        }
    }

    /// The number of its key; the message may be asked for from now on.
    pub(crate) fn keep(&self, ticket: Ticket, pending: Pending) -> Option<u32> {
        let key = pending.key.as_ref().map(|key| {
            let mut keys = self.keys.borrow_mut();
            let (number, uses) = keys.entry(key.clone()).or_insert_with(|| {
                self.last_key.set(self.last_key.get().wrapping_add(1));
                (self.last_key.get(), 0)
            });
            *uses += 1;
            *number
        });
        self.pending.borrow_mut().insert(ticket, pending);
        key
    }

    pub(crate) fn keep_cast(&self, ticket: Ticket, octets: Octets) {
        self.casts.borrow_mut().insert(ticket, octets);
    }

    pub(crate) fn forget_cast(&self, ticket: Ticket) {
        self.casts.borrow_mut().remove(&ticket);
    }

    /// It was not taken. The event is told when the turn is over.
    pub(crate) fn refused(&self, ticket: Ticket, error: Error) {
        let Some(pending) = self.forget(ticket) else { return };
        self.fail(pending, Undelivered::NeverWritten, error);
        self.turn_over_soon();
    }

    /// It could not even be made.
    pub(crate) fn unmade(&self, id: String, kind: String, error: Error) {
        let reason = Undelivered::NeverWritten;
        self.tell(Event::Undelivered { id, kind, reason, error, message: None });
        self.turn_over_soon();
    }

    fn fail(&self, pending: Pending, reason: Undelivered, error: Error) {
        self.call(Call::Stored(pending.slot, Err(error.clone())));
        if let Some(answer) = pending.answer {
            self.call(Call::Answer(answer, Err(error.clone())));
        }
        let message = pending.octets.to_message();
        self.tell(Event::Undelivered { id: pending.id, kind: pending.kind, reason, error, message });
    }

    /// It has its number and waits no more.
    fn number(&self, pending: &mut Pending) {
        if mem::replace(&mut pending.numbered, true) {
            return;
        }
        if let Some(key) = &pending.key {
            let mut keys = self.keys.borrow_mut();
            let unused = keys.get_mut(key).is_some_and(|(_, uses)| {
                *uses -= 1;
                *uses == 0
            });
            if unused {
                keys.remove(key);
            }
        }
    }

    fn forget(&self, ticket: Ticket) -> Option<Pending> {
        let mut pending = self.pending.borrow_mut().remove(&ticket)?;
        self.number(&mut pending);
        Some(pending)
    }

    fn take_answer(&self, ticket: Ticket) -> Option<Rc<Slot<Message>>> {
        let stored = self.answers.borrow_mut().remove(&ticket);
        stored.or_else(|| self.pending.borrow_mut().get_mut(&ticket)?.answer.take())
    }

    /// When the code that runs now has returned: what it has sent shares frames, and what it has processed is told.
    pub(crate) fn turn_over_soon(&self) {
        if self.turn.replace(true) {
            return;
        }
        let to = self.driver.borrow().clone();
        js_sys::futures::spawn_local(async move {
            let Some(driver) = to.upgrade() else { return };
            driver.host().turn.set(false);
            let processed = driver.host().processed.take();
            if processed.is_empty() {
                driver.turn_over();
            } else {
                driver.handlers_settled(processed);
            }
            driver.host().finished();
        });
    }

    pub(crate) fn processed(&self, delivery: Delivery) {
        self.processed.borrow_mut().push(delivery);
        self.turn_over_soon();
    }

    // ---- rooms and pages ----

    pub(crate) fn room(&self, name: &str) -> Rc<Slot<()>> {
        Rc::clone(self.rooms.borrow_mut().entry(name.to_owned()).or_default())
    }

    pub(crate) fn in_room(&self, name: &str) -> bool {
        self.rooms.borrow().contains_key(name)
    }

    pub(crate) fn leave(&self, name: &str) {
        if let Some(slot) = self.rooms.borrow_mut().remove(name) {
            self.call(Call::Room(slot, Err(Error::Denied { code: "left".to_owned() })));
        }
    }

    pub(crate) fn page(&self, slot: &Rc<Slot<Page>>) -> PageId {
        let page = self.last_page.get().wrapping_add(1);
        self.last_page.set(page);
        self.pages.borrow_mut().insert(page, Paging { messages: Vec::new(), slot: Rc::clone(slot) });
        PageId(page)
    }

    pub(crate) fn forget_page(&self, page: PageId) {
        self.pages.borrow_mut().remove(&page.0);
    }

    // ---- receipts ----

    /// The content of the receipt that is due to the sender of a message, once.
    pub(crate) fn receipt_due(&self, message: &Message, state: bodies::ReceiptState) -> Option<String> {
        let identity = self.identity.borrow();
        let position = message.position().filter(|_| message.takes_receipt(identity.as_deref()))?;
        let name = (position.log_epoch.clone(), position.s, state == bodies::ReceiptState::Read);
        let mut told = self.told.borrow_mut();
        if !told.insert(name) {
            return None;
        }
        if told.len() > RECEIPTS_MAX {
            told.pop_first();
        }
        let epoch = LogEpoch::from(position.log_epoch.as_str());
        Some(bodies::Receipt { epoch, s: position.s, id: message.id()?.into(), state }.content())
    }

    fn receipt_came(&self, message: &Message) {
        let content: Option<Box<serde_json::value::RawValue>> = message.content().ok();
        let Some((content, by)) = content.zip(message.sender()) else { return };
        let Some(said) = bodies::Receipt::read(content.get()) else { return };
        let position = Position { log_epoch: said.epoch.as_str().to_owned(), s: said.s };
        let read = Read { id: said.id.into_owned(), by: by.to_owned(), position };
        self.watchers.call(
            None,
            &match said.state {
                bodies::ReceiptState::Read => Event::Read(read),
                bodies::ReceiptState::Delivered => Event::Delivered(read),
            },
        );
    }

    // ---- what comes in ----

    fn deliver(&self, message: &Message, delivery: Delivery) {
        // Counts as processed when the last of the takers has let go of it.
        let hold = Hold::new(delivery, self.driver.borrow().clone());
        if message.kind() == "receipt" {
            self.receipt_came(message);
        }
        let direct = message.receiver().is_some() && message.receiver() == self.identity().as_deref();
        if self.options.delivered_receipts
            && direct
            && let Some(driver) = self.driver()
        {
            super::Wire(driver).tell_sender(message, bodies::ReceiptState::Delivered);
        }
        if self.options.echo || !self.is_own(message) {
            self.takers.take(message, Some(&hold));
        }
    }

    fn is_own(&self, message: &Message) -> bool {
        // Others have seen the ids, and could hide a message behind one: only the own identity is believed.
        message.id().is_some_and(|id| id.starts_with(&self.prefix))
            && message.sender() == self.identity.borrow().as_deref()
    }

    fn wants(&self, message: &Message) -> bool {
        message.kind() == "receipt" || self.takers.wants(message.kind(), message.receiver())
    }

    fn read(&self, data: &JsValue) -> Inbound {
        let (form, octets) = match data.dyn_ref::<JsString>() {
            Some(text) => (Form::Text, String::from(text).into_bytes()),
            None => (Form::Binary, data.dyn_ref::<ArrayBuffer>().map(to_octets).unwrap_or_default()),
        };
        self.in_hand.borrow_mut().clear();
        let frame = frame::split(form, &octets);
        let (head, shape) = (String::from_utf8_lossy(frame.head).into_owned(), frame.shape());
        // What is wrong with the header line is the machine's to find.
        let body = match FromServer::parse(frame.head, shape, u64::MAX) {
            Ok(Some(header)) => self.body(&header, frame.body),
            _ => Found::None,
        };
        Inbound { head, shape, body }
    }

    fn body(&self, header: &FromServer<'_>, body: frame::Body<'_>) -> Found {
        let whole = match body {
            frame::Body::None => return Found::None,
            frame::Body::Whole(whole) => whole,
            frame::Body::Binary { envelope, content } => {
                let Ok(element) = bodies::envelope_line(envelope, content.len() as u64) else {
                    return Found::Unreadable;
                };
                return self.elements(header, &[element], Some(content));
            }
        };
        let found = match header {
            FromServer::Welcome => {
                bodies::read_welcome(whole).map(|welcome| Found::Welcome(Box::new(welcome)))
            }
            FromServer::Lost => bodies::read_lost(whole).map(|lost| Found::Lost(lost.epoch, lost.loss)),
            FromServer::Goaway { .. } => bodies::read_goaway(whole).map(|goaway| {
                let url =
                    goaway.url.filter(|url| may_follow(url, &self.url.borrow(), &self.options.redirects));
                let redirect = url.is_some();
                if let Some(url) = url {
                    *self.redirect.borrow_mut() = Some(url.into());
                }
                Found::Goaway { redirect }
            }),
            FromServer::Auth => bodies::read_renewal(whole)
                .map(|renewal| Found::Auth { expires: renewal.expires, renewed: renewal.renewed }),
            _ => {
                bodies::split(whole, header.payload()).map(|elements| self.elements(header, &elements, None))
            }
        };
        found.unwrap_or(Found::Unreadable)
    }

    fn elements(
        &self,
        header: &FromServer<'_>,
        elements: &[bodies::Element<'_>],
        bytes: Option<&[u8]>,
    ) -> Found {
        let push = matches!(header, FromServer::Push { .. });
        let mut in_hand = self.in_hand.borrow_mut();
        let mut found = Vec::new();
        for element in elements {
            let message = Message::of(element, bytes);
            found.push(match &message {
                Some(message) if !push || (message.receiver().is_some() && self.wants(message)) => {
                    Element::Message(Subject::from(message.receiver().unwrap_or_default()))
                }
                _ => Element::Skipped,
            });
            in_hand.push(message);
        }
        Found::Elements(found)
    }

    // ---- the dial ----

    /// Asks for the token, then does this with it, unless the link is no longer wanted.
    fn with_token(
        &self,
        link: u64,
        then: impl FnOnce(&Driver<Self>, Result<Option<String>, Error>) + 'static,
    ) {
        let Some(driver) = self.driver() else { return };
        match &self.options.token {
            Token::None => then(&driver, Ok(None)),
            Token::Fixed(token) => then(&driver, Ok(Some(token.clone()))),
            Token::Ask(ask) => {
                let asked = ask();
                let to = Rc::downgrade(&driver);
                drop(driver);
                js_sys::futures::spawn_local(async move {
                    let answer = asked.await;
                    // The wire may be gone by now, and the dial may have been given up.
                    let Some(driver) = to.upgrade().filter(|driver| driver.host().dialling.get() == link)
                    else {
                        return;
                    };
                    let answer = answer.and_then(|token| match token_fault(&token) {
                        None => Ok(token),
                        Some(fault) => Err(fault.to_owned()),
                    });
                    then(&driver, answer.map(Some).map_err(|message| Error::Provider { message }));
                });
            }
        }
    }

    fn open(&self, driver: &Driver<Self>, link: u64, redirected: bool, token: Option<String>) {
        let url = self.redirect.borrow().clone().filter(|_| redirected);
        let url = url.unwrap_or_else(|| self.options.url.clone());
        let protocols = Array::of1(&JsValue::from_str(SUBPROTOCOL));
        match WebSocket::new_with_str_sequence(&url, &protocols) {
            Ok(socket) => {
                *self.url.borrow_mut() = socket.url();
                let changed = self.token.replace(token.clone()) != token;
                let fresh = [(); 3].map(|()| Producer(random()));
                driver.dialled(link, socket, changed, fresh);
            }
            Err(error) => {
                let message = format!("the WebSocket threw: {}", envelope::name_of(&error));
                self.dial_failed(driver, link, Error::Connect { message });
            }
        }
    }

    fn dial_failed(&self, driver: &Driver<Self>, link: u64, error: Error) {
        self.tell(Event::Error(error));
        driver.enter(|client, now| client.handle_dial_failed(link, now));
    }

    // ---- what is told ----

    fn call(&self, call: Call) {
        self.calls.borrow_mut().push_back(call);
    }

    fn tell(&self, event: Event) {
        self.call(Call::Event(event));
    }

    /// What would otherwise wait for ever.
    fn fail_the_rest(&self) {
        let fill = |slot: Rc<Slot<Message>>| slot.fill(Err(Error::Closed));
        for pending in self.pending.take().into_values() {
            pending.slot.fill(Err(Error::Closed));
            pending.answer.into_iter().for_each(fill);
        }
        self.answers.take().into_values().for_each(fill);
        self.pages.take().into_values().for_each(|paging| paging.slot.fill(Err(Error::Closed)));
        self.rooms.take().into_values().for_each(|room| room.fill(Err(Error::Closed)));
    }
}

impl Host for Local {
    type Batch = ();

    fn dial(&self, link: u64, redirected: bool) {
        self.dialling.set(link);
        self.with_token(link, move |driver, token| match token {
            Ok(token) => driver.host().open(driver, link, redirected, token),
            Err(error) => driver.host().dial_failed(driver, link, error),
        });
    }

    fn renew(&self, link: u64) {
        self.with_token(link, move |driver, token| {
            let host = driver.host();
            match token {
                Ok(token) => {
                    *host.token.borrow_mut() = token;
                    let octets = "auth\n".len() + host.auth_body().len();
                    driver.enter(|client, now| client.handle_renewed(link, octets as u64, now));
                }
                Err(error) => {
                    host.tell(Event::Error(error));
                    driver.enter(|client, now| client.handle_renewal_failed(link, now));
                }
            }
        });
    }

    fn forget_socket(&self) {}

    fn write(&self, socket: &WebSocket, head: &str, frame: &Outbound) -> bool {
        if socket.ready_state() != WebSocket::OPEN {
            return false;
        }
        let mut out = head.as_bytes().to_vec();
        match frame {
            Outbound::Hello(hello) => {
                let mut hello = (**hello).clone();
                hello.token = self.token.borrow().as_deref().map(Secret::from);
                bodies::write_hello(&hello, &mut out);
            }
            Outbound::Send(Written { messages, .. }) => {
                let mut pending = self.pending.borrow_mut();
                let mut texts = Vec::new();
                for numbered in messages {
                    if numbered.withdrawn {
                        texts.push("null".to_owned());
                        continue;
                    }
                    // A hole would shift every number behind it.
                    let Some(kept) = pending.get_mut(&numbered.message.ticket) else { return false };
                    self.number(kept);
                    match &kept.octets {
                        Octets::Text(text) => texts.push(text.clone()),
                        Octets::Binary(octets) => out.extend_from_slice(octets),
                    }
                }
                if !texts.is_empty() {
                    bodies::join(texts.iter().map(String::as_str), &mut out);
                }
            }
            Outbound::Cast(cast) => match self.casts.borrow().get(&cast.ticket) {
                Some(Octets::Text(text)) => bodies::join([text.as_str()], &mut out),
                Some(Octets::Binary(octets)) => out.extend_from_slice(octets),
                None => return false,
            },
            Outbound::Auth => out.extend_from_slice(&self.auth_body()),
            _ => {}
        }
        let sent = match frame.form() {
            Form::Binary => socket.send_with_u8_array(&out),
            Form::Text => socket.send_with_str(&String::from_utf8(out).unwrap_or_default()),
        };
        sent.is_ok()
    }

    fn inspect(&self, data: &JsValue) -> Inbound {
        self.read(data)
    }

    fn exited(&self, exited: &Exited, durable: bool) {
        let Some(pending) = self.forget(exited.ticket) else { return };
        let (reason, error) = match &exited.exit {
            Exit::Settled => {
                let Pending { id, kind, slot, answer, .. } = pending;
                if let Some(answer) = answer {
                    self.answers.borrow_mut().insert(exited.ticket, answer);
                }
                let mut settled = self.settled.borrow_mut();
                settled.push_back((exited.ticket, id.clone()));
                if settled.len() > SETTLED_IDS_MAX {
                    settled.pop_front();
                }
                self.call(Call::Stored(slot, Ok(Receipt { id: id.clone(), durable })));
                self.tell(Event::Settled { id, kind, durable });
                return;
            }
            Exit::Refused(code) => (Undelivered::Refused, Error::Refused { code: code.as_str().to_owned() }),
            Exit::Dropped(why) => dropped(*why),
        };
        self.fail(pending, reason, error);
    }

    fn opened(&self, opened: &Opened) {
        *self.identity.borrow_mut() = Some(opened.own.as_str().into());
        *self.epoch.borrow_mut() = Some(opened.epoch.clone());
        *self.redirect.borrow_mut() = None;
        for room in &opened.joined {
            self.joined(room, 0);
        }
        self.tell(Event::Open {
            link: opened.link,
            attempts: opened.attempts,
            identity: opened.own.as_str().to_owned(),
            durable: opened.durable,
            max_message_bytes: opened.message_bytes_max,
            server_time: opened.time,
        });
    }

    fn received(&self, taken: &Taken) {
        let mut in_hand = self.in_hand.borrow_mut();
        let mut received = self.received.borrow_mut();
        for fresh in &taken.fresh {
            received.extend(in_hand.get_mut(usize::from(fresh.index)).and_then(Option::take));
        }
    }

    fn start(&self, started: &Started) {
        let next = self.received.borrow_mut().pop_front();
        if let Some(message) = next {
            self.call(Call::Message(message.at(&started.epoch, started.s), started.delivery));
        }
    }

    fn joined(&self, room: &Subject, _from: u64) {
        if let Some(slot) = self.rooms.borrow().get(room.as_str()) {
            self.call(Call::Room(Rc::clone(slot), Ok(())));
        }
    }

    fn denied(&self, subject: &Subject, code: &str) {
        let (room, code) = (subject.as_str().to_owned(), code.to_owned());
        if let Some(slot) = self.rooms.borrow_mut().remove(&room) {
            self.call(Call::Room(slot, Err(Error::Denied { code: code.clone() })));
        }
        self.tell(Event::Denied { room, code });
    }

    fn lost(&self, subjects: &[Subject]) {
        let rooms = subjects.iter().map(|subject| subject.as_str().to_owned()).collect();
        self.tell(Event::Lost { rooms });
    }

    fn unbacked(&self, unbacked: &Unbacked) {
        let settled = self.settled.borrow();
        let id =
            |ticket: &Ticket| settled.iter().rev().find(|(one, _)| one == ticket).map(|(_, id)| id.clone());
        self.tell(Event::Unbacked { ids: unbacked.tickets.iter().filter_map(id).collect() });
    }

    fn answered(&self, ticket: Ticket) {
        let reply = self.in_hand.borrow_mut().first_mut().and_then(Option::take);
        if let Some(slot) = self.take_answer(ticket) {
            let reply =
                reply.ok_or_else(|| Error::Content { message: "the answer is no message".to_owned() });
            self.call(Call::Answer(slot, reply));
        }
    }

    fn unanswered(&self, ticket: Ticket, why: Dropped) {
        if let Some(slot) = self.take_answer(ticket) {
            self.call(Call::Answer(slot, Err(dropped(why).1)));
        }
    }

    fn paged(&self, page: PageId, mark: PageMark, numbers: Vec<u64>) {
        let (mut pages, epoch) = (self.pages.borrow_mut(), self.epoch.borrow());
        let Some((paging, epoch)) = pages.get_mut(&page.0).zip(epoch.as_ref()) else { return };
        for (message, s) in self.in_hand.borrow_mut().drain(..).zip(numbers) {
            paging.messages.extend(message.map(|message| message.at(epoch, s)));
        }
        if mark == PageMark::More {
            return;
        }
        let Some(Paging { messages, slot }) = pages.remove(&page.0) else { return };
        let oldest = messages.first().and_then(Message::position).cloned();
        let older = oldest.filter(|_| mark == PageMark::Cut);
        self.call(Call::Page(slot, Ok(Page { messages, older })));
    }

    fn page_failed(&self, page: PageId, why: &PageFailure) {
        let Some(paging) = self.pages.borrow_mut().remove(&page.0) else { return };
        let error = match why {
            PageFailure::Refused(code) => Error::Denied { code: code.as_str().to_owned() },
            PageFailure::LinkLost => Error::LinkLost,
            PageFailure::Lost => Error::Lost,
            PageFailure::Closed => Error::Closed,
        };
        self.call(Call::Page(paging.slot, Err(error)));
    }

    fn casts(&self) {
        for message in self.in_hand.borrow_mut().drain(..).flatten() {
            self.call(Call::Cast(message));
        }
    }

    fn state(&self, state: State) {
        if state == State::Closed {
            self.dialling.set(0);
        }
        self.tell(Event::State(state));
    }

    fn ended(&self, ended: Ended) {
        let Ended { why, code, retry, reason, clean, .. } = ended;
        let retry_in = retry.map(time::to_std);
        let reason = String::from(&reason);
        let over = retry.is_none() && why != Why::Suspended;
        if over {
            match why {
                Why::Refused => self.tell(Event::Error(Error::AuthRefused)),
                Why::Attempts => self.tell(Event::Error(Error::MaxAttempts)),
                _ => {}
            }
        }
        self.tell(Event::Close { cause: why, code, reason, clean, retry_in });
        if over {
            self.call(Call::End);
        }
    }

    fn reconnecting(&self, attempt: u32, delay: Duration, why: Why, code: u16) {
        self.dialling.set(0);
        self.tell(Event::Reconnecting { attempt, delay: time::to_std(delay), cause: why, code });
    }

    fn notice(&self, notice: Notice) {
        let error = match notice {
            // `handle_dialled` hears whether the next one is another.
            Notice::TokenRefused => return,
            Notice::ProtocolError { clause, .. } => {
                Error::Protocol { clause: clause.unwrap_or_default().to_owned() }
            }
            Notice::NotSpoken => Error::NotSpoken,
            Notice::Unavailable => Error::Unavailable,
            Notice::StoreStalled { .. } => Error::StoreStalled,
            Notice::TooSlow => Error::TooSlow,
            Notice::Unsettled(_) => Error::HandlerUnsettled,
            Notice::WindowShut(_) => Error::WindowShut,
        };
        self.tell(Event::Error(error));
    }

    fn finished(&self) {
        if self.calling.replace(true) {
            // A handler came in again: the loop below, further up the stack, goes on with what it has caused.
            return;
        }
        let mut last_round = false;
        loop {
            let call = self.calls.borrow_mut().pop_front();
            match call {
                None => break,
                Some(Call::Stored(slot, result)) => slot.fill(result),
                Some(Call::Answer(slot, result)) => slot.fill(result),
                Some(Call::Page(slot, result)) => slot.fill(result),
                Some(Call::Room(slot, result)) => slot.fill(result),
                Some(Call::Event(event)) => self.watchers.call(None, &event),
                Some(Call::Message(message, delivery)) => self.deliver(&message, delivery),
                Some(Call::Cast(message)) => {
                    if self.options.echo || !self.is_own(&message) {
                        self.takers.take(&message, None);
                    }
                }
                // What handlers of the last events did is told too: they may have sent something. One round, for
                // one that sends whenever a message is refused would never be done.
                Some(Call::End) if !last_round => {
                    last_round = true;
                    self.call(Call::End);
                }
                Some(Call::End) => {
                    self.fail_the_rest();
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

impl Local {
    fn auth_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let token = Secret::from(self.token.borrow().as_deref().unwrap_or_default());
        bodies::write_token(&token, &mut body);
        body
    }
}

impl Drop for Local {
    /// The wire was dropped: nobody else will say what became of what is left.
    fn drop(&mut self) {
        self.fail_the_rest();
        self.takers.end();
    }
}

fn dropped(why: Dropped) -> (Undelivered, Error) {
    match why {
        Dropped::Unknown => (Undelivered::Unknown, Error::Unknown),
        Dropped::InDoubt => (Undelivered::InDoubt, Error::InDoubt),
        Dropped::NeverWritten(unwritten) => (
            Undelivered::NeverWritten,
            match unwritten {
                Unwritten::Overflow => Error::OutboxFull,
                Unwritten::Expired => Error::Expired,
                Unwritten::Replaced => Error::Replaced,
                Unwritten::Aborted => Error::Aborted,
                Unwritten::TooLarge => Error::TooLarge,
                Unwritten::Closed => Error::Closed,
            },
        ),
    }
}

fn to_octets(buffer: &ArrayBuffer) -> Vec<u8> {
    Uint8Array::new(buffer).to_vec()
}
