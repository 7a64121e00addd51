//! The core of everwire: what a resilient WebSocket client decides, without doing any of it.
//!
//! Nothing here opens a socket, reads a clock, draws a random number of its own or sees a payload. The one type to
//! drive is [`Client`]; its documentation is the manual. [`engine`] is the server's log; it holds payloads, by a handle.
//!
//! **After every `handle_*`, drain [`Client::poll`] until it returns `None`.**

mod backoff;
mod client;
mod close;
mod codes;
pub mod engine;
pub mod frame;
mod gather;
mod limiter;
mod liveness;
pub mod mutant;
mod outbox;
mod pacer;
mod pipe;
mod random;
mod rhythm;
mod rtt;
pub mod session;
mod sorted;
mod spread;
mod state;
mod time;
mod timer;

pub use backoff::{BackoffConfig, DELAY_CAP};
pub use client::{Action, Client, Config, Frame};
pub use close::{CLOSE_ABNORMAL, CLOSE_NORMAL, Closed, window_in};
pub use codes::{Cause, Notice, Reason, Refusal, State};
pub use limiter::Rate;
pub use liveness::{ExpectReply, LivenessConfig};
pub use outbox::{OutboxConfig, Overflow, SENDERS_MAX, Ticket};
pub use random::Random;
pub use sorted::SortedMap;
pub use spread::Window;
pub use state::{Event, Phase, Step};
pub use time::{Duration, Instant};
pub use timer::Timer;

/// How many written messages are followed until they are settled. Beyond that the oldest leave as in doubt: a server
/// that says nothing while thousands are sent cannot be held to them, and memory must end somewhere.
pub const IN_FLIGHT_MAX: usize = 8192;
/// How many bytes of written messages are followed; the newest message is, however long. The host keeps the payloads
/// to be able to say what is in doubt, and a count alone bounds no memory.
pub const IN_FLIGHT_BYTES_MAX: u64 = 16 << 20;
