//! What must hold for any octets at all. The fuzz target of `fuzz/` runs this file, too.

use everwire_core::frame::{
    BATCH_MESSAGES_MAX, Body, End, Form, Frame, FrameError, FromClient, FromServer, MESSAGE_BYTES_DEFAULT,
    PAGE_MESSAGES_MAX, Payload, REFUSALS_MAX, Room, WAIT_MS_MAX, frame_bytes_max, split,
};

/// What became of a frame at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    Ignored,
    Failed(FrameError),
}

/// Octets to a form and a frame: the first says whether it is binary, so that a corpus is one file a frame.
pub fn form_and_frame(input: &[u8]) -> Option<(Form, &[u8])> {
    let (first, frame) = input.split_first()?;
    Some((if *first == b'b' { Form::Binary } else { Form::Text }, frame))
}

/// Reads a frame as both ends would. Panics on whatever must not be: what is accepted is written again octet for
/// octet, is bounded, and passes the checks of the writer. [FRM-1] [NUM-1] [SEC-12]
pub fn any_frame(form: Form, frame: &[u8]) -> [Fate; 2] {
    let most = frame_bytes_max(MESSAGE_BYTES_DEFAULT);
    let parts = match split(form, frame) {
        Ok(parts) => parts,
        Err(error) => return [failed(error, End::Node), failed(error, End::Client)],
    };
    assert_eq!(joined(&parts), frame, "the parts are the whole");
    let shape = parts.shape();
    let node = match FromClient::parse(parts.head, shape, most) {
        Ok(Some(read)) => {
            rooms(match read {
                FromClient::Join { room } | FromClient::Leave { room } | FromClient::Page { room, .. } => {
                    Some(room)
                }
                _ => None,
            });
            let mut written = Vec::new();
            read.write(&mut written);
            again(&parts, &written, read.payload(), read.check())
        }
        Ok(None) => Fate::Ignored,
        Err(error) => failed(error, End::Node),
    };
    let client = match FromServer::parse(parts.head, shape, most) {
        Ok(Some(read)) => {
            rooms(match read {
                FromServer::Joined { room, .. } | FromServer::Denied { room, .. } => Some(room),
                _ => None,
            });
            match read {
                FromServer::Ack { n, credit, refused } => {
                    assert!(refused.count() <= REFUSALS_MAX && n <= credit);
                    assert!(refused.iter().all(|(refused, _)| (1..=n).contains(&refused)));
                }
                FromServer::Push { after, upto, numbers } => {
                    assert!((1..=BATCH_MESSAGES_MAX).contains(&numbers.count()));
                    assert!(numbers.iter().all(|s| after < s && s <= upto));
                }
                FromServer::Page { numbers, .. } => assert!(numbers.count() <= PAGE_MESSAGES_MAX),
                FromServer::Goaway { leave_in, window } => {
                    assert!(leave_in.ms() <= WAIT_MS_MAX && window.ms() <= WAIT_MS_MAX);
                }
                _ => {}
            }
            let mut written = Vec::new();
            read.write(&mut written);
            again(&parts, &written, read.payload(), read.check())
        }
        Ok(None) => Fate::Ignored,
        Err(error) => failed(error, End::Client),
    };
    // An extension is one in both directions. [FRM-3]
    assert_eq!(node == Fate::Ignored, client == Fate::Ignored);
    [node, client]
}

fn joined(parts: &Frame<'_>) -> Vec<u8> {
    match parts.body {
        Body::None => parts.head.to_vec(),
        Body::Whole(body) => [parts.head, body].join(&b'\n'),
        Body::Binary { envelope, content } => [parts.head, envelope, content].join(&b'\n'),
    }
}

fn again(parts: &Frame<'_>, written: &[u8], payload: Payload, checked: Result<(), FrameError>) -> Fate {
    let mut line = parts.head.to_vec();
    if payload == Payload::None {
        assert_eq!(parts.body, Body::None);
    } else {
        assert_ne!(parts.body, Body::None);
        line.push(b'\n');
    }
    assert_eq!(written, line, "accepted, and written otherwise");
    assert_eq!(checked, Ok(()));
    Fate::Accepted
}

fn rooms(room: Option<Room<'_>>) {
    if let Some(room) = room {
        assert_eq!(Room::encode(&room.decode()).as_deref(), Some(room.as_str()));
    }
}

fn failed(error: FrameError, receiver: End) -> Fate {
    assert!(matches!(error.close_code(receiver), 4002 | 1009));
    Fate::Failed(error)
}
