//! Exactly once and in order, or the sender is told why not: for servers that speak `everwire.v1`.
//!
//! ```no_run
//! use everwire::exactly_once;
//! # use std::future::poll_fn;
//! # use std::pin::Pin;
//! # use futures_core::Stream;
//! # async fn example() -> Result<(), everwire::Error> {
//! let wire = exactly_once::connect("wss://example.com/ws").token("…").build()?;
//! let room = wire.join("room_456")?; // for good, over all reconnections
//! let mut texts = room.messages::<String>("text"); // a `Stream`: once, in order
//! let receipt = room.send("text", "hello").await?; // the server has it, once
//! while let Some(text) = poll_fn(|cx| Pin::new(&mut texts).poll_next(cx)).await {
//!     let text = text?;
//!     println!("{:?}: {}", text.sender(), text.content);
//! }
//! # Ok(()) }
//! ```
//!
//! A message counts as processed when every handler has returned and every stream that got it was asked for its next one
//! (or was dropped): until then the server keeps back more than a window of messages.
//!
//! **Dropping a future never changes what happens to a message**; dropping an [`Asking`] gives up the answer, and
//! dropping a [`Paging`] the page.

mod builder;
mod event;
mod hold;
mod local;
mod message;
mod wire;

pub use crate::states::States;
pub use builder::{Builder, connect};
pub use event::{Event, Read, Undelivered};
pub use everwire_core::session::client::Why as Cause;
pub use message::{Message, Position, Typed};
pub use wire::{
    Asking, Closing, Draft, Joining, Messages, Page, Paging, Receipt, Room, Sending, Subscription, Wire,
};
