//! Octets to frames.

use super::error::FrameError;
use super::field::{Code, Grant, Numbers, PageMark, Refusals, Room, Wait, Window, argument, number};
use super::header::{FromClient, FromServer, Payload};
use super::{
    BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, HEADER_BYTES_MAX, HELLO_BYTES_MAX, LOST_BYTES_MAX, WELCOME_BYTES_MAX,
};

/// Verbs that begin so are for extensions and ignored by those who do not know them. [FRM-3]
const EXTENSION: &[u8] = b"x-";

/// Which kind of WebSocket message a frame came in. [TRN-4]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
}

/// What follows the header line of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// No LF, hence no body.
    None,
    /// Everything behind the LF of a text frame, or of a binary frame without a second LF.
    Whole(&'a [u8]),
    /// The envelope line of a binary frame, and the content behind it.
    Binary {
        /// The envelope without `content`, one JSON object.
        envelope: &'a [u8],
        /// The content's octets.
        content: &'a [u8],
    },
}

/// A frame in its parts, nothing of it checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind of message it came in.
    pub form: Form,
    /// The header line without its LF.
    pub head: &'a [u8],
    /// What follows it.
    pub body: Body<'a>,
}

/// The lengths of a frame's parts: all that the checks need to know of a body, so that a host that splits frames by
/// itself hands over the header line and these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The kind of message it came in.
    pub form: Form,
    /// Octets behind the first LF; `None` without one.
    pub body_bytes: Option<u64>,
    /// In a binary frame, octets between the first and the second LF; `None` without a second.
    pub envelope_bytes: Option<u64>,
}

/// Finds the parts of a frame.
pub fn split(form: Form, frame: &[u8]) -> Frame<'_> {
    let (head, body) = line(frame);
    let body = match (form, body) {
        (_, None) => Body::None,
        (Form::Text, Some(body)) => Body::Whole(body),
        (Form::Binary, Some(body)) => match line(body) {
            (envelope, Some(content)) => Body::Binary { envelope, content },
            (_, None) => Body::Whole(body),
        },
    };
    Frame { form, head, body }
}

fn line(octets: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = octets.splitn(2, |octet| *octet == b'\n');
    (parts.next().unwrap_or_default(), parts.next())
}

impl Frame<'_> {
    /// The lengths of the parts.
    pub fn shape(&self) -> Shape {
        let (body_bytes, envelope_bytes) = match self.body {
            Body::None => (None, None),
            Body::Whole(body) => (Some(body.len() as u64), None),
            Body::Binary { envelope, content } => {
                (Some(envelope.len() as u64 + 1 + content.len() as u64), Some(envelope.len() as u64))
            }
        };
        Shape { form: self.form, body_bytes, envelope_bytes }
    }
}

impl<'a> FromClient<'a> {
    /// Reads the header line of a frame that a client wrote; `None` is an extension and to be ignored. Frames but
    /// `hello` may have `frame_bytes_max` octets.
    pub fn parse(head: &'a [u8], shape: Shape, frame_bytes_max: u64) -> Result<Option<Self>, FrameError> {
        let Some((verb, args)) = begin(head, shape, frame_bytes_max)? else { return Ok(None) };
        let mut args = Args { rest: args, wrong: None };
        let frame = match verb {
            b"hello" => Self::Hello,
            b"send" => Self::Send { n: args.number(), count: args.count(), oldest: args.number() },
            b"seen" => Self::Seen { s: args.number(), count: args.number(), bytes: args.number() },
            b"join" => Self::Join { room: args.room() },
            b"leave" => Self::Leave { room: args.room() },
            b"page" => Self::Page {
                id: args.number(),
                room: args.room(),
                before: args.number(),
                count: args.count(),
            },
            b"cast" => Self::Cast,
            b"ping" => Self::Ping { x: args.number() },
            b"pong" => Self::Pong { x: args.number() },
            b"more" => Self::More { bytes: args.number() },
            b"auth" => Self::Auth,
            b"vis" => Self::Vis { visible: args.flag() },
            b"bye" => Self::Bye { s: args.number() },
            b"welcome" | b"ack" | b"push" | b"advance" | b"joined" | b"denied" | b"reply" | b"goaway"
            | b"lost" => {
                return Err(FrameError::WrongDirection);
            }
            _ => return Err(FrameError::UnknownVerb),
        };
        args.end()?;
        frame.check()?;
        fits(frame.payload(), shape)?;
        Ok(Some(frame))
    }
}

