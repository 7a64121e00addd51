//! Values whose JSON has been checked, taken apart member by member.

use std::borrow::Cow;

use super::names::Names;
use super::number::{Integer, integer};
use super::scan::{NotJson, Scanner};
use crate::error::BodyError;

impl From<NotJson> for BodyError {
    fn from(_: NotJson) -> Self {
        Self::NotJson
    }
}

/// Reads an object body: complete JSON, and whether a name is repeated in it.
pub(crate) fn document(body: &[u8]) -> Result<(Raw<'_>, bool), BodyError> {
    let text = core::str::from_utf8(body).map_err(|_| BodyError::NotUtf8)?;
    let mut names = Names::default();
    let raw = Scanner::new(text).whole(&mut names)?;
    if !raw.starts_with('{') {
        return Err(BodyError::NotObject);
    }
    Ok((Raw(raw), names.is_repeated()))
}

/// One complete value.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The members with these names, each with what stands there last; others are ignored. [FRM-12]
    pub(crate) fn members<const N: usize>(
        self,
        names: [&'static str; N],
    ) -> Result<[Member<'a>; N], BodyError> {
        let mut members = names.map(|name| Member { name, raw: None });
        let mut scanner = Scanner::new(self.0);
        scanner.expect(b'{')?;
        scanner.space();
        while !scanner.eat(b'}') {
            let name = scanner.string()?;
            scanner.space();
            scanner.expect(b':')?;
            let value = scanner.value(&mut ())?;
            if let Some(member) = members.iter_mut().find(|member| name.is(member.name)) {
                member.raw = Some(Raw(value));
            }
            scanner.space();
            scanner.eat(b',');
            scanner.space();
        }
        Ok(members)
    }
}

/// A member that this version knows: there, or not.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    name: &'static str,
    raw: Option<Raw<'a>>,
}

impl<'a> Member<'a> {
    fn raw(self) -> Result<&'a str, BodyError> {
        self.raw.map(|raw| raw.0).ok_or(BodyError::Missing(self.name))
    }

    /// Itself, if it is there.
    pub(crate) fn optional(self) -> Option<Self> {
        self.raw.map(|_| self)
    }

    /// Itself, or `None` if it is null.
    pub(crate) fn nullable(self) -> Result<Option<Self>, BodyError> {
        Ok(if self.raw()? == "null" { None } else { Some(self) })
    }

    /// Of another type than it should be.
    pub(crate) fn mistyped(self) -> BodyError {
        BodyError::Mistyped(self.name)
    }

    pub(crate) fn number(self) -> Result<u64, BodyError> {
        match self.integer()? {
            Integer::Number(number) => Ok(number),
            Integer::OutOfRange => Err(BodyError::NumberRange(self.name)),
            Integer::Fraction => Err(self.mistyped()),
        }
    }

    /// A number of any value.
    pub(crate) fn integer(self) -> Result<Integer, BodyError> {
        let raw = self.raw()?;
        if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            Ok(integer(raw))
        } else {
            Err(self.mistyped())
        }
    }

    pub(crate) fn flag(self) -> Result<bool, BodyError> {
        match self.raw()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.mistyped()),
        }
    }

    /// Its text. Half of a surrogate pair is no text.
    pub(crate) fn text(self) -> Result<Cow<'a, str>, BodyError> {
        Scanner::new(self.raw()?).string().ok().and_then(|text| text.decode()).ok_or(self.mistyped())
    }

    /// Its text, as far as it is one.
    pub(crate) fn text_lossy(self) -> Result<Cow<'a, str>, BodyError> {
        let text = Scanner::new(self.raw()?).string().map_err(|_| self.mistyped())?;
        Ok(text.decode_lossy())
    }

    pub(crate) fn members<const N: usize>(
        self,
        names: [&'static str; N],
    ) -> Result<[Member<'a>; N], BodyError> {
        let raw = self.raw()?;
        if raw.starts_with('{') { Raw(raw).members(names) } else { Err(self.mistyped()) }
    }

    pub(crate) fn items(self) -> Result<Items<'a>, BodyError> {
        let mut scanner = Scanner::new(self.raw()?);
        scanner.expect(b'[').map_err(|_| self.mistyped())?;
        Ok(Items { name: self.name, scanner, ended: false })
    }

    /// Exactly so many elements.
    pub(crate) fn tuple<const N: usize>(self) -> Result<[Member<'a>; N], BodyError> {
        let mut items = self.items()?;
        let mut members = [Member { name: self.name, raw: None }; N];
        for member in &mut members {
            *member = items.next().ok_or(self.mistyped())?;
        }
        if items.next().is_none() { Ok(members) } else { Err(self.mistyped()) }
    }
}

/// The elements of an array, each read when it is asked for.
pub(crate) struct Items<'a> {
    name: &'static str,
    scanner: Scanner<'a>,
    ended: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.scanner.space();
        if self.ended || self.scanner.eat(b']') {
            self.ended = true;
            return None;
        }
        let value = self.scanner.value(&mut ()).ok()?;
        self.scanner.space();
        self.scanner.eat(b',');
        Some(Member { name: self.name, raw: Some(Raw(value)) })
    }
}
