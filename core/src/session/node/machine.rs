//! One link at its node.

use std::collections::VecDeque;

use super::action::NodeAction;
use super::input::{
    AskId, Authenticated, CallId, Drain, Examined, HookFailed, NodeBody, NodeConfig, NotAuthenticated,
    Transport,
};
use super::phase::NodePhase;
use crate::engine::{Answer, Producer, Subject};
use crate::frame::Shape;
use crate::session::down::{Content, Standing};
use crate::time::{Duration, Instant};

/// One link at its node. Nothing of it survives the link: another node goes on from what the engine has. [KEEP-5]
///
/// Drive it like this:
/// 1. [`Node::new`] when the transport has opened and `everwire.v1` is selected.
/// 2. Tell it what happens with `handle_*(…, now)`. `now` never goes backwards.
/// 3. Carry out what [`Node::poll`] returns **until it returns `None`**, in that order. An action may lead to an input at
///    once (an engine at hand answers a [`NodeAction::Call`], a hook a [`NodeAction::Authorise`]): give it before the next
///    `poll`, or whenever it comes; late, twice or never does no harm beyond the time that it takes.
/// 4. After a drain in which something was written, and whenever the transport has taken something,
///    [`Node::handle_transport`]. A driver whose transport takes everything at once need never call it.
/// 5. When the log or an inbox may have grown, [`Node::wake`]. Early, late, lost or merged wake-ups do no harm, but each
///    growth must be followed by one.
/// 6. Wait for the next event, at the longest until [`Node::next_deadline`]; then [`Node::handle_timeout`].
/// 7. After [`NodeAction::Close`], and after [`Node::handle_closed`], keep it until [`Node::is_over`], for the requests that a call under
///    way may have stored. [REQ-2]
#[derive(Clone, Debug)]
pub struct Node<P> {
    config: NodeConfig,
    phase: NodePhase,
    actions: VecDeque<NodeAction<P>>,
}

impl<P: Content> Node<P> {
    /// A link that has opened.
    pub fn new(config: NodeConfig, now: Instant) -> Self {
        let _ = now;
        Self { config, phase: NodePhase::Fresh, actions: VecDeque::new() }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<NodeAction<P>> {
        self.actions.pop_front()
    }

    /// When [`Node::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// What the link is doing.
    pub fn phase(&self) -> NodePhase {
        self.phase
    }

    /// Whether nothing can come of it any more.
    pub fn is_over(&self) -> bool {
        self.phase == NodePhase::Ended
    }

    /// The octets of the next frame at most: a driver that would have to hold more calls [`Node::handle_too_long`]. [SEC-9] [LIM-3]
    pub fn frame_bytes_max(&self) -> u64 {
        let _ = &self.config;
        0
    }

    /// The producer in force and the link's number, from `welcome` on.
    pub fn producer(&self) -> Option<(Producer, u64)> {
        None
    }

    /// A frame has come: its header line, its lengths, and what the driver has found in its body, of which it need not
    /// look at any but those of `hello`, `send`, `cast` and `auth`.
    pub fn handle_frame(&mut self, head: &[u8], shape: Shape, body: NodeBody<P>, now: Instant) {
        let _ = (head, shape, body, now);
    }

    /// Octets of a frame that is not whole have come. [HELLO-12] [LIVE-4]
    pub fn handle_octets(&mut self, octets: u64, now: Instant) {
        let _ = (octets, now);
    }

    /// A frame is longer than [`Node::frame_bytes_max`] and has not been read in full. [ERR-5]
    pub fn handle_too_long(&mut self, now: Instant) {
        let _ = now;
    }

    /// Who this is. [HELLO-13] [AUTH-2]
    pub fn handle_authenticated(
        &mut self,
        id: AskId,
        answer: Result<Authenticated, NotAuthenticated>,
        now: Instant,
    ) {
        let _ = (id, answer, now);
    }

    /// What the identity may, for each room that was asked about, in that order.
    pub fn handle_authorised(&mut self, id: AskId, answer: Result<Vec<Standing>, HookFailed>, now: Instant) {
        let _ = (id, answer, now);
    }

    /// What the hook says of a message or a cast.
    pub fn handle_examined(&mut self, id: AskId, answer: Examined<P>, now: Instant) {
        let _ = (id, answer, now);
    }

    /// What the engine has answered.
    pub fn handle_answer(&mut self, id: CallId, answer: Answer<P>, now: Instant) {
        let _ = (id, answer, now);
    }

    /// The answer to a request of this link is in the inbox, or there will be none: [`super::OriginAction::Ended`].
    pub fn handle_ran(&mut self, n: u64, now: Instant) {
        let _ = (n, now);
    }

    /// So many requests of this producer run in this process for earlier links: [`super::Origin::running_elsewhere`]. To be told
    /// after `welcome` and whenever it has changed. [REQ-16]
    pub fn handle_elsewhere(&mut self, running: usize, now: Instant) {
        let _ = (running, now);
    }

    /// The identity may no longer read this room. [ROOM-20]
    pub fn handle_revoked(&mut self, room: &Subject, now: Instant) {
        let _ = (room, now);
    }

    /// The credential must have been renewed at another time than was said. [AUTH-6]
    pub fn handle_expires(&mut self, expires: Option<Duration>, now: Instant) {
        let _ = (expires, now);
    }

    /// Rate limits or a slow store: the client may write so far ahead of what is settled. [SEND-24]
    pub fn handle_window(&mut self, messages: u64, now: Instant) {
        let _ = (messages, now);
    }

    /// The server drains. [AWAY-9]
    pub fn handle_drain(&mut self, drain: Drain, now: Instant) {
        let _ = (drain, now);
    }

    /// The application or the operator ends the link.
    pub fn handle_end(&mut self, code: u16, reason: &str, now: Instant) {
        let _ = (code, reason, now);
    }

    /// What the transport has taken, and what waits for it. [NODE-14]
    pub fn handle_transport(&mut self, transport: Transport, now: Instant) {
        let _ = (transport, now);
    }

    /// The log or an inbox may have grown, there may be casts, or a replica may have caught up.
    pub fn wake(&mut self, now: Instant) {
        let _ = now;
    }

    /// The transport is closed.
    pub fn handle_closed(&mut self) {
        self.phase = NodePhase::Ended;
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
}