impl<'a> FromServer<'a> {
    /// Reads the header line of a frame that a node wrote; `None` is an extension and to be ignored. Frames but
    /// `welcome` and `lost` may have `frame_bytes_max` octets.
    pub fn parse(head: &'a [u8], shape: Shape, frame_bytes_max: u64) -> Result<Option<Self>, FrameError> {
        let Some((verb, args)) = begin(head, shape, frame_bytes_max)? else { return Ok(None) };
        let mut args = Args { rest: args, wrong: None };
        let frame = match verb {
            b"welcome" => Self::Welcome,
            b"ack" => Self::Ack { n: args.number(), credit: args.number(), refused: args.refusals() },
            b"push" => Self::Push { after: args.number(), upto: args.number(), numbers: args.numbers() },
            b"advance" => Self::Advance { after: args.number(), upto: args.number() },
            b"joined" => Self::Joined { room: args.room(), from: args.number(), grant: args.grant() },
            b"denied" => Self::Denied { room: args.room(), code: args.code() },
            b"page" => {
                let id = args.number();
                match args.next() {
                    [b'!', code @ ..] => {
                        Self::PageRefused { id, code: args.hold(Code::new(code), Code::NONE) }
                    }
                    mark => Self::Page {
                        id,
                        mark: args.hold(page_mark(mark), PageMark::End),
                        numbers: args.numbers(),
                    },
                }
            }
            b"reply" => Self::Reply { n: args.number() },
            b"cast" => Self::Cast,
            b"ping" => Self::Ping { x: args.number() },
            b"pong" => Self::Pong { x: args.number() },
            b"more" => Self::More { bytes: args.number() },
            b"auth" => Self::Auth,
            b"goaway" => Self::Goaway { leave_in: Wait(args.number()), window: Window(args.number()) },
            b"lost" => Self::Lost,
            b"hello" | b"send" | b"seen" | b"join" | b"leave" | b"vis" | b"bye" => {
                return Err(FrameError::WrongDirection);
            }
            _ => return Err(FrameError::UnknownVerb),
        };
        args.end()?;
        frame.check()?;
        fits(frame.payload(), shape)?;
        Ok(Some(frame))
    }
}

/// A verb and its arguments, the latter with the space before them.
type VerbAndArgs<'a> = (&'a [u8], &'a [u8]);

/// What every frame is held against; `None` for an extension.
fn begin(head: &[u8], shape: Shape, frame_bytes_max: u64) -> Result<Option<VerbAndArgs<'_>>, FrameError> {
    let frame_bytes =
        (head.len() as u64).saturating_add(shape.body_bytes.map_or(0, |body| body.saturating_add(1)));
    let (most, too_long) = match head {
        b"hello" => (HELLO_BYTES_MAX, FrameError::HelloTooLong),
        b"welcome" => (WELCOME_BYTES_MAX, FrameError::WelcomeTooLong),
        // Its body has a limit of its own, above that of frames where messages are short.
        b"lost" => (frame_bytes_max.max(LOST_BYTES_MAX + HEADER_BYTES_MAX as u64), FrameError::FrameTooLong),
        _ => (frame_bytes_max, FrameError::FrameTooLong),
    };
    if frame_bytes == 0 {
        return Err(FrameError::Empty);
    }
    if frame_bytes > most {
        return Err(too_long);
    }
    // Of an extension nothing is known but how it begins, so no other limit either. [FRM-3]
    if head.starts_with(EXTENSION) {
        return Ok(None);
    }
    if head.len() > HEADER_BYTES_MAX {
        return Err(FrameError::HeaderTooLong);
    }
    if head.iter().any(|octet| !matches!(octet, b' '..=b'~')) {
        return Err(FrameError::HeaderOctet);
    }
    let verb_bytes = head.iter().position(|octet| *octet == b' ').unwrap_or(head.len());
    Ok(Some(head.split_at(verb_bytes)))
}

