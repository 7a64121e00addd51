//! What the host keeps of a [`Sending`](super::Sending), and what makes a fresh one of it.

use std::collections::VecDeque;

use super::message::{Exited, Outgoing};
use super::waiting::Waiting;
use crate::engine::Producer;
use crate::frame::{Form, NUMBER_MAX};

/// A message with the number that it keeps until its exit. [SEND-4]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub n: u64,
    /// The message.
    pub message: Outgoing,
    /// Whether `null` is written in its place. [REF-9]
    pub withdrawn: bool,
}

impl Numbered {
    /// Its length as it is written.
    pub fn bytes(&self) -> u64 {
        if self.withdrawn { "null".len() as u64 } else { u64::from(self.message.bytes) }
    }

    pub(super) fn form(&self) -> Form {
        if self.withdrawn { Form::Text } else { self.message.form }
    }
}

/// The host's record of the upward half, from which [`super::Sending::restore`] goes on as after a lost link.
///
/// It is small where it matters: a host that keeps a copy of its own changes it by what each call answers, since
/// numbers are given only by `write` and messages leave only as `Exited`. What has exited and is not yet released is
/// not in it: the `oldest` of the next `hello` lets it go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The producer in use.
    pub producer: Producer,
    /// The spare that stands in `hello`.
    pub successor: Option<Producer>,
    /// The link whose claim made the producer's record at the server. [HELLO-21]
    pub born: Option<u64>,
    /// The highest number given.
    pub written: u64,
    /// Every message with a number that has not exited, in order: the last has the number `written`.
    pub numbered: VecDeque<Numbered>,
    /// Every message without a number, in order.
    pub waiting: Waiting,
    /// Until the mark has passed this number, messages go one at a time. [REF-9]
    pub alone_until: Option<u64>,
    /// How many links in a row have broken under a long frame. [REF-9]
    pub broken_links: u8,
}

/// The host's record contradicts itself; nothing can be promised from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecord;

impl Record {
    /// Of a client that has sent nothing.
    pub fn new(producer: Producer) -> Self {
        Self {
            producer,
            successor: None,
            born: None,
            written: 0,
            numbered: VecDeque::new(),
            waiting: Waiting::default(),
            alone_until: None,
            broken_links: 0,
        }
    }

    /// The lowest number that has not exited; the next one if all have. [SEND-10]
    pub fn oldest(&self) -> u64 {
        (self.written + 1).saturating_sub(self.numbered.len() as u64)
    }

    /// These have their numbers from here on. [SEND-3]
    pub(in crate::session) fn numbers_given(&mut self, messages: &[Numbered]) {
        for numbered in messages.iter().filter(|numbered| numbered.n > self.written) {
            if self.waiting.front().is_some_and(|front| front.ticket == numbered.message.ticket) {
                self.waiting.pop_front();
            } else {
                self.waiting.remove(numbered.message.ticket);
            }
            self.numbered.push_back(*numbered);
        }
        let last = messages.last().map_or(0, |numbered| numbered.n);
        self.written = self.written.max(last);
    }

    /// This one has left.
    pub(in crate::session) fn exited(&mut self, exited: &Exited) {
        let Some(n) = exited.n else {
            self.waiting.remove(exited.ticket);
            return;
        };
        if self.numbered.front().is_some_and(|first| first.n == n) {
            self.numbered.pop_front();
        } else {
            self.numbered.retain(|numbered| numbered.n != n);
        }
        if self.alone_until.is_some_and(|until| until <= n) {
            self.alone_until = None;
        }
    }

    /// Numbers begin anew, under this producer.
    pub(in crate::session) fn begin_anew(&mut self, producer: Producer, successor: Option<Producer>) {
        self.producer = producer;
        self.successor = successor;
        self.born = None;
        self.written = 0;
        self.numbered.clear();
        self.alone_until = None;
        self.broken_links = 0;
    }

    pub(super) fn check(&self) -> Result<(), NotARecord> {
        let many = self.numbered.len() as u64;
        let Some(mark) = self.written.checked_sub(many) else { return Err(NotARecord) };
        let contiguous = self.numbered.iter().zip(mark + 1..).all(|(numbered, n)| numbered.n == n);
        let in_range =
            self.written < NUMBER_MAX && self.alone_until.is_none_or(|until| until <= self.written);
        let backed = self.written == 0 || self.born.is_some();
        let spare = self.successor != Some(self.producer);
        if contiguous && in_range && backed && spare { Ok(()) } else { Err(NotARecord) }
    }
}
