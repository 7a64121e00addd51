//! The node's end of `everwire.v1`.
//!
//! [`Node`] is one link as its node sees it; [`Origin`] is what a process has once for all its links: it answers requests
//! and appends what the process itself has to say. Both are driven, and call nobody: whoever drives them splits frames,
//! parses JSON, does the cryptography, runs the application's hooks and carries calls to the engine.
//!
//! **After every `handle_*`, drain `poll` until it returns `None`.**

mod action;
mod allowed;
mod asks;
mod calls;
mod casts;
mod downward;
mod flow;
mod frames;
mod greeting;
mod inbox;
mod input;
mod link;
mod machine;
mod names;
mod origin;
mod pace;
mod pages;
mod phase;
mod rooms;
mod timer;
mod turn;
mod upward;
mod vital;
mod wrong;

pub use action::{Asking, NodeAction, NodeFrame, Purpose, Request};
pub use allowed::{AllowedOrigins, NotAnOrigin};
pub use input::{
    AskId, Authenticated, CallId, Drain, Element, ElementKind, Examined, HookFailed, NodeBody, NodeConfig,
    NotAuthenticated, Persona, Transport,
};
pub use machine::Node;
pub use origin::{Origin, OriginAction, OriginConfig, RunId};
pub use phase::{NodeEvent, NodePhase, NodeStep};

#[cfg(feature = "mutants")]
pub(crate) use wrong::forget;

/// A frame of more octets than this is announced by `more`. [LIVE-13]
pub const ANNOUNCED_ABOVE: u64 = 16_384;
