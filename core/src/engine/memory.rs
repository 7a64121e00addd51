//! The engine in memory: everything dies with it, and its successor says so by another log epoch.

use super::casts::{CAST_AGE_MAX, Casts};
use super::inboxes::INBOX_AGE_MAX;
use super::log::{Log, LogBounds};
use super::records::{ClaimVerdict, RECORD_AGE_MAX, RECORDS_PER_IDENTITY_MAX, RecordCaps, Records};
use super::saved::{Changes, Marks, Saved};
use super::wrong;
use super::{
    Appended, Claim, Claimed, Cursor, Direction, Engine, Failure, Fence, Filter, Limit, LogEpoch, Payload,
    Post, Producer, Read, RefusalAnswer, RefusalCode, Span, Subject, Tailed,
};
use crate::frame::{MESSAGE_BYTES_DEFAULT, MESSAGE_BYTES_LEAST, MESSAGE_BYTES_MOST};
use crate::mutant::mutant;
use crate::time::{Duration, Instant};

/// The bounds of an engine in memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryConfig {
    /// How many messages the log keeps.
    pub messages_max: usize,
    /// How many bytes the log keeps, each message counted with `STORED_OVERHEAD_OCTETS`; the newest message is kept,
    /// however long.
    pub octets_max: u64,
    /// How long the log keeps a message.
    pub age_max: Duration,
    /// How old a message must be to be discarded for want of room. Until then an append is answered *full*, and
    /// writers wait. Zero lets a burst push out what readers have not seen, who are told that it is lost.
    pub age_min: Duration,
    /// `limits.message` at the start of a log epoch, within [LIM-2]. [`Memory::raise_message_octets_max`] raises it.
    pub message_octets_max: u32,
    /// How many bytes all inboxes together keep, counted as in the log. Of whom the producer was used least recently
    /// loses answers first, and their requests end by their timeout.
    pub inbox_octets_max: u64,
    /// How many producers are on record.
    pub records_max: usize,
    /// How many producers of anonymous identities are on record: fewer than that, so that others always find a place.
    pub records_anonymous_max: usize,
    /// How many producers of one identity are on record.
    pub records_per_identity_max: usize,
    /// How many refusals are kept over all records: 256 each would be a multiple of everything else.
    pub refusals_max: usize,
    /// Of how many subjects without messages it is remembered what was discarded. Of the others the highest is, and
    /// a reader who was away for long may be told of a needless loss.
    pub subjects_idle_max: usize,
    /// How many messages of one room a reader may have missed. Who has missed more is told that all of them are lost, and
    /// loads the room afresh. [LOST-2]
    pub backlog_messages_max: usize,
    /// How many bytes these may have, counted as in the log.
    pub backlog_octets_max: u64,
    /// Whether `claim` calls the log durable. True only where the owner keeps the engine through a crash of the
    /// server, as a simulator does.
    pub durable: bool,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            messages_max: 100_000,
            octets_max: 64 << 20,
            age_max: Duration::from_secs(24 * 60 * 60),
            age_min: Duration::ZERO,
            message_octets_max: MESSAGE_BYTES_DEFAULT as u32,
            inbox_octets_max: 64 << 20,
            records_max: 100_000,
            records_anonymous_max: 75_000,
            records_per_identity_max: RECORDS_PER_IDENTITY_MAX,
            refusals_max: 1 << 20,
            subjects_idle_max: 1 << 16,
            backlog_messages_max: usize::MAX,
            backlog_octets_max: u64::MAX,
            durable: false,
        }
    }
}

/// How much an engine holds at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Messages and answers.
    pub messages: usize,
    /// Their bytes, overhead included.
    pub octets: u64,
    /// Subjects that it knows something of.
    pub subjects: usize,
    /// Producers on record.
    pub records: usize,
    /// Identities that these are bound to.
    pub identities: usize,
    /// Refusals over all records.
    pub refusals: usize,
    /// Casts that wait for tails to look.
    pub casts: usize,
}

/// The engine in memory, and the one place of the core that holds payloads.
///
/// Time is what its callers say; one that goes backwards, as the clocks of several nodes might, stands still instead.
#[derive(Clone, Debug)]
pub struct Memory<P> {
    config: MemoryConfig,
    epoch: LogEpoch,
    now: Instant,
    log: Log<P>,
    records: Records,
    casts: Casts<P>,
    changes: u64,
    message_octets_max: u32,
    /// Nothing goes before.
    due: Instant,
}

