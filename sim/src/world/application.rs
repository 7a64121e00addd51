//! What an application does with its wire, and what its handlers do.

use everwire_core::session::client::{Cast, PageAsk, PageId};
use everwire_core::session::down::Delivery;
use everwire_core::session::up::Outgoing;
use everwire_core::{Duration, Instant, Ticket, frame::Form};

use super::check::{Checked, Place};
use super::host::*;
use super::packet::{Kind, Note};
use super::plan::{Act, Draws, Style};
use super::run::{Event, World};
use everwire_core::Random;

impl World {
    // ---- the application ----

    pub(super) fn act(&mut self, client: u8, act: Act, salt: u64, now: Instant) -> Checked {
        let at = usize::from(client);
        if self.hosts[at].closed {
            return Ok(());
        }
        self.tell_buffered(client, now);
        match act {
            Act::Send { to, count, octets, binary, style } => {
                for _ in 0..count {
                    self.hand_over(client, to, octets, binary, style, None, now)?;
                }
            }
            Act::Abort => {
                let newest = self.hosts[at].handed.iter().rev().find(|(_, handed)| !handed.settled);
                if let Some((id, _)) = newest {
                    let ticket = Ticket(*id);
                    self.hosts[at].record.aborted(ticket);
                    self.hosts[at].client.handle_abort(ticket, now);
                }
            }
            Act::Join(room) => self.wish(client, room, now),
            Act::Leave(room) => self.unwish(client, room, now),
            Act::Page { room, count } => self.ask_page(client, room, count, now),
            Act::Cast(room) => {
                if let Some(subject) = self.names.subject(Place::Room(room)) {
                    let ticket = Ticket(u32::MAX - (salt as u32 & 0xffff));
                    self.casting = Some(subject);
                    self.hosts[at].client.cast(Cast { ticket, bytes: 60, form: Form::Text }, now);
                }
            }
            Act::Close => {
                self.hosts[at].closed = true;
                self.facts.closed(client);
                let drain = Duration::from_secs(5);
                self.hosts[at].record.closing(now + drain);
                self.hosts[at].client.handle_close(drain, now);
            }
            Act::Reconnect => self.hosts[at].client.handle_reconnect(now),
            Act::Visible(visible) => self.hosts[at].client.handle_visible(visible, now),
            Act::PutAway(away) => {
                self.hosts[at].suspended = true;
                self.hosts[at].client.handle_suspend(now);
                self.schedule(now + away, Event::Resume(client));
            }
            Act::Offline(gone) => {
                self.hosts[at].offline = true;
                self.hosts[at].client.handle_offline(now);
                self.schedule(now + gone, Event::Online(client));
            }
        }
        self.drain_client(client, now)
    }

    pub(super) fn wish(&mut self, client: u8, room: u8, now: Instant) {
        let Some(subject) = self.names.subject(Place::Room(room)) else { return };
        let host = &mut self.hosts[usize::from(client)];
        if host.client.admits_room(&subject).is_err() {
            return;
        }
        self.facts.wished(client, Place::Room(room));
        host.record.wished(subject.clone());
        host.client.handle_join(subject, now);
    }

    pub(super) fn unwish(&mut self, client: u8, room: u8, now: Instant) {
        let Some(subject) = self.names.subject(Place::Room(room)) else { return };
        self.facts.left(client, Place::Room(room));
        let host = &mut self.hosts[usize::from(client)];
        host.record.left(&subject);
        host.client.handle_leave(&subject, now);
    }

