//! What the page and the machine that it runs on go through.

use super::{Action, Client};
use crate::close::Closed;
use crate::codes::Cause;
use crate::state::{Event, Phase};
use crate::time::{Duration, Instant};
use crate::timer::Timer;

impl Client {
    /// The machine has slept: the wall clock jumped against the monotonic one.
    pub fn handle_wake(&mut self, now: Instant) {
        // What comes in now may have waited in a buffer all the while: it confirms nothing that was written before.
        self.outbox.restamp(now);
        // Queued events are delivered after the timers: whatever was due while asleep asks again.
        if self.timers.at(Timer::Reply).is_some_and(|due| due <= now) {
            self.beat(now);
        } else {
            self.probe(now);
        }
        self.redial_hung(Cause::Wake, false, now);
    }

    /// The browser says that the network is back.
    pub fn handle_online(&mut self, now: Instant) {
        let was_offline = core::mem::take(&mut self.offline);
        self.tell();
        self.probe(now);
        self.redial_hung(Cause::Online, was_offline, now);
    }

    /// The browser says that there is no network. It is a hint: an open link is asked, not killed.
    pub fn handle_offline(&mut self, now: Instant) {
        self.offline = true;
        self.tell();
        self.probe(now);
        if self.phase == Phase::Waiting {
            let due = now + self.backoff.delay_offline(now, &mut self.random);
            // What a server asked for is not cut short by having no network.
            let sticky = self.timers.at(Timer::Backoff).filter(|_| self.backoff.spreading());
            self.timers.set(Timer::Backoff, sticky.map_or(due, |sticky| sticky.max(due)));
        }
    }

    /// The network is another, or has another address: whether the link lives on there is asked.
    pub fn handle_network_changed(&mut self, now: Instant) {
        self.probe(now);
    }

    /// The page is looked at, or no longer.
    pub fn handle_visible(&mut self, visible: bool, now: Instant) {
        self.hidden = !visible;
        if visible {
            self.probe(now);
            self.redial(Cause::Visible, now);
        }
    }

    /// The page is put away into the back/forward cache: no event and no timer comes until [`Self::handle_resume`], and
    /// an open link would keep it out. There is no deadline until then.
    pub fn handle_suspend(&mut self, now: Instant) {
        match self.phase {
            Phase::Idle | Phase::Closed => {}
            Phase::Closing => self.handshake_over(Closed::NONE, now),
            // Who knows whether it ever comes back.
            _ if self.draining => self.finish(Cause::ClosedByUser, Closed { code: 0, clean: false }, now),
            Phase::Waiting => self.timers.stop(Timer::Backoff),
            Phase::Asking | Phase::Dialling | Phase::Proving | Phase::Open => {
                let was_open = self.phase == Phase::Open;
                self.leave_link(now);
                self.step(Event::Lost);
                self.tell();
                if was_open {
                    let (link, closed) = (self.number, Closed { code: 0, clean: false });
                    // At once, when it is back.
                    let retry = Some(Duration::ZERO);
                    self.order(Action::Ended { link, cause: Cause::Suspended, closed, retry });
                }
            }
        }
    }

    /// The page is back, and looked at or not.
    pub fn handle_resume(&mut self, visible: bool, now: Instant) {
        self.hidden = !visible;
        self.probe(now);
        self.redial(Cause::Restored, now);
    }
}
