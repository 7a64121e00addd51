//! `hello`: what a node takes, and what it answers to the rest.

mod common;

use common::{hold, load, of_hello, written};
use everwire_bodies::{BodyError, read_hello, write_hello};
use everwire_core::frame::End;

/// Reads each body, compares what came of it, and writes it again.
#[test]
fn hellos_are_read_and_written_as_the_vectors_say() {
    let vectors = load("hello.json");
    hold(&vectors, End::Node, read_hello, |hello| written(|out| write_hello(hello, out)), of_hello);
}

/// [ERR-10] [HELLO-13] Only what speaks this version is held against its table.
#[test]
fn another_version_is_told_apart_from_a_broken_hello() {
    let error = read_hello(br#"{"producer":5,"version":2}"#).unwrap_err();
    assert_eq!((error, error.close_code(End::Node), error.clause()), (BodyError::Version, 4500, "ERR-10"));
    let error = read_hello(br#"{"producer":5,"version":1}"#).unwrap_err();
    assert_eq!((error, error.close_code(End::Node)), (BodyError::Missing("token"), 4002));
}

/// [CLOSE-2] The reason names the clause, and never the peer's octets.
#[test]
fn an_error_names_its_clause() {
    for (body, said) in [
        ("{", "not-json [ERR-6]"),
        ("5", "not-an-object [ERR-6]"),
        (r#"{"version":3}"#, "version [ERR-10]"),
        (r#"{"version":1,"s3cret":1,"s3cret":2}"#, "name-repeated [FRM-12]"),
        (r#"{"version":1,"held":[0,0]}"#, "missing `token` [FRM-12]"),
        (r#"{"version":1,"held":[0,0],"token":5}"#, "mistyped `token` [FRM-12]"),
    ] {
        assert_eq!(read_hello(body.as_bytes()).unwrap_err().to_string(), said);
    }
}
