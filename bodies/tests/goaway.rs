//! `goaway`: the reason and the url.

mod common;

use common::{hold, load, of_goaway, written};
use everwire_bodies::{Goaway, read_goaway, write_goaway};
use everwire_core::frame::{End, OBJECT_BYTES_MAX};

/// Reads each body, compares what came of it, and writes it again.
#[test]
fn goaways_are_read_and_written_as_the_vectors_say() {
    let vectors = load("goaway.json");
    let write = |goaway: &_| written(|out| write_goaway(goaway, out).unwrap());
    hold(&vectors, End::Client, read_goaway, write, of_goaway);
}

/// [LIM-17] The reason is for people, and the url for the client: it is the reason that is cut.
#[test]
fn a_reason_that_is_too_long_is_cut_at_a_character() {
    let url = Some("wss://example.com/a".into());
    for (character, spelled) in [("r", 1), ("é", 2), ("🦀", 4), ("\"", 2), ("\n", 2), ("\u{1}", 6)] {
        for lead in 0..8 {
            let reason = format!("{}{}", "x".repeat(lead), character.repeat(70_000)).into();
            let goaway = Goaway { reason, url: url.clone() };
            let body = written(|out| write_goaway(&goaway, out).unwrap());
            assert!(body.len() as u64 <= OBJECT_BYTES_MAX, "{character:?} {lead}");
            assert!(
                body.len() as u64 + spelled > OBJECT_BYTES_MAX,
                "no more than needed: {character:?} {lead}"
            );
            let read = read_goaway(&body).unwrap();
            assert!(goaway.reason.starts_with(&*read.reason));
            assert_eq!(read.url, url);
        }
    }
}

/// [LIM-17]
#[test]
fn what_just_fits_is_not_cut() {
    let around = r#"{"reason":"","url":""}"#.len();
    let fits = usize::try_from(OBJECT_BYTES_MAX).unwrap() - around;
    for (reason, url) in [(fits, 0), (fits - 9, 9), (0, fits)] {
        let goaway = Goaway { reason: "r".repeat(reason).into(), url: Some("u".repeat(url).into()) };
        let body = written(|out| write_goaway(&goaway, out).unwrap());
        assert_eq!(body.len() as u64, OBJECT_BYTES_MAX);
        assert_eq!(read_goaway(&body), Ok(goaway));
    }
    let longer = Goaway { reason: "r".repeat(fits + 1).into(), url: Some("".into()) };
    assert_eq!(read_goaway(&written(|out| write_goaway(&longer, out).unwrap())).unwrap().reason.len(), fits);
    let without = Goaway { reason: "r".repeat(fits + 9).into(), url: None };
    assert_eq!(written(|out| write_goaway(&without, out).unwrap()).len() as u64, OBJECT_BYTES_MAX);
    let mut out = Vec::new();
    let goaway = Goaway { reason: "".into(), url: Some("u".repeat(fits + 1).into()) };
    assert_eq!(write_goaway(&goaway, &mut out).unwrap_err().clause(), "LIM-17");
    assert!(out.is_empty());
}
