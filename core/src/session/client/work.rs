//! What is to be written, one thing at a time: asked for when everything else has been carried out, so that what the
//! transport's buffer held last decides.

use super::alarm::Alarm;
use super::liveness::ANNOUNCED_ABOVE;
use super::{Action, Client, Outbound, PageFailure, Phase, Renewal};
use crate::frame::FromClient;
use crate::outbox::LOOK_AGAIN;
use crate::session::down::Wish;
use crate::session::up::{ALONE_FRAME_BYTES_MAX, Gate, Written};

/// So many handlers are started before it is asked again what is to be written.
const STARTS: usize = 64;

/// Octets of a frame's header line, with the LF before a body.
pub(super) fn head_bytes(frame: &Outbound) -> u64 {
    let mut head = Vec::with_capacity(64);
    frame.head(&mut head);
    head.len() as u64
}

impl Client {
    /// One more thing to do; false if there is none.
    pub(super) fn work(&mut self) -> bool {
        if self.closing.is_some() && self.is_drained() {
            let phase = self.phase;
            self.shut(self.now);
            return self.phase != phase || !self.actions.is_empty();
        }
        let usable = self.phase.is_open() && !self.link.muted;
        if usable && self.write_next() {
            return true;
        }
        // Between two of them there is nothing new to be written.
        for _ in 0..STARTS {
            let Some(started) = self.reader.start(self.now) else { break };
            self.order(Action::Start(started));
        }
        !self.actions.is_empty()
    }

    pub(super) fn is_over_high_water(&self) -> bool {
        self.link.buffered > self.config.high_water
    }

    /// Orders a frame of so many octets, and announces it if it is long. [LIVE-13]
    pub(super) fn write(&mut self, frame: Outbound, octets: u64) {
        if octets > ANNOUNCED_ABOVE {
            let more = Outbound::More(octets);
            let bytes = head_bytes(&more);
            self.write_short(more, bytes);
        }
        self.write_short(frame, octets);
    }

    fn write_short(&mut self, frame: Outbound, octets: u64) {
        self.link.buffered = self.link.buffered.saturating_add(octets);
        self.liveness.wrote(octets, self.now);
        self.order(Action::Write { link: self.number, frame });
    }

    fn write_head(&mut self, frame: Outbound) {
        let octets = head_bytes(&frame);
        self.write_short(frame, octets);
    }

    fn write_next(&mut self) -> bool {
        let over = self.is_over_high_water();
        if !over && (self.answer_ping() || self.write_seen()) {
            return true;
        }
        self.write_wish()
            || self.write_visible()
            || self.write_auth()
            || self.write_send(over)
            || (!over && self.write_page())
            || self.leave_exhausted()
    }

    /// [LIVE-1] [CRED-15]
    fn answer_ping(&mut self) -> bool {
        let Some(x) = self.link.pong.take() else { return false };
        if let Some(FromClient::Seen { s, count, bytes }) = self.reader.flush_seen(self.now) {
            self.write_head(Outbound::Seen { s, count, bytes });
        }
        self.write_head(Outbound::Pong(x));
        true
    }

    /// [CRED-14]
    fn write_seen(&mut self) -> bool {
        let Some(FromClient::Seen { s, count, bytes }) = self.reader.poll_seen(self.now) else {
            return false;
        };
        self.write_head(Outbound::Seen { s, count, bytes });
        true
    }

    fn write_wish(&mut self) -> bool {
        let frame = match self.reader.next_wish() {
            Some(Wish::Join(subject)) => Outbound::Join(subject),
            Some(Wish::Leave(subject)) => Outbound::Leave(subject),
            None => return false,
        };
        self.write_head(frame);
        true
    }

    /// [VIS-1]
    fn write_visible(&mut self) -> bool {
        if self.link.visible_said == self.visible {
            return false;
        }
        self.link.visible_said = self.visible;
        self.write_head(Outbound::Vis(self.visible));
        true
    }

    /// [AUTH-4] [REF-9]
    fn write_auth(&mut self) -> bool {
        let Renewal::Ready(octets) = self.link.renewal else { return false };
        if self.sending.is_alone() && octets > ALONE_FRAME_BYTES_MAX {
            return false;
        }
        self.link.renewal = Renewal::Written;
        self.write(Outbound::Auth, octets);
        true
    }

    fn write_send(&mut self, over: bool) -> bool {
        let late = self.sending.expire(self.now);
        self.exit_all(late);
        if over && self.sending.is_behind() && self.alarms.at(Alarm::Look).is_none() {
            self.alarms.set(Alarm::Look, self.now + LOOK_AGAIN);
        }
        let gate = if over {
            Gate::Release
        } else if self.link.hush_at.is_some_and(|at| at <= self.now) {
            Gate::Given
        } else {
            Gate::Open
        };
        let given = self.sending.written();
        let Some(written) = self.sending.write_within(gate, self.now) else {
            return !self.actions.is_empty();
        };
        self.requests_numbered(&written, given);
        let last = written.messages.last().map(|last| last.n);
        let octets = written.octets;
        self.write(Outbound::Send(written), octets);
        if let Some(last) = last {
            self.liveness.sent(last, octets, self.now);
        }
        true
    }

    fn requests_numbered(&mut self, written: &Written, given: u64) {
        for numbered in written.messages.iter().filter(|numbered| numbered.n > given) {
            if let Some(by) = numbered.message.answer_by {
                self.requests.ask(numbered.n, super::Asked { ticket: numbered.message.ticket, by });
            }
        }
    }

    fn write_page(&mut self) -> bool {
        if !self.pages.is_ready() {
            return false;
        }
        let Some(epoch) = self.reader.record().epoch.clone() else { return false };
        match self.pages.next(&epoch) {
            Some(Ok((id, ask))) => {
                let before = ask.before.map_or(crate::frame::NUMBER_MAX, |(_, before)| before);
                self.write_head(Outbound::Page { id, subject: ask.subject, before, count: ask.count });
                true
            }
            Some(Err(page)) => {
                self.order(Action::PageFailed { page, why: PageFailure::Lost });
                true
            }
            None => false,
        }
    }

    /// [NUM-6]
    fn leave_exhausted(&mut self) -> bool {
        if !self.sending.is_exhausted() || self.phase == Phase::Closing {
            return false;
        }
        self.say_bye();
        self.begin_anew();
        let end = super::flow::End::new(super::Why::Exhausted, super::pace::Ground::Local).closing(1000, "");
        self.lose(end, self.now);
        true
    }
}
