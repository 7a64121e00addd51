//! What a node writes into a message that it passes on.

use core::ops::Range;

use everwire_core::engine::Subject;
use everwire_core::frame::is_subject;

use crate::element::Envelope;
use crate::json::escaped;

/// Octets by which [`Envelope::stamp`] lets a message grow at most, of the 1,024 that a node may add: two subjects of 128
/// octets, every one escaped, and `,"sender":"","receiver":""`. [LIM-2]
pub const STAMP_BYTES_MAX: usize = 2 * 256 + 26;

impl Envelope<'_> {
    /// The JSON of the message as a node passes it on: `sender` is the authenticated identity, and `receiver` the subject
    /// that the application's hook has named, if it has. The values are put where they stand, or at the end; every other
    /// octet is as it was. `None` if one of the two is no subject: that is the server's own fault, and nothing is passed
    /// on. [SEND-19] [SEND-20] [SEC-8] [FRM-11]
    pub fn stamp(&self, sender: &Subject, receiver: Option<&Subject>) -> Option<String> {
        let mut stamped = String::with_capacity(self.text.len() + STAMP_BYTES_MAX);
        self.stamp_into(sender, receiver, &mut stamped)?;
        Some(stamped)
    }

    /// [`Envelope::stamp`] behind what is in `out` already, whose memory serves one message after the other. With `None`
    /// what is in it means nothing.
    pub fn stamp_into(&self, sender: &Subject, receiver: Option<&Subject>, out: &mut String) -> Option<()> {
        if ![Some(sender), receiver].into_iter().flatten().all(|subject| is_subject(subject.as_str())) {
            return None;
        }
        let sender = Some(("sender", self.sender_at.clone(), sender));
        let receiver = receiver.map(|subject| ("receiver", self.receiver_at.clone(), subject));
        // In the order in which they stand; what stands nowhere comes last.
        let start = |at: &Option<Range<usize>>| at.as_ref().map_or(usize::MAX, |at| at.start);
        let is_turned = receiver.is_some() && start(&self.receiver_at) < start(&self.sender_at);
        let stamps = if is_turned { [receiver, sender] } else { [sender, receiver] };
        let end = self.text.len().checked_sub(1)?;
        let mut copied = 0;
        let mut copy = |out: &mut String, upto: Range<usize>| {
            out.push_str(self.text.get(copied..upto.start)?);
            copied = upto.end;
            Some(())
        };
        for (name, at, subject) in stamps.into_iter().flatten() {
            match at {
                Some(at) => copy(out, at)?,
                None => {
                    copy(out, end..end)?;
                    // It has a `type`, so another member comes before this one.
                    out.push_str(",\"");
                    out.push_str(name);
                    out.push_str("\":");
                }
            }
            out.push('"');
            out.push_str(&escaped(subject.as_str()));
            out.push('"');
        }
        copy(out, self.text.len()..self.text.len())
    }
}
