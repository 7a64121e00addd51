//! The host's record: what makes a fresh machine of one that has died, at any point between two actions.

use std::collections::BTreeSet;

use super::action::{Action, Outbound};
use super::notice::Why;
use super::receipts::{Given, Original, Receipt, Told};
use super::request::{Asked, Requests};
use super::standing::{Stage, Standing};
use crate::engine::{Producer, Subject};
#[cfg(feature = "mutants")]
use crate::mutant::mutant;
use crate::outbox::Ticket;
use crate::session::down::{self, Delivery, Persisted};
use crate::session::up::{self, Exit, Outgoing, Written};
use crate::time::Instant;

/// What outlives an instance of the [`Client`](super::Client). Chapter 19 of `docs/PROTOCOL.md`.
///
/// **Each action is noted before it is carried out [`Record::note`], and what the application or the host does that
/// changes the record is noted before the machine is told.** Noting an exit, a handler's start or a report, and handing
/// it to the application, is one step of the host: nothing can end it in between. [KEEP-6]
///
/// What was noted is a change, never the whole, so it costs no more than the action itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Upwards.
    pub up: up::Record,
    /// Downwards.
    pub down: down::Record,
    /// The highest link number used. [HELLO-3]
    pub link: u64,
    /// Requests with a number and without an answer. [REQ-14]
    pub requests: Requests,
    /// Receipts given under the present log. [EPOCH-4]
    pub given: Given,
    /// Receipts sent to others. [SEND-26]
    pub told: Told,
    /// Counts, backoff, sticky phase.
    pub standing: Standing,
    /// The application has closed: until when what is left is written.
    pub closing: Option<Instant>,
    /// The application has heard that the wire has closed for good.
    pub ended: bool,
    /// Messages that the application no longer waits for: their exits are reported, and no promise waits.
    pub aborted: BTreeSet<Ticket>,
    #[cfg(feature = "mutants")]
    unnoted: Option<Box<Written>>,
}

impl Record {
    /// Of a wire that has done nothing, under a producer that no other wire may use. [HELLO-4]
    pub fn new(producer: Producer) -> Self {
        Self {
            up: up::Record::new(producer),
            down: down::Record::default(),
            link: 0,
            requests: Requests::default(),
            given: Given::default(),
            told: Told::default(),
            standing: Standing::default(),
            closing: None,
            ended: false,
            aborted: BTreeSet::new(),
            #[cfg(feature = "mutants")]
            unnoted: None,
        }
    }

    /// As [`Record::new`], of a page that kept positions. [HELLO-6]
    pub fn reopen(producer: Producer, kept: Persisted) -> Self {
        let down = down::Record {
            epoch: Some(kept.epoch),
            received: kept.seen,
            seats: kept.seats,
            ..Default::default()
        };
        Self { down, ..Self::new(producer) }
    }

    /// Whether the wire has closed for good.
    pub fn is_closed(&self) -> bool {
        matches!(self.standing.stage, Stage::Closed(..))
    }

