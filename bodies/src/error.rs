//! What can be wrong with a body as a whole, and how an end answers it.

use core::fmt;

use everwire_core::frame::End;
use everwire_core::session::Broken;

/// Why a body cannot be carried out. The peer is to blame, always, and its octets are not repeated. [CLOSE-2]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Not UTF-8.
    NotUtf8,
    /// Not one complete JSON value: a U+FEFF in front, a comma too many, something behind it. [FRM-5]
    NotJson,
    /// JSON, but no object where one is due.
    NotObject,
    /// JSON, but no array where one is due. [FRM-5]
    NotArray,
    /// Another number of elements than the header says. [ERR-7]
    Count,
    /// A `cast` of none or of more than a frame may carry. [FRM-5]
    CastCount,
    /// Several casts in a body over [`everwire_core::frame::BATCH_BYTES_MAX`]. [LIM-4]
    BatchTooLong,
    /// A `version` that this end does not speak. [ERR-10]
    Version,
    /// A member name that stands twice in one object, which a node does not take. [FRM-12]
    NameRepeated,
    /// This required member is missing. [FRM-12]
    Missing(&'static str),
    /// This member is of another type than the table says. [FRM-12]
    Mistyped(&'static str),
    /// The number of this member is none of the protocol's: negative or above 2^53 − 1. [NUM-1]
    NumberRange(&'static str),
    /// Members that do not stand in their ranges, or not together. [ERR-11] [WELC-2]
    Table(Broken),
}

impl BodyError {
    /// The name in `tests/vectors/bodies`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf-8",
            Self::NotJson => "not-json",
            Self::NotObject => "not-an-object",
            Self::NotArray => "not-an-array",
            Self::Count => "count",
            Self::CastCount => "cast-count",
            Self::BatchTooLong => "batch-too-long",
            Self::Version => "version",
            Self::NameRepeated => "name-repeated",
            Self::Missing(_) => "missing",
            Self::Mistyped(_) => "mistyped",
            Self::NumberRange(_) => "number-range",
            Self::Table(_) => "table",
        }
    }

    /// The clause that was broken: the reason to close with. [CLOSE-2]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::NotUtf8 | Self::NotJson | Self::NotObject | Self::NotArray => "ERR-6",
            Self::Count => "ERR-7",
            Self::CastCount => "FRM-5",
            Self::BatchTooLong => "LIM-4",
            Self::Version => "ERR-10",
            Self::NameRepeated | Self::Missing(_) | Self::Mistyped(_) => "FRM-12",
            Self::NumberRange(_) => "NUM-1",
            Self::Table(broken) => broken.clause,
        }
    }

    /// The member that is at fault, where it is one.
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::Missing(name) | Self::Mistyped(name) | Self::NumberRange(name) => Some(name),
            _ => None,
        }
    }

    /// The code with which `receiver` closes the link. [ERR-6] [ERR-10] [CODE-4500]
    pub const fn close_code(self, receiver: End) -> u16 {
        match (self, receiver) {
            (Self::Version, End::Node) => 4500,
            _ => 4002,
        }
    }
}

impl From<Broken> for BodyError {
    fn from(broken: Broken) -> Self {
        Self::Table(broken)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member() {
            Some(member) => write!(f, "{} `{member}` [{}]", self.name(), self.clause()),
            None => write!(f, "{} [{}]", self.name(), self.clause()),
        }
    }
}

impl core::error::Error for BodyError {}
