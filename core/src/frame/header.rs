//! The verbs of each direction with their arguments, and what a single frame can be checked for.

use super::error::FrameError;
use super::field::{Code, Grant, Numbers, PageMark, Refusals, Room, Wait, Window};
use super::{
    BATCH_MESSAGES_MAX, HELLO_BYTES_MAX, LOST_BYTES_MAX, NUMBER_MAX, OBJECT_BYTES_MAX, PAGE_MESSAGES_MAX,
    REFUSALS_MAX, WELCOME_BYTES_MAX,
};

/// What a header line promises to follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    None,
    /// One JSON object.
    Object {
        /// Its octets at most.
        bytes_max: u64,
    },
    /// A JSON array with exactly so many messages. [FRM-5]
    Messages(usize),
    /// A JSON array with 1 to [`BATCH_MESSAGES_MAX`] messages. [FRM-5]
    Casts,
}

/// A frame from the client to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromClient<'a> {
    /// `hello`: the first frame of every link.
    Hello,
    /// `send n count oldest`: the messages n … n + count − 1.
    Send {
        /// The first message's number; without messages, the number that comes next.
        n: u64,
        /// How many messages follow; 0 is the release. [SEND-13]
        count: u16,
        /// Everything below it has exited at the client.
        oldest: u64,
    },
    /// `seen s count bytes`: what the application's handlers have done with.
    Seen {
        /// Everything up to here has been processed.
        s: u64,
        /// Messages pushed on this link and processed.
        count: u64,
        /// Octets pushed on this link and processed.
        bytes: u64,
    },
    /// `join room`.
    Join {
        /// The room.
        room: Room<'a>,
    },
    /// `leave room`.
    Leave {
        /// The room.
        room: Room<'a>,
    },
    /// `page id room before count`: a question for history.
    Page {
        /// The answer's name on this link.
        id: u64,
        /// The room.
        room: Room<'a>,
        /// The newest below it are asked for.
        before: u64,
        /// How many, 1 to [`PAGE_MESSAGES_MAX`].
        count: u16,
    },
    /// `cast`: messages that nobody keeps.
    Cast,
    /// `ping x`.
    Ping {
        /// Comes back in the `pong`.
        x: u64,
    },
    /// `pong x`.
    Pong {
        /// Of the `ping`.
        x: u64,
    },
    /// `more bytes`: the next frame is a long one.
    More {
        /// That frame's octets.
        bytes: u64,
    },
    /// `auth`: a renewed token.
    Auth,
    /// `vis 0` or `vis 1`.
    Vis {
        /// Whether the page is being looked at.
        visible: bool,
    },
    /// `bye s`: the last word.
    Bye {
        /// As in `seen`.
        s: u64,
    },
}

/// A frame from the server to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// `welcome`: the proof of use.
    Welcome,
    /// `ack n credit [r1:code …]`.
    Ack {
        /// Everything up to here is settled.
        n: u64,
        /// The highest number that may be written on this link.
        credit: u64,
        /// What of it was refused, 256 at most.
        refused: Refusals<'a>,
    },
    /// `push after upto s1 s2 …`: all there is for this client in (after, upto].
    Push {
        /// Where the interval begins, itself not in it.
        after: u64,
        /// Where it ends, itself in it.
        upto: u64,
        /// The messages' numbers, 1 to [`BATCH_MESSAGES_MAX`].
        numbers: Numbers<'a>,
    },
    /// `advance after upto`: a push of nothing.
    Advance {
        /// Where the interval begins, itself not in it.
        after: u64,
        /// Where it ends, itself in it.
        upto: u64,
    },
    /// `joined room from [grant]`.
    Joined {
        /// The room.
        room: Room<'a>,
        /// Messages above it are pushed.
        from: u64,
        /// What lets a later `hello` claim this `from`.
        grant: Option<Grant<'a>>,
    },
    /// `denied room code`.
    Denied {
        /// The room.
        room: Room<'a>,
        /// Why.
        code: Code<'a>,
    },
    /// `page id more|cut|end s1 s2 …`: an answer, or a part of one.
    Page {
        /// The name that the question gave.
        id: u64,
        /// What follows this frame.
        mark: PageMark,
        /// The messages' numbers, [`PAGE_MESSAGES_MAX`] at most.
        numbers: Numbers<'a>,
    },
    /// `page id !code`: no answer.
    PageRefused {
        /// The name that the question gave.
        id: u64,
        /// Why.
        code: Code<'a>,
    },
    /// `reply n`: the answer to request n.
    Reply {
        /// The request's number.
        n: u64,
    },
    /// `cast`: messages that nobody keeps.
    Cast,
    /// `ping x`.
    Ping {
        /// Comes back in the `pong`.
        x: u64,
    },
    /// `pong x`.
    Pong {
        /// Of the `ping`.
        x: u64,
    },
    /// `more bytes`: the next frame is a long one.
    More {
        /// That frame's octets.
        bytes: u64,
    },
    /// `auth`: when the credential must have been renewed.
    Auth,
    /// `goaway in window`.
    Goaway {
        /// The link is served so much longer.
        leave_in: Wait,
        /// The dials are to be spread over so much time.
        window: Window,
    },
    /// `lost`: what is gone.
    Lost,
}

