//! Crowds of clients in virtual time: the machine that ships, not a model of it.

pub mod storm;
pub mod world;
