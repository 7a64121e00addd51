//! Whether a name stands twice in one object.

use core::ops::Range;

use super::scan::{Token, Visit};
use super::text::Text;

/// Objects deeper than this are not looked at: an envelope is refused for its depth then, and of an object body nothing
/// that this version reads lies so deep. [LIM-16]
pub(crate) const NESTING_MAX: usize = 64;

/// So many names are compared each with each, which is faster than to sort them.
const PAIRS_MAX: usize = 8;

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

    /// Makes it as new, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.begins.clear();
        (self.depth, self.repeated) = (0, false);
    }

    pub(crate) fn begin(&mut self) {
        self.depth += 1;
        if self.depth <= NESTING_MAX {
            self.begins.push(self.names.len());
        }
    }

    pub(crate) fn name(&mut self, name: Text<'a>) {
        // Once the verdict is known, a hostile text need not be kept any longer.
        if !self.repeated && self.depth <= NESTING_MAX {
            self.names.push(name);
        }
    }

    pub(crate) fn end(&mut self) {
        if self.depth <= NESTING_MAX
            && let Some(begin) = self.begins.pop()
        {
            self.compare(begin);
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn compare(&mut self, begin: usize) {
        if let Some(own) = self.names.get_mut(begin..) {
            self.repeated |= if own.len() <= PAIRS_MAX { has_pair(own) } else { has_neighbours(own) };
        }
        self.names.truncate(begin);
    }
}

impl<'a> Visit<'a> for Names<'a> {
    fn token(&mut self, token: Token<'a>, _: Range<usize>) {
        match token {
            Token::BeginArray | Token::BeginObject => self.begin(),
            Token::End => self.end(),
            Token::Name(name) => self.name(name),
            _ => {}
        }
    }
}

fn has_pair(mut names: &[Text<'_>]) -> bool {
    while let Some((name, others)) = names.split_first() {
        if others.iter().any(|other| name.says_as(*other)) {
            return true;
        }
        names = others;
    }
    false
}

fn has_neighbours(names: &mut [Text<'_>]) -> bool {
    names.sort_unstable_by(|one, other| one.order(*other));
    names.windows(2).any(|two| matches!(two, [one, other] if one.says_as(*other)))
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::*;

    fn is_repeated(names: &[String]) -> bool {
        let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":0")).collect();
        let mut seen = Names::default();
        let json = format!("{{{}}}", members.join(","));
        Scanner::new(&json).whole(&mut seen).expect("an object");
        seen.is_repeated()
    }

    /// On both sides of the number up to which they are compared in pairs; names of the same length and of others.
    #[test]
    fn a_repeated_name_is_found_among_few_and_among_many() {
        for count in 0..=PAIRS_MAX + 4 {
            let names: Vec<_> = (0..count).map(|at| format!("n{at:02}{}", "é".repeat(at % 3))).collect();
            assert!(!is_repeated(&names), "{count}");
            for (one, other) in (0..count).flat_map(|one| (0..one).map(move |other| (one, other))) {
                let mut names = names.clone();
                names[one] = names[other].clone();
                assert!(is_repeated(&names), "{names:?}");
                // And in another spelling.
                names[one] = names[one].replacen('n', "\\u006e", 1);
                assert!(is_repeated(&names), "{names:?}");
                names[other] = names[other].replacen('n', "\\u006E", 1);
                assert!(is_repeated(&names), "{names:?}");
                names[one] = names[one].replacen("\\u006e", "m", 1);
                assert!(!is_repeated(&names), "{names:?}");
            }
        }
    }
}
