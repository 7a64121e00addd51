//! The session of `everwire.v1`: what one wire keeps over many links, as pure state.
//!
//! The parts know no sockets and no timers; the machines of both ends are composed of them.

pub mod down;
