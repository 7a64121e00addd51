//! Whether a name stands twice in one object.

use core::ops::Range;

use super::scan::{Token, Visit};
use super::text::Text;

/// Objects deeper than this are not looked at: an envelope is refused for its depth then, and of an object body nothing
/// that this version reads lies so deep. [LIM-16]
pub(crate) const NESTING_MAX: usize = 64;

/// The names of the objects that are open. Each object's are compared when it ends: sorted, equal ones are neighbours.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    names: Vec<Text<'a>>,
    /// Of each array or object that is open: where its names begin, if they are looked at.
    open: Vec<Option<usize>>,
    repeated: bool,
}

impl<'a> Names<'a> {
    /// How many arrays and objects are open.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether one of the objects that have ended repeats a name.
    pub(crate) fn is_repeated(&self) -> bool {
        self.repeated
    }

    fn compare(&mut self, begin: usize) {
        if let Some(own) = self.names.get_mut(begin..) {
            own.sort_unstable_by(|one, other| one.order(*other));
            self.repeated |=
                own.windows(2).any(|two| matches!(two, [one, other] if one.order(*other).is_eq()));
        }
        self.names.truncate(begin);
    }
}

impl<'a> Visit<'a> for Names<'a> {
    fn token(&mut self, token: Token<'a>, _: Range<usize>) {
        match token {
            Token::BeginArray => self.open.push(None),
            Token::BeginObject => {
                let begin = (self.open.len() < NESTING_MAX).then_some(self.names.len());
                self.open.push(begin);
            }
            Token::End => {
                if let Some(begin) = self.open.pop().flatten() {
                    self.compare(begin);
                }
            }
            // Once the verdict is known, a hostile text need not be kept any longer.
            Token::Name(name) if !self.repeated && self.open.last().is_some_and(Option::is_some) => {
                self.names.push(name);
            }
            _ => {}
        }
    }
}
