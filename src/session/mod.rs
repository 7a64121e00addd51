//! The shell around the exactly-once machine: a wire of `everwire.v1`.
//!
//! The driver has two hosts: [`crate::exactly_once`] for applications in Rust, and under the feature `session` the facade
//! of the npm package, whose second WebAssembly this is: a page loads the machine whose delivery it has asked for.

pub(crate) mod driver;
#[cfg(feature = "session")]
pub mod exports;
#[cfg(feature = "session")]
mod facade;
pub(crate) mod frame;
#[cfg(feature = "session")]
pub mod host;
#[cfg(feature = "session")]
mod inbound;
#[cfg(feature = "session")]
mod outbound;
#[cfg(feature = "session")]
mod runs;

#[cfg(feature = "session")]
/// As `collect`, and a third of its code for each kind of iterator.
fn gather<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        list.push(item);
    }
    list
}
