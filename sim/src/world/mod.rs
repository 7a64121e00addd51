//! Many clients, several nodes that keep nothing, one engine, and bad luck: the machines that ship, in virtual time.
//!
//! One seed is one schedule. A plan is drawn from it ([`plan`](self)), the world runs it, and a checker that sees only what
//! applications call and hear, and the log, holds it against what is promised. A schedule that fails is shrunk by taking
//! happenings out of its plan.

mod application;
mod check;
mod counts;
mod downlink;
mod hooks;
mod host;
mod hostile;
mod luck;
mod net;
mod packet;
mod plan;
mod run;
mod schedule;
mod server;
mod sockets;

pub use check::{Place, Violation};
pub use counts::Counts;
pub use schedule::{Failure, run, shrink, trace};
