//! A call to the engine, and whom it concerns.

use std::collections::BTreeSet;

use everwire_core::Instant;
use everwire_core::engine::{Answer, Appended, Call, Engine, Subject};

use crate::payload::Payload;

/// Has the engine carry out a call, and notes in `grown` under which subjects there is something new.
pub fn carry_out(
    call: &Call<Payload>,
    engine: &mut impl Engine<Payload>,
    now: Instant,
    grown: &mut BTreeSet<Subject>,
) -> Answer<Payload> {
    let answer = call.carry_out(engine, now);
    match (call, &answer) {
        (Call::Append { batch, .. }, Answer::Append(Ok(Appended::Stored { .. } | Appended::Full { .. }))) => {
            for post in batch.iter() {
                if !grown.contains(&post.subject) {
                    grown.insert(post.subject.clone());
                }
            }
        }
        (Call::Publish { cast, .. }, Answer::Publish(Ok(()))) => {
            grown.insert(cast.subject.clone());
        }
        _ => {}
    }
    answer
}
