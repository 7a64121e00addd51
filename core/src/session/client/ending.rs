//! What close codes mean. Chapter 17 of `docs/PROTOCOL.md`.

use super::flow::End;
use super::pace::Ground;
use super::standing::{Count, Credential};
use super::{Client, Notice, Why};
use crate::close::Closed;
use crate::session::up::LinkEnd;
use crate::time::{Duration, Instant};

/// What a code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Coming back, at this pace.
    Return(Ground),
    /// 4002 and its like.
    ProtocolError,
    /// The credential is finished. [CLOSE-4]
    Credential,
    /// The producer is. [CLOSE-8]
    Fenced,
    /// The wire is.
    Final,
}

fn meaning(code: u16, welcomed: bool, has_token: bool) -> Meaning {
    use Meaning as M;
    match code {
        1001 | 1012 | 1013 | 4006 => M::Return(Ground::Crowded),
        1002 | 1003 | 1007 | 4002 => M::ProtocolError,
        1008 if !welcomed && has_token => M::Credential,
        1009 if !welcomed => M::ProtocolError,
        1008 | 1009 | 1011 => M::Return(Ground::Backoff),
        4005 => M::Fenced,
        // The token is good; `hello` asks whose it is.
        4010 => M::Return(Ground::Local),
        4000..=4399 => M::Return(Ground::Backoff),
        4400..=4499 if has_token => M::Credential,
        4400..=4999 => M::Final,
        _ => M::Return(Ground::Unexplained),
    }
}

impl Client {
    /// The `close` event of a link that had opened. [CLOSE-1]
    pub(super) fn closed_by_peer(&mut self, closed: Closed, window: Option<Duration>, now: Instant) {
        let code = closed.code;
        let welcomed = self.link.welcomed_at.is_some();
        if let Some(window) = window.filter(|_| !(4400..4600).contains(&code)) {
            self.standing_changed = true;
            self.standing.pace.instructed(window, now, &mut self.random);
        }
        let why = if code == crate::close::CLOSE_ABNORMAL { Why::Lost } else { Why::ClosedByServer };
        let sending = match code {
            1009 if welcomed => LinkEnd::TooLong,
            1006 => LinkEnd::Broke,
            _ => LinkEnd::Other,
        };
        let end = End { code, sending, ..End::new(why, Ground::Backoff) };
        match meaning(code, welcomed, self.config.has_token) {
            Meaning::Return(ground) => self.lose(End { ground, ..end }, now),
            Meaning::ProtocolError => self.count_broken(end, Count::Node, None, now),
            Meaning::Credential => self.credential_refused(end, welcomed, now),
            Meaning::Fenced => {
                self.begin_anew();
                self.lose(end, now);
            }
            Meaning::Final => self.leave_and_finish(end, now),
        }
    }

    /// [CLOSE-4]
    fn credential_refused(&mut self, end: End, welcomed: bool, now: Instant) {
        if !welcomed && self.standing.credential == Credential::Replaced {
            return self.leave_and_finish(End { why: Why::Refused, ..end }, now);
        }
        let standing = self.stand();
        standing.credential = if welcomed { Credential::Stale } else { Credential::Refused };
        let at_once = standing.pace.take_budget(now);
        self.notice(Notice::TokenRefused);
        self.lose(End { at_once, ..end }, now);
        self.stand().hurried = at_once;
    }

    /// A token was given for a dial; false if it must not be shown now.
    pub(super) fn token_given(&mut self, changed: bool) -> bool {
        let before = self.standing.credential;
        let hurried = self.standing.hurried;
        if before == Credential::Fresh && !hurried {
            return true;
        }
        let standing = self.stand();
        standing.hurried = false;
        standing.credential = match before {
            Credential::Stale if changed => Credential::Fresh,
            Credential::Refused | Credential::Replaced if changed => Credential::Replaced,
            Credential::Refused | Credential::Replaced => Credential::Refused,
            other => other,
        };
        changed || !hurried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of chapter 17, and what holds for every other code.
    /// [CODE-1000] [CODE-1001] [CODE-1002] [CODE-1006] [CODE-1008] [CODE-1009] [CODE-1011] [CODE-4010] [CLOSE-1]
    #[test]
    fn the_table() {
        use Ground as G;
        use Meaning as M;
        let back = |ground| (M::Return(ground), M::Return(ground));
        for (codes, (before, after)) in [
            (
                &[1000, 1005, 1006, 1015, 1004, 999, 0, 2999, 3000, 3999, 5000, u16::MAX][..],
                back(G::Unexplained),
            ),
            (&[1001, 1012, 1013, 4006], back(G::Crowded)),
            (&[1002, 1003, 1007, 4002], (M::ProtocolError, M::ProtocolError)),
            (&[1008], (M::Credential, M::Return(G::Backoff))),
            (&[1009], (M::ProtocolError, M::Return(G::Backoff))),
            (&[1011, 4000, 4001, 4003, 4004, 4007, 4008, 4399], back(G::Backoff)),
            (&[4005], (M::Fenced, M::Fenced)),
            (&[4010], back(G::Local)),
            (&[4400, 4401, 4403, 4499], (M::Credential, M::Credential)),
            (&[4500, 4501, 4999], (M::Final, M::Final)),
        ] {
            for code in codes {
                assert_eq!(meaning(*code, false, true), before, "{code} before `welcome`");
                assert_eq!(meaning(*code, true, true), after, "{code} after it");
            }
        }
        assert_eq!(meaning(1008, false, false), M::Return(G::Backoff));
        assert_eq!(meaning(4401, false, false), M::Final);
    }
}
