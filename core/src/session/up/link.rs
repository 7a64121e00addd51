//! The link in use, as far as outgoing messages go.

use super::{WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX};
use crate::time::Instant;

/// What belongs to the link that is in use. [KEEP-3]
#[derive(Clone, Debug)]
pub(super) struct OnLink {
    pub(super) written: u64,
    pub(super) acked: u64,
    pub(super) credit: u64,
    pub(super) bytes: u64,
    /// The last numbers of the frames over [`super::LONG_FRAME_BYTES`] that are not acknowledged.
    pub(super) long_frames: Vec<u64>,
    /// Refused numbers that have exited since the last frame with an `oldest`.
    pub(super) unreleased: u64,
    pub(super) release_at: Option<Instant>,
}

/// What else may be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leeway {
    pub(super) messages: u64,
    pub(super) octets: u64,
}

impl OnLink {
    /// By credit and windows. The last message may overshoot the octets. [CRED-1] [CRED-4] [CRED-5]
    pub(super) fn leeway(&self) -> Leeway {
        let last = self.credit.min(self.acked + WINDOW_MESSAGES_MAX);
        Leeway {
            messages: last.saturating_sub(self.written),
            octets: WINDOW_BYTES_MAX.saturating_sub(self.bytes),
        }
    }
}
