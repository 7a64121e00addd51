//! What a process counts, for its operator.

/// Totals since the process started, and what is there now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Links that are open now, those in the middle of `hello` or their close among them.
    pub links_open: u64,
    /// Subjects that some link looks at now.
    pub subjects_read: u64,
    /// Links so far.
    pub links: u64,
    /// Those that came to a `welcome`.
    pub links_welcomed: u64,
    /// Links that this process has closed: protocol errors (4002), and all others.
    pub closed_broken: u64,
    /// The same, for whatever other reason.
    pub closed_otherwise: u64,
    /// Frames that came.
    pub frames_in: u64,
    /// Octets that came.
    pub octets_in: u64,
    /// Messages and casts that came.
    pub messages_in: u64,
    /// Frames that were written.
    pub frames_out: u64,
    /// Octets of them.
    pub octets_out: u64,
    /// Messages, casts, replies and those of pages in them.
    pub messages_out: u64,
    /// Requests whose handlers were run.
    pub requests: u64,
}