const NEVER: Instant = Instant::from_micros(u64::MAX);

impl<P: Payload> Memory<P> {
    /// An empty log. Its epoch must be a name that no log had before it [ENG-1].
    pub fn new(config: MemoryConfig, epoch: LogEpoch) -> Self {
        let log = Log::new(LogBounds {
            messages_max: config.messages_max,
            octets_max: config.octets_max,
            age_max: config.age_max,
            age_min: config.age_min,
            inbox_octets_max: config.inbox_octets_max,
            subjects_idle_max: config.subjects_idle_max,
            backlog_messages_max: config.backlog_messages_max,
            backlog_octets_max: config.backlog_octets_max,
        });
        let records = Records::new(RecordCaps {
            records_max: config.records_max,
            anonymous_max: config.records_anonymous_max,
            per_identity_max: config.records_per_identity_max,
            refusals_max: config.refusals_max,
        });
        let range = MESSAGE_BYTES_LEAST as u32..=MESSAGE_BYTES_MOST as u32;
        let message_octets_max = config.message_octets_max.clamp(*range.start(), *range.end());
        let (now, casts) = (Instant::default(), Casts::new());
        Self { config, epoch, now, log, records, casts, changes: 0, message_octets_max, due: NEVER }
    }

    /// Loses everything, as a crash does, and goes on under a name that no log had before [ENG-2], [KEEP-4].
    pub fn restart(&mut self, epoch: LogEpoch) {
        let (changes, now) = (self.changes, self.now);
        // Cursors of the old epoch may still be about: what they count must not begin again.
        let mut casts = core::mem::replace(&mut self.casts, Casts::new());
        casts.clear();
        *self = Self { changes: changes + 1, now, casts, ..Self::new(self.config, epoch) };
    }

    /// A log as it was when its changes were last taken: every later answer is what the first one would have given, save
    /// that casts under way are gone and that it may have been told since of a later time.
    pub fn restore(config: MemoryConfig, epoch: LogEpoch, saved: Saved<P>) -> Self {
        let Saved { messages, records, trimmed, marks } = saved;
        let mut memory = Self::new(config, epoch);
        memory.message_octets_max = memory.message_octets_max.max(marks.message_octets_max);
        memory.now = marks.now;
        memory.log.restore(marks.head, marks.forgotten);
        let inboxes = &mut memory.log.inboxes;
        inboxes.unread = marks.unread;
        for (producer, record) in &records {
            inboxes.restore(&record.inbox, *producer, record.used, marks.unread);
        }
        for (subject, trimmed) in trimmed {
            if subject.is_internal() {
                memory.log.inboxes.restore_trimmed(&subject, trimmed);
            } else {
                memory.log.restore_trimmed(&subject, trimmed);
            }
        }
        for message in messages {
            if message.message.subject.is_internal() {
                memory.log.inboxes.restore_answer(message);
            } else {
                memory.log.restore_message(message);
            }
        }
        memory.records.restore(records, marks.uses);
        // Whatever is due is found at the first call.
        memory.due = Instant::default();
        memory
    }

    /// Notes from now on what changes, for [`Memory::take_changes`]. Somebody must take it, or it grows.
    pub fn record_changes(&mut self) {
        self.log.notes.on = true;
        self.log.inboxes.notes.on = true;
        self.records.changed.get_or_insert_default();
    }

    /// What must be kept elsewhere for [`Memory::restore`] to give this log again, since the last time.
    pub fn take_changes(&mut self) -> Changes<P> {
        let Self { log, records, .. } = self;
        let mut stored = core::mem::take(&mut log.notes.stored);
        stored.append(&mut log.inboxes.notes.stored);
        let mut discarded = core::mem::take(&mut log.notes.discarded);
        discarded.append(&mut log.inboxes.notes.discarded);
        let rooms = core::mem::take(&mut log.notes.trimmed).into_iter().map(|subject| {
            let trimmed = log.remembered(&subject);
            (subject, trimmed)
        });
        let mut trimmed: std::collections::BTreeMap<_, _> = rooms.collect();
        for subject in core::mem::take(&mut log.inboxes.notes.trimmed) {
            let remembered = log.inboxes.remembered(&subject);
            trimmed.insert(subject, remembered);
        }
        let changed = records.changed.as_mut().map(core::mem::take).unwrap_or_default();
        let records = changed.into_iter().map(|producer| (producer, records.saved(&producer))).collect();
        Changes { stored, discarded, records, trimmed, marks: self.marks() }
    }

