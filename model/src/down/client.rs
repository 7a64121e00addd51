//! A client's downward half and its host.

use std::collections::BTreeSet;

use everwire_core::engine::{LogEpoch, Subject};
use everwire_core::frame::Numbers;
use everwire_core::session::down::{
    Delivery, Element, Outbound, Place, Reader, Record, Report, WINDOW_MESSAGES,
};

use super::link::{Down, Link, Up};
use super::{Breach, LATER, NOW, room};

#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// What its host has is what its record says: the host takes that over within each step.
    reader: Reader,
    pub(crate) dialled: u64,
    /// Handlers that have been started: by epoch, the numbers.
    pub(crate) started: BTreeSet<(LogEpoch, u64)>,
    /// Whether a loss was told that no new epoch explains.
    pub(crate) told_lost: bool,
}

impl Client {
    /// In one room, besides its own subject.
    pub(crate) fn new() -> Self {
        let mut client =
            Self { reader: Reader::new(), dialled: 0, started: BTreeSet::new(), told_lost: false };
        client.reader.join(room()).expect("room for one");
        client
    }

    /// What the host has.
    pub(crate) fn record(&self) -> &Record {
        self.reader.record()
    }

    pub(crate) fn seen(&self) -> u64 {
        self.reader.seen()
    }

    /// The host writes what the client wishes.
    fn put_by(&mut self, link: Option<&mut Link>) {
        let Some(link) = link else { return };
        while let Some(wish) = self.reader.next_wish() {
            link.write(Up::Wish(wish));
        }
    }

    pub(crate) fn dial(&mut self) -> Link {
        self.dialled += 1;
        Link::new(self.dialled, self.reader.hello())
    }

    pub(crate) fn lose(&mut self) {
        self.reader.link_lost();
        self.put_by(None);
    }

    pub(crate) fn crash(&mut self) {
        self.reader = Reader::restore(self.record().clone(), NOW);
    }

    /// The application has changed its mind about the room.
    pub(crate) fn wish(&mut self, link: Option<&mut Link>) {
        if self.record().seats.contains_key(&room()) {
            self.reader.leave(&room());
        } else {
            self.reader.join(room()).expect("room for one");
        }
        self.put_by(link);
    }

    /// The next handler is started.
    pub(crate) fn start(&mut self, link: Option<&mut Link>) -> Option<Result<(), Breach>> {
        let started = self.reader.start(NOW)?;
        self.put_by(link);
        let later = self.started.iter().any(|(epoch, s)| *epoch == started.epoch && *s >= started.s);
        self.started.insert((started.epoch, started.s));
        Some(if later { Err(Breach::Order) } else { Ok(()) })
    }

    /// Handlers that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = u64> {
        let running = self.record().pending.entries.iter().filter(|(_, entry)| entry.started);
        running.map(|(delivery, _)| delivery.0)
    }

    /// A handler ends.
    pub(crate) fn settle(&mut self, delivery: u64, link: Option<&mut Link>) {
        self.reader.settle(Delivery(delivery), NOW);
        self.put_by(link);
    }

    /// What was processed is reported.
    pub(crate) fn report(&mut self, link: &mut Link) -> Option<()> {
        let frame = self.reader.poll_seen(LATER)?;
        self.put_by(Some(link));
        link.write_seen(frame);
        Some(())
    }

    /// Reads a frame; `None` if the link is over.
    pub(crate) fn read(
        &mut self,
        down: Down,
        link: &mut Link,
        stored: &[(u64, Subject)],
    ) -> Result<(), Breach> {
        let before = self.record().clone();
        let reports = self.carry_out(down, link.epoch())?;
        self.put_by(Some(link));
        let same = before.epoch == self.record().epoch;
        self.told_lost |= same && reports.iter().any(|report| matches!(report, Report::Lost(_)));
        self.check(&before, &reports, stored)
    }

    fn carry_out(&mut self, down: Down, epoch: Option<&LogEpoch>) -> Result<Vec<Report>, Breach> {
        let report = match down {
            Down::Welcome(welcome) => {
                return self.reader.handle_welcome(welcome, NOW).map_err(|_| Breach::Odds);
            }
            Down::Frame(Outbound::Push { after, upto, messages }) => {
                let numbers: Vec<_> = messages.iter().map(|message| message.s).collect();
                let elements: Vec<_> =
                    messages.iter().map(|message| Element::Message(message.subject.clone())).collect();
                let octets: u64 = messages.iter().map(|message| message.payload.octets).sum();
                let octets = octets + messages.len() as u64 + 1;
                let numbers = Numbers::new(&numbers);
                self.reader.handle_push(after, upto, numbers, &elements, octets, NOW).map(|_| None)
            }
            Down::Frame(Outbound::Advance { after, upto }) => {
                self.reader.handle_advance(after, upto).map(|_| None)
            }
            Down::Frame(Outbound::Joined { room, from }) => {
                self.reader.handle_joined(Place { subject: room, from, grant: None })
            }
            Down::Frame(Outbound::Denied { room, code }) => self.reader.handle_denied(&room, &code),
            Down::Frame(Outbound::Lost(loss)) => match epoch {
                Some(epoch) => self.reader.handle_lost(epoch, &loss),
                None => return Err(Breach::Odds),
            },
            Down::Frame(_) | Down::Close => return Err(Breach::Odds),
        };
        report.map(|report| report.into_iter().collect()).map_err(|_| Breach::Odds)
    }

    /// Holds what a frame has changed against what was there.
    fn check(&self, before: &Record, reports: &[Report], stored: &[(u64, Subject)]) -> Result<(), Breach> {
        let told = |subject: &Subject| {
            reports.iter().any(|report| matches!(report, Report::Lost(lost) if lost.contains(subject)))
        };
        let same = before.epoch == self.record().epoch;
        for (subject, seat) in self.record().seats.iter() {
            let known = before.seats.get(subject).and_then(|seat| seat.from);
            let (Some(known), Some(from)) = (known, seat.from) else { continue };
            if (known != from || !same) && !told(subject) {
                return Err(Breach::Silence);
            }
            let reached = known.max(before.received);
            let gone = stored.iter().any(|(s, of)| of == subject && *s > reached && *s <= from);
            if same && told(subject) && !gone {
                return Err(Breach::Needless);
            }
        }
        let fresh =
            self.record().pending.entries.iter().filter(|(delivery, _)| delivery.0 >= before.pending.next);
        for (_, entry) in fresh {
            let from = before.seats.get(&entry.subject).and_then(|seat| seat.from);
            if from.is_some_and(|from| entry.s <= from) {
                return Err(Breach::Stranger);
            }
        }
        Ok(())
    }

    /// Whether everything of the filter up to `received` has come.
    pub(crate) fn is_complete(&self, stored: &[(u64, Subject)]) -> bool {
        let Some(epoch) = &self.record().epoch else { return true };
        stored.iter().all(|(s, subject)| {
            let from = self.record().seats.get(subject).and_then(|seat| seat.from);
            let due = *s <= self.record().received && from.is_some_and(|from| *s > from);
            let waits =
                || self.record().pending.entries.values().any(|entry| entry.epoch == *epoch && entry.s == *s);
            !due || self.started.contains(&(epoch.clone(), *s)) || waits()
        })
    }

    pub(crate) fn is_bounded(&self) -> bool {
        let held = self.record().pending.held();
        held.messages <= WINDOW_MESSAGES && held.octets <= everwire_core::session::down::HELD_OCTETS_MAX
    }
}
