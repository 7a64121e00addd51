//! Rooms of a living link: joins, pages, revocations; and the renewal of its credential.

use super::action::{Asking, NodeAction, NodeFrame, Purpose};
use super::asks::Question;
use super::input::{Authenticated, HookFailed, NotAuthenticated};
use super::link::Renewing;
use super::machine::Node;
use super::names;
use crate::engine::Subject;
use crate::frame::{NUMBER_MAX, Room};
use crate::session::down::{Content, Standing, Verdict};
use crate::session::{Secret, is_token};
use crate::time::{Duration, Instant};

/// Joins of a link that are unanswered: those of every room, and as many again that are denied at once and wait for
/// their turn. Who asks for more is turned away. [NODE-9]
const JOINS_MAX: usize = 1024;

impl<P: Content> Node<P> {
    pub(super) fn join(&mut self, room: Room<'_>, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        if link.feed.joins() >= JOINS_MAX {
            return self.close(1013, "NODE-9", true);
        }
        let encoded = room.as_str();
        let Some(room) = room.subject() else {
            return match link.feed.handle_malformed_join(encoded) {
                Ok(()) => link.joined_at.push_back(now),
                Err(_) => self.broken("ROOM-3"),
            };
        };
        let room = Subject::from(&*room);
        let asks = match link.feed.handle_join(room.clone()) {
            Ok(asks) => asks,
            Err(_) => return self.broken("ROOM-3"),
        };
        link.joined_at.push_back(now);
        if !asks {
            return;
        }
        match self.config.kind(room.as_str(), link.own.as_str()) {
            // It is in the filter, and goes on where it is. [ROOM-13]
            names::Room::Own => link.feed.handle_verdict(&room, Verdict::Allowed { head: 0 }),
            names::Room::Open => {
                let identity = link.own.clone();
                let id = self.asks.ask(Question::Join(room.clone()), now);
                let rooms = vec![Asking { room, from: None, grant: None }];
                self.order(NodeAction::Authorise { id, identity, purpose: Purpose::Join, rooms });
            }
            names::Room::Closed | names::Room::Malformed => {
                link.feed.handle_verdict(&room, Verdict::Denied("forbidden".into()));
            }
        }
    }

    pub(super) fn join_authorised(&mut self, room: Subject, answer: Result<Vec<Standing>, HookFailed>) {
        let Some(link) = self.link.as_mut() else { return };
        match answer.ok().and_then(|mut answers| answers.pop()) {
            // From where on is the engine's to say, after this. [ROOM-4]
            Some(Standing::Allowed { since, .. }) => link.joining.push((room, since.min(NUMBER_MAX))),
            Some(Standing::Denied(code)) => {
                link.feed.handle_verdict(&room, Verdict::Denied(answers_code(&code).into()));
            }
            None => self.close(4004, "ROOM-21", true),
        }
    }

    /// Answers to joins, in their order.
    pub(super) fn joins(&mut self) {
        while let Some(answer) = self.link.as_mut().and_then(|link| link.feed.poll_join()) {
            if let Some(link) = self.link.as_mut() {
                link.joined_at.pop_front();
            }
            self.outbound(answer);
        }
    }

    pub(super) fn revoke(&mut self, room: &Subject) {
        let Some(link) = self.link.as_mut().filter(|link| link.own != *room) else { return };
        link.pages.revoke(room);
        if let Some(denied) = link.feed.revoke(room) {
            self.outbound(denied);
        }
    }

    pub(super) fn page(&mut self, id: u64, room: Room<'_>, before: u64, count: u16, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        let subject = room.subject().unwrap_or_default();
        let room = Subject::from(&*subject);
        if let Err(clause) = link.pages.push(id, room.clone(), before, count, now) {
            return self.broken(clause);
        }
        match self.config.kind(&subject, link.own.as_str()) {
            names::Room::Own => link.pages.allow(id, 0),
            names::Room::Closed => link.pages.refuse(id, "forbidden"),
            names::Room::Malformed => link.pages.refuse(id, "malformed"),
            names::Room::Open => {
                let identity = link.own.clone();
                let ask = self.asks.ask(Question::Page(id), now);
                let rooms = vec![Asking { room, from: None, grant: None }];
                self.order(NodeAction::Authorise { id: ask, identity, purpose: Purpose::Page, rooms });
            }
        }
    }

    pub(super) fn page_authorised(&mut self, id: u64, answer: Result<Vec<Standing>, HookFailed>) {
        let Some(link) = self.link.as_mut() else { return };
        match answer.ok().and_then(|mut answers| answers.pop()) {
            Some(Standing::Allowed { since, .. }) => link.pages.allow(id, since),
            Some(Standing::Denied(code)) => link.pages.refuse(id, spelled(&code)),
            None => link.pages.refuse(id, "unavailable"),
        }
    }

    // ---- the credential ----

    pub(super) fn renew(&mut self, token: Secret, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        if !is_token(token.reveal()) {
            return self.broken("LIM-15");
        }
        if link.renewing.is_some() {
            return self.broken("ERR-27");
        }
        link.renewing = Some(Renewing { since: now, expires: None });
        let producer = link.producer;
        let id = self.asks.ask(Question::Renewal, now);
        let (token, successor) = (Some(token), None);
        self.order(NodeAction::Authenticate { id, token, producer, successor, renewal: true });
    }

    /// [AUTH-2] [AUTH-3]
    pub(super) fn renewal_authenticated(
        &mut self,
        answer: Result<Authenticated, NotAuthenticated>,
        now: Instant,
    ) {
        let Some(link) = self.link.as_mut() else { return };
        let who = match answer {
            Ok(who) => who,
            Err(NotAuthenticated::Refused | NotAuthenticated::Forbidden) => {
                return self.close(4401, "refused", true);
            }
            Err(NotAuthenticated::Failed) => return self.close(4004, "ROOM-21", true),
        };
        if who.as_producer.identity != link.persona.identity {
            return self.close(4010, "AUTH-3", true);
        }
        if let Some(renewing) = &mut link.renewing {
            renewing.expires = who.expires;
        }
        let filter = link.feed.filter().iter();
        let rooms: Vec<_> = filter.map(|(room, _)| room.clone()).filter(|room| *room != link.own).collect();
        if rooms.is_empty() {
            return self.renewed(now);
        }
        let identity = link.own.clone();
        let asking = |room: &Subject| Asking { room: room.clone(), from: None, grant: None };
        let asked = rooms.iter().map(asking).collect();
        let id = self.asks.ask(Question::Filter(rooms), now);
        self.order(NodeAction::Authorise { id, identity, purpose: Purpose::Renewal, rooms: asked });
    }

    pub(super) fn filter_authorised(
        &mut self,
        rooms: Vec<Subject>,
        answer: Result<Vec<Standing>, HookFailed>,
        now: Instant,
    ) {
        let answers = match answer {
            Ok(answers) if answers.len() >= rooms.len() => answers,
            _ => return self.close(4004, "ROOM-21", true),
        };
        for (room, answer) in rooms.iter().zip(answers) {
            match (answer, self.link.as_mut()) {
                (Standing::Denied(_), _) => self.revoke(room),
                (Standing::Allowed { since, .. }, Some(link)) => link.feed.exclude(room, since),
                _ => {}
            }
        }
        self.renewed(now);
    }

    fn renewed(&mut self, now: Instant) {
        let renewing = self.link.as_mut().and_then(|link| link.renewing.take());
        let Some(renewing) = renewing else { return };
        self.tell_expires(renewing.expires, true, now);
    }

    pub(super) fn tell_expires(&mut self, expires: Option<Duration>, renewed: bool, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        link.expires_at = expires.map(|expires| now + expires);
        self.watch_expiry();
        let expires = expires.map(|expires| (expires.as_micros() / 1000).min(NUMBER_MAX));
        self.write(NodeFrame::Auth { expires, renewed });
    }
}

/// A hook's code, if it is spelled as one.
fn spelled(code: &str) -> &str {
    if crate::frame::Code::new(code.as_bytes()).is_ok() { code } else { "forbidden" }
}

/// An answer to a `join` or in a `welcome` has any other code than that of a revocation. [ROOM-20]
pub(super) fn answers_code(code: &str) -> &str {
    if code == "revoked" { "forbidden" } else { spelled(code) }
}
