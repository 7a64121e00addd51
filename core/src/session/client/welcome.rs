//! A `welcome` is carried out: reports first, positions after, then the link is in use. [WELC-4]

use super::alarm::Alarm;
use super::flow::{End, STABLE_AFTER};
use super::inbound::clause;
use super::standing::{Credential, Stage};
use super::times::LIVED_AFTER;
use super::{Action, Client, Event, Opened, PageFailure, Renewal, Why};
use crate::engine::{LogEpoch, Subject};
use crate::frame::{Code, frame_bytes_max};
use crate::gather::gather;
use crate::session::down::{self, Report};
use crate::session::up::{self, NotWelcome, Producing};
use crate::session::{Broken, Welcome};
use crate::time::{Duration, Instant};

/// Advising numbers are moved into their range. [NUM-4]
const HEARTBEAT_MS: (u64, u64) = (5_000, 300_000);
const WINDOW_MS: (u64, u64) = (1_000, 600_000);

impl Client {
    /// The first frame of a link is a `welcome`.
    pub(super) fn greeted(&mut self, welcome: &Welcome, now: Instant) -> Result<(), Broken> {
        welcome.check()?;
        if welcome.born > self.number {
            return Err(Broken { clause: "WELC-5" });
        }
        let below = down_half(welcome);
        self.reader.check_welcome(&below).map_err(|violation| Broken { clause: clause(violation) })?;
        if welcome.limits.message > self.config.takes_bytes_max {
            self.too_long_for_the_host(welcome.limits.message, now);
            return Ok(());
        }

        let known = self.reader.record().epoch.clone();
        let epoch_changed = known.as_ref().is_some_and(|known| *known != welcome.epoch);
        let refused = welcome.refused.iter();
        let refused =
            gather(refused.filter_map(|(n, code)| Some((*n, Code::new(code.as_str().as_bytes()).ok()?))));
        let above = up::Welcome {
            producing: welcome.producing,
            born: welcome.born,
            mark: welcome.mark,
            refused: &refused,
            credit: welcome.credit,
            message_bytes_max: welcome.limits.message,
            epoch_changed,
        };
        let left = match self.sending.welcome(&above, now) {
            Ok(left) => left,
            Err(NotWelcome::Broken(broken)) => return Err(broken),
            Err(NotWelcome::Unknown) => {
                self.begin_anew();
                return Err(Broken { clause: "WELC-5" });
            }
        };
        self.link.durable = welcome.durable;
        let succeeded = welcome.producing == Producing::Successor;
        if !succeeded {
            self.mark_rose(left.iter().any(|exited| exited.n.is_some()));
        }
        self.exit_all(left);
        if succeeded {
            self.end_requests();
            self.alone = self.sending.alone();
        }
        self.report_epoch(epoch_changed, &welcome.epoch);
        let joined = self.report_rooms(below, now)?;
        self.open(welcome, succeeded, joined, now);
        Ok(())
    }

    /// [LIM-21]
    fn too_long_for_the_host(&mut self, message_bytes_max: u32, now: Instant) {
        let end = End::new(Why::TooLong { message_bytes_max }, super::pace::Ground::Backoff);
        self.leave_and_finish(end.closing(4002, "LIM-21"), now);
    }

    /// [EPOCH-4] [PAGE-10]
    fn report_epoch(&mut self, changed: bool, epoch: &LogEpoch) {
        if changed && let Some(unbacked) = self.given.unbacked() {
            self.given.forget();
            self.order(Action::Unbacked(Box::new(unbacked)));
        }
        for page in self.pages.epoch_changed(epoch) {
            self.order(Action::PageFailed { page, why: PageFailure::Lost });
        }
    }

    /// Answers the rooms that are joined now, which the step itself tells.
    fn report_rooms(&mut self, below: down::Welcome, now: Instant) -> Result<Vec<Subject>, Broken> {
        let mut joined = Vec::new();
        for report in self.reader.handle_welcome(below, now)? {
            match report {
                Report::Lost(subjects) => self.order(Action::Lost { subjects, from: None }),
                Report::Denied(subject, code) => self.order(Action::Denied { subject, code }),
                Report::Joined(subject) => joined.push(subject),
                Report::Unsettled(_) | Report::WindowShut(_) => {}
            }
        }
        Ok(joined)
    }

    fn open(&mut self, welcome: &Welcome, succeeded: bool, joined: Vec<Subject>, now: Instant) {
        let attempts = self.standing.pace.attempt();
        let window = match welcome.window {
            0 => Duration::ZERO,
            window => Duration::from_millis(window.clamp(WINDOW_MS.0, WINDOW_MS.1)),
        };
        let standing = self.stand();
        standing.pace.welcomed(window);
        standing.credential = Credential::Fresh;
        standing.hurried = false;
        standing.unwelcome = 0;
        standing.unavailable = 0;
        standing.patience = 0;
        standing.stage = Stage::Linked;

        self.step(Event::Welcomed);
        let heartbeat = Duration::from_millis(welcome.heartbeat.clamp(HEARTBEAT_MS.0, HEARTBEAT_MS.1));
        let greeted = now.since(self.link.opened_at.unwrap_or(now));
        self.liveness.begin(greeted, heartbeat, now);
        self.link.welcomed_at = Some(now);
        self.link.frame_bytes_max = frame_bytes_max(u64::from(welcome.limits.message));
        self.link.renewal = Renewal::None;
        self.alarms.stop(Alarm::Welcome);
        self.alarms.set(Alarm::Stable, now + STABLE_AFTER);
        self.alarms.set(Alarm::Lived, now + LIVED_AFTER);
        self.expires(welcome.expires, now);

        let record = self.reader.record();
        let opened = Opened {
            link: self.number,
            producer: self.sending.producer(),
            succeeded,
            born: welcome.born,
            epoch: welcome.epoch.clone(),
            position: record.received,
            own: welcome.identity.clone(),
            seats: record.seats.clone(),
            joined,
            durable: welcome.durable,
            message_bytes_max: welcome.limits.message,
            rooms_max: welcome.limits.rooms,
            time: welcome.time,
            attempts,
        };
        self.order(Action::Opened(Box::new(opened)));
        self.tell();
    }
}

fn down_half(welcome: &Welcome) -> down::Welcome {
    down::Welcome {
        epoch: welcome.epoch.clone(),
        own: welcome.identity.clone(),
        position: welcome.position,
        rooms: welcome.rooms.clone(),
        denied: welcome.denied.clone(),
        lost: welcome.lost.clone(),
    }
}
