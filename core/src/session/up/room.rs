//! What has to leave when there is no room: one rule for both deliveries.

use super::message::{Outgoing, Unwritten};
use super::waiting::Waiting;
use crate::codes::Refusal;
use crate::outbox::{OutboxConfig, Overflow, Ticket};

impl Waiting {
    /// Whether a message of this length would be taken.
    pub(crate) fn admits(&self, message: &Outgoing, config: &OutboxConfig) -> Result<(), Refusal> {
        let bytes = u64::from(message.bytes);
        if bytes > config.bytes_max || config.messages_max == 0 {
            return Err(Refusal::OutboxFull);
        }
        let refuses = matches!(config.overflow, Overflow::Reject | Overflow::Wait);
        if refuses && !self.fits(1, bytes, self.twin_of(message), config) {
            return Err(Refusal::OutboxFull);
        }
        Ok(())
    }

    /// Whether so many more messages and octets may wait beside what does, this one aside.
    fn fits(&self, more: usize, bytes: u64, without: Option<Outgoing>, config: &OutboxConfig) -> bool {
        let (freed, freed_bytes) = without.map_or((0, 0), |twin| (1, u64::from(twin.bytes)));
        let (messages_max, bytes_max) = config.bounds();
        self.len() - freed + more <= messages_max && self.bytes() - freed_bytes + bytes <= bytes_max
    }

    /// What has to leave for a message that has been placed, unless that has left itself by now.
    pub(crate) fn make_room_for(
        &mut self,
        message: Outgoing,
        config: &OutboxConfig,
        left: &mut dyn FnMut(Outgoing, Unwritten),
    ) {
        let twin = self.twin_of(&message);
        let settled = twin.is_none() && self.fits(0, 0, None, config);
        // Looked for only if something has to leave for it: this is on the way of every message.
        if settled || self.first(&mut |waiting| waiting.ticket == message.ticket).is_none() {
            return;
        }
        if config.overflow == Overflow::DropNewest && !self.fits(0, 0, twin, config) {
            self.remove(message.ticket);
            return left(message, Unwritten::Overflow);
        }
        if let Some(twin) = twin {
            self.remove(twin.ticket);
            left(twin, Unwritten::Replaced);
        }
        self.shrink_to_fit(Some(message.ticket), config, left);
    }

    /// Lets go of what can best be spared until the bounds hold.
    pub(crate) fn shrink_to_fit(
        &mut self,
        kept: Option<Ticket>,
        config: &OutboxConfig,
        left: &mut dyn FnMut(Outgoing, Unwritten),
    ) {
        while !self.fits(0, 0, None, config) {
            let Some(spare) = self.pop_spare_but(kept) else { break };
            left(spare, Unwritten::Overflow);
        }
    }
}