    pub(super) fn ask_page(&mut self, client: u8, room: u8, count: u16, now: Instant) {
        let Some(subject) = self.names.subject(Place::Room(room)) else { return };
        let host = &mut self.hosts[usize::from(client)];
        let page = PageId(host.next_page);
        host.next_page += 1;
        let ask = PageAsk { page, subject, before: None, count };
        if host.client.page(ask, now).is_ok() {
            host.pages.insert(page);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one call of an application has as many choices")]
    pub(super) fn hand_over(
        &mut self,
        client: u8,
        to: Place,
        octets: u32,
        binary: bool,
        style: Style,
        for_handler: Option<Delivery>,
        now: Instant,
    ) -> Checked {
        let at = usize::from(client);
        let to = if style.request { Place::Server } else { to };
        let id = self.facts.submitted(client, to, (style.priority, style.key), style.request);
        let form = if binary { Form::Binary } else { Form::Text };
        let outgoing = Outgoing {
            priority: style.priority,
            key: style.key,
            expires: style.ttl.map(|ttl| now + ttl),
            answer_by: style.request.then(|| now + Duration::from_secs(30)),
            ..Outgoing::new(Ticket(id), octets, form)
        };
        let note = Note { id, octets, binary, kind: Kind::Message };
        let host = &mut self.hosts[at];
        if let Err(refusal) = host.client.admits(&outgoing) {
            self.facts.rejected(id);
            self.counts.told("rejected");
            self.note(now, || format!("client {client} hands over {id}: {refusal:?}"));
            return self.handler_heard(client, for_handler, now);
        }
        let peaceful = now.since(self.plan.healed) > Duration::from_secs(15);
        let asked_on = self.hosts[at].socket.and_then(|socket| socket.link).filter(|_| peaceful);
        let request = style.request;
        let handed = Handed { note, to, request, for_handler, settled: false, replied: false, asked_on };
        let host = &mut self.hosts[at];
        host.handed.insert(id, handed);
        host.record.submitted(outgoing);
        host.client.submit(outgoing, now);
        self.note(now, || format!("client {client} hands over {id} for {to:?}"));
        self.drain_client(client, now)
    }

    // ---- handlers ----

    pub(super) fn run_handler(&mut self, client: u8, delivery: Delivery, now: Instant) -> Checked {
        let at = usize::from(client);
        let Some(note) = self.hosts[at].running.get(&delivery).copied() else { return Ok(()) };
        let handlers = self.plan.handlers;
        let mut random = Random::new(self.plan.seed ^ u64::from(note.id) << 8 ^ u64::from(client));
        let plain = Style { ttl: None, key: None, priority: 0, request: false };
        let spare = self.hosts[at].spare > 0 && !self.hosts[at].closed;
        if spare && random.chance(handlers.asking) {
            self.hosts[at].spare -= 1;
            let style = Style { request: true, ..plain };
            return self.hand_over(client, Place::Server, 80, false, style, Some(delivery), now);
        }
        if spare && random.chance(handlers.sending) {
            self.hosts[at].spare -= 1;
            let room = random.below(self.plan.rooms.into()) as u8;
            self.hand_over(client, Place::Room(room), 90, false, plain, None, now)?;
        }
        if spare && random.chance(handlers.moving) {
            let room = random.below(self.plan.rooms.into()) as u8;
            if random.chance(128) { self.wish(client, room, now) } else { self.unwish(client, room, now) }
        }
        let ends = if now >= self.plan.healed {
            now
        } else if random.chance(handlers.stuck) {
            self.plan.healed + random.millis(0, 3_000)
        } else if random.chance(handlers.slow) {
            now + random.millis(1, 5_000)
        } else {
            now
        };
        if ends > now {
            self.schedule(ends, Event::HandlerEnds(client, delivery));
            return self.drain_client(client, now);
        }
        self.handler_ends(client, delivery, now)
    }

    pub(super) fn handler_ends(&mut self, client: u8, delivery: Delivery, now: Instant) -> Checked {
        let host = &mut self.hosts[usize::from(client)];
        if host.running.remove(&delivery).is_none() {
            return Ok(());
        }
        host.record.handler_settled(delivery);
        host.client.handle_settled(delivery, now);
        self.drain_client(client, now)
    }

    pub(super) fn handler_heard(&mut self, client: u8, delivery: Option<Delivery>, now: Instant) -> Checked {
        match delivery {
            Some(delivery) => {
                self.schedule(now, Event::HandlerEnds(client, delivery));
                Ok(())
            }
            None => Ok(()),
        }
    }
}
