//! One link at its node.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::action::{NodeAction, NodeFrame};
use super::asks::{Asks, Question};
use super::calls::{Calls, Slot};
use super::flow::Flow;
use super::greeting::Greeting;
use super::input::{
    AskId, Authenticated, CallId, Drain, Examined, HookFailed, NodeBody, NodeConfig, NotAuthenticated,
    Transport,
};
use super::link::Link;
use super::pace::Pace;
use super::phase::{NodeEvent, NodePhase, NodeStep};
use super::timer::{NodeTimer, NodeTimers};
use super::vital::Vital;
use crate::engine::{Answer, Call, Filter, Producer, Subject};
use crate::frame::{End, FromClient, HELLO_BYTES_MAX, MESSAGE_BYTES_DEFAULT, Shape, frame_bytes_max};
use crate::session::down::{Content, Standing};
use crate::time::{Duration, Instant};

/// How long `hello` may take. [HELLO-12]
const HELLO_MAX: Duration = Duration::from_secs(10);
/// How long it may take where octets cannot be seen.
const HELLO_MAX_BLIND: Duration = Duration::from_secs(60);
/// How long it may take at most, however many octets come.
const HELLO_MAX_EVER: Duration = Duration::from_secs(120);
/// Octets of a close reason. [LIM-20]
const REASON_BYTES_MAX: usize = 123;

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
    pub(super) config: NodeConfig,
    pub(super) phase: NodePhase,
    pub(super) actions: VecDeque<NodeAction<P>>,
    pub(super) timers: NodeTimers,
    pub(super) calls: Calls,
    pub(super) asks: Asks<P>,
    pub(super) vital: Vital,
    pub(super) flow: Flow,
    pub(super) pace: Pace,
    pub(super) drain: Option<Drain>,
    pub(super) greeting: Option<Box<Greeting>>,
    pub(super) link: Option<Box<Link<P>>>,
    pub(super) opened_at: Instant,
    /// A frame of so many octets must come next. [LIVE-13]
    pub(super) announced: Option<u64>,
    pub(super) visible: bool,
    pub(super) reading: bool,
    /// The code to finish with.
    pub(super) finish_code: u16,
}

impl<P: Content> Node<P> {
    /// A link that has opened.
    pub fn new(config: NodeConfig, now: Instant) -> Self {
        let mut timers = NodeTimers::default();
        timers.set(NodeTimer::Hello, now + if config.sees_octets { HELLO_MAX } else { HELLO_MAX_BLIND });
        Self {
            vital: Vital::new(config.heartbeat(), now),
            config,
            phase: NodePhase::Fresh,
            actions: VecDeque::new(),
            timers,
            calls: Calls::default(),
            asks: Asks::new(),
            flow: Flow::default(),
            pace: Pace::new(now),
            drain: None,
            greeting: None,
            link: None,
            opened_at: now,
            announced: None,
            visible: true,
            reading: true,
            finish_code: 1000,
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<NodeAction<P>> {
        self.actions.pop_front()
    }

    /// When [`Node::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.phase == NodePhase::Ended {
            return None;
        }
        let link = self.link.as_ref();
        let upward = link.and_then(|link| link.settling.deadline());
        let downward = link.filter(|_| self.serves()).and_then(|link| link.feed.advance_due());
        let due = [
            self.timers.next(),
            self.asks.deadline(),
            self.calls.deadline(),
            upward,
            downward,
            self.answer_due(),
        ];
        due.into_iter().flatten().min()
    }

    /// What the link is doing.
    pub fn phase(&self) -> NodePhase {
        self.phase
    }

    /// Whether nothing can come of it any more: it is closed, and no call is under way that may have stored a request.
    pub fn is_over(&self) -> bool {
        self.phase == NodePhase::Ended && self.link.as_ref().is_none_or(|link| !link.settling.awaits())
    }

    /// The octets of the next frame at most: a driver that would have to hold more calls [`Node::handle_too_long`]. [SEC-9] [LIM-3]
    pub fn frame_bytes_max(&self) -> u64 {
        match &self.link {
            _ if self.phase == NodePhase::Fresh => HELLO_BYTES_MAX,
            Some(link) => frame_bytes_max(link.limit.into()),
            None => frame_bytes_max(MESSAGE_BYTES_DEFAULT),
        }
    }

    /// The producer in force and the link's number, from `welcome` on.
    pub fn producer(&self) -> Option<(Producer, u64)> {
        self.link.as_ref().map(|link| (link.producer, link.number))
    }

    /// What the link is pushed, from `welcome` on. A driver of many links wakes those that a message is for.
    pub fn filter(&self) -> Option<&Filter> {
        self.link.as_ref().map(|link| link.feed.filter())
    }

    // ---- inputs: the client ----

