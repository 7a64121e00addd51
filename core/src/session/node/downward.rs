//! Downwards: pushes, casts, replies, pages, and what they need of the engine.

use super::action::{NodeAction, NodeFrame};
use super::calls::Slot;
use super::greeting::BEHIND_MAX;
use super::inbox::Asked;
use super::machine::Node;
use super::pages::Due;
use super::timer::NodeTimer;
use super::wrong;
use crate::engine::{Answer, Failure, Message, Read, Tailed};
use crate::frame::{BATCH_BYTES_FILLED, BATCH_MESSAGES_MAX, Room};
use crate::mutant::mutant;
use crate::session::down::{Content, Outbound, Verdict, head_call};
use crate::session::up::RETRY_DELAY;
use crate::time::{Duration, Instant};

/// How long a node may take to answer a `join`, a `page` or an `auth`. [ROOM-22]
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// What a node may add to a message. [LIM-2]
const STAMP_OCTETS_MAX: u64 = 1024;

impl<P: Content> Node<P> {
    /// Everything that is due downwards.
    pub(super) fn downward(&mut self, now: Instant) {
        self.publishes(now);
        self.joins();
        let clogged = self.flow.is_clogged();
        let Some(link) = self.link.as_mut() else { return };
        if clogged != link.clogged {
            link.clogged = clogged;
            link.feed.handle_transport(clogged);
        }
        if self.calls.is_free(Slot::Head, now) && !link.joining.is_empty() {
            link.joining_asked = core::mem::take(&mut link.joining);
            let call = head_call(link.epoch.clone());
            self.call(Slot::Head, call, now);
        }
        self.look(now);
        self.replies(now);
        self.pages(now);
        let advance = self.link.as_mut().and_then(|link| link.feed.poll_advance(now));
        if let Some(advance) = advance {
            self.outbound(advance);
        }
    }

    /// A lagging replica is left alone until [`NodeTimer::Lag`].
    fn look(&mut self, now: Instant) {
        let free = self.calls.is_free(Slot::Look, now) && self.timers.at(NodeTimer::Lag).is_none();
        let Some(link) = self.link.as_mut().filter(|_| free) else { return };
        let Some(look) = link.feed.look() else { return };
        let call = link.feed.call(&look);
        link.look = Some(look);
        self.call(Slot::Look, call, now);
    }

    /// [REQ-7] [REQ-8] One at a time, as the transport drains.
    fn replies(&mut self, now: Instant) {
        loop {
            let admits = self.flow.admits_big();
            let Some(link) = self.link.as_mut() else { return };
            if mutant!(AnswersBehindCredit) && !link.feed.outstanding().admits(1) {
                return;
            }
            if !admits {
                return;
            }
            let Some((n, payload)) = link.inbox.next() else { break };
            if !self.fits(payload.octets()) {
                return;
            }
            let frame = NodeFrame::Reply { n, payload };
            self.flow.write_big(frame.message_octets());
            self.write(frame);
        }
        if self.calls.is_free(Slot::Inbox, now) {
            let call = self.link.as_ref().and_then(|link| link.inbox.call(&link.epoch));
            if let Some(call) = call {
                self.call(Slot::Inbox, call, now);
            }
        }
    }

    fn pages(&mut self, now: Instant) {
        loop {
            let admits = self.flow.admits_big();
            let Some(link) = self.link.as_mut() else { return };
            match link.pages.next(admits, now) {
                Some(Due::Refused { id, code }) => self.write(NodeFrame::PageRefused { id, code }),
                Some(Due::Part { id, part: (mark, messages) }) => {
                    if !self.all_fit(&messages) {
                        return;
                    }
                    let frame = NodeFrame::Page { id, mark, messages };
                    self.flow.write_big(frame.message_octets());
                    self.write(frame);
                }
                None => {
                    if !self.calls.is_free(Slot::Page, now) {
                        return;
                    }
                    let call = link.pages.call(&link.epoch);
                    match call {
                        Some(call) => return self.call(Slot::Page, call, now),
                        // One that needs no call may have become ready.
                        None if link.pages.is_writing() && admits => {}
                        None => return,
                    }
                }
            }
        }
    }

    /// What the engine has answered to a reading call.
    pub(super) fn answered(&mut self, slot: Slot, answer: Answer<P>, now: Instant) {
        if matches!(
            answer,
            Answer::Tail(Err(Failure::EpochChanged))
                | Answer::Read(Err(Failure::EpochChanged))
                | Answer::Trimmed(Err(Failure::EpochChanged))
                | Answer::Publish(Err(Failure::EpochChanged))
        ) {
            return self.close(4006, "EPOCH-5", true);
        }
        if !self.serves() {
            return;
        }
        let Some(link) = self.link.as_mut() else { return };
        match slot {
            Slot::Look => self.looked(answer, now),
            Slot::Head => {
                let asked = core::mem::take(&mut link.joining_asked);
                if let Answer::Read(Ok(Read::Interval(interval))) = answer {
                    for (room, since) in asked {
                        let head = interval.upto.max(since);
                        link.feed.handle_verdict(&room, Verdict::Allowed { head });
                    }
                } else {
                    link.joining.extend(asked);
                    self.calls.rest(Slot::Head, now);
                }
            }
            Slot::Inbox => match link.inbox.answered(answer) {
                Asked::Done => {}
                Asked::Later => self.calls.rest(Slot::Inbox, now),
                Asked::EpochChanged => self.close(4006, "EPOCH-5", true),
            },
            Slot::Page => {
                let interval = match answer {
                    Answer::Read(Ok(Read::Interval(interval))) => Some(interval),
                    Answer::Read(Ok(_)) => None,
                    _ => return self.calls.rest(Slot::Page, now),
                };
                link.pages.answered(interval, link.feed.told());
            }
            Slot::Greet | Slot::Settle | Slot::Publish => {}
        }
    }

