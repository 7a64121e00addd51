//! A frame has come: it is held against the grammar, the state of the link and the clauses, and carried out or not.

use super::alarm::Alarm;
use super::liveness::{ANNOUNCED_ABOVE, Way};
use super::standing::Count;
use super::times::RENEW_AFTER;
use super::{Action, Body, Client, Event, PageFailure, Phase, Renewal};
use crate::engine::{RefusalCode, Subject};
use crate::frame::{
    BATCH_MESSAGES_MAX, FrameError, FromServer, MESSAGE_BYTES_MOST, Numbers, PageMark, Refusals, Room, Shape,
    Wait, Window, frame_bytes_max,
};
use crate::gather::gather;
use crate::mutant::mutant;
use crate::session::down::{Element, Place, Report, Violation};
use crate::session::{Broken, Secret};
use crate::time::{Duration, Instant};

/// A client stops giving numbers so long before it leaves. [AWAY-3]
const HUSH: Duration = Duration::from_secs(2);

/// The clause that a violation breaks.
pub(super) const fn clause(violation: Violation) -> &'static str {
    match violation {
        Violation::Gap => "POS-3",
        Violation::Order => "POS-2",
        Violation::Elements => "POS-7",
        Violation::Window => "CRED-10",
        Violation::Totals => "CRED-16",
        Violation::Unexpected => "ROOM-2",
        Violation::From => "ROOM-5",
        Violation::Welcome => "WELC-10",
        Violation::Lost => "LOST-7",
        Violation::JoinUnanswered => "ROOM-3",
    }
}

impl From<Violation> for Broken {
    fn from(violation: Violation) -> Self {
        Self { clause: clause(violation) }
    }
}

/// Which count an error in this frame belongs to. [CLOSE-6]
fn count_of(head: &[u8]) -> Count {
    let verb = head.split(|octet| *octet == b' ').next().unwrap_or_default();
    if matches!(verb, b"push" | b"advance" | b"lost") { Count::Down } else { Count::Other }
}

const fn elements<'a>(body: &Body<'a>, many: usize) -> Result<&'a [Element], Broken> {
    match body {
        Body::Elements(elements) if elements.len() == many => Ok(elements),
        Body::Elements(_) => Err(Broken { clause: "ERR-7" }),
        _ => Err(Broken { clause: "ERR-6" }),
    }
}

impl Client {
    /// A frame has come. The host keeps it in hand until [`Self::poll`] has answered `None`: some actions name its
    /// elements.
    pub fn handle_frame(&mut self, link: u64, head: &[u8], shape: Shape, body: Body<'_>, now: Instant) {
        self.now = self.now.max(now);
        let in_use = matches!(self.phase, Phase::Greeting | Phase::Open | Phase::Leaving);
        if link != self.number || !in_use {
            return self.enter(now);
        }
        let late = || self.liveness.reply_due().is_some_and(|due| due < now);
        if mutant!(AnsweredProbeRedials) && self.phase.is_open() && head.starts_with(b"pong") && late() {
            return self.judge(now);
        }
        if self.phase.is_open() {
            self.liveness.heard(frame_octets(head, shape), head.starts_with(b"pong "), now);
        }
        if let Err((Broken { clause }, count)) = self.read(head, shape, body, now) {
            self.broken(clause, count, now);
        }
        self.enter(now);
    }

    fn read(
        &mut self,
        head: &[u8],
        shape: Shape,
        body: Body<'_>,
        now: Instant,
    ) -> Result<(), (Broken, Count)> {
        let octets = frame_octets(head, shape);
        let most = if self.phase.is_open() {
            self.link.frame_bytes_max
        } else {
            frame_bytes_max(MESSAGE_BYTES_MOST)
        };
        let frame = FromServer::parse(head, shape, most).map_err(|error| {
            let count = if error == FrameError::FrameTooLong { Count::Down } else { count_of(head) };
            (Broken { clause: error.clause() }, count)
        })?;
        let counted = |broken: Broken| (broken, count_of(head));
        if self.phase == Phase::Greeting {
            return match (frame, body) {
                (Some(FromServer::Welcome), Body::Welcome(welcome)) => self.greeted(welcome, now),
                (Some(FromServer::Welcome), _) => Err(Broken { clause: "ERR-6" }),
                _ => Err(Broken { clause: "WELC-2" }),
            }
            .map_err(|broken| (broken, Count::Other));
        }
        if let Some(announced) = self.link.announced.take()
            && !(ANNOUNCED_ABOVE + 1..=announced).contains(&octets)
        {
            return Err(counted(Broken { clause: "LIVE-14" }));
        }
        let Some(frame) = frame else { return Ok(()) };
        if matches!(body, Body::Unreadable) && frame != FromServer::Welcome {
            return Err(counted(Broken { clause: "ERR-6" }));
        }
        self.carry_out(frame, shape, body, now).map_err(counted)
    }

