//! Arrays of messages: their elements, each by itself.

use everwire_core::frame::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, Payload};

use crate::element::Element;
use crate::error::BodyError;
use crate::json::{Names, Scanner};

/// Takes the body of a text frame apart, whose header promises `payload`. Each element is one complete JSON value, to the
/// octet: what closes the array early is no element. Whether one is a message is its own affair ([`Element::judge`],
/// [`Element::accept`]). [FRM-5] [SEC-5] [ERR-6] [ERR-7]
pub fn split(body: &[u8], payload: Payload) -> Result<Vec<Element<'_>>, BodyError> {
    let (least, most, miscounted) = match payload {
        Payload::Messages(count) => (count, count, BodyError::Count),
        Payload::Casts => (1, BATCH_MESSAGES_MAX, BodyError::CastCount),
        Payload::None | Payload::Object { .. } => (0, 0, BodyError::Count),
    };
    let mut scanner = Scanner::new(core::str::from_utf8(body).map_err(|_| BodyError::NotUtf8)?);
    scanner.space();
    if !scanner.eat(b'[') {
        return Err(if scanner.whole(&mut ()).is_ok() { BodyError::NotArray } else { BodyError::NotJson });
    }
    // Room for what is promised, unless the body is too short for that many common ones.
    let mut elements = Vec::with_capacity(most.min(1 + body.len() / 64));
    let mut names = Names::default();
    scanner.space();
    if !scanner.eat(b']') {
        loop {
            // A hostile body holds half a million elements where one was promised: none is kept beyond that.
            if elements.len() == most {
                return Err(miscounted);
            }
            elements.push(Element::read(&mut scanner, &mut names)?);
            scanner.space();
            if scanner.eat(b']') {
                break;
            }
            scanner.expect(b',')?;
        }
    }
    scanner.space();
    if !scanner.is_done() {
        return Err(BodyError::NotJson);
    }
    if elements.len() < least {
        return Err(miscounted);
    }
    if elements.len() > 1 && body.len() as u64 > BATCH_BYTES_MAX {
        return Err(BodyError::BatchTooLong);
    }
    Ok(elements)
}

/// Reads a message that stands by itself.
pub fn element(text: &[u8]) -> Result<Element<'_>, BodyError> {
    Ok(Element::whole(core::str::from_utf8(text).map_err(|_| BodyError::NotUtf8)?)?)
}

/// Reads the envelope line of a binary frame, behind which `content_bytes` octets of content follow. What is complete JSON
/// and no envelope is its element's affair, as in [`split`]; anything else is an error. [FRM-7]
pub fn envelope_line(line: &[u8], content_bytes: u64) -> Result<Element<'_>, BodyError> {
    let element = Element::whole(core::str::from_utf8(line).map_err(|_| BodyError::NotUtf8)?)?;
    let octets = (line.len() as u64).saturating_add(1).saturating_add(content_bytes);
    Ok(element.in_line(octets, line.contains(&b'\n')))
}

/// Appends the array of these elements: a body. `null` withdraws a message. [FRM-5] [SEND-16]
pub fn join<'a>(elements: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    crate::json::list(out, elements, |out, element| out.extend_from_slice(element.as_bytes()));
}
