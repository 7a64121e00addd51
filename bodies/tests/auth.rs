//! `auth`, both ways.

mod common;

use common::{hold, load, written};
use everwire_bodies::{read_renewal, read_token, write_renewal, write_token};
use everwire_core::frame::End;
use serde_json::json;

/// Reads each body, compares what came of it, and writes it again.
#[test]
fn tokens_and_renewals_are_read_and_written_as_the_vectors_say() {
    let (tokens, renewals): (Vec<_>, Vec<_>) =
        load("auth.json").into_iter().partition(|vector| vector["from"] == "client");
    let write = |token: &_| written(|out| write_token(token, out));
    hold(&tokens, End::Node, read_token, write, |token| json!({"token": token.reveal()}));
    let write = |renewal: &_| written(|out| write_renewal(*renewal, out));
    hold(
        &renewals,
        End::Client,
        read_renewal,
        write,
        |renewal| json!({"expires": renewal.expires, "renewed": renewal.renewed}),
    );
}
