//! Messages that an end writes by itself: answers to requests, and receipts.

use std::borrow::Cow;

use everwire_core::engine::LogEpoch;
use everwire_core::frame::Code;

use crate::element::{Element, Envelope, Judged};
use crate::error::BodyError;
use crate::json::{Object, document};

/// The answer of a handler to a request: its type, and its content as JSON. `None` if that is not one complete JSON
/// value that every reader takes: what a handler returns is held against the same rules as what a client writes. [SEC-5] [SEC-6]
pub fn answer(kind: &str, content: &str) -> Option<String> {
    // Looked at by itself first, so that it cannot end the member and begin another.
    let content = Element::whole(content).ok()?.text();
    let written = object(|answer| {
        answer.text("type", kind);
        answer.member("content").extend_from_slice(content.as_bytes());
    });
    let takes = matches!(Element::whole(&written).ok()?.judge(), Judged::Message(_));
    takes.then_some(written)
}

/// The answer to a request whose handler has failed. [REQ-12]
pub fn failure(code: Code<'_>, message: &str) -> String {
    object(|answer| {
        answer.text("type", "error");
        let mut content = Object::begin(answer.member("content"));
        content.text("code", code.as_str());
        content.text("message", message);
        content.end();
    })
}

/// How far a message has got with its reader. [SEND-26]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// Its handler has started.
    Delivered,
    /// The application says that it has been read.
    Read,
}

/// What a message of type `receipt` says: a claim of its sender and nothing more. [SEND-26]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// With `s`, the original's name.
    pub epoch: LogEpoch,
    /// The original's place in the log.
    pub s: u64,
    /// The `id` by which the original's sender knows it.
    pub id: Cow<'a, str>,
    /// How far it has got.
    pub state: ReceiptState,
}

impl<'a> Receipt<'a> {
    /// Reads the content of such a message. Anybody can write one, so it may be anything.
    pub fn read(content: &'a str) -> Option<Self> {
        let read = || -> Result<Self, BodyError> {
            let (object, _) = document(content.as_bytes())?;
            let [epoch, s, id, state] = object.members(["logEpoch", "s", "id", "state"])?;
            Ok(Self {
                epoch: LogEpoch::from(&*epoch.text()?),
                s: s.number()?,
                id: id.text()?,
                state: match &*state.text()? {
                    "delivered" => ReceiptState::Delivered,
                    "read" => ReceiptState::Read,
                    _ => return Err(state.mistyped()),
                },
            })
        };
        read().ok()
    }

    /// The content.
    pub fn content(&self) -> String {
        object(|content| {
            content.text("logEpoch", self.epoch.as_str());
            content.number("s", self.s);
            content.text("id", &self.id);
            content.text(
                "state",
                match self.state {
                    ReceiptState::Delivered => "delivered",
                    ReceiptState::Read => "read",
                },
            );
        })
    }
}

impl Envelope<'_> {
    /// Whether a reader with this identity may send a receipt for it: to its sender, under its `id`. There is none for
    /// receipts, else two clients would send them to and fro for ever. [SEND-26]
    pub fn takes_receipt(&self, own: &str) -> bool {
        let sender = self.sender.as_deref().filter(|sender| *sender != own && !sender.starts_with('_'));
        self.kind != "receipt" && self.id.is_some() && sender.is_some()
    }
}

fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    write(&mut object);
    object.end();
    // Every part of it was a string.
    String::from_utf8(out).unwrap_or_default()
}
