//! What follows from an input: what is due, and what has become possible.

use super::action::NodeAction;
use super::action::NodeFrame;
use super::asks::Question;
use super::calls::Slot;
use super::input::{AskId, Examined, HookFailed, NotAuthenticated, in_window_range};
use super::link::Link;
use super::machine::Node;
use super::phase::{NodeEvent, NodePhase};
use super::timer::NodeTimer;
use super::vital::Overdue;
use crate::frame::{Wait, Window};
use crate::session::Welcome;
use crate::session::down::Content;
use crate::time::{Duration, Instant};

/// How long a token is honoured after its end: a hidden page may be late by a minute. [AUTH-5]
const EXPIRED_GRACE: Duration = Duration::from_secs(90);
/// How much longer than `in` a link is served. [AWAY-9]
const LEAVE_GRACE: Duration = Duration::from_secs(2);
/// How long what has been read is finished. [BYE-2] [TIME-13]
const FINISH_MAX: Duration = Duration::from_secs(5);

impl<P: Content> Node<P> {
    pub(super) fn welcome(&mut self, link: Link<P>, welcome: Welcome, now: Instant) {
        self.step(NodeEvent::Welcomed);
        self.link = Some(Box::new(link));
        self.vital.heard(now);
        self.write(NodeFrame::Welcome(Box::new(welcome)));
        self.watch_expiry();
        self.drains(now);
    }

    pub(super) fn drains(&mut self, now: Instant) {
        let Some(drain) = self.drain.clone() else { return };
        if !self.step(NodeEvent::Drain) {
            return;
        }
        let millis = |span: Duration| u32::try_from(span.as_micros() / 1000).unwrap_or(u32::MAX);
        let (leave_in, window) = (Wait::from_ms(millis(drain.leave_in)), in_window_range(drain.window));
        self.timers.set(NodeTimer::Leave, now + Duration::from_millis(leave_in.ms().into()) + LEAVE_GRACE);
        let window = Window::from_ms(millis(window));
        self.write(NodeFrame::Goaway { leave_in, window, reason: drain.reason, url: drain.url });
    }

    pub(super) fn watch_expiry(&mut self) {
        match self.link.as_ref().and_then(|link| link.expires_at) {
            Some(at) => self.timers.set(NodeTimer::Expires, at + EXPIRED_GRACE),
            None => self.timers.stop(NodeTimer::Expires),
        }
    }

    pub(super) fn set_visible(&mut self, visible: bool) {
        if self.visible != visible {
            self.visible = visible;
            self.order(NodeAction::Visible(visible));
        }
    }

    /// Nothing more is read. [BYE-2] [AWAY-9]
    pub(super) fn finish(&mut self, event: NodeEvent, code: u16, now: Instant) {
        if self.step(event) {
            self.finish_code = code;
            self.timers.stop_all();
            self.asks.keep(|question| matches!(question, Question::Message(_)));
            self.timers.set(NodeTimer::Finish, now + FINISH_MAX);
        }
    }

    fn finished(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        while let Some(ack) = link.settling.last_ack(now) {
            self.actions.push_back(NodeAction::Write(NodeFrame::Ack(ack)));
        }
        let advance = link.feed.last_advance(now);
        if let Some(advance) = advance {
            self.outbound(advance);
        }
        if self.step(NodeEvent::Finished) {
            self.say_close(self.finish_code, "".into(), true);
        }
    }

    /// The end of every input: what is due, and what has become possible.
    pub(super) fn turn(&mut self, now: Instant) {
        if self.phase != NodePhase::Ended {
            self.expire(now);
        }
        match self.phase {
            NodePhase::Claiming => self.greeting_asks(now),
            NodePhase::Open | NodePhase::Draining => {
                self.upward(now);
                if self.serves() {
                    self.downward(now);
                }
            }
            NodePhase::Finishing => {
                self.upward(now);
                let idle = self.link.as_ref().is_some_and(|link| link.settling.is_idle());
                if idle && self.phase == NodePhase::Finishing {
                    self.finished(now);
                }
            }
            NodePhase::Fresh | NodePhase::Ended => {}
        }
        self.runs();
        if self.phase != NodePhase::Ended {
            self.watch(now);
        }
    }

