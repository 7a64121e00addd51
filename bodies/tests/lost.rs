//! `lost` in mid-link.

mod common;

use common::{hold, load, of_lost, written};
use everwire_bodies::{read_lost, write_lost};
use everwire_core::frame::End;

/// Reads each body, compares what came of it, and writes it again.
#[test]
fn losses_are_read_and_written_as_the_vectors_say() {
    let vectors = load("lost.json");
    hold(&vectors, End::Client, read_lost, |lost| written(|out| write_lost(lost, out)), of_lost);
}
