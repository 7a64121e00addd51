//! Intervals: everything of a filter between two positions.

use std::collections::{BTreeMap, VecDeque, vec_deque};

use super::log::{Entry, Log, Place};
use super::{Direction, Filter, Interval, Limit, Message, Payload, Read, Span};

/// The messages of a stretch are walked through, instead of looking up each subject, if they are at most so many a
/// subject: a look-up costs about as much …
const SCAN_PER_SUBJECT: usize = 8;
/// … or so many in all.
const SCAN_MIN: usize = 64;

impl<P: Payload> Log<P> {
    /// [ENG-24] [ENG-25] [ENG-26] [ENG-31]
    pub(super) fn read(&self, filter: &Filter, span: Span, limit: Limit, direction: Direction) -> Read<P> {
        let head = self.head();
        let mut after = span.after;
        if after > head {
            return Read::Behind { head };
        }
        let missing = self.missing(filter, after);
        let mut upto = head.min(span.before.saturating_sub(1)).max(after);
        if direction == Direction::Upwards {
            if !missing.is_empty() {
                return Read::Trimmed(missing);
            }
        } else {
            // An interval is complete, so it cannot reach below what has been discarded.
            let trimmed = missing.iter().map(|subject| self.trimmed(subject)).max();
            after = after.max(trimmed.unwrap_or(0)).min(upto);
        }
        let (mut messages, left_out) = self.collect(filter, after, upto, limit, direction);
        match (direction, left_out) {
            (Direction::Upwards, Some(s)) => upto = s - 1,
            (Direction::Downwards, Some(s)) => after = s,
            (_, None) => {}
        }
        if direction == Direction::Downwards {
            messages.reverse();
        }
        Read::Interval(Interval { after, upto, messages, more: left_out.is_some() })
    }

    /// What passes the filter in (after, upto], in the direction of reading, and the number of the first message that
    /// the limit leaves out.
    fn collect(
        &self,
        filter: &Filter,
        after: u64,
        upto: u64,
        limit: Limit,
        direction: Direction,
    ) -> (Vec<Message<P>>, Option<u64>) {
        if after >= upto || filter.is_empty() {
            return (Vec::new(), None);
        }
        let stretch = between(&self.messages, after, upto, |entry| entry.message.s);
        let walk_max = SCAN_PER_SUBJECT.saturating_mul(filter.len()).max(SCAN_MIN);
        if stretch.len() > walk_max || filter.iter().any(|(subject, _)| subject.is_internal()) {
            return take(Merge::new(self, filter, after, upto, direction), limit);
        }
        let passing = stretch.filter(|entry| filter.passes(&entry.message.subject, entry.message.s));
        match direction {
            Direction::Upwards => take(passing, limit),
            Direction::Downwards => take(passing.rev(), limit),
        }
    }
}

/// The part of an ascending queue that is in (after, upto].
fn between<T>(queue: &VecDeque<T>, after: u64, upto: u64, s: impl Fn(&T) -> u64) -> vec_deque::Iter<'_, T> {
    let begin = queue.partition_point(|it| s(it) <= after);
    let end = queue.partition_point(|it| s(it) <= upto);
    queue.range(begin..end.max(begin))
}

/// As much as the limit allows, one message always.
fn take<'a, P: Payload + 'a>(
    entries: impl Iterator<Item = &'a Entry<P>>,
    limit: Limit,
) -> (Vec<Message<P>>, Option<u64>) {
    let mut messages = Vec::new();
    let mut octets = 0u64;
    for Entry { message, .. } in entries {
        octets = octets.saturating_add(message.payload.octets());
        let fits = messages.len() < limit.messages && octets <= limit.octets;
        if !fits && !messages.is_empty() {
            return (messages, Some(message.s));
        }
        messages.push(message.clone());
    }
    (messages, None)
}

/// What is left of one subject.
enum Rest<'a, P> {
    Lane(vec_deque::Iter<'a, Place>),
    Inbox(vec_deque::Iter<'a, Entry<P>>),
}

/// The messages of several subjects in one order.
struct Merge<'a, P> {
    log: &'a Log<P>,
    direction: Direction,
    /// The next message of each subject, with those that follow it.
    next: BTreeMap<u64, (&'a Entry<P>, Rest<'a, P>)>,
}

impl<'a, P> Merge<'a, P> {
    fn new(log: &'a Log<P>, filter: &Filter, after: u64, upto: u64, direction: Direction) -> Self
    where
        P: Payload,
    {
        let mut merge = Self { log, direction, next: BTreeMap::new() };
        for (subject, from) in filter.iter() {
            let after = after.max(from);
            if let Some(lane) = log.lanes.get(subject) {
                merge.queue(Rest::Lane(between(&lane.places, after, upto, |place| place.s)));
            } else if let Some(answers) = log.inboxes.entries(subject) {
                merge.queue(Rest::Inbox(between(answers, after, upto, |entry| entry.message.s)));
            }
        }
        merge
    }

    fn queue(&mut self, mut rest: Rest<'a, P>) {
        let upwards = self.direction == Direction::Upwards;
        let messages = &self.log.messages;
        let next = match &mut rest {
            Rest::Inbox(rest) if upwards => rest.next(),
            Rest::Inbox(rest) => rest.next_back(),
            Rest::Lane(rest) => {
                let place = if upwards { rest.next() } else { rest.next_back() };
                place.and_then(|place| {
                    messages.get(messages.partition_point(|entry| entry.message.s < place.s))
                })
            }
        };
        if let Some(entry) = next {
            self.next.insert(entry.message.s, (entry, rest));
        }
    }
}

impl<'a, P> Iterator for Merge<'a, P> {
    type Item = &'a Entry<P>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, (entry, rest)) = match self.direction {
            Direction::Upwards => self.next.pop_first(),
            Direction::Downwards => self.next.pop_last(),
        }?;
        self.queue(rest);
        Some(entry)
    }
}
