//! What the application, the page and the dial have to say.

use super::alarm::Alarm;
use super::flow::End;
use super::pace::Ground;
use super::standing::Stage;
use super::work::head_bytes;
use super::{
    Action, Cast, Client, Event, Outbound, PageAsk, PageFailure, PageId, PageUnfit, Phase, Renewal, Why,
};
use crate::close::{Closed, window_in};
use crate::codes::Refusal;
use crate::engine::{Producer, Subject};
use crate::gather::gather;
use crate::outbox::Ticket;
use crate::session::down;
use crate::session::down::{Delivery, Unfit};
use crate::session::up::{Dropped, Outgoing, Unwritten};
use crate::session::{Hello, REQUESTS_MAX};
use crate::time::{Duration, Instant};

/// How long a socket that took nothing may leave its `close` event outstanding.
const MUTE_MAX: Duration = Duration::from_secs(2);

impl Client {
    // ---- the application ----

    /// The application wants the wire.
    pub fn handle_connect(&mut self, now: Instant) {
        self.enter(now);
        if self.step(Event::Connect) {
            self.ask(now);
        }
    }

    /// Whether [`Self::submit`] would take this message. Ask, then note it on the record, then submit it.
    ///
    /// # Errors
    /// [`Refusal`]: it would not be taken.
    pub fn admits(&self, message: &Outgoing) -> Result<(), Refusal> {
        if self.closing.is_some() || matches!(self.phase, Phase::Closing | Phase::Closed) {
            return Err(Refusal::Closed);
        }
        if message.bytes > self.config.message_bytes_max {
            return Err(Refusal::TooLarge);
        }
        if message.answer_by.is_some() && self.requests_unanswered() >= REQUESTS_MAX {
            return Err(Refusal::OutboxFull);
        }
        self.sending.admits(message)
    }

    /// Requests without an answer, those without a number included. [REQ-13]
    pub fn requests_unanswered(&self) -> usize {
        self.requests.len() + self.sending.requests_waiting()
    }

    /// The application hands over a message, under a ticket that is not in use. It exits once; a request is besides
    /// [`Action::Answered`] or [`Action::Unanswered`], unless it exits refused or dropped.
    pub fn submit(&mut self, message: Outgoing, now: Instant) {
        let admitted = self.admits(&message);
        // Before anything can leave, as in the record.
        if admitted.is_ok() {
            self.sending.place(message);
        }
        self.enter(now);
        match admitted {
            Ok(()) => {
                let left = self.sending.make_room_for(message);
                self.exit_all(left);
            }
            Err(Refusal::Closed) => self.exit_unwritten(&message, Unwritten::Closed),
            Err(Refusal::TooLarge) => self.exit_unwritten(&message, Unwritten::TooLarge),
            Err(Refusal::OutboxFull) => self.exit_unwritten(&message, Unwritten::Overflow),
        }
    }

    /// The application no longer waits for a message. Without a number it leaves; with one it stays, and only a request
    /// is given up. [SEND-5] [REQ-9]
    pub fn handle_abort(&mut self, ticket: Ticket, now: Instant) {
        self.enter(now);
        self.abort(ticket);
    }

    pub(super) fn abort(&mut self, ticket: Ticket) {
        if let Some(exited) = self.sending.remove(ticket) {
            self.exit(exited);
        } else if let Some(n) = self.requests.number_of(ticket) {
            self.requests.end(n);
            self.order(Action::Unanswered { ticket, n, why: Dropped::InDoubt });
        }
    }

    /// The application hands over a message that nobody keeps. True if it goes out: it is not queued, and one
    /// beyond the rate does not go out either. [CAST-2]
    pub fn cast(&mut self, cast: Cast, now: Instant) -> bool {
        self.enter(now);
        let octets = head_bytes(&Outbound::Cast(cast)) + u64::from(cast.bytes);
        let goes = self.phase.is_open()
            && !self.link.muted
            && self.link.buffered <= self.config.high_water
            && !self.sending.is_alone()
            && octets <= self.link.frame_bytes_max
            && self.sending.take_allowance(now);
        if goes {
            self.write(Outbound::Cast(cast), octets);
        }
        goes
    }

