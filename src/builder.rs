//! Building a wire.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use everwire_core::{BackoffConfig, Config, ExpectReply, LivenessConfig, OutboxConfig, Overflow, Rate};
use wasm_bindgen::prelude::*;
use web_sys::Url;

use crate::driver::Driver;
use crate::host::LocalHost;
use crate::time::of_std;
use crate::token::Token;
use crate::wire::Wire;
use crate::{Error, envelope};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn fill_random(bytes: &mut [u8]) -> Result<(), JsValue>;

    type Global;
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL: Global;
    #[wasm_bindgen(method, getter, structural)]
    fn location(this: &Global) -> Option<Location>;

    type Location;
    #[wasm_bindgen(method, getter, structural)]
    fn href(this: &Location) -> String;
    #[wasm_bindgen(method, getter, structural)]
    fn protocol(this: &Location) -> String;
}

/// What the host needs to know of the options.
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) protocols: Vec<String>,
    pub(crate) token: Token,
    pub(crate) sender: Option<String>,
    pub(crate) max_message_bytes: u32,
    pub(crate) close_timeout: Duration,
}

/// The options of a wire; [`Builder::build`] checks them and dials.
#[must_use = "nothing is dialled before `build`"]
pub struct Builder {
    options: Options,
    config: Config,
}

/// Begins a wire to a server.
///
/// `http(s):` and relative urls are understood as `ws(s):`.
///
/// ```no_run
/// # fn main() -> Result<(), everwire::Error> {
/// let wire = everwire::connect("wss://example.com/chat").sender("user_123").build()?;
/// let subscription = wire.on("text", |message| {
///     let text: Result<String, _> = message.content();
/// });
/// # Ok(()) }
/// ```
pub fn connect(url: impl Into<String>) -> Builder {
    let options = Options {
        url: url.into(),
        protocols: Vec::new(),
        token: Token::None,
        sender: None,
        max_message_bytes: Config::default().message_bytes_max,
        close_timeout: Duration::from_secs(5),
    };
    Builder { options, config: Config::default() }
}

impl Options {
    /// What keeps a token from being offered. It is not repeated here, nor given to a browser that would.
    pub(crate) fn fault_of_token(&self, token: &str) -> Option<&'static str> {
        if !is_token(token) {
            return Some("the token is no subprotocol");
        }
        self.protocols.iter().any(|one| one == token).then_some("the token is one of the protocols")
    }
}

impl Builder {
    /// The subprotocols to offer.
    pub fn protocols<S: Into<String>>(mut self, protocols: impl IntoIterator<Item = S>) -> Self {
        self.options.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// A token, offered as the last subprotocol.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Token::Fixed(token.into());
        self
    }

    /// Asks for a token before every dial. An error, no answer in time, or one that cannot be a subprotocol is a
    /// failed attempt.
    pub fn token_with<F, E>(mut self, ask: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + 'static,
        E: fmt::Display,
    {
        self.options.token = Token::asking(ask);
        self
    }

    /// The sender to put on every message. Default: none.
    pub fn sender(mut self, sender: impl Into<String>) -> Self {
        self.options.sender = Some(sender.into());
        self
    }

    /// The time between heartbeats: zero (none) or 1 s to 600 s. Default: 30 s.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.liveness.interval = of_std(interval);
        self
    }

    /// Whether the server answers heartbeats. Default: find out.
    pub fn expect_reply(mut self, expect: ExpectReply) -> Self {
        self.config.liveness.expect_reply = expect;
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

    /// The longest message, in UTF-8 bytes, both ways: 1 to 67,108,864. Default: 1 MiB.
    pub fn max_message_bytes(mut self, bytes: u32) -> Self {
        self.options.max_message_bytes = bytes;
        self.config.message_bytes_max = bytes;
        self
    }

    /// The first and the widest window of the backoff: 10 ms to 30 s. Default: 1 s and 30 s.
    pub fn delays(mut self, min: Duration, max: Duration) -> Self {
        self.config.backoff.delay_min = of_std(min);
        self.config.backoff.delay_max = of_std(max);
        self
    }

    /// How much each window is wider than the one before: 1 to 10. Default: 2.
    pub fn factor(mut self, factor: f64) -> Self {
        self.config.backoff.factor = factor;
        self
    }

    /// Dials in a row that may fail before the wire closes for good; 0: no limit. Default: 0.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.config.backoff.attempts_max = attempts;
        self
    }

    /// How many messages and bytes may wait, and what happens beyond that: 1 to 1,000,000 messages,
    /// `max_message_bytes` to 1 GiB. With [`Overflow::Wait`], 1,024 messages and once more the bytes may wait besides.
    /// Default: 8,192 messages, 8 MiB, reject.
    pub fn outbox(mut self, messages: u32, bytes: u64, overflow: Overflow) -> Self {
        self.config.outbox = OutboxConfig { messages_max: messages, bytes_max: bytes, overflow };
        self
    }

    /// How many messages a second may be written, 0.001 to 1,000,000, and how many at once, 1 to 1,000,000; the others
    /// wait in the outbox. Default: no limit.
    pub fn rate_limit(mut self, per_second: f64, burst: u32) -> Self {
        self.config.rate = Some(Rate { per_second_milli: (per_second * 1000.0) as u64, burst });
        self
    }