    /// Sets what hangs on the transport and on silence.
    fn watch(&mut self, now: Instant) {
        let reads = !self.flow.is_full() && self.timers.at(NodeTimer::Pace).is_none();
        if reads != self.reading && self.phase != NodePhase::Finishing {
            self.reading = reads;
            self.vital.read(reads, now);
            self.order(NodeAction::Reading(reads));
        }
        let open = self.serves();
        let written = self.flow.written();
        for (timer, due) in [
            (NodeTimer::Ping, self.vital.ping_due(self.flow.taken()).filter(|_| open)),
            (NodeTimer::Verdict, self.vital.verdict_due(written).filter(|_| open)),
            (NodeTimer::Stuck, self.flow.stuck_due()),
        ] {
            match due {
                Some(due) => self.timers.set(timer, due),
                None => self.timers.stop(timer),
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        // What has come in since they were set moves these.
        self.watch(now);
        while let Some((timer, due)) = self.timers.expire(now) {
            match timer {
                NodeTimer::Hello => self.close(4001, "HELLO-12", true),
                NodeTimer::Claim => self.close(4004, "HELLO-16", true),
                NodeTimer::Welcome => self.close(4004, "the engine does not answer", true),
                NodeTimer::Behind => self.close(4004, "EPOCH-6", true),
                NodeTimer::Lag => {
                    if let Some(link) = self.link.as_mut() {
                        link.feed.wake();
                    }
                }
                NodeTimer::Ping => self.ping(now),
                NodeTimer::Verdict => match self.vital.overdue(due, now) {
                    Overdue::AskAgain => self.ping(now),
                    Overdue::NextTurn => self.timers.set(NodeTimer::Verdict, now + Duration::from_micros(1)),
                    Overdue::Dead => self.close(4003, "LIVE-4", false),
                },
                NodeTimer::Expires => self.close(4401, "AUTH-5", true),
                NodeTimer::Leave => self.finish(NodeEvent::TimeUp, 4000, now),
                NodeTimer::Finish => self.finished(now),
                NodeTimer::Stuck => {
                    if self.flow.is_stuck(now) {
                        self.close(4007, "CODE-4007", false);
                    }
                }
                NodeTimer::Pace => {}
            }
        }
        while let Some((id, question)) = self.asks.expire(now) {
            self.unanswered(id, question, now);
        }
        while let Some(slot) = self.calls.expire(now) {
            match slot {
                Slot::Greet => self.greeting_unanswered(),
                _ => self.reading_unanswered(slot),
            }
        }
        if self.answer_due().is_some_and(|due| due <= now) {
            self.close(4004, "ROOM-22", true);
        }
    }

    fn ping(&mut self, now: Instant) {
        let x = self.vital.ping(self.flow.written(), now);
        self.write(NodeFrame::Ping { x });
        self.watch(now);
    }

    /// A hook has not answered in time: as if it had failed.
    fn unanswered(&mut self, id: AskId, question: Question<P>, now: Instant) {
        match question {
            Question::Identity => self.greeting_authenticated(Err(NotAuthenticated::Failed), now),
            Question::Renewal => self.renewal_authenticated(Err(NotAuthenticated::Failed), now),
            Question::Hello(places) => self.greeting_authorised(places, Err(HookFailed), now),
            Question::Filter(rooms) => self.filter_authorised(rooms, Err(HookFailed), now),
            Question::Join(room) => self.join_authorised(room, Err(HookFailed)),
            Question::Page(page) => self.page_authorised(page, Err(HookFailed)),
            Question::Message(draft) => self.message_examined(draft, Examined::Failed, now),
            Question::Cast => self.cast_examined(id, Examined::Failed),
        }
    }
}
