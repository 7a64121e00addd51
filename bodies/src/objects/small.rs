//! `lost`, `goaway` and `auth`. Chapters 14, 15 and 16.

use everwire_core::engine::LogEpoch;
use everwire_core::frame::OBJECT_BYTES_MAX;
use everwire_core::session::down::Loss;
use everwire_core::session::{Broken, Secret, is_token};

use super::{epoch, loss, secret, write_loss};
use crate::error::BodyError;
use crate::json::{Member, Object, document, number, text};

/// The body of `lost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The log in which it is lost.
    pub epoch: LogEpoch,
    /// What is gone.
    pub loss: Loss,
}

/// Reads the body of `lost`. [LOST-7]
pub fn read_lost(body: &[u8]) -> Result<Lost, BodyError> {
    let (object, _) = document(body)?;
    let [log_epoch, subjects, first] = object.members(["logEpoch", "subjects", "first"])?;
    Ok(Lost { epoch: epoch(log_epoch)?, loss: loss(subjects, first)? })
}

/// Appends the body of `lost`.
pub fn write_lost(lost: &Lost, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.text("logEpoch", lost.epoch.as_str());
    write_loss(&mut object, &lost.loss);
    object.end();
}

/// The body of `goaway`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goaway {
    /// Why, for people.
    pub reason: Box<str>,
    /// Where to come back to; whether it may be followed is [AWAY-8]'s to say.
    pub url: Option<Box<str>>,
}

/// Reads the body of `goaway`. A `url` that is no text is ignored like every other that may not be followed. [AWAY-8]
pub fn read_goaway(body: &[u8]) -> Result<Goaway, BodyError> {
    let (object, _) = document(body)?;
    let [reason, url] = object.members(["reason", "url"])?;
    let url = url.text().ok().map(|url| url.as_ref().into());
    Ok(Goaway { reason: reason.text_lossy()?.as_ref().into(), url })
}

/// Appends the body of `goaway`. A reason that does not fit beside the `url` is cut at a character; a `url` that does not
/// fit at all is an error, and nothing is written. [LIM-17]
pub fn write_goaway(goaway: &Goaway, out: &mut Vec<u8>) -> Result<(), BodyError> {
    let most = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
    let mut url = Vec::new();
    if let Some(goaway_url) = &goaway.url {
        url.extend_from_slice(br#","url":"#);
        text(&mut url, goaway_url);
    }
    let mut reason = Vec::new();
    text(&mut reason, &goaway.reason);
    let around = br#"{"reason":}"#.len();
    let Some(room) = most.checked_sub(around + url.len() + 2) else {
        return Err(Broken { clause: "LIM-17" }.into());
    };
    if reason.len() > room + 2 {
        reason.clear();
        text(&mut reason, cut(&goaway.reason, room));
    }
    out.extend_from_slice(br#"{"reason":"#);
    out.extend_from_slice(&reason);
    out.extend_from_slice(&url);
    out.push(b'}');
    Ok(())
}

/// As much of a text as its JSON has `room` octets for.
fn cut(whole: &str, room: usize) -> &str {
    let mut spelled = Vec::new();
    let mut used = 0;
    for (at, character) in whole.char_indices() {
        spelled.clear();
        text(&mut spelled, character.encode_utf8(&mut [0; 4]));
        used += spelled.len() - 2;
        if used > room {
            return whole.get(..at).unwrap_or_default();
        }
    }
    whole
}

/// Reads the body of `auth` as a node does: the renewed token. [AUTH-1] [LIM-15]
pub fn read_token(body: &[u8]) -> Result<Secret, BodyError> {
    let (object, repeated) = document(body)?;
    if repeated {
        return Err(BodyError::NameRepeated);
    }
    let [token] = object.members(["token"])?;
    let token = secret(token)?;
    if is_token(token.reveal()) { Ok(token) } else { Err(Broken { clause: "LIM-15" }.into()) }
}

/// Appends the body of a client's `auth`.
pub fn write_token(token: &Secret, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.text("token", token.reveal());
    object.end();
}

/// The body of a node's `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// When the credential must have been renewed, in milliseconds from now.
    pub expires: Option<u64>,
    /// Whether it answers an `auth`.
    pub renewed: bool,
}

/// Reads the body of `auth` as a client does. [AUTH-1]
pub fn read_renewal(body: &[u8]) -> Result<Renewal, BodyError> {
    let (object, _) = document(body)?;
    let [expires, renewed] = object.members(["expires", "renewed"])?;
    Ok(Renewal { expires: expires.nullable()?.map(Member::number).transpose()?, renewed: renewed.flag()? })
}

/// Appends the body of a node's `auth`.
pub fn write_renewal(renewal: Renewal, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.or_null("expires", renewal.expires, number);
    object.flag("renewed", renewal.renewed);
    object.end();
}
