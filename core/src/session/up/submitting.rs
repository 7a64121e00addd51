//! What the application hands over, and what of it never gets a number.

use super::message::{Exited, Outgoing, Unwritten};
use super::record::Numbered;
use super::sending::{Sending, unwritten};
use crate::codes::Refusal;
use crate::gather::gather;
use crate::mutant::mutant;
use crate::outbox::Ticket;
use crate::time::Instant;

impl Sending {
    /// Whether a message of this length would be taken.
    pub fn admits(&self, message: &Outgoing) -> Result<(), Refusal> {
        if self.message_bytes_max.is_some_and(|max| message.bytes > max) {
            return Err(Refusal::TooLarge);
        }
        self.waiting.admits(message, &self.config)
    }

    /// Takes a message, without a number [SEND-1]; answers those that had to leave for it.
    pub fn submit(&mut self, message: Outgoing) -> Result<Vec<Exited>, Refusal> {
        self.admits(&message)?;
        self.place(message);
        Ok(self.make_room_for(message))
    }

    /// Puts a message that is admitted where the host's record has it: behind its twin, which has not left yet. What
    /// leaves from here on leaves both by name, so that neither loses its order.
    pub(in crate::session) fn place(&mut self, message: Outgoing) {
        self.waiting.insert(message);
    }

    /// What has to leave for a message that has been placed, unless that has left itself by now.
    pub(in crate::session) fn make_room_for(&mut self, message: Outgoing) -> Vec<Exited> {
        let mut left = Vec::new();
        let mut exit = |message, why| left.push(unwritten(message, why));
        self.waiting.make_room_for(message, &self.config, &mut exit);
        if mutant!(NumberAtSubmit) {
            while let Some(message) = self.waiting.pop_front() {
                self.written += 1;
                self.numbered.push_back(Numbered { n: self.written, message, withdrawn: false });
            }
        }
        left
    }

    /// Lets go of what a message has replaced or pushed out with which an earlier instance stopped. [KEEP-1]
    pub(in crate::session) fn let_go_of_replaced(&mut self) -> Vec<Exited> {
        let replaced = self.waiting.take_replaced();
        let mut left: Vec<_> =
            replaced.into_iter().map(|message| unwritten(message, Unwritten::Replaced)).collect();
        let mut exit = |message, why| left.push(unwritten(message, why));
        self.waiting.shrink_to_fit(None, &self.config, &mut exit);
        left
    }

    /// Lets go of a message that has no number yet. One that has, stays: a hole would block every later one. [SEND-5]
    pub fn remove(&mut self, ticket: Ticket) -> Option<Exited> {
        self.waiting.remove(ticket).map(|message| unwritten(message, Unwritten::Aborted))
    }

    /// When [`Sending::expire`] may have something to say.
    pub fn expiry(&self) -> Option<Instant> {
        self.waiting.late_at()
    }

    /// Lets go of what has no number and is too late.
    pub fn expire(&mut self, now: Instant) -> Vec<Exited> {
        let late = self.waiting.take_late(now);
        gather(late.into_iter().map(|message| unwritten(message, Unwritten::Expired)))
    }

    /// Lets go of what this server does not take. [LIM-2]
    pub(super) fn let_go_of_what_is_too_large(&mut self, bytes_max: u32, left: &mut Vec<Exited>) {
        let longer = self.waiting.take_longer(bytes_max);
        for message in longer {
            left.push(unwritten(message, Unwritten::TooLarge));
        }
    }

    /// How many requests have no number yet.
    pub fn requests_waiting(&self) -> usize {
        self.waiting.requests()
    }
}