    /// An action is about to be carried out.
    pub fn note(&mut self, action: &Action) {
        #[cfg(feature = "mutants")]
        if let Some(written) = self.unnoted.take() {
            self.numbers_given(&written);
        }
        match action {
            Action::Received(taken) => {
                if let Some(epoch) = self.down.epoch.clone() {
                    self.down.take(epoch, taken);
                }
            }
            Action::Start(started) => self.down.start(started.delivery),
            Action::Advanced { upto } => self.down.received = *upto,
            Action::Exited { exited, .. } => {
                self.up.exited(exited);
                self.aborted.remove(&exited.ticket);
                match (exited.n, &exited.exit) {
                    (Some(n), Exit::Settled) => self.given.settled(self.up.producer, n, exited.ticket),
                    (Some(n), _) => {
                        self.requests.end(n);
                    }
                    (None, _) => {}
                }
            }
            Action::Write { frame: Outbound::Send(written), .. } => {
                #[cfg(feature = "mutants")]
                if mutant!(NumberUnrecorded) {
                    self.unnoted = Some(Box::new(written.clone()));
                    return;
                }
                self.numbers_given(written);
            }
            Action::Write { frame: Outbound::Hello(hello), .. } => {
                if self.up.successor.is_none() {
                    self.up.successor = hello.successor;
                }
            }
            Action::Dial { link, .. } => self.link = *link,
            Action::Ended { retry: None, why, .. } if *why != Why::Suspended => self.ended = true,
            Action::Keep(standing) => self.standing = **standing,
            Action::Alone { until, broken_links, withdrawn } => {
                self.up.alone_until = *until;
                self.up.broken_links = *broken_links;
                if let Some(first) = self.up.numbered.front_mut().filter(|_| *withdrawn) {
                    first.withdrawn = true;
                }
            }
            Action::Produce { producer, successor } => {
                self.up.begin_anew(*producer, Some(*successor));
            }
            Action::Opened(opened) => {
                if opened.succeeded {
                    self.up.begin_anew(opened.producer, None);
                }
                self.up.born = Some(opened.born);
                self.down.epoch = Some(opened.epoch.clone());
                self.down.received = opened.position;
                self.down.own = Some(opened.own.clone());
                for (subject, seat) in opened.seats.iter() {
                    // What the application has left since is left, and what it has wished for since is wished for.
                    if *subject == opened.own || self.down.seats.contains_key(subject) {
                        self.down.seats.insert(subject.clone(), seat.clone());
                    }
                }
            }
            Action::Joined(place) => self.down.joined(place),
            Action::Denied { subject, .. } => drop(self.down.seats.remove(subject)),
            Action::Lost { subjects, from: Some(from) } => self.down.raise(subjects, *from),
            Action::Unbacked(_) => self.given.forget(),
            Action::Answered { ticket, n } | Action::Unanswered { ticket, n, .. } => {
                self.requests.end(*n);
                if !self.up.numbered.iter().any(|numbered| numbered.n == *n) {
                    self.aborted.remove(ticket);
                }
            }
            Action::Write { .. }
            | Action::Leave { .. }
            | Action::Renew { .. }
            | Action::Lost { from: None, .. }
            | Action::Paged { .. }
            | Action::PageFailed { .. }
            | Action::Casts
            | Action::StateChanged(_)
            | Action::Ended { .. }
            | Action::Reconnecting { .. }
            | Action::Notice(_) => {}
        }
    }

    fn numbers_given(&mut self, written: &Written) {
        for numbered in written.messages.iter().filter(|numbered| numbered.n > self.up.written) {
            if let Some(by) = numbered.message.answer_by {
                self.requests.ask(numbered.n, Asked { ticket: numbered.message.ticket, by });
            }
        }
        self.up.numbers_given(&written.messages);
    }

    // ---- what the application and the host do ----

    /// The application has handed over a message, which [`Client::admits`](super::Client::admits) has admitted.
    pub fn submitted(&mut self, message: Outgoing) {
        self.up.waiting.insert(message);
    }

    /// The application no longer waits for a message.
    pub fn aborted(&mut self, ticket: Ticket) {
        let numbered = || self.up.numbered.iter().any(|numbered| numbered.message.ticket == ticket);
        let waiting = || self.up.waiting.iter().any(|message| message.ticket == ticket);
        if numbered() || waiting() || self.requests.number_of(ticket).is_some() {
            self.aborted.insert(ticket);
        }
    }

    /// A handler has ended, well or badly.
    pub fn handler_settled(&mut self, delivery: Delivery) {
        self.down.settle(delivery);
    }

    /// The application wishes to be in a room, which [`Client::admits_room`](super::Client::admits_room) has admitted.
    pub fn wished(&mut self, subject: Subject) {
        self.down.seats.or_default(subject);
    }

    /// The application wishes to be in a room no longer. [ROOM-14]
    pub fn left(&mut self, subject: &Subject) {
        self.down.seats.remove(subject);
    }

    /// The application has closed the wire, and gives it until then.
    pub fn closing(&mut self, until: Instant) {
        if self.is_closed() {
            return;
        }
        self.closing = Some(self.closing.map_or(until, |earlier| earlier.min(until)));
    }

    /// Whether this receipt is to be sent to the sender of a message; then it is on the record as sent. [SEND-26]
    pub fn is_receipt_due(&mut self, original: &Original<'_>, receipt: Receipt) -> bool {
        self.told.is_due(self.down.own.as_ref(), original, receipt)
    }
}
