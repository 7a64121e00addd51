//! What can be wrong with a frame, and how an end answers it.

/// Which end has received a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The end that dials.
    Client,
    /// The end that accepts.
    Node,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $clause:literal;)*) => {
        /// Why a frame is not one of `everwire.v1`. The peer is to blame, always.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FrameError { $($(#[$doc])* $variant,)* }

        impl FrameError {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in `tests/vectors/frames`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The clause that was broken: the reason to close with, since the peer's octets must not be repeated. [CLOSE-2]
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$variant => $clause),* }
            }
        }
    };
}

errors! {
    /// No octet at all.
    Empty = "empty", "ERR-1";
    /// Longer than a frame may be here.
    FrameTooLong = "frame-too-long", "LIM-3";
    /// A `hello` longer than [`super::HELLO_BYTES_MAX`].
    HelloTooLong = "hello-too-long", "LIM-6";
    /// A `welcome` longer than [`super::WELCOME_BYTES_MAX`].
    WelcomeTooLong = "welcome-too-long", "LIM-7";
    /// A header line longer than [`super::HEADER_BYTES_MAX`].
    HeaderTooLong = "header-too-long", "LIM-1";
    /// An octet in the header line that is neither visible ASCII nor a space.
    HeaderOctet = "header-octet", "ERR-1";
    /// A verb that neither end knows and that does not begin with `x-`.
    UnknownVerb = "unknown-verb", "FRM-4";
    /// A verb that only the receiving end may write.
    WrongDirection = "wrong-direction", "FRM-4";
    /// A binary frame of a verb that carries no message.
    TextOnly = "text-only", "ERR-3";
    /// An argument that is missing, superfluous, empty or not spelled as the grammar says.
    Arguments = "arguments", "FRM-1";
    /// A number with a sign, a fraction, a leading zero, or none at all.
    NumberSpelling = "number-spelling", "ERR-2";
    /// A number above [`super::NUMBER_MAX`].
    NumberTooBig = "number-too-big", "NUM-1";
    /// The last number of a `send` would be [`super::NUMBER_MAX`], which is never given, or above it.
    NumberOverflow = "number-overflow", "NUM-2";
    /// A number 0 where numbers begin at 1.
    NumberZero = "number-zero", "NUM-3";
    /// A `send` whose `oldest` is above its first number.
    OldestAboveNumber = "oldest-above-number", "SEND-12";
    /// An `ack` whose credit is below the acknowledged number.
    CreditBelowNumber = "credit-below-number", "CRED-2";
    /// Refused numbers that do not ascend, or are above the acknowledged one.
    RefusalOrder = "refusal-order", "ACK-6";
    /// More than [`super::REFUSALS_MAX`] refused numbers.
    TooManyRefusals = "too-many-refusals", "ACK-4";
    /// Not after ≤ upto and after < s1 < s2 < … ≤ upto.
    PushOrder = "push-order", "POS-2";
    /// Numbers of a page that do not ascend from 1.
    PageOrder = "page-order", "PAGE-8";
    /// A part of a page that says that there is more, or more to ask for, and holds nothing: a page without end.
    PageEmpty = "page-empty", "PAGE-8";
    /// A page asked for with none or more than [`super::PAGE_MESSAGES_MAX`] messages.
    PageCount = "page-count", "LIM-14";
    /// More messages than one frame may carry.
    TooManyMessages = "too-many-messages", "LIM-5";
    /// Several messages in a body longer than [`super::BATCH_BYTES_MAX`].
    BatchTooLong = "batch-too-long", "LIM-4";
    /// A binary frame that does not announce exactly one message.
    BinaryCount = "binary-count", "FRM-8";
    /// No LF, or nothing behind it, where there must be a body.
    BodyMissing = "body-missing", "FRM-2";
    /// An LF where there is no body.
    BodyForbidden = "body-forbidden", "FRM-2";
    /// The body of `goaway`, `auth` or `lost` is longer than [`super::OBJECT_BYTES_MAX`] or [`super::LOST_BYTES_MAX`].
    BodyTooLong = "body-too-long", "LIM-17";
    /// A binary frame whose envelope line is empty or has no end.
    EnvelopeLine = "envelope-line", "FRM-7";
    /// A room that is not percent-encoded in the one canonical way.
    RoomSpelling = "room-spelling", "FRM-10";
    /// A room longer than [`super::ROOM_BYTES_MAX`].
    RoomTooLong = "room-too-long", "FRM-11";
}

impl FrameError {
    /// The code with which `receiver` closes the link. A browser can send 4002 but not 1009. [ERR-5] [CODE-4002]
    pub const fn close_code(self, receiver: End) -> u16 {
        match (self, receiver) {
            (Self::FrameTooLong | Self::HelloTooLong, End::Node) => 1009,
            _ => 4002,
        }
    }
}
