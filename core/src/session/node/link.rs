//! A link from `welcome` on, and what `welcome` says.

use std::collections::{BTreeSet, VecDeque};

use super::asks::Draft;
use super::casts::Casts;
use super::greeting::Greeting;
use super::inbox::Inbox;
use super::input::{NodeConfig, Persona};
use super::pages::Pages;
use super::wrong;
use crate::engine::{Fence, LogEpoch, Producer, Subject};
use crate::frame::NUMBER_MAX;
use crate::session::down::{Content, Feed, Look, Opened, Place};
use crate::session::up::{Producing, Settling, WINDOW_MESSAGES_MAX};
use crate::session::{Limits, Welcome};
use crate::time::{Duration, Instant};

/// A join that is authorised and waits for the head: the room, and from where on it may be read.
pub(super) type Joining = (Subject, u64);

/// A renewal that is unanswered, since then; and what the token is good for, once that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewing {
    pub(super) since: Instant,
    pub(super) expires: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct Link<P> {
    pub(super) persona: Persona,
    /// The identity's subject.
    pub(super) own: Subject,
    pub(super) producer: Producer,
    pub(super) number: u64,
    pub(super) epoch: LogEpoch,
    /// `limits.message`.
    pub(super) limit: u32,
    pub(super) settling: Settling<P>,
    /// How far ahead the client may write, requests apart.
    pub(super) window: u64,
    /// Messages that wait for the hook.
    pub(super) drafts: VecDeque<Draft<P>>,
    /// How many are at the hook.
    pub(super) examined: usize,
    /// Requests of this link that run.
    pub(super) running: BTreeSet<u64>,
    /// Requests of this producer that run in this process for other links.
    pub(super) elsewhere: usize,
    pub(super) feed: Feed,
    /// The transport takes nothing more.
    pub(super) clogged: bool,
    /// The question to the engine that is under way.
    pub(super) look: Option<Look>,
    pub(super) joining: Vec<Joining>,
    /// Those of which the head has been asked.
    pub(super) joining_asked: Vec<Joining>,
    /// When each unanswered `join` was read.
    pub(super) joined_at: VecDeque<Instant>,
    pub(super) pages: Pages<P>,
    pub(super) inbox: Inbox<P>,
    pub(super) casts: Casts<P>,
    pub(super) renewing: Option<Renewing>,
    pub(super) expires_at: Option<Instant>,
    /// The lengths of the elements of a frame; kept for its memory.
    pub(super) lengths: Vec<u64>,
}

impl<P: Content> Link<P> {
    /// [WELC-9] [WELC-10] [WELC-11] [WELC-14]
    pub(super) fn open(
        config: &NodeConfig,
        greeting: Greeting,
        opened: &Opened,
        now: Instant,
    ) -> Option<(Self, Welcome)> {
        let (persona, producer) = (greeting.persona()?.clone(), greeting.producer());
        let Greeting { hello, who, authenticated_at, producing, won, .. } = greeting;
        let (who, mut won) = (who?, won?);
        if let Some(mark) = wrong::own_mark(config.process, &won.epoch, producer) {
            won.mark = mark.min(won.mark);
        }
        let own = Subject::from(&*persona.identity.name);
        let (oldest, base) = match producing {
            Producing::Kept => (hello.oldest, hello.written),
            Producing::Successor => (1, 0),
        };
        let fence = Fence { epoch: won.epoch.clone(), producer, link: hello.link, oldest };
        let settling = Settling::new(fence, won.mark, &won.refusals, now);
        let feed = Feed::new(won.epoch.clone(), own.clone(), hello.held, opened, now)
            .with_rooms_max(config.rooms_max());
        let expires_at = who.expires.map(|expires| authenticated_at + expires);
        let pending = if base == 0 { BTreeSet::new() } else { hello.pending.iter().copied().collect() };
        let features = hello.features.iter().filter(|feature| config.features.contains(feature));
        let place = |(subject, from): (&Subject, u64)| Place { subject: subject.clone(), from, grant: None };
        let millis = |span: Duration| span.as_micros() / 1000;
        let welcome = Welcome {
            identity: own.clone(),
            producing,
            born: won.born,
            mark: won.mark,
            refused: won.refusals,
            credit: settling.credit(),
            epoch: won.epoch.clone(),
            position: opened.position,
            rooms: opened.filter.iter().map(place).collect(),
            denied: opened.denied.clone(),
            lost: opened.lost.clone(),
            durable: won.durable,
            heartbeat: millis(config.heartbeat()),
            window: millis(config.window()),
            limits: Limits { message: won.limit, rooms: u16::try_from(config.rooms_max()).unwrap_or(1) },
            expires: expires_at.map(|at| millis(at.since(now)).min(NUMBER_MAX)),
            time: 0,
            features: features.cloned().collect(),
        };
        let link = Self {
            inbox: Inbox::new(&persona.inbox, pending, base),
            own,
            persona,
            producer,
            number: hello.link,
            epoch: won.epoch,
            limit: won.limit,
            settling,
            window: WINDOW_MESSAGES_MAX,
            drafts: VecDeque::new(),
            examined: 0,
            running: BTreeSet::new(),
            elsewhere: 0,
            feed,
            clogged: false,
            look: None,
            joining: Vec::new(),
            joining_asked: Vec::new(),
            joined_at: VecDeque::new(),
            pages: Pages::new(now),
            casts: Casts::new(),
            renewing: None,
            expires_at,
            lengths: Vec::new(),
        };
        Some((link, welcome))
    }
}
