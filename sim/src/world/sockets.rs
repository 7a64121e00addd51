//! A client and its sockets: dials, what is written, and what arrives.

use std::rc::Rc;

use everwire_core::engine::LogEpoch;
use everwire_core::session::Secret;
use everwire_core::session::client::{Body, Outbound};
use everwire_core::session::down::Element;
use everwire_core::{Closed, Instant, frame::Form};

use super::check::{Checked, Place, Violation, broken};
use super::host::*;
use super::packet::{DownBody, Kind, Note, Packet, Sent, UpBody, body_octets};
use super::plan::Draws;
use super::run::{Event, World};

impl World {
    // ---- links ----

    pub(super) fn dial(&mut self, client: u8, number: u64, now: Instant) -> Checked {
        let at = usize::from(client);
        if let Some(socket) = self.hosts[at].socket {
            return broken!("two links", "client {client} dials {number} and still holds {}", socket.number);
        }
        self.hosts[at].socket = Some(Socket { number, link: None });
        self.hosts[at].dials += 1;
        self.counts.dials += 1;
        let token = self.fresh_token(client);
        let changed = token != std::mem::replace(&mut self.hosts[at].token, token);
        let draws = self.hosts[at].draws;
        self.hosts[at].draws += 3;
        let fresh = [1, 2, 3].map(|draw| drawn(self.plan.seed, client, draws + draw));
        self.hosts[at].client.handle_dialled(number, changed, fresh, now);
        let latency = self.plan.latency;
        if self.hosts[at].unreachable_until > now {
            // Nobody ever answers.
            return Ok(());
        }
        let node = self.random.below(self.plan.nodes.into()) as u8;
        if self.processes[usize::from(node)].down_until > now {
            self.schedule(now + latency, Event::Refused(client, number));
        } else {
            self.schedule(now + latency + latency, Event::Open(client, number, node));
        }
        Ok(())
    }

    /// A token function may keep what it has for a while.
    pub(super) fn fresh_token(&mut self, client: u8) -> u32 {
        let at = usize::from(client);
        let good = self.tokens[at];
        if self.hosts[at].token < good && self.random.chance(60) { self.hosts[at].token } else { good }
    }

    pub(super) fn write_up(&mut self, client: u8, link: usize, frame: Outbound, now: Instant) {
        let at = usize::from(client);
        let mut head = Vec::with_capacity(24);
        frame.head(&mut head);
        if head.last() == Some(&b'\n') {
            head.pop();
        }
        let packet = match frame {
            Outbound::Hello(mut hello) => {
                hello.token = Some(Secret::from(format!("{client}.{}", self.hosts[at].token).as_str()));
                let octets = 400 + 60 * hello.rooms.len() as u64;
                Packet::with_body(head, octets, false, UpBody::Hello(hello))
            }
            Outbound::Send(written) => {
                let binary = written.form == Form::Binary;
                let octets = body_octets(written.messages.iter().map(|numbered| numbered.bytes()), binary);
                let elements = written.messages.iter().map(|numbered| {
                    let id = numbered.message.ticket.0;
                    let handed = self.hosts[at].handed.get(&id);
                    let to = handed.map_or(Place::Server, |handed| handed.to);
                    let note = handed.map_or(
                        Note { id, octets: numbered.message.bytes, binary, kind: Kind::Message },
                        |handed| handed.note,
                    );
                    Sent {
                        note,
                        receiver: self.names.subject(to),
                        request: handed.is_some_and(|handed| handed.request),
                        withdrawn: numbered.withdrawn,
                    }
                });
                let elements = elements.collect();
                Packet::with_body(head, octets, binary, UpBody::Elements(elements))
            }
            Outbound::Cast(cast) => {
                let note =
                    Note { id: cast.ticket.0, octets: cast.bytes - 2, binary: false, kind: Kind::Cast };
                let receiver = self.casting.clone();
                let sent = Sent { note, receiver, request: false, withdrawn: false };
                Packet::with_body(head, cast.bytes.into(), false, UpBody::Elements(vec![sent]))
            }
            Outbound::Auth => {
                let token = Secret::from(format!("{client}.{}", self.hosts[at].token).as_str());
                Packet::with_body(head, 40, false, UpBody::Token(token))
            }
            _ => Packet::bare(head, UpBody::None),
        };
        self.note(now, || format!("link {link} ↑ {}", super::server::shown(&packet)));
        let octets = packet.octets();
        if let Some(arrives) = self.links[link].net.send_up(packet, octets, now) {
            self.schedule(arrives, Event::ArriveUp(link));
        }
        // The machine has counted it; what the socket still holds it hears before its next input.
        self.hosts[at].buffered = u64::MAX;
    }

