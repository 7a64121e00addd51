//! A client's upward half and its host.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use everwire_core::OutboxConfig;
use everwire_core::engine::{Call, Producer, Refused};
use everwire_core::frame::{Code, Form, FromClient, Refusals};
use everwire_core::mutant::Mutant;
use everwire_core::session::up::{
    Dropped, Exit, Exited, LinkEnd, NotWelcome, Outgoing, Record, Sending, Welcome,
};

use super::link::{Down, Link, Shared, Up};
use super::server::Body;
use super::{Breach, LATER, LINKS_MAX, MESSAGE_BYTES_MAX, NOW, place_of, producer, ticket};
use crate::Bug;
use crate::digest::Digested;

/// What the application has been told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// It is in the log of this epoch.
    Settled(u8),
    Refused,
    /// The producer is unknown: it may be in a log or not.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    id: u8,
    sending: Digested<Sending>,
    /// The host's record, where it is not what `sending` says; only with a bug.
    behind: Option<Box<Digested<Record>>>,
    /// What of `sending` no digest tells.
    producers: (Producer, Option<Producer>),
    epoch: Option<u8>,
    drawn: u8,
    dialled: u64,
    submitted: u8,
    /// By message; told at most once.
    pub(crate) told: Vec<Option<Told>>,
    /// The link in use.
    pub(crate) link: Option<Shared>,
    /// Links that the client has left and of which something can still come.
    pub(crate) zombies: Vec<Shared>,
    /// Calls that a node has given up and that may still be carried out.
    pub(crate) strays: Vec<Call<Body>>,
}

impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { id: _, sending, behind, producers, epoch, drawn, dialled, submitted, .. } = self;
        (sending, behind, producers, epoch, drawn, dialled, submitted).hash(state);
        let Self { told, link, zombies, strays, .. } = self;
        (told, link, zombies, strays).hash(state);
    }
}

impl Client {
    /// A client that has been handed its first message.
    pub(crate) fn new(id: u8, messages: u8) -> Self {
        let sending = Sending::new(OutboxConfig::default(), producer(id, 0));
        let mut client = Self {
            id,
            sending: Digested::new(sending),
            behind: None,
            producers: (producer(id, 0), None),
            epoch: None,
            drawn: 1,
            dialled: 0,
            submitted: 0,
            told: vec![None; usize::from(messages)],
            link: None,
            zombies: Vec::new(),
            strays: Vec::new(),
        };
        client.submit(1);
        client.put_by();
        client
    }

    /// Whether a message has not been handed over, or has not left.
    pub(crate) fn has_more(&self) -> bool {
        self.told.contains(&None)
    }

    pub(crate) fn unsubmitted(&self) -> u8 {
        self.told.len() as u8 - self.submitted
    }

    pub(crate) fn producer(&self) -> Producer {
        self.producers.0
    }

    pub(crate) fn at(&self, number: u64) -> Option<&Shared> {
        self.link.iter().chain(&self.zombies).find(|link| link.number == number)
    }

    /// Changes a link, and forgets it if the client has left it and nothing can come of it.
    pub(crate) fn change<R>(&mut self, number: u64, change: impl FnOnce(&mut Link) -> R) -> Option<R> {
        if let Some(link) = self.link.as_mut().filter(|link| link.number == number) {
            return Some(change(Arc::make_mut(link)));
        }
        let at = self.zombies.iter().position(|link| link.number == number)?;
        let answer = change(Arc::make_mut(&mut self.zombies[at]));
        if self.zombies[at].is_spent() {
            self.zombies.remove(at);
        }
        Some(answer)
    }

    fn submit(&mut self, many: u8) {
        for _ in 0..many {
            let ticket = ticket(self.id, self.submitted);
            let taken = self.sending.submit(Outgoing::new(ticket, 10, Form::Text));
            assert_eq!(taken, Ok(vec![]), "there is room for all");
            self.submitted += 1;
        }
    }

    /// The host brings its record up to date. [KEEP-1]
    fn put_by(&mut self) {
        let Record { producer, successor, .. } = self.sending.record();
        self.producers = (producer, successor);
        self.behind = None;
    }

    fn draw(&mut self) -> Producer {
        self.drawn += 1;
        producer(self.id, self.drawn - 1)
    }

    /// The host records exits and tells them: one step. [KEEP-6]
    fn keep(&mut self, left: Vec<Exited>) -> Result<(), Breach> {
        self.put_by();
        for Exited { ticket, exit, .. } in left {
            let told = match exit {
                Exit::Settled => Told::Settled(self.epoch.ok_or(Breach::Odds)?),
                Exit::Refused(_) => Told::Refused,
                Exit::Dropped(Dropped::Unknown) => Told::Unknown,
                Exit::Dropped(_) => return Err(Breach::Odds),
            };
            if self.told[usize::from(place_of(ticket))].replace(told).is_some() {
                return Err(Breach::Twice);
            }
        }
        Ok(())
    }