    fn looked(&mut self, answer: Answer<P>, now: Instant) {
        let behind = matches!(answer, Answer::Tail(Ok((Tailed::Behind { .. }, _))));
        let Some(link) = self.link.as_mut() else { return };
        let Some(look) = link.look.take() else { return };
        let Ok(answer) = look.answered(answer) else { return self.calls.rest(Slot::Look, now) };
        let out = link.feed.handle_answer(answer, now);
        if behind {
            // [EPOCH-6]
            self.timers.start(NodeTimer::Behind, now + BEHIND_MAX);
            self.timers.set(NodeTimer::Lag, now + RETRY_DELAY);
        } else {
            self.timers.stop(NodeTimer::Behind);
        }
        self.outbounds(out);
    }

    /// No answer came in time: what was asked is asked again.
    pub(super) fn reading_unanswered(&mut self, slot: Slot) {
        let Some(link) = self.link.as_mut() else { return };
        match slot {
            Slot::Look => link.look = None,
            Slot::Head => link.joining.append(&mut link.joining_asked),
            _ => {}
        }
    }

    /// Frames of the downward half, the casts among them in as few frames as they fit into.
    fn outbounds(&mut self, out: Vec<Outbound<P>>) {
        let (mut casts, mut octets) = (Vec::new(), 0u64);
        for outbound in out {
            let Outbound::Cast(post) = outbound else {
                self.outbound(outbound);
                continue;
            };
            let binary = post.payload.is_binary();
            let grown = octets.saturating_add(post.payload.octets()).saturating_add(1);
            let full = grown >= BATCH_BYTES_FILLED || casts.len() >= BATCH_MESSAGES_MAX;
            if (binary || full) && !casts.is_empty() {
                self.write(NodeFrame::Cast(core::mem::take(&mut casts)));
            }
            if binary {
                octets = 0;
                self.write(NodeFrame::Cast(vec![post.payload]));
            } else {
                octets = if casts.is_empty() { post.payload.octets().saturating_add(1) } else { grown };
                casts.push(post.payload);
            }
        }
        if !casts.is_empty() {
            self.write(NodeFrame::Cast(casts));
        }
    }

    pub(super) fn outbound(&mut self, outbound: Outbound<P>) {
        let Some(link) = self.link.as_ref() else { return };
        let frame = match outbound {
            Outbound::Push { after, upto, messages } => {
                wrong::note_told(&link.epoch, link.producer, upto);
                if !self.all_fit(&messages) {
                    return;
                }
                self.vital.pushed();
                NodeFrame::Push { after, upto, messages }
            }
            Outbound::Advance { after, upto } => NodeFrame::Advance { after, upto },
            Outbound::Joined { room, from } => NodeFrame::Joined { room, from },
            Outbound::Denied { room, code } => {
                let Some(room) = Room::encode(room.as_str()) else { return };
                NodeFrame::Denied { room: room.into(), code }
            }
            Outbound::Malformed { room } => NodeFrame::Denied { room, code: "malformed".into() },
            Outbound::Lost(loss) => NodeFrame::Lost { epoch: link.epoch.clone(), loss },
            Outbound::Cast(post) => NodeFrame::Cast(vec![post.payload]),
        };
        self.order(NodeAction::Write(frame));
    }

    fn all_fit(&mut self, messages: &[Message<P>]) -> bool {
        let longest = messages.iter().map(|message| message.payload.octets()).max();
        self.fits(longest.unwrap_or(0))
    }

    /// Whether a message may be written under the limit that this link announced; else the client must hear of a higher
    /// one. [LIM-23]
    fn fits(&mut self, octets: u64) -> bool {
        let most = self.link.as_ref().map_or(0, |link| u64::from(link.limit) + STAMP_OCTETS_MAX);
        if octets > most && self.serves() {
            self.close(4000, "LIM-23", true);
        }
        octets <= most && self.serves()
    }

    /// When the oldest question of the client that only this node can answer must have been. [ROOM-22]
    pub(super) fn answer_due(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|_| self.serves())?;
        let held = link.pages.is_writing() && !self.flow.admits_big();
        let page = link.pages.since().filter(|_| !held);
        let join = link.joined_at.front().copied();
        let renewal = link.renewing.map(|renewing| renewing.since);
        [page, join, renewal].into_iter().flatten().min().map(|since| since + ANSWER_MAX)
    }
}
