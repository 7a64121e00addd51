//! `hello`. Chapter 5.

use everwire_core::engine::Producer;
use everwire_core::session::down::{Amount, ROOMS_MAX};
use everwire_core::session::{Hello, REQUESTS_MAX, Wished};

use super::{VERSION, check_version, epoch, features, limited, secret, subject, write_features};
use crate::error::BodyError;
use crate::json::{Member, Object, document, list, number, text};

/// Reads the body of `hello` as a node does. [FRM-12] [ERR-10] [ERR-11]
pub fn read_hello(body: &[u8]) -> Result<Hello, BodyError> {
    let (object, repeated) = document(body)?;
    check_version(object)?;
    if repeated {
        return Err(BodyError::NameRepeated);
    }
    let [token, producer, successor, link, oldest, written, born] =
        object.members(["token", "producer", "successor", "link", "oldest", "written", "born"])?;
    let [log_epoch, position, rooms, pending, held, visible, names] =
        object.members(["logEpoch", "position", "rooms", "pending", "held", "visible", "features"])?;
    let hello = Hello {
        token: token.nullable()?.map(secret).transpose()?,
        producer: read_producer(producer)?,
        successor: successor.nullable()?.map(read_producer).transpose()?,
        link: link.number()?,
        oldest: oldest.number()?,
        written: written.number()?,
        born: born.nullable()?.map(Member::number).transpose()?,
        epoch: log_epoch.nullable()?.map(epoch).transpose()?,
        position: position.nullable()?.map(Member::number).transpose()?,
        rooms: limited(rooms.items()?, ROOMS_MAX + 1).map(read_wished).collect::<Result<_, _>>()?,
        pending: limited(pending.items()?, REQUESTS_MAX).map(Member::number).collect::<Result<_, _>>()?,
        held: read_held(held)?,
        visible: visible.flag()?,
        features: features(names)?,
    };
    hello.check()?;
    Ok(hello)
}

/// Appends the body of `hello`.
pub fn write_hello(hello: &Hello, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.number("version", VERSION);
    object.or_null("token", hello.token.as_ref(), |out, token| text(out, token.reveal()));
    write_producer(object.member("producer"), hello.producer);
    object.or_null("successor", hello.successor, write_producer);
    object.number("link", hello.link);
    object.number("oldest", hello.oldest);
    object.number("written", hello.written);
    object.or_null("born", hello.born, number);
    object.or_null("logEpoch", hello.epoch.as_ref(), |out, epoch| text(out, epoch.as_str()));
    object.or_null("position", hello.position, number);
    object.list("rooms", &hello.rooms, |out, wished| {
        let mut object = Object::begin(out);
        object.text("room", wished.room.as_str());
        object.or_null("from", wished.from, number);
        if let Some(grant) = &wished.grant {
            object.text("grant", grant.reveal());
        }
        object.end();
    });
    object.list("pending", hello.pending.iter().copied(), number);
    list(object.member("held"), [hello.held.messages, hello.held.octets], number);
    object.flag("visible", hello.visible);
    write_features(&mut object, &hello.features);
    object.end();
}

fn read_wished(member: Member<'_>) -> Result<Wished, BodyError> {
    let [room, from, grant] = member.members(["room", "from", "grant"])?;
    Ok(Wished {
        room: subject(room)?,
        from: from.nullable()?.map(Member::number).transpose()?,
        grant: grant.optional().map(secret).transpose()?,
    })
}

fn read_held(member: Member<'_>) -> Result<Amount, BodyError> {
    let [messages, octets] = member.tuple()?;
    Ok(Amount { messages: messages.number()?, octets: octets.number()? })
}

/// 32 lower-case hexadecimal digits.
fn read_producer(member: Member<'_>) -> Result<Producer, BodyError> {
    let text = member.text()?;
    let nibble = |octet: u8| match octet {
        b'0'..=b'9' => Ok(octet - b'0'),
        b'a'..=b'f' => Ok(octet - b'a' + 10),
        _ => Err(member.mistyped()),
    };
    let mut octets = [0; 16];
    if text.len() != 2 * octets.len() {
        return Err(member.mistyped());
    }
    for (octet, digits) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        if let [high, low] = digits {
            *octet = nibble(*high)? << 4 | nibble(*low)?;
        }
    }
    Ok(Producer(octets))
}

fn write_producer(out: &mut Vec<u8>, producer: Producer) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    out.push(b'"');
    out.extend(producer.0.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]));
    out.push(b'"');
}