    /// A frame has come: its header line, its lengths, and what the driver has found in its body, of which it need not
    /// look at any but those of `hello`, `send`, `cast` and `auth`.
    pub fn handle_frame(&mut self, head: &[u8], shape: Shape, body: NodeBody<P>, now: Instant) {
        if self.is_deaf() {
            return;
        }
        self.vital.heard(now);
        self.vital.arrived();
        let bytes_max = match &self.link {
            Some(link) => frame_bytes_max(link.limit.into()),
            None => frame_bytes_max(MESSAGE_BYTES_DEFAULT),
        };
        match FromClient::parse(head, shape, bytes_max) {
            Err(error) => self.close(error.close_code(End::Node), error.clause(), true),
            Ok(frame) => {
                let octets = (head.len() as u64)
                    .saturating_add(shape.body_bytes.map_or(0, |body| body.saturating_add(1)));
                self.frame(frame, octets, shape, body, now);
            }
        }
        self.turn(now);
    }

    /// Octets of a frame that is not whole have come. [HELLO-12] [LIVE-4]
    pub fn handle_octets(&mut self, octets: u64, now: Instant) {
        if self.is_deaf() {
            return;
        }
        self.vital.heard(now);
        if let Some(due) = self.timers.at(NodeTimer::Hello) {
            let moved = due + Duration::from_millis(octets);
            self.timers.set(NodeTimer::Hello, moved.min((self.opened_at + HELLO_MAX_EVER).max(due)));
        }
        self.turn(now);
    }

    /// A frame is longer than [`Node::frame_bytes_max`] and has not been read in full. [ERR-5]
    pub fn handle_too_long(&mut self, now: Instant) {
        if !self.is_deaf() {
            self.close(1009, "LIM-3", true);
        }
        self.turn(now);
    }

    // ---- inputs: the application ----

    /// Who this is. [HELLO-13] [AUTH-2]
    pub fn handle_authenticated(
        &mut self,
        id: AskId,
        answer: Result<Authenticated, NotAuthenticated>,
        now: Instant,
    ) {
        match self.asks.take(id, Question::is_identity) {
            Some(Question::Identity) => self.greeting_authenticated(answer, now),
            Some(Question::Renewal) => self.renewal_authenticated(answer, now),
            _ => return,
        }
        self.turn(now);
    }

    /// What the identity may, for each room that was asked about, in that order.
    pub fn handle_authorised(&mut self, id: AskId, answer: Result<Vec<Standing>, HookFailed>, now: Instant) {
        match self.asks.take(id, Question::is_rooms) {
            Some(Question::Hello(places)) => self.greeting_authorised(places, answer, now),
            Some(Question::Filter(rooms)) => self.filter_authorised(rooms, answer, now),
            Some(Question::Join(room)) => self.join_authorised(room, answer),
            Some(Question::Page(id)) => self.page_authorised(id, answer),
            _ => return,
        }
        self.turn(now);
    }

    /// What the hook says of a message or a cast.
    pub fn handle_examined(&mut self, id: AskId, answer: Examined<P>, now: Instant) {
        match self.asks.take(id, Question::is_message) {
            Some(Question::Message(draft)) => self.message_examined(draft, answer, now),
            Some(Question::Cast) => self.cast_examined(id, answer),
            _ => return,
        }
        self.turn(now);
    }

    /// The answer to a request of this link is in the inbox, or there will be none: [`super::OriginAction::Ended`].
    pub fn handle_ran(&mut self, n: u64, now: Instant) {
        if let Some(link) = self.link.as_mut() {
            link.running.remove(&n);
            link.inbox.grown();
        }
        self.turn(now);
    }

    /// So many requests of this producer run in this process for other links: [`super::Origin::running_elsewhere`]. To be told
    /// after `welcome` and whenever it has changed. [REQ-16]
    pub fn handle_elsewhere(&mut self, running: usize, now: Instant) {
        if let Some(link) = self.link.as_mut() {
            link.elsewhere = running;
        }
        self.turn(now);
    }

    /// The identity may no longer read this room. [ROOM-20]
    pub fn handle_revoked(&mut self, room: &Subject, now: Instant) {
        match self.phase {
            NodePhase::Claiming => self.greeting_revoked(room),
            NodePhase::Open | NodePhase::Draining => self.revoke(room),
            _ => {}
        }
        self.turn(now);
    }

    /// The credential must have been renewed at another time than was said. [AUTH-6]
    pub fn handle_expires(&mut self, expires: Option<Duration>, now: Instant) {
        if self.serves() {
            self.tell_expires(expires, false, now);
        }
        self.turn(now);
    }

    /// Rate limits or a slow store: the client may write so far ahead of what is settled. [SEND-24]
    pub fn handle_window(&mut self, messages: u64, now: Instant) {
        if let Some(link) = self.link.as_mut() {
            link.window = messages;
        }
        self.turn(now);
    }

    /// The server drains. [AWAY-9]
    pub fn handle_drain(&mut self, drain: Drain, now: Instant) {
        self.drain.get_or_insert(drain);
        self.drains(now);
        self.turn(now);
    }

    /// The application or the operator ends the link.
    pub fn handle_end(&mut self, code: u16, reason: &str, now: Instant) {
        self.close(code, reason.to_owned(), true);
        self.turn(now);
    }

