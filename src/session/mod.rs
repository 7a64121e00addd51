//! The shell around the exactly-once machine: a wire of `everwire.v1`, as the npm package's second WebAssembly drives it.
//!
//! It is a module of its own because nobody needs both machines: a page loads the one whose delivery it has asked for.

mod driver;
pub mod exports;
mod facade;
pub mod host;
mod inbound;
mod outbound;
mod page;

/// As `collect`, and a third of its code for each kind of iterator.
fn gather<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        list.push(item);
    }
    list
}
