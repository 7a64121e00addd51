//! What a process has once for all its links: its own producer, under which answers go into inboxes. [NODE-7]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::action::Request;
use super::calls::CALL_MAX;
use super::input::CallId;
use crate::engine::{
    Answer, Appended, Call, Claim, Claimed, Failure, Fence, Identity, LogEpoch, Payload, Post, Producer,
    Subject,
};
use crate::frame::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX};
use crate::session::up::RETRY_DELAY;
use crate::time::{Duration, Instant};

/// How long a handler may run at most, whatever is configured. [REQ-16]
const HANDLER_MAX: Duration = Duration::from_secs(60 * 60);
/// With no time at all every handler would be too late.
const HANDLER_LEAST: Duration = Duration::from_millis(1);
/// The identity of every process: no client can have it. [ROOM-11]
const IDENTITY: &str = "_node";

/// The name of a running request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// How a process answers.
#[derive(Clone, Copy, Debug)]
pub struct OriginConfig {
    /// How long a handler may run: 30 s, at most 1 h. [REQ-16]
    pub handler_timeout: Duration,
}

impl Default for OriginConfig {
    fn default() -> Self {
        Self { handler_timeout: Duration::from_secs(30) }
    }
}

/// What the origin wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginAction<P> {
    /// Draw 128 random bits for a producer; then [`Origin::handle_drawn`].
    Draw,
    /// Have the engine carry this out; then [`Origin::handle_answer`].
    Call {
        /// The call.
        id: CallId,
        /// What is asked.
        call: Call<P>,
    },
    /// Make an envelope of type `error` with this code the answer; then [`Origin::handle_composed`]. What the handler says later
    /// is ignored. [REQ-12] [REQ-15] [REQ-16]
    Compose {
        /// The request.
        id: RunId,
        /// `timeout`, `too-large` or `in-doubt`.
        code: &'static str,
    },
    /// The answer is in the inbox, or there will be none. Tell the node that holds the link, by [`super::Node::handle_ran`]; one that
    /// holds a later link of the producer, by [`super::Node::handle_elsewhere`].
    Ended {
        /// Whose.
        producer: Producer,
        /// The link that carried the request.
        link: u64,
        /// Its number.
        n: u64,
    },
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Composing,
    /// The answer waits to be appended.
    Answered,
}

#[derive(Clone, Debug)]
struct Running {
    producer: Producer,
    link: u64,
    n: u64,
    epoch: LogEpoch,
    inbox: Subject,
    limit: u32,
    due: Instant,
    stage: Stage,
}

/// Something to be appended.
#[derive(Clone, Debug)]
struct Posting<P> {
    post: Post<P>,
    /// The log that it belongs to; `None`: whichever there is.
    epoch: Option<LogEpoch>,
    run: Option<RunId>,
    /// How many claims had been won when it came.
    claims: u64,
}

#[derive(Clone, Debug)]
enum Standing {
    Nobody,
    Drawing,
    /// To be claimed, when the engine has been left alone for a while.
    Drawn {
        producer: Producer,
        inbox: Subject,
    },
    Claiming {
        producer: Producer,
        inbox: Subject,
    },
    Ready {
        fence: Fence,
        mark: u64,
    },
}

/// Runs requests to their end, whether their link lives or not, and appends each answer to its inbox, with repeats until
/// the outcome is known. One for each process.
///
/// 1. For each [`super::NodeAction::Run`]: [`Origin::handle_run`], and start the handler; when that has ended, [`Origin::handle_ran`].
/// 2. After every `handle_*`, drain [`Origin::poll`] until it returns `None`.
/// 3. At [`Origin::next_deadline`], [`Origin::handle_timeout`].
#[derive(Clone, Debug)]
pub struct Origin<P> {
    config: OriginConfig,
    actions: VecDeque<OriginAction<P>>,
    running: BTreeMap<RunId, Running>,
    due: BTreeSet<(Instant, RunId)>,
    of: BTreeMap<(Producer, u64), usize>,
    runs: u64,
    standing: Standing,
    claims: u64,
    posts: VecDeque<Posting<P>>,
    /// The `append` that is to be repeated until its outcome is known.
    batch: Option<Call<P>>,
    /// The call that is under way, since then.
    open: Option<(CallId, Instant)>,
    calls: u64,
    /// Until then the engine is left alone.
    rest: Option<Instant>,
    drain_at: Option<Instant>,
}

