//! Every order of events, within bounds, of the real session types: nothing here copies them.
//!
//! [`up`] is resume, fencing, refusal and dedupe; [`down`] is positions, rooms, losses and the window. What may go wrong is
//! counted in the state, so there is an end to what can happen, and [`stateright`] looks at all of it.

mod bug;
mod digest;
pub mod down;
mod run;
mod settings;
pub mod up;

pub use bug::Bug;
pub use run::{Order, Outcome, Verdict, explore};
pub use settings::{LARGE, SMALL, Setting};
