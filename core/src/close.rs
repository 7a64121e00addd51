//! What a close code tells about coming back.

use crate::backoff::Ground;
use crate::codes::Cause;
use crate::time::Duration;

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

/// What announces a window in a close reason …
const WINDOW: u64 = u64::from_be_bytes(*b" window=");
/// … and how many digits may follow: more than 16 minutes is no window.
const WINDOW_DIGITS: u32 = 6;

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
            GOING_AWAY | SERVICE_RESTART | TRY_AGAIN_LATER => Ground::Crowded,
            POLICY | UNAUTHORIZED => Ground::Refused,
            _ => Ground::Unexplained,
        }
    }

    /// Whether this says that the credential was refused, if it comes before anything was exchanged.
    pub(crate) const fn refuses_credential(self) -> bool {
        matches!(self.code, POLICY | UNAUTHORIZED)
    }
}

/// The window that a close reason instructs: it ends in `window=` and one to six digits, milliseconds, alone or behind
/// a space (`deploy window=40000`). A reason is all that a server without a protocol of its own can say last.
///
/// The reason comes as code points or as UTF-16 units: a browser's string is read where it is.
pub fn window_in(reason: impl IntoIterator<Item = u32>) -> Option<Duration> {
    // The last eight, behind the space that would stand before the first.
    let mut last = u64::from(b' ');
    // 1 behind the announcement, and one more with each digit; 0 elsewhere.
    let mut read = 0;
    let mut millis = 0;
    for point in reason {
        last = last << 8 | u64::from(point.min(0xff));
        let digit = point.wrapping_sub(u32::from(b'0'));
        if last == WINDOW {
            (read, millis) = (1, 0);
        } else if digit < 10 && (1..=WINDOW_DIGITS).contains(&read) {
            millis = millis * 10 + digit;
            read += 1;
        } else {
            read = 0;
        }
    }
    (read > 1).then_some(Duration::from_micros(1000 * u64::from(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_stands_at_the_end_of_a_reason_or_nowhere() {
        let ms = Duration::from_millis;
        for (reason, window) in [
            ("window=40000", Some(ms(40_000))),
            ("deploy window=40000", Some(ms(40_000))),
            ("window=1 window=2", Some(ms(2))),
            ("window=0", Some(ms(0))),
            ("window=999999", Some(ms(999_999))),
            ("window=000007", Some(ms(7))),
            ("", None),
            ("window=", None),
            ("window=1000000", None),
            ("window=40000 ", None),
            ("window=40000ms", None),
            ("window=-1", None),
            ("window=+1", None),
            ("window= 1", None),
            ("window=٤", None),
            ("Window=1", None),
            ("mywindow=1", None),
            ("the window is 40000", None),
            ("window=1window=2", None),
            ("window=window=2", None),
            ("windowwindow=2", None),
            (" window=2", Some(ms(2))),
            ("w window=2", Some(ms(2))),
            ("window=9 wind window=07", Some(ms(7))),
            ("à bientôt 🦀 window=3", Some(ms(3))),
            ("🦀window=3", None),
            // U+0120 ends in the octet of a space.
            ("deployĠwindow=3", None),
            ("window=0000003", None),
        ] {
            assert_eq!(window_in(reason.chars().map(u32::from)), window, "{reason:?}");
            assert_eq!(window_in(reason.encode_utf16().map(u32::from)), window, "{reason:?}");
        }
    }
}
