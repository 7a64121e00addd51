//! What a close code tells about coming back.

use crate::backoff::Ground;
use crate::codes::Cause;

/// The normal close code.
pub const CLOSE_NORMAL: u16 = 1000;
/// What the browser reports when a connection broke without a closing handshake. It is never on the wire.
pub const CLOSE_ABNORMAL: u16 = 1006;
/// The server goes away or restarts (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;
/// A policy was violated; what most servers send for a bad token.
const POLICY: u16 = 1008;
/// The service restarts (IANA registry).
const SERVICE_RESTART: u16 = 1012;
/// Try again later (IANA registry).
const TRY_AGAIN_LATER: u16 = 1013;
/// The private counterpart of HTTP 401.
const UNAUTHORIZED: u16 = 4401;

/// How a link ended, as its `close` event told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The close code.
    pub code: u16,
    /// Whether the closing handshake was completed.
    pub clean: bool,
}

impl Closed {
    /// What is reported when there was no `close` event.
    pub const NONE: Self = Self { code: CLOSE_ABNORMAL, clean: false };

    pub(crate) const fn cause(self) -> Cause {
        if self.clean && self.code != CLOSE_ABNORMAL { Cause::ClosedByServer } else { Cause::Lost }
    }

    pub(crate) const fn ground(self) -> Ground {
        match self.code {
            GOING_AWAY | POLICY | UNAUTHORIZED | SERVICE_RESTART | TRY_AGAIN_LATER => Ground::Crowded,
            _ => Ground::Unexplained,
        }
    }

    /// Whether this says that the credential was refused, if it comes before anything was exchanged.
    pub(crate) const fn refuses_credential(self) -> bool {
        matches!(self.code, POLICY | UNAUTHORIZED)
    }
}
