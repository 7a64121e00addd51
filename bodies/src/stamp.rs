//! What a node writes into a message that it passes on.

use core::ops::Range;

use everwire_core::engine::Subject;
use everwire_core::frame::is_subject;

use crate::element::Envelope;
use crate::json::text;

/// Octets by which [`Envelope::stamp`] lets a message grow at most, of the 1,024 that a node may add: two subjects of 128
/// octets, every one escaped, and `,"sender":"","receiver":""`. [LIM-2]
pub const STAMP_BYTES_MAX: usize = 2 * 256 + 26;

impl Envelope<'_> {
    /// The JSON of the message as a node passes it on: `sender` is the authenticated identity, and `receiver` the subject
    /// that the application's hook has named, if it has. The values are put where they stand, or at the end; every other
    /// octet is as it was. `None` if one of the two is no subject: that is the server's own fault, and nothing is passed
    /// on. [SEND-19] [SEND-20] [SEC-8] [FRM-11]
    pub fn stamp(&self, sender: &Subject, receiver: Option<&Subject>) -> Option<String> {
        if ![Some(sender), receiver].into_iter().flatten().all(|subject| is_subject(subject.as_str())) {
            return None;
        }
        let mut stamps = [
            Some(("sender", self.sender_at.clone(), sender)),
            receiver.map(|subject| ("receiver", self.receiver_at.clone(), subject)),
        ];
        // In the order in which they stand; what stands nowhere comes last.
        stamps.sort_by_key(|stamp| {
            stamp.as_ref().and_then(|(_, at, _)| at.as_ref()).map_or(usize::MAX, |at| at.start)
        });
        let end = self.text.len().checked_sub(1)?;
        let mut stamped = Vec::with_capacity(self.text.len() + STAMP_BYTES_MAX);
        let mut copied = 0;
        let mut copy = |stamped: &mut Vec<u8>, upto: Range<usize>| {
            stamped.extend_from_slice(self.text.get(copied..upto.start)?.as_bytes());
            copied = upto.end;
            Some(())
        };
        for (name, at, subject) in stamps.into_iter().flatten() {
            match at {
                Some(at) => copy(&mut stamped, at)?,
                None => {
                    copy(&mut stamped, end..end)?;
                    // It has a `type`, so another member comes before this one.
                    stamped.extend_from_slice(b",\"");
                    stamped.extend_from_slice(name.as_bytes());
                    stamped.extend_from_slice(b"\":");
                }
            }
            text(&mut stamped, subject.as_str());
        }
        copy(&mut stamped, self.text.len()..self.text.len())?;
        String::from_utf8(stamped).ok()
    }
}
