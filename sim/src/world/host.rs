//! A client's host: what a page keeps of its wire, the application in it, and the instance that may die at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::engine::{Producer, Subject};
use everwire_core::session::client::{Action, Client, Config, PageId, Phase, Record, Why};
use everwire_core::session::down::Delivery;
use everwire_core::session::up::{Dropped, Exit, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX};
use everwire_core::{Duration, Instant, OutboxConfig, Overflow, Ticket};

use super::check::{Checked, Place, Reply, Told, Violation, broken};
use super::packet::{Kind, Note, Packet};
use super::plan::Draws;
use super::run::{Event, NEVER, World};
use everwire_core::Random;

/// What an application still waits to hear of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handed {
    pub(super) note: Note,
    pub(super) to: Place,
    pub(super) request: bool,
    /// The handler that ends with the answer.
    pub(super) for_handler: Option<Delivery>,
    pub(super) settled: bool,
    pub(super) replied: bool,
    /// The link on which it was asked when everything was healed.
    pub(super) asked_on: Option<usize>,
}

/// A page and its wire.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) client: Client,
    pub(super) record: Record,
    pub(super) handed: BTreeMap<u32, Handed>,
    /// Messages that have come and whose handlers have not begun.
    pub(super) come: BTreeMap<Delivery, (Subject, Note)>,
    pub(super) running: BTreeMap<Delivery, Note>,
    /// Handlers that run once the machine has been left alone.
    pub(super) callbacks: VecDeque<Delivery>,
    /// The link of the socket that is in use: by place, or by number while it is being dialled.
    pub(super) socket: Option<Socket>,
    pub(super) buffered: u64,
    /// Actions until the instance dies.
    pub(super) trap: Option<u8>,
    pub(super) armed: Instant,
    pub(super) late: (Duration, Instant),
    pub(super) asleep_until: Instant,
    pub(super) unreachable_until: Instant,
    /// Its link is so slow until then.
    pub(super) slow: Option<(u32, Instant)>,
    pub(super) token: u32,
    pub(super) pages: BTreeSet<PageId>,
    pub(super) next_page: u32,
    pub(super) draws: u64,
    pub(super) closed: bool,
    pub(super) finished: bool,
    /// What may still be handed over by handlers.
    pub(super) spare: u32,
    pub(super) offline: bool,
    pub(super) suspended: bool,
    pub(super) restores: u32,
    pub(super) dials: u32,
    /// When it was turned away right behind a `welcome`.
    pub(super) flaps: VecDeque<Instant>,
    /// Links in a row that it has given up though they were alive.
    pub(super) wronged: u8,
}

/// So many living links may be given up in a row: the rate that is assumed halves each time, and the patience doubles,
/// so that the slowest link of these worlds is believed at the seventh verdict of a direction at the latest; and verdicts
/// that blame the one do not count for the other.
pub(super) const WRONGED_MAX: u8 = 14;

/// What the host holds of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) number: u64,
    /// Once it has opened.
    pub(super) link: Option<usize>,
}

impl Host {
    pub(super) fn new(client: u8, world: &super::plan::Plan) -> Self {
        let producer = drawn(world.seed, client, 0);
        let record = Record::new(producer);
        Self {
            client: Client::new(config(world), seed(world.seed, client, 0), producer),
            record,
            handed: BTreeMap::new(),
            come: BTreeMap::new(),
            running: BTreeMap::new(),
            callbacks: VecDeque::new(),
            socket: None,
            buffered: 0,
            trap: None,
            armed: NEVER,
            late: (Duration::ZERO, Instant::default()),
            asleep_until: Instant::default(),
            unreachable_until: Instant::default(),
            slow: None,
            token: 1,
            pages: BTreeSet::new(),
            next_page: 0,
            draws: 0,
            closed: false,
            finished: false,
            spare: 60,
            offline: false,
            suspended: false,
            restores: 0,
            dials: 0,
            flaps: VecDeque::new(),
            wronged: 0,
        }
    }

    /// Whether everything that was handed over has been heard of, and nothing runs.
    pub(super) fn is_quiet(&self) -> bool {
        self.handed.values().all(|handed| handed.settled && (handed.replied || !handed.request))
            && (self.finished || self.running.is_empty() && self.come.is_empty())
    }

