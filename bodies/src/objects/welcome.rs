//! `welcome`. Chapter 5.

use everwire_core::engine::{RefusalCode, Subject};
use everwire_core::frame::REFUSALS_MAX;
use everwire_core::session::down::{Loss, Place, ROOMS_MAX};
use everwire_core::session::up::Producing;
use everwire_core::session::{Limits, Welcome};

use super::{
    VERSION, check_version, epoch, features, limited, loss, secret, subject, write_features, write_loss,
};
use crate::error::BodyError;
use crate::json::{Member, Object, document, number, text};

/// Reads the body of `welcome` as a client does. Of a name that stands twice, which no node may write, the last counts:
/// so it is in every parser that does not look. [FRM-12] [ERR-10] [WELC-2]
pub fn read_welcome(body: &[u8]) -> Result<Welcome, BodyError> {
    let (object, _) = document(body)?;
    check_version(object)?;
    let [identity, producer, born, mark, refused, credit, log_epoch, position, rooms] = object.members([
        "identity", "producer", "born", "mark", "refused", "credit", "logEpoch", "position", "rooms",
    ])?;
    let [denied, lost, durable, heartbeat, window, limits, expires, time, names] = object.members([
        "denied",
        "lost",
        "durable",
        "heartbeat",
        "window",
        "limits",
        "expires",
        "time",
        "features",
    ])?;
    let welcome = Welcome {
        identity: subject(identity)?,
        producing: read_producing(producer)?,
        born: born.number()?,
        mark: mark.number()?,
        refused: limited(refused.items()?, REFUSALS_MAX).map(read_refusal).collect::<Result<_, _>>()?,
        credit: credit.number()?,
        epoch: epoch(log_epoch)?,
        position: position.number()?,
        rooms: limited(rooms.items()?, ROOMS_MAX + 1).map(read_place).collect::<Result<_, _>>()?,
        denied: limited(denied.items()?, ROOMS_MAX + 1).map(read_denial).collect::<Result<_, _>>()?,
        lost: lost.nullable()?.map(read_loss).transpose()?,
        durable: durable.flag()?,
        heartbeat: heartbeat.number()?,
        window: window.number()?,
        limits: read_limits(limits)?,
        expires: expires.nullable()?.map(Member::number).transpose()?,
        time: time.number()?,
        features: features(names)?,
    };
    welcome.check()?;
    Ok(welcome)
}

/// Appends the body of `welcome`.
pub fn write_welcome(welcome: &Welcome, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.number("version", VERSION);
    object.text("identity", welcome.identity.as_str());
    object.text(
        "producer",
        match welcome.producing {
            Producing::Kept => "kept",
            Producing::Successor => "successor",
        },
    );
    object.number("born", welcome.born);
    object.number("mark", welcome.mark);
    object.list("refused", &welcome.refused, |out, (n, code)| {
        out.push(b'[');
        number(out, *n);
        out.push(b',');
        text(out, code.as_str());
        out.push(b']');
    });
    object.number("credit", welcome.credit);
    object.text("logEpoch", welcome.epoch.as_str());
    object.number("position", welcome.position);
    object.list("rooms", &welcome.rooms, |out, place| {
        let mut object = Object::begin(out);
        object.text("room", place.subject.as_str());
        object.number("from", place.from);
        if let Some(grant) = &place.grant {
            object.text("grant", grant.reveal());
        }
        object.end();
    });
    object.list("denied", &welcome.denied, |out, (room, code)| {
        let mut object = Object::begin(out);
        object.text("room", room.as_str());
        object.text("code", code);
        object.end();
    });
    object.or_null("lost", welcome.lost.as_ref(), |out, loss| {
        let mut object = Object::begin(out);
        write_loss(&mut object, loss);
        object.end();
    });
    object.flag("durable", welcome.durable);
    object.number("heartbeat", welcome.heartbeat);
    object.number("window", welcome.window);
    let mut limits = Object::begin(object.member("limits"));
    limits.number("message", welcome.limits.message.into());
    limits.number("rooms", welcome.limits.rooms.into());
    limits.end();
    object.or_null("expires", welcome.expires, number);
    object.number("time", welcome.time);
    write_features(&mut object, &welcome.features);
    object.end();
}

fn read_producing(member: Member<'_>) -> Result<Producing, BodyError> {
    match member.text()?.as_ref() {
        "kept" => Ok(Producing::Kept),
        "successor" => Ok(Producing::Successor),
        _ => Err(member.mistyped()),
    }
}

fn read_refusal(member: Member<'_>) -> Result<(u64, RefusalCode), BodyError> {
    let [n, code] = member.tuple()?;
    Ok((n.number()?, RefusalCode::from(code.text()?.as_ref())))
}

fn read_place(member: Member<'_>) -> Result<Place, BodyError> {
    let [room, from, grant] = member.members(["room", "from", "grant"])?;
    let grant = grant.optional().map(secret).transpose()?;
    Ok(Place { subject: subject(room)?, from: from.number()?, grant })
}

fn read_denial(member: Member<'_>) -> Result<(Subject, Box<str>), BodyError> {
    let [room, code] = member.members(["room", "code"])?;
    Ok((subject(room)?, code.text()?.as_ref().into()))
}

fn read_loss(member: Member<'_>) -> Result<Loss, BodyError> {
    let [subjects, first] = member.members(["subjects", "first"])?;
    loss(subjects, first)
}

/// What does not fit the type is above the range, and refused by the check of the table as it stands. [NUM-3]
fn read_limits(member: Member<'_>) -> Result<Limits, BodyError> {
    let [message, rooms] = member.members(["message", "rooms"])?;
    Ok(Limits {
        message: u32::try_from(message.number()?).unwrap_or(u32::MAX),
        rooms: u16::try_from(rooms.number()?).unwrap_or(u16::MAX),
    })
}