fn fits(payload: Payload, shape: Shape) -> Result<(), FrameError> {
    let messages = match payload {
        Payload::None | Payload::Object { .. } if shape.form == Form::Binary => {
            return Err(FrameError::TextOnly);
        }
        Payload::None if shape.body_bytes.is_some() => return Err(FrameError::BodyForbidden),
        Payload::None => return Ok(()),
        Payload::Object { bytes_max } if shape.body_bytes > Some(bytes_max) => {
            return Err(FrameError::BodyTooLong);
        }
        Payload::Object { .. } => 0,
        // How many a cast holds only its body tells; in a binary frame it is one.
        Payload::Casts => 1,
        Payload::Messages(messages) => messages,
    };
    let body_bytes = match shape.body_bytes {
        None | Some(0) => return Err(FrameError::BodyMissing),
        Some(bytes) => bytes,
    };
    if shape.form == Form::Binary {
        if messages != 1 {
            return Err(FrameError::BinaryCount);
        }
        return match shape.envelope_bytes {
            None | Some(0) => Err(FrameError::EnvelopeLine),
            Some(_) => Ok(()),
        };
    }
    if messages > 1 && body_bytes > BATCH_BYTES_MAX {
        return Err(FrameError::BatchTooLong);
    }
    Ok(())
}

fn page_mark(field: &[u8]) -> Result<PageMark, FrameError> {
    match field {
        b"more" => Ok(PageMark::More),
        b"cut" => Ok(PageMark::Cut),
        b"end" => Ok(PageMark::End),
        _ => Err(FrameError::Arguments),
    }
}

/// What is left of a header line: nothing, or a space and what follows it; and what was wrong first. Whoever reads on
/// behind that gets something in place of each argument: a way out at every one would be 1.5 KB of WebAssembly.
struct Args<'a> {
    rest: &'a [u8],
    wrong: Option<FrameError>,
}

impl<'a> Args<'a> {
    fn hold<T>(&mut self, read: Result<T, FrameError>, otherwise: T) -> T {
        read.unwrap_or_else(|wrong| {
            self.wrong.get_or_insert(wrong);
            otherwise
        })
    }

    fn next(&mut self) -> &'a [u8] {
        let next = argument(&mut self.rest).ok_or(FrameError::Arguments);
        self.hold(next, &[])
    }

    fn number(&mut self) -> u64 {
        let field = self.next();
        self.hold(number(field), 0)
    }

    fn count(&mut self) -> u16 {
        let count = match self.number() {
            count if count <= BATCH_MESSAGES_MAX as u64 => Ok(count as u16),
            _ => Err(FrameError::TooManyMessages),
        };
        self.hold(count, 0)
    }

    fn flag(&mut self) -> bool {
        let flag = match self.next() {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(FrameError::Arguments),
        };
        self.hold(flag, false)
    }

    fn room(&mut self) -> Room<'a> {
        let field = self.next();
        self.hold(Room::new(field), Room::NONE)
    }

    fn code(&mut self) -> Code<'a> {
        let field = self.next();
        self.hold(Code::new(field), Code::NONE)
    }

    fn grant(&mut self) -> Option<Grant<'a>> {
        let grant = argument(&mut self.rest).map(Grant::new).transpose();
        self.hold(grant, None)
    }

    fn numbers(&mut self) -> Numbers<'a> {
        let numbers = Numbers::parse(core::mem::take(&mut self.rest));
        self.hold(numbers, Numbers::new(&[]))
    }

    fn refusals(&mut self) -> Refusals<'a> {
        let refusals = Refusals::parse(core::mem::take(&mut self.rest));
        self.hold(refusals, Refusals::new(&[]))
    }

    fn end(&self) -> Result<(), FrameError> {
        match self.wrong {
            Some(wrong) => Err(wrong),
            None if self.rest.is_empty() => Ok(()),
            None => Err(FrameError::Arguments),
        }
    }
}