    /// Whether its wire is in use and has been for a while, or has been closed.
    pub(super) fn is_in_use(&self, now: Instant) -> bool {
        let awake = now.since(self.asleep_until) > Duration::from_secs(10);
        self.finished || self.closed || (awake && self.asleep_until < now && self.client.phase().is_open())
    }

    /// What no fault may take beyond its bound.
    pub(super) fn check_bounds(&self, client: u8, outbox_max: u32) -> Checked {
        let up = &self.record.up;
        let held = self.record.down.pending.held();
        let octets: u64 = up.numbered.iter().map(|numbered| u64::from(numbered.message.bytes)).sum();
        let longest = up.numbered.iter().map(|numbered| u64::from(numbered.message.bytes)).max().unwrap_or(0);
        let fits = up.numbered.len() as u64 <= WINDOW_MESSAGES_MAX
            && octets < WINDOW_BYTES_MAX + longest
            && up.waiting.len() <= outbox_max as usize
            && held.messages <= 8192
            && held.octets <= 1_310_719
            && self.record.requests.len() <= 256
            && self.come.len() + self.running.len() <= 8192;
        if fits {
            return Ok(());
        }
        broken!(
            "memory",
            "client {client}: {} numbered, {octets} octets, {} waiting, {held:?}",
            up.numbered.len(),
            up.waiting.len()
        )
    }
}

pub(super) fn seed(world: u64, client: u8, life: u32) -> u64 {
    Random::new(world ^ (u64::from(client) << 56) ^ (u64::from(life) << 40)).next_u64()
}

/// 128 bits that nobody else has.
pub(super) fn drawn(world: u64, client: u8, draw: u64) -> Producer {
    let half = Random::new(world.wrapping_mul(31) ^ draw).next_u64();
    Producer((u128::from(half) << 64 | u128::from(client) << 32 | u128::from(draw) << 1).to_be_bytes())
}

pub(super) fn config(plan: &super::plan::Plan) -> Config {
    let overflow = if plan.drop_oldest { Overflow::DropOldest } else { Overflow::Reject };
    let outbox = OutboxConfig { messages_max: plan.outbox_max, bytes_max: 8 << 20, overflow };
    Config { outbox, has_token: true, ..Config::default() }
}

impl World {
    // ---- the machine ----

    /// Carries out all that a client wants done, each action on the record first.
    pub(super) fn drain_client(&mut self, client: u8, now: Instant) -> Checked {
        let at = usize::from(client);
        if self.draining_clients & (1 << client) != 0 {
            // Whoever drains already comes to it.
            return Ok(());
        }
        self.draining_clients |= 1 << client;
        let outcome = self.drain_client_inner(client, now);
        self.draining_clients &= !(1 << client);
        outcome?;
        let host = &mut self.hosts[at];
        let phase = host.client.phase();
        let before = std::mem::replace(&mut self.client_phases[at], phase);
        if before != phase {
            self.counts.client_step(before, phase);
        }
        let host = &mut self.hosts[at];
        if let Some(due) = host.client.next_deadline().filter(|due| *due < host.armed) {
            host.armed = due;
            let (late, until) = host.late;
            let at = due.max(now);
            let at = if until > at { at + self.random.within(late) } else { at };
            self.schedule(at, Event::ClientTimer(client, due));
        }
        Ok(())
    }

    pub(super) fn drain_client_inner(&mut self, client: u8, now: Instant) -> Checked {
        let at = usize::from(client);
        loop {
            while let Some(action) = self.hosts[at].client.poll() {
                let dies = match &mut self.hosts[at].trap {
                    Some(0) => true,
                    Some(left) => {
                        *left -= 1;
                        false
                    }
                    None => false,
                };
                if dies {
                    self.hosts[at].trap = None;
                    // Half of them die with the action on the record and not carried out, where that is two steps.
                    if is_two_steps(&action) && self.random.chance(128) {
                        self.hosts[at].record.note(&action);
                    }
                    self.restore(client, now)?;
                    continue;
                }
                let first = self.hosts[at].record.down.pending.next;
                self.hosts[at].record.note(&action);
                self.carry_out_client(client, action, first, now)?;
            }
            let Some(delivery) = self.hosts[at].callbacks.pop_front() else { return Ok(()) };
            self.run_handler(client, delivery, now)?;
        }
    }