impl<P: Payload> Origin<P> {
    /// A process that has just started.
    pub fn new(mut config: OriginConfig) -> Self {
        config.handler_timeout = config.handler_timeout.clamp(HANDLER_LEAST, HANDLER_MAX);
        Self {
            config,
            actions: VecDeque::new(),
            running: BTreeMap::new(),
            due: BTreeSet::new(),
            of: BTreeMap::new(),
            runs: 0,
            standing: Standing::Nobody,
            claims: 0,
            posts: VecDeque::new(),
            batch: None,
            open: None,
            calls: 0,
            rest: None,
            drain_at: None,
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<OriginAction<P>> {
        self.actions.pop_front()
    }

    /// When [`Origin::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        let first = self.due.first().map(|(due, _)| *due);
        let rest = self.rest.filter(|_| self.wants_engine());
        let open = self.open.map(|(_, since)| since + CALL_MAX);
        let drain = self.drain_at.filter(|_| !self.due.is_empty());
        [first, rest, open, drain].into_iter().flatten().min()
    }

    /// A producer that nobody has had, and the name of its inbox.
    pub fn handle_drawn(&mut self, producer: Producer, inbox: Subject, now: Instant) {
        if matches!(self.standing, Standing::Drawing) {
            self.standing = Standing::Drawn { producer, inbox };
        }
        self.turn(now);
    }

    /// A request begins to run.
    pub fn handle_run(&mut self, request: &Request<P>, now: Instant) -> RunId {
        let id = RunId(self.runs);
        self.runs += 1;
        let due = now + self.config.handler_timeout;
        let (producer, link) = (request.producer, request.link);
        self.running.insert(
            id,
            Running {
                producer,
                link,
                n: request.n,
                epoch: request.epoch.clone(),
                inbox: request.inbox.clone(),
                limit: request.limit,
                due,
                stage: Stage::Running,
            },
        );
        self.due.insert((due, id));
        *self.of.entry((producer, link)).or_default() += 1;
        self.turn(now);
        id
    }

    /// A handler has ended, well or badly: this is the answer. [REQ-12]
    pub fn handle_ran(&mut self, id: RunId, payload: P, now: Instant) {
        let Some(running) = self.running.get(&id).filter(|running| running.stage == Stage::Running) else {
            return;
        };
        if payload.octets() > u64::from(running.limit) {
            self.compose(id, "too-large");
        } else {
            self.answer(id, payload);
        }
        self.turn(now);
    }

    /// The `error` that was asked for.
    pub fn handle_composed(&mut self, id: RunId, payload: P, now: Instant) {
        if self.running.get(&id).is_some_and(|running| running.stage == Stage::Composing) {
            self.answer(id, payload);
        }
        self.turn(now);
    }

    /// Something that the process itself has to say, to a room or an identity.
    pub fn handle_post(&mut self, subject: Subject, payload: P, now: Instant) {
        let claims = self.claims;
        self.posts.push_back(Posting { post: Post::new(subject, payload), epoch: None, run: None, claims });
        self.turn(now);
    }

    /// What the engine has answered.
    pub fn handle_answer(&mut self, id: CallId, answer: Answer<P>, now: Instant) {
        if self.open.take_if(|(open, _)| *open == id).is_none() {
            return;
        }
        match answer {
            Answer::Claim(claimed) => self.claimed(claimed, now),
            Answer::Append(appended) => self.appended(appended, now),
            _ => self.rest = Some(now + RETRY_DELAY),
        }
        self.turn(now);
    }

    /// The process will exit: what still runs after so much time is answered as in doubt. [REQ-15]
    pub fn handle_drain(&mut self, within: Duration, now: Instant) {
        self.drain_at = Some(now + within);
        self.turn(now);
    }

    /// How many requests of a producer run for other links than this one. [REQ-16]
    pub fn running_elsewhere(&self, producer: &Producer, link: u64) -> usize {
        let of = self.of.range((*producer, 0)..=(*producer, u64::MAX));
        of.filter(|((_, other), _)| *other != link).map(|(_, many)| *many).sum()
    }

    /// Whether nothing runs and every answer is in its inbox.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.posts.is_empty()
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.turn(now);
    }

    fn compose(&mut self, id: RunId, code: &'static str) {
        if let Some(running) = self.running.get_mut(&id) {
            self.due.remove(&(running.due, id));
            running.stage = Stage::Composing;
            self.actions.push_back(OriginAction::Compose { id, code });
        }
    }

    /// [REQ-4]
    fn answer(&mut self, id: RunId, payload: P) {
        let Some(running) = self.running.get_mut(&id) else { return };
        self.due.remove(&(running.due, id));
        running.stage = Stage::Answered;
        let post = Post { subject: running.inbox.clone(), payload, tag: Some(running.n) };
        let (epoch, claims) = (Some(running.epoch.clone()), self.claims);
        self.posts.push_back(Posting { post, epoch, run: Some(id), claims });
    }

    /// What was first in the queue is appended, or never will be.
    fn done(&mut self) {
        let Some(Posting { run: Some(id), .. }) = self.posts.pop_front() else { return };
        let Some(Running { producer, link, n, .. }) = self.running.remove(&id) else { return };
        if let Some(many) = self.of.get_mut(&(producer, link)) {
            *many -= 1;
            if *many == 0 {
                self.of.remove(&(producer, link));
            }
        }
        self.actions.push_back(OriginAction::Ended { producer, link, n });
    }

    fn wants_engine(&self) -> bool {
        !self.posts.is_empty() || matches!(self.standing, Standing::Drawn { .. })
    }

