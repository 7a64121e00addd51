//! `welcome`: what a client takes.

mod common;

use common::{hold, load, of_welcome, some_of, written};
use everwire_bodies::{BodyError, read_welcome, write_welcome};
use everwire_core::frame::End;

/// Reads each body, compares what came of it, and writes it again.
#[test]
fn welcomes_are_read_and_written_as_the_vectors_say() {
    let vectors = load("welcome.json");
    let write = |welcome: &_| written(|out| write_welcome(welcome, out));
    hold(&vectors, End::Client, read_welcome, write, of_welcome);
}

/// [ERR-10] A client has no code of its own for it.
#[test]
fn another_version_is_a_protocol_error() {
    let error = read_welcome(br#"{"version":2}"#).unwrap_err();
    assert_eq!((error, error.close_code(End::Client)), (BodyError::Version, 4002));
}

/// [FRM-12] What no node may write a client may take, as parsers do that do not look.
#[test]
fn of_a_repeated_name_the_last_counts() {
    let vectors = some_of("welcome");
    let body = vectors[0]["body"].as_str().unwrap().replace(r#""born":1,"#, r#""born":5,"born":1,"#);
    assert_eq!(read_welcome(body.as_bytes()).unwrap().born, 1);
}