    /// Whether [`Self::handle_join`] would take this room.
    ///
    /// # Errors
    /// [`Unfit`]: it is no room, or one too many.
    pub fn admits_room(&self, subject: &Subject) -> Result<(), Unfit> {
        self.reader.admits(subject)
    }

    /// The application wishes to be in a room.
    pub fn handle_join(&mut self, subject: Subject, now: Instant) {
        self.enter(now);
        let joined = self.reader.join(subject);
        debug_assert!(joined.is_ok(), "`admits_room` was not asked");
    }

    /// The application wishes to be in a room no longer.
    pub fn handle_leave(&mut self, subject: &Subject, now: Instant) {
        self.enter(now);
        self.reader.leave(subject);
    }

    /// The application asks for history. It ends by [`Action::Paged`] with another mark than `more`, or by
    /// [`Action::PageFailed`].
    ///
    /// # Errors
    /// [`PageUnfit`]: it was not taken.
    pub fn page(&mut self, ask: PageAsk, now: Instant) -> Result<(), PageUnfit> {
        self.enter(now);
        if self.closing.is_some() || matches!(self.phase, Phase::Closing | Phase::Closed) {
            return Err(PageUnfit::Closed);
        }
        self.pages.admits(&ask)?;
        self.pages.ask(ask);
        Ok(())
    }

    /// The application no longer wants a page.
    pub fn handle_page_abort(&mut self, page: PageId, now: Instant) {
        self.enter(now);
        if self.pages.abort(page) {
            self.order(Action::PageFailed { page, why: PageFailure::Closed });
        }
    }

    /// A handler has ended, well or badly. [POS-13]
    pub fn handle_settled(&mut self, delivery: Delivery, now: Instant) {
        self.enter(now);
        self.reader.settle(delivery, now);
    }

    /// The application closes: what it has handed over may be written for so long. [SEND-7]
    pub fn handle_close(&mut self, drain: Duration, now: Instant) {
        self.enter(now);
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        let until = now + drain;
        let until = self.closing.map_or(until, |earlier| earlier.min(until));
        self.closing = Some(until);
        self.alarms.set(Alarm::Drain, until);
        self.tell();
        // What was never to be connected is not dialled for its end; a page that is put away has no time.
        if drain == Duration::ZERO || matches!(self.phase, Phase::Idle | Phase::Suspended) {
            self.shut(now);
        }
    }

    /// The application wants a new link now. One in use is given up for it; a dial that runs goes on. [AWAY-12]
    pub fn handle_reconnect(&mut self, now: Instant) {
        self.enter(now);
        let linked = matches!(self.phase, Phase::Greeting | Phase::Open | Phase::Leaving);
        if !linked || self.closing.is_some() {
            return self.redial(Why::Wish, now);
        }
        self.say_bye();
        let at_once = self.stand().pace.take_budget(now);
        let end = End::new(Why::Wish, Ground::Local).closing(1000, "");
        self.lose(End { at_once, ..end }, now);
    }

    // ---- the page ----

    /// The page is looked at, or no longer. [VIS-1]
    pub fn handle_visible(&mut self, visible: bool, now: Instant) {
        self.enter(now);
        self.visible = visible;
        if visible {
            self.suspect(now);
            self.redial(Why::Visible, now);
        }
    }

    /// The browser says that the network is back.
    pub fn handle_online(&mut self, now: Instant) {
        self.enter(now);
        let was_offline = core::mem::take(&mut self.offline);
        self.tell();
        self.suspect(now);
        self.redial_hung(Why::Online, was_offline, now);
    }

