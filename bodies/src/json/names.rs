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
    /// How many arrays and objects are open.
    depth: usize,
    /// Where the names of the outermost [`NESTING_MAX`] of them begin; an array has none.
    begins: Vec<usize>,
    repeated: bool,
}

impl<'a> Names<'a> {
    /// How many arrays and objects are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
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
            Token::BeginArray | Token::BeginObject => {
                self.depth += 1;
                if self.depth <= NESTING_MAX {
                    self.begins.push(self.names.len());
                }
            }
            Token::End => {
                if self.depth <= NESTING_MAX
                    && let Some(begin) = self.begins.pop()
                {
                    self.compare(begin);
                }
                self.depth = self.depth.saturating_sub(1);
            }
            // Once the verdict is known, a hostile text need not be kept any longer.
            Token::Name(name) if !self.repeated && self.depth <= NESTING_MAX => self.names.push(name),
            _ => {}
        }
    }
}
