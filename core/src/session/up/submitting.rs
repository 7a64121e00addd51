//! What the application hands over, and what of it never gets a number.

use super::message::{Exited, Outgoing, Unwritten};
use super::record::Numbered;
use super::sending::{Sending, unwritten};
use crate::codes::Refusal;
use crate::gather::gather;
use crate::mutant::mutant;
use crate::outbox::{Overflow, Ticket};
use crate::time::Instant;

impl Sending {
    /// Whether a message of this length would be taken.
    pub fn admits(&self, message: &Outgoing) -> Result<(), Refusal> {
        if self.message_bytes_max.is_some_and(|max| message.bytes > max) {
            return Err(Refusal::TooLarge);
        }
        let bytes = u64::from(message.bytes);
        if bytes > self.config.bytes_max || self.config.messages_max == 0 {
            return Err(Refusal::OutboxFull);
        }
        let twin = self.waiting.twin_of(message);
        if self.config.overflow == Overflow::Reject && !self.fits(1, bytes, twin) {
            return Err(Refusal::OutboxFull);
        }
        Ok(())
    }

    /// Whether so many more messages and octets may wait beside what does, this one aside.
    fn fits(&self, more: usize, bytes: u64, without: Option<Outgoing>) -> bool {
        let (freed, freed_bytes) = without.map_or((0, 0), |twin| (1, u64::from(twin.bytes)));
        self.waiting.len() - freed + more <= self.config.messages_max as usize
            && self.waiting.bytes() - freed_bytes + bytes <= self.config.bytes_max
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
        let twin = self.waiting.twin_of(&message);
        let settled = twin.is_none() && self.fits(0, 0, None);
        // Looked for only if something has to leave for it: this is on the way of every message.
        if !settled && !self.waiting.iter().any(|waiting| waiting.ticket == message.ticket) {
            return left;
        }
        if self.config.overflow == Overflow::DropNewest && !self.fits(0, 0, twin) {
            self.waiting.remove(message.ticket);
            left.push(unwritten(message, Unwritten::Overflow));
            return left;
        }
        if let Some(twin) = twin {
            self.waiting.remove(twin.ticket);
            left.push(unwritten(twin, Unwritten::Replaced));
        }
        while !self.fits(0, 0, None) {
            let Some(spare) = self.waiting.pop_spare_but(Some(message.ticket)) else { break };
            left.push(unwritten(spare, Unwritten::Overflow));
        }
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
        while !self.fits(0, 0, None) {
            let Some(spare) = self.waiting.pop_spare_but(None) else { break };
            left.push(unwritten(spare, Unwritten::Overflow));
        }
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
