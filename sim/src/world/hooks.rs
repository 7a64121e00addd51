//! What the application of the server says: who somebody is, what he may, and what it thinks of a message.

use everwire_core::Instant;
use everwire_core::engine::{Identity, Producer, Subject};
use everwire_core::session::Secret;
use everwire_core::session::down::Standing;
use everwire_core::session::node::{Asking, Authenticated, Examined, HookFailed, NotAuthenticated, Persona};

use super::check::{Checked, Place};
use super::packet::{Kind, Note};
use super::plan::Draws;
use super::run::{Event, World};
use super::server::*;

impl World {
    // ---- hooks ----

    pub(super) fn hook(&mut self, link: usize, hook: Hook, now: Instant) -> Checked {
        let (longest, until) = self.processes[usize::from(self.links[link].net.node)].slow;
        if until > now {
            let at = now + self.random.within(longest);
            self.hooks.push(Some(hook));
            self.schedule(at, Event::Hook(link, self.hooks.len() - 1));
            return Ok(());
        }
        self.answer_hook(link, hook, now)
    }

    pub(super) fn answer_hook(&mut self, link: usize, hook: Hook, now: Instant) -> Checked {
        let Some(served) = &mut self.links[link].served else { return Ok(()) };
        match hook {
            Hook::Authenticated(id, answer) => served.node.handle_authenticated(id, answer, now),
            Hook::Authorised(id, answer) => served.node.handle_authorised(id, answer, now),
            Hook::Examined(id, answer) => served.node.handle_examined(id, answer, now),
        }
        Ok(())
    }

    pub(super) fn hook_fails(&mut self, link: usize, now: Instant) -> bool {
        let (often, until) = self.processes[usize::from(self.links[link].net.node)].failing;
        until > now && self.random.chance(often)
    }

    pub(super) fn authenticate(
        &mut self,
        link: usize,
        token: Option<&Secret>,
        producer: &Producer,
        successor: Option<&Producer>,
        now: Instant,
    ) -> Result<Authenticated, NotAuthenticated> {
        if self.hook_fails(link, now) {
            return Err(NotAuthenticated::Failed);
        }
        let claims = token.and_then(|token| token.reveal().split_once('.'));
        let claims = claims.and_then(|(client, serial)| Some((client.parse().ok()?, serial.parse().ok()?)));
        let Some((client, serial)) = claims else { return Err(NotAuthenticated::Refused) };
        let client: u8 = client;
        let good = self.tokens.get(usize::from(client)).copied().unwrap_or(u32::MAX);
        if serial < good {
            return Err(NotAuthenticated::Refused);
        }
        if let Some(served) = &mut self.links[link].served {
            served.token_serial = serial;
        }
        let name = format!("user_{client}");
        let persona =
            |producer: &Producer| Persona { identity: Identity::named(&name), inbox: inbox(producer) };
        Ok(Authenticated {
            as_producer: persona(producer),
            as_successor: successor.map(persona),
            expires: self.plan.expires,
        })
    }

    pub(super) fn authorise(
        &mut self,
        link: usize,
        identity: &Subject,
        rooms: &[Asking],
        now: Instant,
    ) -> Result<Vec<Standing>, HookFailed> {
        if self.hook_fails(link, now) {
            return Err(HookFailed);
        }
        let epoch = self.facts.epoch();
        let standings = rooms.iter().map(|asking| {
            let place = self.names.place(&asking.room);
            if self.is_denied(identity, place, now) {
                return Standing::Denied("forbidden".into());
            }
            let holds = |from: u64, given: &Secret| {
                let below = given.reveal().split_once('.').and_then(|(least, _)| least.parse().ok());
                below.is_some_and(|least: u64| {
                    least <= from && *given == grant(identity, &asking.room, least, epoch)
                })
            };
            let from_holds = match (asking.from, &asking.grant) {
                (Some(from), Some(given)) => holds(from, given),
                _ => false,
            };
            Standing::Allowed { from_holds, since: 0 }
        });
        Ok(standings.collect())
    }

    pub(super) fn is_denied(&self, identity: &Subject, place: Place, now: Instant) -> bool {
        let (Place::User(client), Place::Room(room)) = (self.names.place(identity), place) else {
            return false;
        };
        self.denied.iter().any(|(who, what, until)| (*who, *what) == (client, room) && *until > now)
    }

    pub(super) fn examine(
        &mut self,
        link: usize,
        subject: Option<Subject>,
        request: bool,
        payload: Note,
        now: Instant,
    ) -> Examined<Note> {
        if self.hook_fails(link, now) {
            return Examined::Failed;
        }
        let refused = mixed(&[self.plan.seed, payload.id.into()]) as u8;
        if refused < self.plan.refused && payload.kind == Kind::Message && !request {
            return Examined::Refuse("tasteless".into());
        }
        Examined::Pass { subject, payload }
    }
}
