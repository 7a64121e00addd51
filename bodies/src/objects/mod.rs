//! The objects: `hello`, `welcome`, and the smaller ones.

mod hello;
mod small;
mod welcome;

pub use hello::{read_hello, write_hello};
pub use small::{
    Goaway, Lost, Renewal, read_goaway, read_lost, read_renewal, read_token, write_goaway, write_lost,
    write_renewal, write_token,
};
pub use welcome::{read_welcome, write_welcome};

use everwire_core::engine::{LogEpoch, Subject};
use everwire_core::session::down::{Loss, ROOMS_MAX};
use everwire_core::session::{Broken, FEATURES_MAX, Secret};

use crate::error::BodyError;
use crate::json::{Integer, Items, Member, Object, Raw, text};

/// The version of the protocol that this crate speaks.
const VERSION: u64 = 1;

/// What a node takes: no name stands twice, and `version` has been looked at before anything else. [FRM-12] [ERR-10]
fn check_version(object: Raw<'_>) -> Result<(), BodyError> {
    let [version] = object.members(["version"])?;
    if version.integer()? == Integer::Number(VERSION) { Ok(()) } else { Err(BodyError::Version) }
}

/// No more than one above the limit is taken over, which the table's check then finds.
fn limited(items: Items<'_>, most: usize) -> core::iter::Take<Items<'_>> {
    items.take(most + 1)
}

fn features(member: Member<'_>) -> Result<Vec<Box<str>>, BodyError> {
    limited(member.items()?, FEATURES_MAX).map(|item| Ok(Box::from(item.text()?.as_ref()))).collect()
}

fn subject(member: Member<'_>) -> Result<Subject, BodyError> {
    Ok(Subject::from(member.text()?.as_ref()))
}

fn secret(member: Member<'_>) -> Result<Secret, BodyError> {
    Ok(Secret::from(member.text()?.as_ref()))
}

fn epoch(member: Member<'_>) -> Result<LogEpoch, BodyError> {
    Ok(LogEpoch::from(member.text()?.as_ref()))
}

/// The members `subjects` and `first`. [LOST-7]
fn loss(subjects: Member<'_>, first: Member<'_>) -> Result<Loss, BodyError> {
    let most = ROOMS_MAX + 1;
    let subjects: Vec<Subject> = limited(subjects.items()?, most).map(subject).collect::<Result<_, _>>()?;
    let loss = Loss { subjects, first: first.number()? };
    let mut sorted: Vec<&Subject> = loss.subjects.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() == loss.subjects.len() && (1..=most).contains(&sorted.len()) && loss.first >= 1 {
        Ok(loss)
    } else {
        Err(Broken { clause: "LOST-7" }.into())
    }
}

fn write_loss(object: &mut Object<'_>, loss: &Loss) {
    object.list("subjects", &loss.subjects, |out, subject| text(out, subject.as_str()));
    object.number("first", loss.first);
}

fn write_features(object: &mut Object<'_>, features: &[Box<str>]) {
    object.list("features", features, |out, feature| text(out, feature));
}
