//! What a node does with each frame of a client.

use super::action::NodeFrame;
use super::input::NodeBody;
use super::machine::Node;
use super::phase::{NodeEvent, NodePhase};
use super::timer::NodeTimer;
use crate::engine::Subject;
use crate::frame::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, Form, FromClient, Room, Shape, frame_bytes_max};
use crate::session::down::{Content, Violation};
use crate::time::Instant;

impl<P: Content> Node<P> {
    pub(super) fn frame(
        &mut self,
        frame: Option<FromClient<'_>>,
        octets: u64,
        shape: Shape,
        body: NodeBody<P>,
        now: Instant,
    ) {
        // Whatever it is, it must be the one that was announced. [LIVE-13] [ERR-25]
        if self.announced.take().is_some_and(|most| octets > most || octets <= super::ANNOUNCED_ABOVE) {
            return self.broken("LIVE-14");
        }
        match (self.phase, frame) {
            (NodePhase::Fresh, Some(FromClient::Hello)) => self.first(body, now),
            (NodePhase::Fresh, _) => self.broken("ERR-9"),
            (NodePhase::Claiming, Some(FromClient::Bye { .. })) => self.bye_at_once(),
            (NodePhase::Claiming, _) => self.broken("HELLO-2"),
            (NodePhase::Open | NodePhase::Draining, Some(frame)) => self.carry_out(frame, shape, body, now),
            // An extension, or a frame that comes too late to matter.
            _ => {}
        }
    }

    fn first(&mut self, body: NodeBody<P>, now: Instant) {
        match body {
            NodeBody::OtherVersion => self.close(4500, "ERR-10", true),
            NodeBody::Hello(hello) => self.greet(hello, now),
            _ => self.broken("ERR-6"),
        }
    }

    fn carry_out(&mut self, frame: FromClient<'_>, shape: Shape, body: NodeBody<P>, now: Instant) {
        if let Some(until) = costs(&frame).then(|| self.pace.take(now)).flatten() {
            self.timers.set(NodeTimer::Pace, until);
        }
        match frame {
            FromClient::Hello => self.broken("ERR-9"),
            FromClient::Send { n, count, oldest } => match body {
                NodeBody::Elements(elements) if elements.len() == usize::from(count) => {
                    self.send(n, oldest, elements, now);
                }
                NodeBody::Elements(_) => self.broken("FRM-5"),
                _ => self.broken("ERR-6"),
            },
            FromClient::Cast => match body {
                NodeBody::Elements(elements) => {
                    let text = shape.form == Form::Text;
                    let several = elements.len() > 1;
                    if elements.is_empty() || (several && !text) {
                        self.broken("FRM-5");
                    } else if elements.len() > BATCH_MESSAGES_MAX {
                        self.broken("LIM-5");
                    } else if several && shape.body_bytes > Some(BATCH_BYTES_MAX) {
                        self.broken("LIM-4");
                    } else {
                        self.cast(elements, now);
                    }
                }
                _ => self.broken("ERR-6"),
            },
            FromClient::Auth => match body {
                NodeBody::Token(token) => self.renew(token, now),
                _ => self.broken("ERR-6"),
            },
            FromClient::Seen { s, count, bytes } => {
                self.held(|feed| feed.handle_seen(s, count, bytes), "CRED-16");
                if self.link.as_ref().is_some_and(|link| link.feed.outstanding().messages == 0) {
                    self.vital.caught_up();
                }
            }
            FromClient::Join { room } => self.join(room, now),
            FromClient::Leave { room } => self.leave(room),
            FromClient::Page { id, room, before, count } => self.page(id, room, before, count, now),
            FromClient::Ping { x } => {
                if let Some(x) = self.flow.pong(x) {
                    self.write(NodeFrame::Pong { x });
                }
            }
            FromClient::Pong { x } => self.vital.pong(x),
            FromClient::More { bytes } => self.more(bytes),
            FromClient::Vis { visible } => self.set_visible(visible),
            FromClient::Bye { s } => {
                self.held(|feed| feed.handle_bye(s), "CRED-16");
                if self.serves() {
                    self.finish(NodeEvent::Bye, 1000, now);
                }
            }
        }
    }

    /// Something that the downward half may not allow.
    pub(super) fn held(
        &mut self,
        hold: impl FnOnce(&mut crate::session::down::Feed) -> Result<(), Violation>,
        clause: &'static str,
    ) {
        if self.link.as_mut().is_some_and(|link| hold(&mut link.feed).is_err()) {
            self.broken(clause);
        }
    }

    /// [LIVE-14]
    fn more(&mut self, bytes: u64) {
        if bytes <= super::ANNOUNCED_ABOVE {
            return self.broken("LIVE-14");
        }
        let most = self.link.as_ref().map_or(0, |link| frame_bytes_max(link.limit.into()));
        self.announced = Some(bytes);
        self.vital.announced(bytes.min(most));
    }

    /// Of what is no subject nothing is in the filter. [ROOM-15]
    fn leave(&mut self, room: Room<'_>) {
        if let (Some(link), Some(room)) = (self.link.as_mut(), room.subject()) {
            link.feed.handle_leave(&Subject::from(&*room));
        }
    }
}

/// What costs its sender nothing is counted. [NODE-9]
fn costs(frame: &FromClient<'_>) -> bool {
    match frame {
        FromClient::Send { count, .. } => *count == 0,
        FromClient::Hello | FromClient::Seen { .. } | FromClient::Pong { .. } | FromClient::More { .. } => {
            false
        }
        FromClient::Join { .. }
        | FromClient::Leave { .. }
        | FromClient::Page { .. }
        | FromClient::Cast
        | FromClient::Ping { .. }
        | FromClient::Auth
        | FromClient::Vis { .. }
        | FromClient::Bye { .. } => true,
    }
}
