//! What either end of `everwire.v1` keeps in order to promise "exactly once", over many links. Pure state: no timer, no
//! socket, no payload; whoever drives a part says what time it is and carries out what it answers. The machines of both
//! ends are composed of these parts.

mod address;
pub mod client;
pub mod down;
mod greeting;
pub mod node;
mod secret;
pub mod up;

pub use client::Client;
pub use greeting::{
    EPOCH_BYTES_MAX, FEATURES_MAX, Hello, Limits, REQUESTS_MAX, TOKEN_BYTES_MAX, Welcome, Wished, is_token,
};
pub use secret::Secret;

/// A peer has broken a rule that only the state of a link can show. The link is closed with 4002, and nothing of the
/// frame has been carried out. [CLOSE-2]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The clause: the reason to close with.
    pub clause: &'static str,
}
