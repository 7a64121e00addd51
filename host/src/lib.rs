//! One process of an everwire server, without its sockets, its application and its engine.
//!
//! [`Process`] stands between those and the session machines of `everwire-core`: it turns octets into frames and back,
//! derives what nodes must derive (inboxes, anonymous identities, grants), asks the application, wakes the links whose
//! messages have come, and limits how fast each may write. `everwire-server` drives it with tokio, `everwire/server` with
//! Node.
//!
//! **After every input, drain [`Process::poll`] until it returns `None`.**

mod body;
mod books;
mod counts;
mod engine;
mod gate;
mod hooks;
mod keys;
mod link;
mod order;
mod pace;
mod payload;
mod process;
mod serve;

pub use counts::Counts;
pub use engine::carry_out;
pub use gate::{Gate, GateLimits, Refused};
pub use hooks::{Access, Authenticated, Kind, Permit, Reply, Verdict, Who};
pub use keys::Keys;
pub use order::{Asker, LinkId, Order};
pub use pace::BURST_MESSAGES;
pub use payload::Payload;
pub use process::{Process, ProcessConfig};