    fn turn(&mut self, now: Instant) {
        if self.open.take_if(|(_, since)| now.since(*since) >= CALL_MAX).is_some() {
            // An `append` is repeated; a claim is not. [ENG-5]
            self.claimed(Err(Failure::Unanswered), now);
        }
        self.rest.take_if(|until| *until <= now);
        while let Some((_, id)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.compose(id, "timeout");
        }
        if self.drain_at.is_some_and(|at| at <= now) {
            while let Some((_, id)) = self.due.first().copied() {
                self.compose(id, "in-doubt");
            }
        }
        if self.open.is_none() && self.rest.is_none() {
            self.next_call(now);
        }
    }

    fn next_call(&mut self, now: Instant) {
        if self.posts.is_empty() && !matches!(self.standing, Standing::Drawn { .. }) {
            return;
        }
        let call = match &self.standing {
            Standing::Nobody => {
                self.standing = Standing::Drawing;
                return self.actions.push_back(OriginAction::Draw);
            }
            Standing::Drawing | Standing::Claiming { .. } => return,
            Standing::Drawn { producer, inbox } => {
                let (producer, inbox) = (*producer, inbox.clone());
                self.standing = Standing::Claiming { producer, inbox: inbox.clone() };
                let identity = Identity::named(IDENTITY);
                Call::Claim(Claim { producer, identity, inbox, link: 1, oldest: 1, written: 0, born: None })
            }
            Standing::Ready { .. } => match self.next_batch() {
                Some(call) => call,
                None => return self.next_call(now),
            },
        };
        let id = CallId(self.calls);
        self.calls += 1;
        self.open = Some((id, now));
        self.actions.push_back(OriginAction::Call { id, call });
    }

    /// `None`: the queue or the standing is another than it was.
    fn next_batch(&mut self) -> Option<Call<P>> {
        let Standing::Ready { fence, mark } = &self.standing else { return None };
        if let Some(batch) = &self.batch {
            return Some(batch.clone());
        }
        let first = self.posts.front()?;
        if first.epoch.as_ref().is_some_and(|epoch| *epoch != fence.epoch) {
            if first.claims < self.claims {
                // The log that it was for has gone, and its inbox with it. [KEEP-4]
                self.done();
            } else {
                self.standing = Standing::Nobody;
            }
            return None;
        }
        let mut octets = 0u64;
        let fitting = self.posts.iter().take(BATCH_MESSAGES_MAX).enumerate().take_while(|(at, posting)| {
            octets = octets.saturating_add(posting.post.payload.octets());
            let here = posting.epoch.as_ref().is_none_or(|epoch| *epoch == fence.epoch);
            here && (*at == 0 || octets <= BATCH_BYTES_MAX)
        });
        let batch: Vec<_> = fitting.map(|(_, posting)| posting.post.clone()).collect();
        let call = Call::Append { fence: fence.clone(), n: *mark + 1, batch: batch.into() };
        self.batch = Some(call.clone());
        Some(call)
    }

    fn claimed(&mut self, answer: Result<Claimed, Failure>, now: Instant) {
        let Standing::Claiming { producer, inbox } = &self.standing else { return };
        let (producer, inbox) = (*producer, inbox.clone());
        self.standing = match answer {
            Ok(Claimed::Claimed { mark, epoch, .. }) => {
                self.claims += 1;
                // What it lets go is what it has had stored: nothing of it is ever refused.
                Standing::Ready { fence: Fence { epoch, producer, link: 1, oldest: 1 }, mark }
            }
            // Nothing was done, so it may be asked again.
            Ok(Claimed::Full) => {
                self.rest = Some(now + RETRY_DELAY);
                Standing::Drawn { producer, inbox }
            }
            Ok(Claimed::Unknown | Claimed::Fenced) | Err(_) => {
                self.rest = Some(now + RETRY_DELAY);
                Standing::Nobody
            }
        };
    }

    fn appended(&mut self, answer: Result<Appended, Failure>, now: Instant) {
        let many = match &self.batch {
            Some(Call::Append { batch, .. }) => batch.len() as u64,
            _ => return,
        };
        let Standing::Ready { mark, .. } = &mut self.standing else { return };
        let reached = match answer {
            Ok(Appended::Stored { mark, .. } | Appended::Duplicate { mark, .. }) => mark,
            Ok(Appended::Full { mark, .. }) => {
                self.rest = Some(now + RETRY_DELAY);
                mark
            }
            // The outcome is not known: the same again. [SEND-22]
            Err(Failure::Unanswered) => return self.rest = Some(now + RETRY_DELAY),
            // Another producer; an answer in doubt may be appended twice, and the client drops the second. What was for a
            // log that has gone is let go when the next claim shows it.
            Ok(Appended::Fenced | Appended::Gap { .. }) | Err(Failure::EpochChanged) => return self.renew(),
        };
        match reached.checked_sub(*mark).filter(|settled| *settled <= many) {
            Some(settled) => {
                *mark = reached;
                self.batch = None;
                (0..settled).for_each(|_| self.done());
            }
            None => self.renew(),
        }
    }

    fn renew(&mut self) {
        self.standing = Standing::Nobody;
        self.batch = None;
    }
}