    /// What the socket still holds, where the link is slow enough to matter.
    pub(super) fn tell_buffered(&mut self, client: u8, now: Instant) {
        let at = usize::from(client);
        let Some(link) = self.hosts[at].socket.and_then(|socket| socket.link) else { return };
        let buffered = self.links[link].net.up.buffered(now);
        if buffered == self.hosts[at].buffered {
            return;
        }
        self.hosts[at].buffered = buffered;
        self.hosts[at].client.handle_buffered(buffered, now);
    }

    /// A frame has arrived at the client.
    pub(super) fn arrive_down(&mut self, link: usize, now: Instant) -> Checked {
        let Some(packet) = self.links[link].net.down.pop() else { return Ok(()) };
        let client = self.links[link].net.client;
        let at = usize::from(client);
        let number = self.links[link].net.number;
        let current = self.hosts.get(at).is_some_and(|host| {
            host.socket.is_some_and(|socket| socket.link == Some(link) && socket.number == number)
        });
        // Events of a replaced socket still arrive; the machine must ignore them, so some get through.
        if !current && (at >= self.hosts.len() || self.random.chance(200)) {
            return Ok(());
        }
        self.tell_buffered(client, now);
        match packet {
            Packet::Frame { head, shape, body } => {
                self.pong_in_hand = current && head.starts_with(b"pong");
                self.client_reads(client, number, &head, shape, body, now);
            }
            Packet::Close { code, reason } => {
                if current {
                    self.peace_broken += u32::from(
                        (4001..4400).contains(&code) && self.is_healthy(link) && !self.hosts[at].closed,
                    );
                    self.hosts[at].socket = None;
                    self.hosts[at].buffered = 0;
                }
                self.hosts[at].client.handle_link_closed(number, Closed { code, clean: true }, &reason, now);
            }
            Packet::Broken => {
                if current {
                    self.hosts[at].socket = None;
                    self.hosts[at].buffered = 0;
                }
                self.hosts[at].client.handle_link_closed(number, Closed::NONE, "", now);
            }
        }
        let drained = self.drain_client(client, now);
        self.pong_in_hand = false;
        drained
    }

    pub(super) fn client_reads(
        &mut self,
        client: u8,
        number: u64,
        head: &[u8],
        shape: everwire_core::frame::Shape,
        body: DownBody,
        now: Instant,
    ) {
        let host = &mut self.hosts[usize::from(client)];
        let machine = &mut host.client;
        match &body {
            DownBody::None => machine.handle_frame(number, head, shape, Body::None, now),
            DownBody::Welcome(welcome) => {
                machine.handle_frame(number, head, shape, Body::Welcome(welcome), now)
            }
            DownBody::Lost(epoch, loss) => {
                machine.handle_frame(number, head, shape, Body::Lost { epoch, loss }, now);
            }
            DownBody::Goaway => {
                machine.handle_frame(number, head, shape, Body::Goaway { redirect: false }, now)
            }
            DownBody::Auth(expires, renewed) => {
                let body = Body::Auth { expires: *expires, renewed: *renewed };
                machine.handle_frame(number, head, shape, body, now);
            }
            DownBody::Unreadable => machine.handle_frame(number, head, shape, Body::Unreadable, now),
            DownBody::Elements(elements) => {
                self.in_hand = Some(Rc::clone(elements));
                let found: Vec<Element> =
                    elements.iter().map(|(subject, _)| Element::Message(subject.clone())).collect();
                machine.handle_frame(number, head, shape, Body::Elements(&found), now);
            }
        }
    }

    pub(super) fn epoch_number(&self, epoch: &LogEpoch) -> u32 {
        epoch.as_str().trim_start_matches('e').parse().unwrap_or(u32::MAX)
    }

    /// Whether this client's record is of a log that is gone.
    pub(super) fn epoch_differs(&self, client: u8) -> bool {
        let record = &self.hosts[usize::from(client)].record;
        record.down.epoch.as_ref().is_some_and(|epoch| self.epoch_number(epoch) != self.facts.epoch())
    }
}