    /// The instance has died: a fresh one goes on from the record.
    pub(super) fn restore(&mut self, client: u8, now: Instant) -> Checked {
        let at = usize::from(client);
        self.note(now, || format!("client {client} dies and is restored"));
        self.drop_socket(client, now);
        let host = &mut self.hosts[at];
        host.restores += 1;
        host.pages.clear();
        host.buffered = 0;
        host.armed = NEVER;
        let seed = seed(self.plan.seed, client, host.restores);
        let Ok(restored) = Client::restore(config(&self.plan), seed, host.record.clone(), now) else {
            return broken!("no record", "client {client} cannot be restored");
        };
        host.client = restored;
        if self.hosts[at].suspended {
            self.hosts[at].client.handle_suspend(now);
        } else if self.hosts[at].client.phase() == Phase::Suspended {
            // It died in the very turn in which the page came back.
            self.hosts[at].client.handle_resume(true, now);
        }
        if self.hosts[at].offline {
            self.hosts[at].client.handle_offline(now);
        }
        Ok(())
    }

    /// The page no longer listens to its socket, which goes without a word.
    pub(super) fn drop_socket(&mut self, client: u8, now: Instant) {
        let Some(socket) = self.hosts[usize::from(client)].socket.take() else { return };
        let Some(link) = socket.link else { return };
        if let Some(at) = self.links[link].net.send_up(Packet::Broken, 0, now) {
            self.schedule(at, Event::ArriveUp(link));
        }
    }