    /// The browser says that there is no network: a hint. An open link is asked, not killed.
    pub fn handle_offline(&mut self, now: Instant) {
        self.enter(now);
        self.offline = true;
        self.tell();
        self.suspect(now);
        if self.phase == Phase::Waiting {
            let due = self.due_offline(now);
            // What a server asked for is not cut short by having no network.
            let sticky = self.alarms.at(Alarm::Redial).filter(|_| self.standing.pace.spreading());
            self.wait_until(sticky.map_or(due, |sticky| sticky.max(due)));
        }
    }

    /// The network is another, or has another address: whether the link lives on there is asked.
    pub fn handle_network_changed(&mut self, now: Instant) {
        self.enter(now);
        self.suspect(now);
    }

    /// The machine has slept: its clock has jumped by more than 1 s.
    pub fn handle_wake(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.liveness.slept(now);
        self.suspect(now);
        self.enter(now);
        self.redial_hung(Why::Wake, false, now);
    }

    /// The page is put away. [BYE-4]
    pub fn handle_suspend(&mut self, now: Instant) {
        self.enter(now);
        let end = End::new(Why::Suspended, Ground::Local).closing(1000, "");
        match self.phase {
            Phase::Suspended | Phase::Closed => {}
            Phase::Closing => self.handshake_over(0, false, now),
            _ if self.closing.is_some() => {
                self.say_bye();
                self.leave_and_finish(End { why: Why::Closed, ..end }, now);
            }
            _ => {
                self.say_bye();
                let was_open = self.phase.is_open();
                self.leave_link(&end, now);
                self.step(Event::Suspend);
                self.stand().stage = Stage::Suspended;
                self.tell();
                if was_open {
                    let link = self.number;
                    self.order(Action::Ended { link, why: Why::Suspended, code: 0, retry: None });
                }
            }
        }
    }

    /// The page is back, and looked at or not.
    pub fn handle_resume(&mut self, visible: bool, now: Instant) {
        self.now = self.now.max(now);
        if self.phase != Phase::Suspended {
            return self.handle_visible(visible, now);
        }
        self.visible = visible;
        let held = self.rests() || self.standing.pace.held_until(now).is_some();
        // The user has come back to it, which a network that flaps cannot do: the budget alone is the limit.
        if !held && self.stand().pace.take_budget(now) {
            self.stand().pace.count();
            self.step(Event::Resume);
            self.ask(now);
            return;
        }
        let due = self.due(Ground::Local, false, now);
        self.step(Event::Defer);
        self.wait_until(due);
        self.tell();
        self.tell_of_dial(Why::Visible, 0, due, now);
    }

    // ---- the dial ----

    /// Url and token are there, and a socket is connecting. `token_changed`: the token is another than that of the last
    /// `hello` that was refused ([`Notice::TokenRefused`](super::Notice::TokenRefused)). `fresh`: three producers that
    /// nobody has used, drawn from a secure generator. [HELLO-4]
    pub fn handle_dialled(&mut self, link: u64, token_changed: bool, fresh: [Producer; 3], now: Instant) {
        self.enter(now);
        if link != self.number || self.phase != Phase::Asking {
            return;
        }
        self.step(Event::Dialled);
        self.link.fresh = Some(fresh);
        if !self.token_given(token_changed) {
            return self.lose(End::new(Why::SameToken, Ground::Backoff), now);
        }
        self.alarms.set(Alarm::Connect, now + self.config.connect_timeout);
    }

    /// A provider failed, or gave something of which no socket can be made.
    pub fn handle_dial_failed(&mut self, link: u64, now: Instant) {
        self.enter(now);
        if link == self.number && self.phase == Phase::Asking {
            self.lose(End::new(Why::ProviderFailed, Ground::Backoff), now);
        }
    }

    /// The socket has opened; whether the server has selected `everwire.v1`. [TRN-1]
    pub fn handle_link_open(&mut self, link: u64, selected: bool, now: Instant) {
        self.enter(now);
        if link != self.number || self.phase != Phase::Dialling {
            return;
        }
        self.link.opened_at = Some(now);
        if !selected {
            return self.lose(End::new(Why::NotSelected, Ground::Backoff).closing(1000, "TRN-1"), now);
        }
        self.step(Event::LinkOpened);
        if crate::mutant::mutant!(BackoffResetAtOpen) {
            self.stand().pace.reset();
        }
        self.alarms.stop(Alarm::Connect);
        self.alarms.set(Alarm::Welcome, now + self.standing.welcome_time().times(3));
        self.greet();
    }

