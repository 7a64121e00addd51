//! The words that cross to the host: states, causes, reasons and errors, each a small integer there.

/// Declares an enum whose variants cross as 0, 1, 2 … and have a published name.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The published name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// The state of a wire as its user sees it.
    State {
        /// A link is being dialled, or has opened and has not been proved.
        Connecting = "connecting",
        /// A link is in use.
        Open = "open",
        /// No link; the next dial is scheduled.
        Waiting = "waiting",
        /// As `Waiting`, and the browser says that there is no network: dials are as rare as they get.
        Offline = "offline",
        /// `close()` was called; what waits is being written, or the closing handshake runs.
        Closing = "closing",
        /// For good.
        Closed = "closed",
    }
}

codes! {
    /// Why a link ended, why a dial is scheduled, or why the wire closed.
    Cause {
        /// The connection broke: close code 1006, or an `error` before it.
        Lost = "lost",
        /// The server closed the link; the event carries its code.
        ClosedByServer = "closed-by-server",
        /// An expected answer to a heartbeat did not come.
        NoReply = "no-reply",
        /// The socket did not open in time.
        ConnectTimeout = "connect-timeout",
        /// The socket was never open: refused, unreachable, or a failed upgrade.
        DialFailed = "dial-failed",
        /// The url, token or protocols function threw, was rejected, or gave something unusable.
        ProviderFailed = "provider-failed",
        /// The url, token or protocols function did not answer in time.
        ProviderTimeout = "provider-timeout",
        /// The browser came back online.
        Online = "online",
        /// The machine woke from sleep.
        Wake = "wake",
        /// The application called `reconnect()`.
        Reconnect = "reconnect",
        /// The application called `close()`, or its signal was aborted.
        ClosedByUser = "closed-by-user",
        /// The server refused two different tokens.
        AuthRefused = "auth-refused",
        /// `maxAttempts` dials in a row have failed.
        MaxAttempts = "max-attempts",
        /// The socket took no more although it had not said that it was closed.
        WriteFailed = "write-failed",
        /// The WebAssembly instance trapped.
        CoreDied = "core-died",
        /// The page was looked at again.
        Visible = "visible",
        /// The page came back from the back/forward cache.
        Restored = "restored",
        /// The page was put away into the back/forward cache: it dials when it is back.
        Suspended = "suspended",
    }
}

codes! {
    /// Why a ticket left without being settled.
    Reason {
        /// `close()` ended before it was written.
        Closed = "closed",
        /// There was no room for it, and the policy lets it go.
        Overflow = "overflow",
        /// The sender aborted it.
        Aborted = "aborted",
        /// Its time to live was over before it was written.
        Expired = "expired",
        /// A newer one of its key took its place.
        Replaced = "replaced",
        /// It was written, and then the link was lost: it may or may not have arrived.
        InDoubt = "in-doubt",
        /// It was written, and so many after it that its fate is no longer followed.
        InDoubtOverflow = "in-doubt-overflow",
    }
}

codes! {
    /// Why `submit` did not take a message.
    Refusal {
        /// The wire is closing or closed.
        Closed = "closed",
        /// Longer than the limit.
        TooLarge = "too-large",
        /// The outbox is full.
        OutboxFull = "outbox-full",
    }
}

codes! {
    /// Something the user should hear of although the wire goes on.
    Notice {
        /// More is written and unsettled than [`crate::IN_FLIGHT_MAX`] or [`crate::IN_FLIGHT_BYTES_MAX`].
        InDoubtOverflow = "in-doubt-overflow",
        /// Answers to heartbeats had been learned and stayed out twice: no longer expected on this wire.
        ReplyUnlearned = "reply-unlearned",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// The numbers are an interface between two languages: this file is what both sides are held against.
    #[test]
    fn the_published_numbers() {
        let mut json = String::from("{\n");
        let mut table = |name: &str, values: Vec<(u8, &str)>, last: bool| {
            let list: Vec<String> = values.iter().map(|(_, text)| format!("\"{text}\"")).collect();
            assert!(values.iter().enumerate().all(|(at, (number, _))| at == usize::from(*number)));
            writeln!(json, "  \"{name}\": [{}]{}", list.join(", "), if last { "" } else { "," }).unwrap();
        };
        table("state", State::ALL.iter().map(|v| (*v as u8, v.name())).collect(), false);
        table("cause", Cause::ALL.iter().map(|v| (*v as u8, v.name())).collect(), false);
        table("reason", Reason::ALL.iter().map(|v| (*v as u8, v.name())).collect(), false);
        table("refusal", Refusal::ALL.iter().map(|v| (*v as u8, v.name())).collect(), false);
        table("notice", Notice::ALL.iter().map(|v| (*v as u8, v.name())).collect(), true);
        json.push_str("}\n");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/codes.json");
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(path, &json).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            json,
            "run with UPDATE_VECTORS=1 and mend the facade"
        );
    }
}