    /// Above so many bytes in the socket's buffer nothing more is written: 16,384 to 1 GiB. Default: 1 MiB.
    pub fn high_water(mut self, bytes: u64) -> Self {
        self.config.high_water = bytes;
        self
    }

    /// Checks the options and dials.
    ///
    /// # Errors
    /// [`Error::Option`] for a value out of range, [`Error::Connect`] for a url or protocols of which no socket can
    /// be made. Nothing about the network is an error here.
    pub fn build(mut self) -> Result<Wire, Error> {
        self.config.has_token = !matches!(self.options.token, Token::None);
        self.config.rests_hidden = crate::page::is_phone();
        self.check_ranges()?;
        self.options.url = normalised(&self.options.url)?;
        self.check_protocols()?;
        let seed = random().iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let driver = Driver::new(self.config, seed, LocalHost::new(self.options));
        driver.host().drive(&driver);
        driver.connect();
        Ok(Wire(driver))
    }

    fn check_ranges(&self) -> Result<(), Error> {
        let millis = everwire_core::Duration::from_millis;
        let BackoffConfig { delay_min, delay_max, factor, .. } = self.config.backoff;
        let LivenessConfig { interval, .. } = self.config.liveness;
        let (message, outbox) = (self.config.message_bytes_max, self.config.outbox);
        let checks = [
            (interval == millis(0) || in_range(interval, 1000, 600_000), "heartbeat", "0 or 1 s to 600 s"),
            (in_range(self.config.connect_timeout, 1000, 120_000), "connect_timeout", "1 s to 120 s"),
            (self.options.close_timeout <= Duration::from_secs(60), "close_timeout", "0 to 60 s"),
            ((1..=64 << 20).contains(&message), "max_message_bytes", "1 to 67108864"),
            (
                in_range(delay_min, 10, 30_000) && delay_min <= delay_max,
                "delays",
                "10 ms to 30 s, min <= max",
            ),
            (in_range(delay_max, 10, 30_000), "delays", "10 ms to 30 s, min <= max"),
            ((1.0..=10.0).contains(&factor), "factor", "1 to 10"),
            ((16_384..=1 << 30).contains(&self.config.high_water), "high_water", "16384 to 1073741824"),
            (
                self.config.rate.is_none_or(|rate| {
                    (1..=1_000_000_000).contains(&rate.per_second_milli)
                        && (1..=1_000_000).contains(&rate.burst)
                }),
                "rate_limit",
                "0.001 to 1000000 a second, 1 to 1000000 at once",
            ),
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

    fn check_protocols(&self) -> Result<(), Error> {
        let fixed = if let Token::Fixed(token) = &self.options.token { Some(token) } else { None };
        let offered: Vec<&String> = self.options.protocols.iter().chain(fixed).collect();
        for (at, protocol) in offered.iter().enumerate() {
            if !is_token(protocol) || offered.iter().take(at).any(|one| one == protocol) {
                // It may be the token: it is not repeated here.
                let message = String::from(
                    "subprotocols and the token are non-empty, differ, and hold no space, comma, = or the like",
                );
                return Err(Error::Connect { message });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Builder {
    /// Without the url and the token: either may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

pub(crate) fn in_range(span: everwire_core::Duration, min_ms: u64, max_ms: u64) -> bool {
    let millis = everwire_core::Duration::from_millis;
    millis(min_ms) <= span && span <= millis(max_ms)
}

/// An RFC 2616 token, as subprotocols must be.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte))
}

pub(crate) fn normalised(url: &str) -> Result<String, Error> {
    let refuse = |message: &str| Err(Error::Connect { message: String::from(message) });
    let location = GLOBAL.with(Global::location);
    let parsed = match &location {
        Some(location) => Url::new_with_base(url, &location.href()),
        None => Url::new(url),
    };
    let parsed = parsed.map_err(|error| Error::Connect {
        // Some engines quote the url.
        message: format!("the url cannot be read: {}", envelope::name_of(&error)),
    })?;
    match parsed.protocol().as_str() {
        "ws:" | "wss:" => {}
        "http:" => parsed.set_protocol("ws:"),
        "https:" => parsed.set_protocol("wss:"),
        _ => return refuse("the url is not ws:, wss:, http: or https:"),
    }
    if !parsed.hash().is_empty() {
        return refuse("the url of a WebSocket has no fragment");
    }
    let insecure = parsed.protocol() == "ws:" && !is_loopback(&parsed.hostname());
    if insecure && location.is_some_and(|location| location.protocol() == "https:") {
        return refuse("a page that came over https: may not use ws:");
    }
    Ok(parsed.href())
}

/// What browsers trust without encryption.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || host.starts_with("127.")
}

/// 128 bits.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if fill_random(&mut bytes).is_err() {
        // Every current browser, worker and Node has the above.
        bytes.fill_with(|| (js_sys::Math::random() * 256.0) as u8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_a_subprotocol_may_be() {
        assert!(["everwire.v1", "abc-_~", "a"].into_iter().all(is_token));
        assert!(!["", "a b", "a,b", "a=b", "a/b", "é", "\u{7f}"].into_iter().any(is_token));
    }

    #[test]
    fn debug_shows_no_token_and_no_url() {
        let text = format!("{:?}", connect("wss://secret.example/?key=1").token("hush"));
        assert!(!text.contains("secret") && !text.contains("hush"), "{text}");
    }
}
