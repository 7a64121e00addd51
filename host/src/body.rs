//! Octets to what the machine takes, and back.

use everwire_bodies::{
    BodyError, Goaway, Judged, Lost, Renewal, envelope_line, read_hello, read_token, split, write_goaway,
    write_lost, write_renewal, write_welcome,
};
use everwire_core::engine::Subject;
use everwire_core::frame::{Body, Frame, FromClient, Payload as Promised};
use everwire_core::session::Secret;
use everwire_core::session::node::{Element, ElementKind, NodeBody, NodeFrame};

use crate::payload::Payload;

/// What stands behind the header line of a frame. `identity` is the one in force, which `sender` is stamped with; without
/// one there is no `welcome`, and messages are not looked at.
pub(crate) fn read(frame: &Frame<'_>, identity: Option<&Subject>) -> NodeBody<Payload> {
    let Ok(Some(header)) = FromClient::parse(frame.head, frame.shape(), u64::MAX) else {
        return NodeBody::None;
    };
    let found = match (header, frame.body, identity) {
        (_, Body::None, _) => return NodeBody::None,
        (FromClient::Hello, Body::Whole(body), _) => match read_hello(body) {
            Ok(hello) => Ok(NodeBody::Hello(Box::new(hello))),
            Err(BodyError::Version) => Ok(NodeBody::OtherVersion),
            Err(error) => Err(error),
        },
        (FromClient::Auth, Body::Whole(body), _) => read_token(body).map(NodeBody::Token),
        (FromClient::Send { .. } | FromClient::Cast, body, Some(identity)) => {
            elements(body, header.payload(), identity).map(NodeBody::Elements)
        }
        _ => return NodeBody::None,
    };
    found.unwrap_or(NodeBody::Unreadable)
}

fn elements(
    body: Body<'_>,
    promised: Promised,
    identity: &Subject,
) -> Result<Vec<Element<Payload>>, BodyError> {
    match body {
        Body::Binary { envelope, content } => {
            let element = envelope_line(envelope, content.len() as u64)?;
            let payload = |envelope: &str| Payload::binary(envelope, content);
            Ok(vec![Judge::of(identity).judged(&element, payload)])
        }
        Body::Whole(body) => {
            let elements = split(body, promised)?;
            let mut judge = Judge::of(identity);
            Ok(elements.iter().map(|element| judge.judged(element, Payload::text)).collect())
        }
        Body::None => Err(BodyError::NotJson),
    }
}

/// Judges the elements of one body, which mostly go to the same place.
struct Judge<'a> {
    identity: &'a Subject,
    /// The message before, whose memory the next one takes.
    stamped: String,
    /// The last receiver.
    receiver: Option<Subject>,
}

impl<'a> Judge<'a> {
    fn of(identity: &'a Subject) -> Self {
        Self { identity, stamped: String::new(), receiver: None }
    }

    fn judged(
        &mut self,
        element: &everwire_bodies::Element<'_>,
        payload: impl FnOnce(&str) -> Payload,
    ) -> Element<Payload> {
        let kind = match element.judge() {
            Judged::Withdrawn => ElementKind::Withdrawn,
            Judged::Malformed(_) => ElementKind::Malformed,
            Judged::Message(envelope) => {
                self.stamped.clear();
                match envelope.stamp_into(self.identity, None, &mut self.stamped) {
                    Some(()) => ElementKind::Message {
                        receiver: envelope.receiver.as_deref().map(|receiver| self.receiver(receiver)),
                        request: envelope.is_request,
                        payload: payload(&self.stamped),
                    },
                    None => ElementKind::Malformed,
                }
            }
        };
        Element { bytes: element.octets(), kind }
    }

    /// This receiver, shared with the message before if it is the same.
    fn receiver(&mut self, receiver: &str) -> Subject {
        match &self.receiver {
            Some(last) if last.as_str() == receiver => last.clone(),
            _ => self.receiver.insert(receiver.into()).clone(),
        }
    }
}

/// A message that the application's hook has named a subject for: that stands in it as `receiver`. [SEND-20]
pub(crate) fn addressed(payload: &Payload, sender: &Subject, receiver: &Subject) -> Option<Payload> {
    let element = payload.element().ok()?;
    let Judged::Message(envelope) = element.judge() else { return None };
    let stamped = envelope.stamp(sender, Some(receiver))?;
    Some(match payload.content() {
        Some(content) => Payload::binary(&stamped, content),
        None => Payload::text(&stamped),
    })
}

/// A frame as it stands on the wire. `grant` is that of a `joined`.
pub(crate) fn write(frame: NodeFrame<Payload>, grant: Option<&Secret>) -> Vec<u8> {
    let capacity = usize::try_from(frame.message_octets()).unwrap_or(0);
    let mut out = Vec::with_capacity(64 + capacity);
    frame.head(grant, &mut out);
    if let (true, Some(payload)) = (frame.is_binary(), frame.payloads().next()) {
        out.extend_from_slice(payload.octets());
        return out;
    }
    match frame {
        NodeFrame::Welcome(welcome) => write_welcome(&welcome, &mut out),
        NodeFrame::Goaway { reason, url, .. } => {
            // Without a `url` everything fits.
            let goaway = Goaway { reason, url };
            if write_goaway(&goaway, &mut out).is_err() {
                let _ = write_goaway(&Goaway { url: None, ..goaway }, &mut out);
            }
        }
        NodeFrame::Auth { expires, renewed } => write_renewal(Renewal { expires, renewed }, &mut out),
        NodeFrame::Lost { epoch, loss } => write_lost(&Lost { epoch, loss }, &mut out),
        frame if frame.has_messages() => {
            // They are JSON, each was looked at when it came.
            out.push(b'[');
            for (at, payload) in frame.payloads().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(payload.octets());
            }
            out.push(b']');
        }
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [REF-6] Elements of one body share memory and nothing else.
    #[test]
    fn every_element_goes_where_it_says() {
        let messages = [
            (r#"{"type":"a","receiver":"r"}"#, Some("r")),
            (r#"{"type":"b","receiver":"r","sender":5}"#, Some("r")),
            (r#"{"type":"c"}"#, None),
            (r#"{"type":"d","receiver":"r2"}"#, Some("r2")),
            (r#"{"type":"e","receiver":"r"}"#, Some("r")),
        ];
        let body = format!("[{}]", messages.map(|(json, _)| json).join(","));
        let elements = elements(Body::Whole(body.as_bytes()), Promised::Messages(5), &"me".into()).unwrap();
        for (element, (json, expected)) in elements.into_iter().zip(messages) {
            let ElementKind::Message { receiver, payload, .. } = element.kind else { panic!("{json}") };
            assert_eq!(receiver.as_ref().map(Subject::as_str), expected, "{json}");
            let alone = everwire_bodies::element(json.as_bytes()).unwrap();
            let Judged::Message(envelope) = alone.judge() else { panic!("{json}") };
            assert_eq!(payload, Payload::text(&envelope.stamp(&"me".into(), None).unwrap()), "{json}");
        }
    }
}