    fn marks(&self) -> Marks {
        Marks {
            head: self.log.head(),
            forgotten: self.log.forgotten,
            unread: self.log.inboxes.unread,
            uses: self.records.uses(),
            message_octets_max: self.message_octets_max,
            now: self.now,
        }
    }

    /// The present log epoch.
    pub fn epoch(&self) -> &LogEpoch {
        &self.epoch
    }

    /// Rises whenever a tail has something new to look at. Who drives nodes wakes them when it has risen.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The highest number that the log has given. A driver that has asked before sees whether it has grown.
    pub fn head(&self) -> u64 {
        self.log.head()
    }

    /// The highest number of a subject or an inbox; perhaps too high, never too low. A driver that has asked before
    /// sees whether something has come.
    pub fn latest(&self, subject: &Subject) -> u64 {
        self.log.latest(subject)
    }

    /// `limits.message` of this log epoch.
    pub fn message_octets_max(&self) -> u32 {
        self.message_octets_max
    }

    /// Lets messages be longer from now on. Within a log epoch the limit never falls, since what is stored must stay
    /// readable: less than it is has no effect. [LIM-23]
    pub fn raise_message_octets_max(&mut self, octets: u32) {
        self.message_octets_max = self.message_octets_max.max(octets.min(MESSAGE_BYTES_MOST as u32));
    }

    /// When something is due to go, or earlier. Everything that is overdue goes at the next call anyway, so waking the
    /// engine up gives back memory and changes no answer.
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.log.deadline(), self.records.deadline(), self.casts.deadline()].into_iter().flatten().min()
    }

    /// Lets go what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.now < self.due {
            return;
        }
        self.log.expire(self.now);
        self.casts.expire(self.now);
        self.records.expire(self.now);
        self.bury();
        self.due = self.next_deadline().unwrap_or(NEVER);
    }

    /// Something is in here from now on that is due after so long.
    fn due_after(&mut self, age: Duration) {
        self.due = self.due.min(self.now + age);
    }

    /// How much it holds.
    pub fn memory_use(&self) -> MemoryUse {
        MemoryUse {
            messages: self.log.len(),
            octets: self.log.octets(),
            subjects: self.log.subjects(),
            records: self.records.len(),
            identities: self.records.identities(),
            refusals: self.records.refusals(),
            casts: self.casts.len(),
        }
    }

    /// Discards what is stored of a room or an identity so far, as if it had grown too old: for the operator. [ENG-28]
    pub fn trim(&mut self, subject: &Subject, now: Instant) {
        self.handle_timeout(now);
        if !subject.is_internal() {
            self.log.trim(subject);
            self.changes += 1;
        }
    }

    /// The beginning of every call that belongs to a link. [ENG-30]
    fn enter(&mut self, epoch: &LogEpoch, now: Instant) -> Result<(), Failure> {
        self.handle_timeout(now);
        if *epoch == self.epoch { Ok(()) } else { Err(Failure::EpochChanged) }
    }

    /// An inbox goes with its record. [ENG-23]
    fn bury(&mut self) {
        for inbox in self.records.take_orphans() {
            self.log.inboxes.close(&inbox);
        }
    }
}

impl<P: Payload> Engine<P> for Memory<P> {
    fn claim(&mut self, claim: &Claim, now: Instant) -> Result<Claimed, Failure> {
        self.handle_timeout(now);
        let verdict = self.records.claim(claim, self.now);
        self.bury();
        Ok(match verdict {
            ClaimVerdict::Unknown => Claimed::Unknown,
            ClaimVerdict::Fenced => Claimed::Fenced,
            ClaimVerdict::Full => Claimed::Full,
            ClaimVerdict::Claimed { mark, born, refusals, created } => {
                if created {
                    self.log.inboxes.open(&claim.inbox, claim.producer);
                    self.due_after(RECORD_AGE_MAX);
                }
                let (epoch, head, durable) = (self.epoch.clone(), self.log.head(), self.config.durable);
                let limit = self.message_octets_max;
                Claimed::Claimed { mark, born, refusals, epoch, head, durable, limit }
            }
        })
    }

