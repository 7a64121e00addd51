//! What a node writes, as it stands on its link.

use everwire_core::engine::Subject;
use everwire_core::frame::FromServer;
use everwire_core::session::node::{ANNOUNCED_ABOVE, NodeFrame, Transport};
use everwire_core::{Duration, Instant};

use super::check::Checked;
use super::packet::{Down, DownBody, Note, Packet};
use super::run::{Event, World};
use super::server::*;

impl World {
    // ---- writing ----

    pub(super) fn write_down(&mut self, link: usize, frame: NodeFrame<Note>, now: Instant) -> Checked {
        let identity = self.links[link].identity.clone();
        let epoch = self.facts.epoch();
        let mut given = None;
        if let (NodeFrame::Joined { room, from }, Some(identity)) = (&frame, &identity) {
            given = Some(grant(identity, room, *from, epoch));
        }
        let mut head = Vec::with_capacity(32);
        frame.head(given.as_ref(), &mut head);
        if head.last() == Some(&b'\n') {
            head.pop();
        }
        let octets = frame.message_octets();
        let binary = frame.is_binary();
        let packet = match frame {
            NodeFrame::Welcome(mut welcome) => {
                for place in &mut welcome.rooms {
                    place.grant = Some(grant(&welcome.identity, &place.subject, place.from, epoch));
                }
                self.links[link].identity = Some(welcome.identity.clone());
                let flaps = self.processes[usize::from(self.links[link].net.node)].flapping_until > now;
                let octets = 300 + 60 * welcome.rooms.len() as u64;
                self.send_down(link, Packet::with_body(head, octets, false, DownBody::Welcome(welcome)), now);
                if flaps {
                    self.flap(link, now)?;
                }
                self.welcomed(link, now);
                return Ok(());
            }
            NodeFrame::Push { messages, .. } | NodeFrame::Page { messages, .. } => {
                let elements =
                    messages.into_iter().map(|message| (message.subject, message.payload)).collect();
                Packet::with_body(head, octets, binary, DownBody::Elements(elements))
            }
            NodeFrame::Reply { payload, .. } => {
                let elements = [(Subject::from("_"), payload)].into();
                Packet::with_body(head, octets, binary, DownBody::Elements(elements))
            }
            NodeFrame::Cast(payloads) => {
                let elements = payloads.into_iter().map(|payload| (Subject::from("_"), payload)).collect();
                Packet::with_body(head, octets, binary, DownBody::Elements(elements))
            }
            NodeFrame::Auth { expires, renewed } => {
                Packet::with_body(head, 40, false, DownBody::Auth(expires, renewed))
            }
            NodeFrame::Goaway { .. } => Packet::with_body(head, 20, false, DownBody::Goaway),
            NodeFrame::Lost { epoch, loss } => {
                let octets = 60 + 20 * loss.subjects.len() as u64;
                Packet::with_body(head, octets, false, DownBody::Lost(epoch, loss))
            }
            NodeFrame::Ack(_)
            | NodeFrame::Advance { .. }
            | NodeFrame::Joined { .. }
            | NodeFrame::Denied { .. }
            | NodeFrame::PageRefused { .. }
            | NodeFrame::Ping { .. }
            | NodeFrame::Pong { .. } => Packet::bare(head, DownBody::None),
        };
        if packet.octets() > ANNOUNCED_ABOVE {
            let mut more = Vec::new();
            FromServer::More { bytes: packet.octets() }.write(&mut more);
            self.send_down(link, Packet::bare(more, DownBody::None), now);
        }
        self.send_down(link, packet, now);
        Ok(())
    }

    /// How many requests of this producer still run here for earlier links.
    pub(super) fn welcomed(&mut self, link: usize, now: Instant) {
        let Some(served) = &mut self.links[link].served else { return };
        let Some((producer, number)) = served.node.producer() else { return };
        let running = self.processes[usize::from(served.process)].origin.running_elsewhere(&producer, number);
        if running > 0 {
            served.node.handle_elsewhere(running, now);
        }
    }

    pub(super) fn send_down(&mut self, link: usize, packet: Down, now: Instant) {
        let octets = packet.octets();
        if let Some(served) = &mut self.links[link].served {
            served.written += octets;
        }
        self.note(now, || format!("link {link} ↓ {}", shown(&packet)));
        if let Some(at) = self.links[link].net.send_down(packet, octets, now) {
            self.schedule(at, Event::ArriveDown(link));
        }
    }

    /// What the transport still holds, where it is slow enough to matter.
    pub(super) fn tell_transport(&mut self, link: usize, now: Instant) -> Checked {
        let waiting = self.links[link].net.down.buffered(now);
        if waiting == 0 && !self.links[link].told_transport {
            return Ok(());
        }
        let Some(served) = &mut self.links[link].served else { return Ok(()) };
        let written = served.written.max(waiting);
        served.node.handle_transport(Transport { written, taken: written - waiting, waiting_other: 0 }, now);
        // Who has told once tells on.
        self.links[link].told_transport = true;
        if waiting > 0 {
            let at =
                self.links[link].net.down.drains_at().unwrap_or(now).max(now + Duration::from_millis(50));
            self.schedule(at, Event::Drained(link));
        }
        Ok(())
    }
}
