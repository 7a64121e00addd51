//! What has come and not been processed.

use super::{Amount, FRAME_OCTETS_COUNTED_MAX};
use crate::engine::{LogEpoch, Subject};
use crate::sorted::SortedMap;

/// A message's name between the core and its host: rising in the order in which handlers start, over all epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery(pub u64);

/// A message that is not processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// With `s`, its stable name. [POS-17]
    pub epoch: LogEpoch,
    /// Its place in the log.
    pub s: u64,
    /// Where it was addressed.
    pub subject: Subject,
    /// Its frame: the first unprocessed delivery that came in it.
    pub frame: Delivery,
    /// Whether its handler has been started. A restored instance never starts it again.
    pub started: bool,
}

/// How much of a frame is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The octets that it counts as.
    pub octets: u64,
    /// The messages that came in it.
    pub messages: u64,
    /// How many of them are processed; below `messages`.
    pub processed: u64,
}

impl Share {
    /// The octets of what is processed. Always from the whole frame, so that both ends round alike and a frame's parts
    /// add up to all of it. [CRED-9]
    fn octets_processed(self) -> u64 {
        // At most 2¹⁸ octets by as many messages as fit into a frame.
        self.octets.saturating_mul(self.processed.min(self.messages)) / self.messages.max(1)
    }
}

/// Everything that is not processed, from whichever link. Bounded by the window, which spans links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The next delivery's name.
    pub next: u64,
    /// The messages.
    pub entries: SortedMap<Delivery, Entry>,
    /// The frames that some of them came in.
    pub frames: SortedMap<Delivery, Share>,
}

impl Pending {
    /// Takes in a frame of so many messages, these of them to be processed; answers what is processed already.
    pub(super) fn add(
        &mut self,
        epoch: &LogEpoch,
        messages: u64,
        octets: u64,
        fresh: impl Iterator<Item = (u64, Subject)>,
    ) -> Amount {
        let frame = Delivery(self.next);
        for (s, subject) in fresh {
            let entry = Entry { epoch: epoch.clone(), s, subject, frame, started: false };
            self.entries.insert(Delivery(self.next), entry);
            self.next += 1;
        }
        let processed = messages.saturating_sub(self.next - frame.0);
        let share = Share { octets: octets.min(FRAME_OCTETS_COUNTED_MAX), messages, processed };
        if processed < messages {
            self.frames.insert(frame, share);
        }
        Amount { messages: processed, octets: share.octets_processed() }
    }

    /// Lets one go that is processed; answers what that adds to the totals, `None` if it is not pending.
    pub(super) fn settle(&mut self, delivery: Delivery) -> Option<Amount> {
        let entry = self.entries.remove(&delivery)?;
        let Some(share) = self.frames.get_mut(&entry.frame) else { return Some(Amount::default()) };
        let before = share.octets_processed();
        share.processed += 1;
        let amount = Amount { messages: 1, octets: share.octets_processed().saturating_sub(before) };
        if share.processed >= share.messages {
            self.frames.remove(&entry.frame);
        }
        Some(amount)
    }

    /// What `hello.held` says.
    pub fn held(&self) -> Amount {
        let octets = self.frames.values().map(|share| share.octets.saturating_sub(share.octets_processed()));
        Amount { messages: self.entries.len() as u64, octets: octets.fold(0, u64::saturating_add) }
    }
}