    fn append(
        &mut self,
        fence: &Fence,
        n: u64,
        batch: &[Post<P>],
        now: Instant,
    ) -> Result<Appended, Failure> {
        self.enter(&fence.epoch, now)?;
        let (log, now) = (&mut self.log, self.now);
        let Some(record) = self.records.under(fence, now) else { return Ok(Appended::Fenced) };
        // An empty batch is a release, whatever its n. [ENG-20]
        if !batch.is_empty() && n > record.mark + 1 {
            return Ok(Appended::Gap { mark: record.mark });
        }
        let before = record.mark;
        let forgetful = mutant!(NoDedupe) || wrong::is_forgotten(&fence.producer, now);
        let settled = if forgetful {
            0
        } else {
            usize::try_from((record.mark + 1).saturating_sub(n)).unwrap_or(usize::MAX)
        };
        let fresh = batch.get(settled..).unwrap_or_default();
        if fresh.is_empty() {
            return Ok(Appended::Duplicate { mark: record.mark, refusals: record.refusals() });
        }
        let mut numbers = Vec::with_capacity(fresh.len());
        for post in fresh {
            if !log.has_room(post, now) {
                break;
            }
            numbers.push(log.store(post, now));
            record.mark += 1;
        }
        if forgetful {
            record.mark = before.max(n - 1 + numbers.len() as u64);
        }
        wrong::stored(&fence.producer, now);
        let mark = record.mark;
        let all = numbers.len() == fresh.len();
        if !numbers.is_empty() {
            self.log.inboxes.relieve(|producer| self.records.used(producer));
            self.changes += 1;
            self.due_after(self.config.age_max);
            self.due_after(INBOX_AGE_MAX);
        }
        Ok(if all { Appended::Stored { mark, numbers } } else { Appended::Full { mark, numbers } })
    }

    fn refuse(
        &mut self,
        fence: &Fence,
        n: u64,
        code: &RefusalCode,
        now: Instant,
    ) -> Result<RefusalAnswer, Failure> {
        self.enter(&fence.epoch, now)?;
        let answer = self.records.refuse(fence, n, code, self.now);
        self.bury();
        Ok(answer)
    }

    fn read(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        span: Span,
        limit: Limit,
        direction: Direction,
        now: Instant,
    ) -> Result<Read<P>, Failure> {
        self.enter(epoch, now)?;
        Ok(self.log.read(filter, span, limit, direction))
    }

    fn tail(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        cursor: &mut Cursor,
        limit: Limit,
        now: Instant,
    ) -> Result<Tailed<P>, Failure> {
        self.enter(epoch, now)?;
        let span = Span { after: cursor.position, before: u64::MAX };
        Ok(match self.log.read(filter, span, limit, Direction::Upwards) {
            Read::Trimmed(subjects) => Tailed::Trimmed(subjects),
            Read::Behind { head } => Tailed::Behind { head },
            Read::Interval(interval) => {
                cursor.position = interval.upto;
                let casts = self.casts.since(cursor, filter);
                Tailed::Step { interval, casts }
            }
        })
    }

    fn trimmed(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        now: Instant,
    ) -> Result<Vec<(Subject, u64)>, Failure> {
        self.enter(epoch, now)?;
        let answer =
            |(subject, from): (&Subject, u64)| (subject.clone(), self.log.trimmed_for(subject, from));
        Ok(filter.iter().map(answer).collect())
    }

    fn publish(&mut self, epoch: &LogEpoch, cast: Post<P>, now: Instant) -> Result<(), Failure> {
        self.enter(epoch, now)?;
        self.casts.publish(cast, self.now);
        self.changes += 1;
        self.due_after(CAST_AGE_MAX);
        Ok(())
    }

    fn forget(&mut self, producer: &Producer, now: Instant) -> Result<(), Failure> {
        self.handle_timeout(now);
        self.records.remove(producer);
        self.bury();
        Ok(())
    }
}
