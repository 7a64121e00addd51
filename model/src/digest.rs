//! A number that stands for a value, by what its `Debug` shows.
//!
//! The session types show every field, and need not be hashable for a model's sake. What they redact has to be hashed
//! beside the digest.

use core::fmt::{self, Debug, Write};
use core::ops::{Deref, DerefMut};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

/// The fields that only count how often something has happened. Their height is no difference between two states; two
/// of the same name that are the same, or are not, may be one.
const COUNTERS: [&str; 2] = ["generation", "grown"];

#[derive(Debug, Default)]
struct Shown {
    text: String,
    /// The name that has been written, and whether its colon has.
    counter: Option<(&'static str, bool)>,
    /// The first of each name.
    first: Vec<(&'static str, u64)>,
}

impl Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.counter {
            None => self.counter = COUNTERS.into_iter().find(|name| *name == text).map(|name| (name, false)),
            Some((name, false)) => self.counter = (text == ": ").then_some((name, true)),
            Some((name, true)) => {
                self.counter = None;
                let Ok(height) = text.parse::<u64>() else { return self.text.write_str(text) };
                return match self.first.iter().find(|(first, _)| *first == name) {
                    Some((_, first)) => write!(self.text, "{}", *first == height),
                    None => {
                        self.first.push((name, height));
                        Ok(())
                    }
                };
            }
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// A value that is hashed by its digest, which is computed once it is asked for.
#[derive(Clone)]
pub(crate) struct Digested<T> {
    value: T,
    digest: OnceLock<u64>,
}

impl<T> Digested<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value, digest: OnceLock::new() }
    }
}

impl<T> Deref for Digested<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Digested<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.digest = OnceLock::new();
        &mut self.value
    }
}

impl<T: Debug> Debug for Digested<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Debug> Hash for Digested<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(*self.digest.get_or_init(|| digest(&self.value)));
    }
}

impl<T: Debug> PartialEq for Digested<T> {
    fn eq(&self, other: &Self) -> bool {
        digest(&self.value) == digest(&other.value)
    }
}

impl<T: Debug> Eq for Digested<T> {}

/// Two values with the same digest differ, if at all, in counters that have gone on side by side.
pub(crate) fn digest(value: &impl Debug) -> u64 {
    let mut shown = Shown::default();
    write!(shown, "{value:?}").expect("nothing that fails is shown");
    let mut hasher = DefaultHasher::new();
    hasher.write(shown.text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "shown")]
    struct Counted {
        position: u64,
        generation: u64,
        name: &'static str,
        answer: Option<Box<Counted>>,
    }

    fn counted(position: u64, generation: u64, name: &'static str, answer: Option<u64>) -> u64 {
        let counted = |position, generation, name, answer| Counted { position, generation, name, answer };
        let answer = answer.map(|generation| Box::new(counted(0, generation, "", None)));
        digest(&counted(position, generation, name, answer))
    }

    #[test]
    fn counters_make_no_difference_but_among_themselves() {
        assert_eq!(counted(1, 2, "generation", None), counted(1, 20, "generation", None));
        assert_eq!(counted(1, 2, "", Some(2)), counted(1, 20, "", Some(20)));
        assert_eq!(counted(1, 2, "", Some(1)), counted(1, 20, "", Some(18)));
        assert_ne!(counted(1, 2, "", Some(2)), counted(1, 2, "", Some(1)));
        assert_ne!(counted(1, 2, "", None), counted(2, 2, "", None));
        assert_ne!(counted(1, 2, "a", None), counted(1, 2, "b", None));
    }
}
