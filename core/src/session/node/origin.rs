//! What a process has once for all its links: its own producer, under which answers go into inboxes. [NODE-7]

use std::collections::VecDeque;

use super::action::Request;
use super::input::CallId;
use crate::engine::{Answer, Call, Payload, Producer, Subject};
use crate::time::{Duration, Instant};

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
    /// Make an envelope of type `error` with this code the answer; then [`Origin::handle_ran`]. What the handler says later is
    /// ignored. [REQ-12] [REQ-15] [REQ-16]
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
}

impl<P: Payload> Origin<P> {
    /// A process that has just started.
    pub fn new(config: OriginConfig) -> Self {
        Self { config, actions: VecDeque::new() }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<OriginAction<P>> {
        self.actions.pop_front()
    }

    /// When [`Origin::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        let _ = self.config;
        None
    }

    /// A producer that nobody has had, and the name of its inbox.
    pub fn handle_drawn(&mut self, producer: Producer, inbox: Subject, now: Instant) {
        let _ = (producer, inbox, now);
    }

    /// A request begins to run.
    pub fn handle_run(&mut self, request: &Request<P>, now: Instant) -> RunId {
        let _ = (request, now);
        RunId(0)
    }

    /// A handler has ended, well or badly: this is the answer. [REQ-12]
    pub fn handle_ran(&mut self, id: RunId, payload: P, now: Instant) {
        let _ = (id, payload, now);
    }

    /// Something that the process itself has to say, to a room or an identity.
    pub fn handle_post(&mut self, subject: Subject, payload: P, now: Instant) {
        let _ = (subject, payload, now);
    }

    /// What the engine has answered.
    pub fn handle_answer(&mut self, id: CallId, answer: Answer<P>, now: Instant) {
        let _ = (id, answer, now);
    }

    /// The process will exit: what still runs after so much time is answered as in doubt. [REQ-15]
    pub fn handle_drain(&mut self, within: Duration, now: Instant) {
        let _ = (within, now);
    }

    /// How many requests of a producer run for other links than this one. [REQ-16]
    pub fn running_elsewhere(&self, producer: &Producer, link: u64) -> usize {
        let _ = (producer, link);
        0
    }

    /// Whether nothing runs and every answer is in its inbox.
    pub fn is_idle(&self) -> bool {
        true
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
}