    fn carry_out(
        &mut self,
        frame: FromServer<'_>,
        shape: Shape,
        body: Body<'_>,
        now: Instant,
    ) -> Result<(), Broken> {
        match frame {
            FromServer::Welcome => Err(Broken { clause: "ERR-9" }),
            FromServer::Ack { n, credit, refused } => self.acked(n, credit, refused, now),
            FromServer::Push { after, upto, numbers } => {
                let octets = shape.body_bytes.unwrap_or_default();
                self.pushed(after, upto, numbers, &body, octets, now)
            }
            FromServer::Advance { after, upto } => {
                let before = self.reader.received();
                self.reader.handle_advance(after, upto)?;
                self.received_rose(before);
                let upto = self.reader.received();
                if upto > before {
                    self.order(Action::Advanced { upto });
                }
                Ok(())
            }
            FromServer::Joined { room, from, grant } => {
                let subject = room.subject().ok_or(Broken { clause: "ROOM-2" })?;
                let grant = grant.map(|grant| Secret::from(grant.as_str()));
                let place = Place { subject: Subject::from(subject.as_str()), from, grant };
                if self.reader.handle_joined(place.clone())?.is_some() {
                    self.order(Action::Joined(place));
                }
                Ok(())
            }
            FromServer::Denied { room, code } => self.denied(room, code.as_str()),
            FromServer::Page { id, mark, numbers } => self.paged(id, mark, numbers, &body),
            FromServer::PageRefused { id, code } => {
                if let Some(page) = self.pages.refuse(id)? {
                    let why = PageFailure::Refused(RefusalCode::from(code.as_str()));
                    self.order(Action::PageFailed { page, why });
                }
                Ok(())
            }
            FromServer::Reply { n } => {
                elements(&body, 1)?;
                if let Some(asked) = self.requests.end(n) {
                    self.order(Action::Answered { ticket: asked.ticket, n });
                }
                Ok(())
            }
            FromServer::Cast => match body {
                Body::Elements(elements) if (1..=BATCH_MESSAGES_MAX).contains(&elements.len()) => {
                    self.order(Action::Casts);
                    Ok(())
                }
                Body::Elements(_) => Err(Broken { clause: "FRM-5" }),
                _ => Err(Broken { clause: "ERR-6" }),
            },
            FromServer::Ping { x } => {
                self.link.pong = Some(self.link.pong.map_or(x, |newest| newest.max(x)));
                Ok(())
            }
            FromServer::Pong { x } => {
                self.liveness.pong(x, now);
                Ok(())
            }
            FromServer::More { bytes } => {
                if bytes <= ANNOUNCED_ABOVE {
                    return Err(Broken { clause: "LIVE-14" });
                }
                self.link.announced = Some(bytes);
                self.liveness.announced(bytes, self.link.frame_bytes_max);
                Ok(())
            }
            FromServer::Auth => {
                let Body::Auth { expires, renewed } = body else { return Err(Broken { clause: "ERR-6" }) };
                if renewed && self.link.renewal == Renewal::Written {
                    self.link.renewal = Renewal::None;
                }
                self.expires(expires, now);
                Ok(())
            }
            FromServer::Goaway { leave_in, window } => {
                let Body::Goaway { redirect } = body else { return Err(Broken { clause: "ERR-6" }) };
                self.sent_away(leave_in, window, redirect, now);
                Ok(())
            }
            FromServer::Lost => {
                let Body::Lost { epoch, loss } = body else { return Err(Broken { clause: "ERR-6" }) };
                if let Some(Report::Lost(subjects)) = self.reader.handle_lost(epoch, loss)? {
                    let from = Some(loss.first.saturating_sub(1));
                    self.order(Action::Lost { subjects, from });
                }
                Ok(())
            }
        }
    }