    pub(super) fn carry_out_client(
        &mut self,
        client: u8,
        action: Action,
        first: u64,
        now: Instant,
    ) -> Checked {
        let at = usize::from(client);
        if !matches!(action, Action::Keep(_) | Action::Write { .. }) {
            self.note(now, || format!("client {client}: {}", brief(&action)));
        }
        match action {
            Action::Dial { link, .. } => self.dial(client, link, now),
            Action::Write { link, frame } => {
                let socket = self.hosts[at].socket;
                let open = socket.filter(|socket| socket.number == link).and_then(|socket| socket.link);
                if let Some(link) = open {
                    self.write_up(client, link, frame, now);
                }
                Ok(())
            }
            Action::Leave { link, close } => {
                let Some(socket) = self.hosts[at].socket.filter(|socket| socket.number == link) else {
                    return Ok(());
                };
                self.hosts[at].socket = None;
                self.hosts[at].buffered = 0;
                if let Some(index) = socket.link {
                    self.links[index].client_open = false;
                    if close.is_some_and(|close| close.code == 4003) {
                        self.judged(client, index)?;
                    }
                    if close.is_some_and(|close| close.code != 1000) && self.is_healthy(index) {
                        self.peace_broken += 1;
                    }
                    let packet = match close {
                        Some(close) => {
                            if close.code == 4002 && !self.links[index].hostile && !self.links[index].eaten {
                                return broken!(
                                    "protocol error",
                                    "client {client} closes link {index} with 4002: {}",
                                    close.reason
                                );
                            }
                            Packet::Close { code: close.code, reason: close.reason.into() }
                        }
                        None => Packet::Broken,
                    };
                    let late = self.links[index].net.late;
                    if let Some(at) = self.links[index].net.send_up(packet, 0, now) {
                        self.schedule(at + late, Event::ArriveUp(index));
                    }
                }
                Ok(())
            }
            Action::Renew { link } => {
                let token = self.fresh_token(client);
                self.hosts[at].token = token;
                self.hosts[at].client.handle_renewed(link, 45, now);
                Ok(())
            }
            Action::Exited { exited, .. } => self.exited(client, exited.ticket, &exited.exit, now),
            Action::Opened(opened) => {
                let epoch = self.epoch_number(&opened.epoch);
                self.facts.opened(client, epoch)?;
                self.facts.joined(client, Place::User(client), None);
                for subject in &opened.joined {
                    let place = self.names.place(subject);
                    self.facts.joined(client, place, None);
                    self.counts.told("joined");
                }
                self.opened[at] = now;
                Ok(())
            }
            Action::Received(taken) => {
                // Each that brought something was no loss.
                self.hosts[at].wronged = 0;
                let elements = self.in_hand.clone();
                for (delivery, fresh) in (first..).zip(&taken.fresh) {
                    let element =
                        elements.as_ref().and_then(|elements| elements.get(usize::from(fresh.index)));
                    let Some((subject, note)) = element else {
                        return broken!("mixed up", "client {client}: no element {} in hand", fresh.index);
                    };
                    self.hosts[at].come.insert(Delivery(delivery), (subject.clone(), *note));
                }
                Ok(())
            }
            Action::Start(started) => {
                let Some((_, note)) = self.hosts[at].come.remove(&started.delivery) else {
                    return broken!("mixed up", "client {client}: {:?} has not come", started.delivery);
                };
                let (epoch, place) = (self.epoch_number(&started.epoch), self.names.place(&started.subject));
                self.facts.started(client, epoch, started.s, place, note.id)?;
                self.hosts[at].running.insert(started.delivery, note);
                self.hosts[at].callbacks.push_back(started.delivery);
                Ok(())
            }
            Action::Joined(joined) => {
                let place = self.names.place(&joined.subject);
                self.facts.joined(client, place, Some(joined.from));
                self.counts.told("joined");
                Ok(())
            }
            Action::Denied { subject, .. } => {
                let place = self.names.place(&subject);
                self.facts.left(client, place);
                self.counts.told("denied");
                Ok(())
            }
            Action::Lost { subjects, from } => {
                for subject in subjects {
                    let place = self.names.place(&subject);
                    let gone = self.discarded(&subject, now);
                    self.facts.lost(client, place, gone, from.is_none() && self.epoch_differs(client))?;
                    self.counts.told("lost");
                }
                Ok(())
            }
            Action::Unbacked(unbacked) => {
                for ticket in unbacked.tickets {
                    self.facts.unbacked(ticket.0)?;
                    self.counts.told("unbacked");
                }
                Ok(())
            }
            Action::Answered { ticket, .. } => {
                self.counts.told("answered");
                let note = self.in_hand.as_ref().and_then(|elements| elements.first()).map(|(_, note)| *note);
                match note {
                    Some(note) if note.kind == Kind::Error => {
                        self.replied(client, ticket, Reply::InDoubt, now)
                    }
                    Some(note) if note.id == ticket.0 => self.replied(client, ticket, Reply::Answer, now),
                    other => broken!("false answer", "request {} is answered by {other:?}", ticket.0),
                }
            }
            Action::Unanswered { ticket, .. } => {
                self.counts.told("unanswered");
                let asked = self.hosts[at].handed.get(&ticket.0).and_then(|handed| handed.asked_on);
                let still = self.hosts[at].socket.and_then(|socket| socket.link);
                let known = self.facts.ran_before(ticket.0, now - Duration::from_secs(15));
                let asked = asked.filter(|link| known && still == Some(*link) && self.is_healthy(*link));
                if let Some(link) = asked {
                    return broken!(
                        "answer withheld",
                        "request {} of client {client} on link {link}",
                        ticket.0
                    );
                }
                self.replied(client, ticket, Reply::InDoubt, now)
            }
            Action::Paged { page, .. } => {
                self.counts.told("paged");
                let _ = page;
                Ok(())
            }
            Action::PageFailed { page, .. } => {
                self.counts.told("page failed");
                self.hosts[at].pages.remove(&page);
                Ok(())
            }
            Action::Casts => {
                self.counts.told("cast");
                Ok(())
            }
            Action::Ended { retry, why, .. } => {
                if retry.is_none() && why != Why::Suspended {
                    self.hosts[at].finished = true;
                    self.facts.closed(client);
                    if !self.hosts[at].closed && !self.may_finish(client) {
                        return broken!("killed for good", "client {client} has closed by itself");
                    }
                    self.hosts[at].closed = true;
                }
                Ok(())
            }
            Action::Notice(notice) => {
                self.counts.told(notice_name(&notice));
                Ok(())
            }
            Action::Advanced { .. } => {
                self.hosts[at].wronged = 0;
                Ok(())
            }
            Action::Keep(_)
            | Action::Alone { .. }
            | Action::Produce { .. }
            | Action::StateChanged(_)
            | Action::Reconnecting { .. } => Ok(()),
        }
    }

