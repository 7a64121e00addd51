//! Building a wire.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use everwire_core::engine::Producer;
use everwire_core::session::client::Config;
use everwire_core::{OutboxConfig, Overflow};

use super::local::Local;
use super::wire::Wire;
use crate::Error;
use crate::builder::{in_range, normalised, random};
use crate::session::driver::Driver;
use crate::time::of_std;
use crate::token::Token;

/// What the host needs to know of the options.
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) token: Token,
    pub(crate) sender: Option<String>,
    pub(crate) echo: bool,
    pub(crate) delivered_receipts: bool,
    pub(crate) redirects: Vec<String>,
    pub(crate) close_timeout: Duration,
}

/// The options of a wire; [`Builder::build`] checks them and dials.
#[must_use = "nothing is dialled before `build`"]
pub struct Builder {
    options: Options,
    config: Config,
}

/// Begins a wire to a server that speaks `everwire.v1`. `http(s):` and relative urls are understood as `ws(s):`.
pub fn connect(url: impl Into<String>) -> Builder {
    let options = Options {
        url: url.into(),
        token: Token::None,
        sender: None,
        echo: false,
        delivered_receipts: false,
        redirects: Vec::new(),
        close_timeout: Duration::from_secs(5),
    };
    Builder { options, config: Config::default() }
}

impl Builder {
    /// A token. It travels in the first frame of each link, never in the url. Default: none.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Token::Fixed(token.into());
        self
    }

    /// Asks for a token before every dial, and before the server's `expires` has passed. An error, no answer in time, or
    /// one that is no token (1 to 16,384 visible ASCII characters) is a failed attempt.
    pub fn token_with<F, E>(mut self, ask: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + 'static,
        E: fmt::Display,
    {
        self.options.token = Token::asking(ask);
        self
    }

    /// The sender to put on every message, until the server has stamped who it really is. Default: none.
    pub fn sender(mut self, sender: impl Into<String>) -> Self {
        self.options.sender = Some(sender.into());
        self
    }

    /// Whether own messages that come back from a room reach handlers and streams. Default: false.
    pub fn echo(mut self, echo: bool) -> Self {
        self.options.echo = echo;
        self
    }

    /// Whether senders of direct messages are told that they have been delivered. Default: false.
    pub fn delivered_receipts(mut self, told: bool) -> Self {
        self.options.delivered_receipts = told;
        self
    }

    /// Hosts, `host` or `host:port`, to which a draining server may send this client besides its own; they will see the
    /// token. Default: none.
    pub fn redirects<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.options.redirects = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// The time of quiet after which the server is asked: 1 s to 600 s. Default: 30 s.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.interval = of_std(interval);
        self
    }

    /// How long the token and then the socket may take: 1 s to 120 s. Default: 20 s.
    pub fn connect_timeout(mut self, span: Duration) -> Self {
        self.config.connect_timeout = of_std(span);
        self
    }

    /// How long [`Wire::close`] lets what waits be written: up to 60 s. Default: 5 s.
    pub fn close_timeout(mut self, span: Duration) -> Self {
        self.options.close_timeout = span;
        self
    }

    /// The longest message that is sent, in UTF-8 bytes: 1 to 67,108,864. Default: 1 MiB.
    pub fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.config.message_bytes_max = bytes;
        self.config.outbox.bytes_max = self.config.outbox.bytes_max.max(u64::from(bytes));
        self
    }

    /// Bytes in the socket's buffer above which nothing more is written: 16,384 to 1 GiB. Default: 1 MiB.
    pub fn high_water_bytes(mut self, bytes: u64) -> Self {
        self.config.high_water = bytes;
        self
    }

    /// Dials in a row that may fail before the wire closes for good; 0: no limit. Default: 0. The waits are the
    /// protocol's.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.config.attempts_max = attempts;
        self
    }

    /// How many messages and bytes may wait, and what happens beyond that: 1 to 1,000,000 messages,
    /// `max_message_bytes` to 1 GiB. Default: 8,192 messages, 8 MiB, reject.
    pub fn outbox(mut self, messages: u32, bytes: u64, overflow: Overflow) -> Self {
        self.config.outbox = OutboxConfig { messages_max: messages, bytes_max: bytes, overflow };
        self
    }

    /// Checks the options and dials.
    ///
    /// # Errors
    /// [`Error::Option`] for a value out of range, [`Error::Connect`] for a url or a token of which no link can be made.
    /// Nothing about the network is an error here.
    pub fn build(mut self) -> Result<Wire, Error> {
        self.config.has_token = !matches!(self.options.token, Token::None);
        self.config.rests_hidden = crate::page::is_phone();
        self.check()?;
        self.options.url = normalised(&self.options.url)?;
        let seed = random().iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let driver = Driver::new(self.config, seed, Producer(random()), Local::new(self.options));
        driver.host().drive(&driver);
        driver.connect();
        Ok(Wire(driver))
    }

    fn check(&self) -> Result<(), Error> {
        if let Token::Fixed(token) = &self.options.token
            && let Some(fault) = token_fault(token)
        {
            return Err(Error::Connect { message: fault.to_owned() });
        }
        let Config { interval, connect_timeout, message_bytes_max: message, high_water, outbox, .. } =
            self.config;
        let checks = [
            (in_range(interval, 1000, 600_000), "heartbeat", "1 s to 600 s"),
            (in_range(connect_timeout, 1000, 120_000), "connect_timeout", "1 s to 120 s"),
            (self.options.close_timeout <= Duration::from_secs(60), "close_timeout", "0 to 60 s"),
            ((1..=64 << 20).contains(&message), "max_message_bytes", "1 to 67108864"),
            ((16_384..=1 << 30).contains(&high_water), "high_water_bytes", "16384 to 1073741824"),
            ((1..=1_000_000).contains(&outbox.messages_max), "outbox messages", "1 to 1000000"),
            (
                (u64::from(message)..=1 << 30).contains(&outbox.bytes_max),
                "outbox bytes",
                "max_message_bytes to 1073741824",
            ),
        ];
        match checks.into_iter().find(|(fine, ..)| !fine) {
            Some((_, name, range)) => Err(Error::Option { name, range }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Builder {
    /// Without the url and the token: either may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What keeps a token from being sent; it is not repeated. [LIM-15]
pub(crate) fn token_fault(token: &str) -> Option<&'static str> {
    (!everwire_core::session::is_token(token)).then_some("a token is 1 to 16384 visible ASCII characters")
}