impl FromClient<'_> {
    /// What follows the header line.
    pub fn payload(&self) -> Payload {
        match self {
            Self::Hello => Payload::Object { bytes_max: HELLO_BYTES_MAX },
            Self::Auth => Payload::Object { bytes_max: OBJECT_BYTES_MAX },
            Self::Send { count, .. } => Payload::Messages(usize::from(*count)),
            Self::Cast => Payload::Casts,
            _ => Payload::None,
        }
    }

    /// Whether the numbers stand in the ranges and the order that the frame alone shows.
    pub fn check(&self) -> Result<(), FrameError> {
        match *self {
            Self::Send { n, count, oldest } => {
                if n == 0 || oldest == 0 {
                    Err(FrameError::NumberZero)
                } else if usize::from(count) > BATCH_MESSAGES_MAX {
                    Err(FrameError::TooManyMessages)
                } else if n > NUMBER_MAX - u64::from(count) {
                    Err(FrameError::NumberOverflow)
                } else if oldest > n {
                    Err(FrameError::OldestAboveNumber)
                } else {
                    Ok(())
                }
            }
            Self::Page { count, .. } if !(1..=PAGE_MESSAGES_MAX).contains(&usize::from(count)) => {
                Err(FrameError::PageCount)
            }
            _ => Ok(()),
        }
    }
}

impl FromServer<'_> {
    /// What follows the header line.
    pub fn payload(&self) -> Payload {
        match self {
            Self::Welcome => Payload::Object { bytes_max: WELCOME_BYTES_MAX },
            Self::Auth | Self::Goaway { .. } => Payload::Object { bytes_max: OBJECT_BYTES_MAX },
            Self::Lost => Payload::Object { bytes_max: LOST_BYTES_MAX },
            Self::Push { numbers, .. } | Self::Page { numbers, .. } => Payload::Messages(numbers.count()),
            Self::Reply { .. } => Payload::Messages(1),
            Self::Cast => Payload::Casts,
            _ => Payload::None,
        }
    }

    /// Whether the numbers stand in the ranges and the order that the frame alone shows.
    pub fn check(&self) -> Result<(), FrameError> {
        match *self {
            Self::Ack { n, credit, refused } => {
                if credit < n {
                    Err(FrameError::CreditBelowNumber)
                } else if refused.count() > REFUSALS_MAX {
                    Err(FrameError::TooManyRefusals)
                } else if !ascending(n, refused.iter().map(|(refused, _)| refused)) {
                    Err(FrameError::RefusalOrder)
                } else {
                    Ok(())
                }
            }
            Self::Push { after, upto, numbers } => match numbers.count() {
                0 => Err(FrameError::Arguments),
                1..=BATCH_MESSAGES_MAX if numbers.rise_within(after, upto) => Ok(()),
                1..=BATCH_MESSAGES_MAX => Err(FrameError::PushOrder),
                _ => Err(FrameError::TooManyMessages),
            },
            Self::Advance { after, upto } if after > upto => Err(FrameError::PushOrder),
            Self::Page { mark, numbers, .. } => match numbers.count() {
                0 if mark != PageMark::End => Err(FrameError::PageEmpty),
                0..=PAGE_MESSAGES_MAX if numbers.rise_within(0, NUMBER_MAX) => Ok(()),
                0..=PAGE_MESSAGES_MAX => Err(FrameError::PageOrder),
                _ => Err(FrameError::TooManyMessages),
            },
            _ => Ok(()),
        }
    }
}

/// Whether these rise from above 0 to no more than this.
fn ascending(upto: u64, mut numbers: impl Iterator<Item = u64>) -> bool {
    let mut last = 0;
    let rising = numbers.all(|number| {
        let rises = number > last;
        last = number;
        rises
    });
    rising && last <= upto
}