    fn acked(&mut self, n: u64, credit: u64, refused: Refusals<'_>, now: Instant) -> Result<(), Broken> {
        let left = self.sending.ack(n, credit, refused, now)?;
        self.liveness.acked(n, now);
        self.mark_rose(!left.is_empty());
        self.exit_all(left);
        Ok(())
    }

    /// Progress upwards, if something has exited by a verdict. [CLOSE-7]
    pub(super) fn mark_rose(&mut self, rose: bool) {
        if !rose {
            return;
        }
        self.link.mark_rose = true;
        self.liveness.progressed(Way::Up);
        if self.standing.hears_of_mark() {
            self.stand().mark_rose();
        }
    }

    /// Progress downwards, if `received` is above this.
    fn received_rose(&mut self, before: u64) {
        if self.reader.received() > before {
            self.liveness.progressed(Way::Down);
            if self.standing.hears_of_received() {
                self.stand().received_rose();
            }
        }
    }

    fn pushed(
        &mut self,
        after: u64,
        upto: u64,
        numbers: Numbers<'_>,
        body: &Body<'_>,
        octets: u64,
        now: Instant,
    ) -> Result<(), Broken> {
        let Body::Elements(elements) = body else { return Err(Broken { clause: "ERR-6" }) };
        let before = self.reader.received();
        let taken = self.reader.handle_push(after, upto, numbers, elements, octets, now)?;
        self.received_rose(before);
        self.order(Action::Received(taken));
        Ok(())
    }

    fn denied(&mut self, room: Room<'_>, code: &str) -> Result<(), Broken> {
        let Some(subject) = room.subject() else {
            // What is no subject was never asked for.
            return if code == "revoked" { Ok(()) } else { Err(Broken { clause: "ROOM-2" }) };
        };
        let subject = Subject::from(subject.as_str());
        if let Some(Report::Denied(subject, code)) = self.reader.handle_denied(&subject, code)? {
            self.order(Action::Denied { subject, code });
        }
        Ok(())
    }

    fn paged(
        &mut self,
        id: u64,
        mark: PageMark,
        numbers: Numbers<'_>,
        body: &Body<'_>,
    ) -> Result<(), Broken> {
        elements(body, numbers.count())?;
        if let Some(page) = self.pages.answer(id, mark, numbers)? {
            self.order(Action::Paged { page, mark, numbers: gather(numbers.iter()) });
        }
        Ok(())
    }

    /// The credential must have been renewed in so many milliseconds. [AUTH-4]
    pub(super) fn expires(&mut self, expires: Option<u64>, now: Instant) {
        match expires {
            Some(millis) => {
                let part = Duration::from_millis(millis / 5 * 4 + millis % 5 * 4 / 5);
                self.alarms.set(Alarm::Renew, now + part.max(RENEW_AFTER));
            }
            None => self.alarms.stop(Alarm::Renew),
        }
    }

    /// [AWAY-2] [AWAY-3]
    fn sent_away(&mut self, leave_in: Wait, window: Window, redirect: bool, now: Instant) {
        if !self.step(Event::Goaway) {
            return;
        }
        let window = Duration::from_millis(u64::from(window.ms()));
        self.standing_changed = true;
        let phi = self.standing.pace.goaway(window, now, &mut self.random);
        self.stand().redirected = redirect;
        let stay = phi.since(now).min(Duration::from_millis(u64::from(leave_in.ms())));
        let leave_at = now + stay;
        self.link.hush_at = Some(leave_at - HUSH.min(stay.halved(1)));
        self.alarms.set(Alarm::Leave, leave_at);
    }
}

/// Of the header line, and of what is behind it with its LF.
fn frame_octets(head: &[u8], shape: Shape) -> u64 {
    (head.len() as u64).saturating_add(shape.body_bytes.map_or(0, |body| body.saturating_add(1)))
}
