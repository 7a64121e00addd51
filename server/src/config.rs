//! How a server serves: every limit with its unit and default.

use std::path::PathBuf;
use std::time::Duration;

/// How a server serves. Limits that a client can run into are the protocol's to announce; what they mean stands in
/// `docs/PROTOCOL.md`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins of the pages that may connect, such as `https://example.com`; `*` for all. What is no browser sends none
    /// and may always. Default: none.
    pub origins: Vec<String>,
    /// Where the log is kept; `None`: in memory, and it ends with the process.
    pub data: Option<PathBuf>,
    /// Octets of one message. 1,024 – 67,108,864, default 1,048,576.
    pub message_bytes_max: u32,
    /// Rooms of one connection. 1 – 256, default 256.
    pub rooms_max: u16,
    /// Messages a second of one connection beyond a burst of 32,768; more wait in the client. Default 10,000.
    pub messages_per_second: u64,
    /// Connections at a time. Default 100,000.
    pub connections_max: usize,
    /// Connections at a time of one address (IPv6: of one /64). Default 10,000.
    pub connections_per_address: usize,
    /// New connections a second of one address beyond a burst of five times as many. Default 50.
    pub connects_per_second: u32,
    /// Connections of one address that have said no `hello` yet. Default 256.
    pub greeting_per_address: usize,
    /// Messages that the log keeps. Default 100,000.
    pub log_messages_max: usize,
    /// Octets that the log keeps, each message counted with 256 more. Default 67,108,864.
    pub log_bytes_max: u64,
    /// How long the log keeps a message. Default 24 h.
    pub log_age_max: Duration,
    /// Messages of one room that a client may have missed when it comes back. Who has missed more is told that all of them are
    /// lost, and loads the room afresh; direct messages have no such limit. At least 1, default 100,000.
    pub backlog_messages_max: usize,
    /// Octets that these may have, counted as in the log. At least 1, default 67,108,864.
    pub backlog_bytes_max: u64,
    /// Producers on record. Default 100,000, three quarters of them for anonymous clients.
    pub producers_max: usize,
    /// Producers of one identity. Default 1,000.
    pub producers_per_identity: usize,
    /// The server pings after so much silence. 5 – 300 s, default 25 s.
    pub heartbeat: Duration,
    /// The time over which clients are asked to come back after a restart. 1 – 600 s, default 10 s.
    pub window: Duration,
    /// How long the handler of a request may run. At most 1 h, default 30 s.
    pub handler_timeout: Duration,
    /// Whether a message whose hook has failed three times is refused as `failed` instead of closing the connection.
    pub failure_is_final: bool,
    /// A subject that begins with one of these is an identity, every other a room. Default `user_` and `anon_`.
    pub identities: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            data: None,
            message_bytes_max: 1 << 20,
            rooms_max: 256,
            messages_per_second: 10_000,
            connections_max: 100_000,
            connections_per_address: 10_000,
            connects_per_second: 50,
            greeting_per_address: 256,
            log_messages_max: 100_000,
            log_bytes_max: 64 << 20,
            log_age_max: Duration::from_secs(24 * 60 * 60),
            backlog_messages_max: 100_000,
            backlog_bytes_max: 64 << 20,
            producers_max: 100_000,
            producers_per_identity: 1_000,
            heartbeat: Duration::from_secs(25),
            window: Duration::from_secs(10),
            handler_timeout: Duration::from_secs(30),
            failure_is_final: false,
            identities: vec!["user_".into(), "anon_".into()],
        }
    }
}