    // ---- inputs: the engine, the transport, the clock ----

    /// What the engine has answered.
    pub fn handle_answer(&mut self, id: CallId, answer: Answer<P>, now: Instant) {
        let Some(slot) = self.calls.take(id) else { return };
        match slot {
            Slot::Greet => self.greeting_answered(answer, now),
            Slot::Settle => self.settled(answer, now),
            _ => self.answered(slot, answer, now),
        }
        self.turn(now);
    }

    /// What the transport has taken, and what waits for it. [NODE-14]
    pub fn handle_transport(&mut self, transport: Transport, now: Instant) {
        if self.phase == NodePhase::Ended {
            return;
        }
        if let Some(x) = self.flow.report(transport, now) {
            self.write(NodeFrame::Pong { x });
        }
        self.vital.wrote(self.flow.written());
        self.turn(now);
    }

    /// The log or an inbox may have grown, there may be casts, or a replica may have caught up.
    pub fn wake(&mut self, now: Instant) {
        if let Some(link) = self.link.as_mut() {
            link.feed.wake();
            link.inbox.wake();
        }
        self.turn(now);
    }

    /// The transport is closed.
    pub fn handle_closed(&mut self) {
        self.step(NodeEvent::Closed);
        self.let_go(1006);
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.turn(now);
    }

    // ---- what follows ----

    /// Whether nothing that the client writes matters any more.
    fn is_deaf(&self) -> bool {
        matches!(self.phase, NodePhase::Finishing | NodePhase::Ended)
    }

    /// Whether frames are carried out and written as ever.
    pub(super) fn serves(&self) -> bool {
        matches!(self.phase, NodePhase::Open | NodePhase::Draining)
    }

    /// Asks the table. True if the phase has changed.
    pub(super) fn step(&mut self, event: NodeEvent) -> bool {
        match self.phase.next(event) {
            NodeStep::To(phase) => {
                self.phase = phase;
                true
            }
            NodeStep::Ignored => false,
            NodeStep::Never => {
                debug_assert!(false, "{event:?} in {:?}", self.phase);
                false
            }
        }
    }

    pub(super) fn order(&mut self, action: NodeAction<P>) {
        self.actions.push_back(action);
    }

    pub(super) fn write(&mut self, frame: NodeFrame<P>) {
        self.order(NodeAction::Write(frame));
    }

    pub(super) fn call(&mut self, slot: Slot, call: Call<P>, now: Instant) {
        let id = self.calls.issue(slot, now);
        self.order(NodeAction::Call { id, call });
    }

    /// A protocol error. [CLOSE-2]
    pub(super) fn broken(&mut self, clause: &'static str) {
        self.close(4002, clause, true);
    }

    pub(super) fn close(&mut self, code: u16, reason: impl Into<Cow<'static, str>>, lingers: bool) {
        if self.step(NodeEvent::End) {
            self.say_close(code, reason.into(), lingers);
        }
    }

    /// The last word before `welcome`. [BYE-2]
    pub(super) fn bye_at_once(&mut self) {
        if self.step(NodeEvent::Bye) {
            self.say_close(1000, "".into(), true);
        }
    }

    pub(super) fn say_close(&mut self, code: u16, reason: Cow<'static, str>, lingers: bool) {
        self.let_go(code);
        self.order(NodeAction::Close { code, reason: cut(reason), lingers });
    }

    /// Nothing of the link is carried out any more. [SEND-23]
    fn let_go(&mut self, code: u16) {
        self.timers.stop_all();
        self.asks.clear();
        self.calls.forget_but(Slot::Settle);
        self.greeting = None;
        if let Some(link) = self.link.as_mut() {
            link.settling.close(code);
            link.drafts.clear();
        }
    }
}

/// A reason that fits into a close frame. The text is cut, a `window=` at its end is not. [AWAY-6] [LIM-20]
fn cut(reason: Cow<'static, str>) -> Cow<'static, str> {
    if reason.len() <= REASON_BYTES_MAX {
        return reason;
    }
    let window = crate::close::window_in(reason.chars().map(u32::from)).and_then(|_| reason.rfind("window="));
    let (text, window) = reason.split_at(window.unwrap_or(reason.len()));
    let space = if window.is_empty() { "" } else { " " };
    let most = REASON_BYTES_MAX - window.len() - space.len();
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let text = text.get(..end).unwrap_or_default().trim_end();
    format!("{text}{space}{window}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [AWAY-6] [LIM-20]
    #[test]
    fn a_long_reason_is_cut_at_a_character_and_keeps_its_window() {
        assert_eq!(cut("deploy window=40000".into()), "deploy window=40000");
        let long = format!("{} window=40000", "é".repeat(100));
        let short = cut(long.into());
        assert!(short.len() <= 123 && short.ends_with("é window=40000"), "{short}");
        let short = cut("é".repeat(100).into());
        assert_eq!(short.len(), 122);
    }
}
