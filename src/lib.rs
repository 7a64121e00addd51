//! everwire: a resilient WebSocket client for the browser.

mod clock;
mod driver;
mod link;
mod page;
mod trap;
mod yard;

#[cfg(feature = "npm")]
#[doc(hidden)]
pub mod npm;