    /// Dials a node; `hello` is written at once.
    pub(crate) fn dial(&mut self, node: u8) -> Option<()> {
        if self.link.is_some() || !self.has_more() {
            return None;
        }
        if self.producers.1.is_none() {
            let spare = self.draw();
            self.sending.set_successor(spare);
        }
        self.dialled += 1;
        assert!(self.dialled < LINKS_MAX, "more dials than a budget allows");
        self.put_by();
        let hello = self.sending.hello().expect("a spare has been named");
        self.link = Some(Arc::new(Link::new(self.dialled, node, hello)));
        Some(())
    }

    /// Is handed so many messages and writes a frame.
    pub(crate) fn write(&mut self, many: u8, bug: Bug) -> Option<()> {
        self.submit(many);
        let before = self.sending.record();
        let written = self.sending.write(LATER)?;
        self.put_by();
        if bug.is(Mutant::NumberUnrecorded) {
            // Such a host has the numbers on record only when the next thing happens.
            self.behind = Some(Box::new(Digested::new(before)));
        }
        let FromClient::Send { n, oldest, .. } = written.frame else {
            unreachable!("nothing else is written")
        };
        let link = Arc::make_mut(self.link.as_mut()?);
        if !link.is_closed() {
            link.up.push_back(Up::Send { n, oldest, messages: written.messages });
        }
        Some(())
    }

    /// Reads a frame.
    pub(crate) fn read(&mut self) -> Option<Result<(), Breach>> {
        let down = Arc::make_mut(self.link.as_mut()?).down.pop_front()?;
        Some(self.carry_out(down))
    }

    fn carry_out(&mut self, down: Down) -> Result<(), Breach> {
        let left = match down {
            Down::Welcome { producing, born, mark, refused, credit, epoch } => {
                let listed = listed(&refused)?;
                let welcome = Welcome {
                    producing,
                    born,
                    mark,
                    refused: &listed,
                    credit,
                    message_bytes_max: MESSAGE_BYTES_MAX,
                    epoch_changed: self.epoch.is_some_and(|known| known != epoch),
                };
                match self.sending.welcome(&welcome, NOW) {
                    Ok(left) => {
                        self.epoch = Some(epoch);
                        left
                    }
                    Err(NotWelcome::Unknown) => self.begin_anew(),
                    Err(NotWelcome::Broken(_)) => return Err(Breach::Odds),
                }
            }
            Down::Ack(ack) => {
                let listed = listed(&ack.refused)?;
                let acked = self.sending.ack(ack.n, ack.credit, Refusals::new(&listed), NOW);
                acked.map_err(|_| Breach::Odds)?
            }
            Down::Close(4005) => self.begin_anew(),
            Down::Close(_) => {
                let left = self.sending.link_ended(LinkEnd::Other);
                self.leave(0);
                left
            }
        };
        self.keep(left)
    }

    /// [CLOSE-8]
    fn begin_anew(&mut self) -> Vec<Exited> {
        let (fresh, spare) = (self.draw(), self.draw());
        self.leave(usize::MAX);
        self.sending.unknown(fresh, spare)
    }

    /// The link ends: so many of its frames still arrive.
    pub(crate) fn lose(&mut self, end: LinkEnd, keep: usize) -> Result<(), Breach> {
        let left = self.sending.link_ended(end);
        self.leave(keep);
        self.keep(left)
    }

    /// The instance dies, and with it the link; another one goes on from the host's record. [KEEP-1]
    pub(crate) fn crash(&mut self, keep: usize, bug: Bug) -> Result<(), Breach> {
        let record =
            self.behind.take().map_or_else(|| self.sending.record(), |behind| Record::clone(&behind));
        let restored = Sending::restore(OutboxConfig::default(), record);
        self.sending = Digested::new(restored.map_err(|_| Breach::Odds)?);
        self.put_by();
        self.leave(keep);
        if bug.is(Mutant::LinkRestarts) {
            self.dialled = 0;
        }
        Ok(())
    }

    fn leave(&mut self, keep: usize) {
        let Some(mut link) = self.link.take() else { return };
        Arc::make_mut(&mut link).leave(keep);
        if !link.is_spent() {
            self.zombies.push(link);
        }
    }
}

/// Refusals as they are read from a frame.
fn listed(refused: &[Refused]) -> Result<Vec<(u64, Code<'_>)>, Breach> {
    let read = refused.iter().map(|(n, code)| Some((*n, Code::new(code.as_str().as_bytes()).ok()?)));
    read.collect::<Option<_>>().ok_or(Breach::Odds)
}