    fn greet(&mut self) {
        let Some([successor, ..]) = self.link.fresh else { return };
        let needs = self.sending.written() > 0;
        if needs {
            self.sending.set_successor(successor);
        }
        let Some(up) = self.sending.hello() else { return };
        let down::Hello { epoch, position, rooms, held } = self.reader.hello();
        let wished = |(room, seat): (Subject, down::Seat)| crate::session::Wished {
            room,
            from: seat.from,
            grant: seat.grant,
        };
        let hello = Hello {
            token: None,
            producer: up.producer,
            successor: up.successor,
            link: self.number,
            oldest: up.oldest,
            written: up.written,
            born: up.born,
            epoch,
            position,
            rooms: gather(rooms.into_iter().map(wished)),
            pending: gather(self.requests.iter().map(|(n, _)| n)),
            held,
            visible: self.visible,
            features: Vec::new(),
        };
        self.link.visible_said = self.visible;
        self.order(Action::Write { link: self.number, frame: Outbound::Hello(Box::new(hello)) });
    }

    // ---- the link ----

    /// The transport's buffer holds so many octets.
    pub fn handle_buffered(&mut self, octets: u64, now: Instant) {
        self.now = self.now.max(now);
        self.link.buffered = octets;
        self.liveness.buffered(octets, now);
        if octets == 0 && self.phase == Phase::Greeting && !self.link.hello_left {
            self.link.hello_left = true;
            let due = now + self.standing.welcome_time();
            if self.alarms.at(Alarm::Welcome).is_none_or(|at| due < at) {
                self.alarms.set(Alarm::Welcome, due);
            }
        }
    }

    /// The socket did not take a frame although it had not said that it was closed. Its `close` event, which knows why,
    /// is waited for.
    pub fn handle_write_failed(&mut self, link: u64, now: Instant) {
        self.now = self.now.max(now);
        let linked = matches!(self.phase, Phase::Greeting | Phase::Open | Phase::Leaving);
        if link == self.number && linked && !self.link.muted {
            self.link.muted = true;
            self.alarms.set(Alarm::Mute, now + MUTE_MAX);
        }
    }

    /// The `close` event of a link, with the reason as it came.
    pub fn handle_link_closed(&mut self, link: u64, closed: Closed, reason: &str, now: Instant) {
        self.now = self.now.max(now);
        if link != self.number {
            return;
        }
        match self.phase {
            Phase::Dialling => {
                let ground = self.standing.pace.dial_failed();
                self.lose(End { code: closed.code, ..End::new(Why::DialFailed, ground) }, now);
            }
            Phase::Greeting | Phase::Open | Phase::Leaving => {
                self.closed_by_peer(closed, window_in(reason.chars().map(u32::from)), now);
            }
            Phase::Closing => self.handshake_over(closed.code, true, now),
            Phase::Idle | Phase::Asking | Phase::Waiting | Phase::Suspended | Phase::Closed => {}
        }
        self.enter(now);
    }

    /// The token that [`Action::Renew`] asked for is there; the `auth` frame has so many octets.
    pub fn handle_renewed(&mut self, link: u64, octets: u64, now: Instant) {
        self.enter(now);
        if link == self.number && self.link.renewal == Renewal::Asked {
            self.link.renewal = Renewal::Ready(octets);
        }
    }

    /// There is no token: it is asked for again later.
    pub fn handle_renewal_failed(&mut self, link: u64, now: Instant) {
        self.enter(now);
        if link == self.number && self.link.renewal == Renewal::Asked {
            self.link.renewal = Renewal::None;
            self.alarms.set(Alarm::Renew, now + super::times::RENEW_AFTER);
        }
    }
}
