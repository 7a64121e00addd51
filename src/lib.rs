//! A resilient WebSocket client for the browser: it reconnects, keeps order, and loses nothing silently.
//!
//! ```no_run
//! # async fn example() -> Result<(), everwire::Error> {
//! let wire = everwire::connect("wss://example.com/chat").sender("user_123").build()?;
//! wire.on("text", |message| {
//!     let text: String = message.content().unwrap_or_default();
//! })
//! .keep();
//! wire.send("text", "hello", "room_456").await?;
//! wire.close().await;
//! # Ok(()) }
//! ```
//!
//! This is best effort, for any JSON WebSocket server. [`exactly_once`] is for servers that speak `everwire.v1`.
//!
//! [`Wire`] is the connection as an application holds it: it works at once, offline too, and survives many sockets.
//! Handlers run after everything is settled, so that they may send, close, subscribe and unsubscribe at any point.
//!
//! The features: `npm`, on by default only because `wasm-pack build` runs without flags, adds the exports and the
//! allocator of the npm package; `session` does for its second module, `exactly-once`. **Applications use `default-features = false`.**

mod builder;
mod clock;
mod driver;
mod envelope;
mod error;
mod event;
pub mod exactly_once;
mod handlers;
mod host;
#[cfg(any(feature = "npm", feature = "session"))]
mod instance;
mod life;
mod link;
mod messages;
#[cfg(feature = "npm")]
#[doc(hidden)]
pub mod npm;
mod page;
mod queue;
#[cfg(feature = "session")]
#[doc(hidden)]
pub mod session;
#[cfg(not(feature = "session"))]
mod session;
mod slot;
mod states;
mod takers;
mod time;
mod timer;
mod token;
#[cfg(not(feature = "trap-hooks"))]
mod trap;
#[cfg(feature = "trap-hooks")]
#[doc(hidden)]
pub mod trap;
mod wire;
mod yard;

pub use builder::{Builder, connect};
pub use envelope::{Envelope, Meta};
pub use error::Error;
pub use event::Event;
pub use everwire_core::{Cause, ExpectReply, Overflow, Reason, State};
pub use messages::{Messages, Typed};
pub use states::States;
pub use wire::{Closing, Level, Receipt, Sending, Subscription, Wire};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(all(test, target_family = "wasm"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