    /// A client gives up a link for dead.
    pub(super) fn judged(&mut self, client: u8, link: usize) -> Checked {
        if self.pong_in_hand {
            return broken!(
                "answered and left",
                "client {client} leaves link {link} on the answer to its ping"
            );
        }
        let net = &self.links[link].net;
        let alive = !net.silent && !net.cut && self.links[link].served.is_some();
        let host = &mut self.hosts[usize::from(client)];
        host.wronged = if alive { host.wronged + 1 } else { 0 };
        if host.wronged > WRONGED_MAX {
            return broken!(
                "killed in vain",
                "client {client} has given up {} living links in a row",
                host.wronged
            );
        }
        Ok(())
    }

    pub(super) fn exited(&mut self, client: u8, ticket: Ticket, exit: &Exit, now: Instant) -> Checked {
        let told = match exit {
            Exit::Settled => Told::Stored,
            Exit::Refused(_) => Told::Refused,
            Exit::Dropped(Dropped::Unknown) => Told::Unknown,
            Exit::Dropped(Dropped::InDoubt) => Told::InDoubt,
            Exit::Dropped(Dropped::NeverWritten(_)) => Told::NeverWritten,
        };
        self.counts.told(match told {
            Told::Stored => "settled",
            Told::Refused => "refused",
            Told::Unknown => "unknown",
            Told::InDoubt => "in doubt",
            Told::NeverWritten => "never written",
        });
        self.facts.exited(ticket.0, told)?;
        let host = &mut self.hosts[usize::from(client)];
        if matches!(told, Told::Stored | Told::Refused) {
            host.wronged = 0;
        }
        let Some(handed) = host.handed.get_mut(&ticket.0) else { return Ok(()) };
        handed.settled = true;
        let ends = handed.request && !handed.replied && told != Told::Stored;
        if !handed.request {
            host.handed.remove(&ticket.0);
        }
        if ends {
            let reply = if matches!(told, Told::Refused | Told::NeverWritten) {
                Reply::Failed
            } else {
                Reply::InDoubt
            };
            return self.replied(client, ticket, reply, now);
        }
        self.forget(client, ticket);
        Ok(())
    }

    pub(super) fn replied(&mut self, client: u8, ticket: Ticket, reply: Reply, now: Instant) -> Checked {
        self.facts.replied(ticket.0, reply)?;
        let host = &mut self.hosts[usize::from(client)];
        let Some(handed) = host.handed.get_mut(&ticket.0) else { return Ok(()) };
        handed.replied = true;
        let for_handler = handed.for_handler;
        self.forget(client, ticket);
        self.handler_heard(client, for_handler, now)
    }

    pub(super) fn forget(&mut self, client: u8, ticket: Ticket) {
        let handed = &mut self.hosts[usize::from(client)].handed;
        if handed.get(&ticket.0).is_some_and(|handed| handed.settled && (handed.replied || !handed.request)) {
            handed.remove(&ticket.0);
        }
    }
}

/// Whether an action is on the record before it is carried out, and not with it. [KEEP-6]
pub(super) fn is_two_steps(action: &Action) -> bool {
    matches!(action, Action::Write { .. } | Action::Dial { .. } | Action::Leave { .. } | Action::Keep(_))
}

pub(super) fn notice_name(notice: &everwire_core::session::client::Notice) -> &'static str {
    use everwire_core::session::client::Notice as N;
    match notice {
        N::TokenRefused => "token refused",
        N::ProtocolError { .. } => "protocol error",
        N::NotSpoken => "not spoken",
        N::Unavailable => "unavailable",
        N::StoreStalled { .. } => "store stalled",
        N::TooSlow => "too slow",
        N::Unsettled(_) => "handler unsettled",
        N::WindowShut(_) => "window shut",
    }
}

pub(super) fn brief(action: &Action) -> String {
    let mut text = format!("{action:?}");
    if text.len() > 300 {
        text.truncate(300);
    }
    text
}
