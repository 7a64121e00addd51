//! Who carries out the calls: the log in memory, at once; a log on disk in a thread of its own, many calls to a commit.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use everwire_core::Instant;
use everwire_core::engine::{Answer, Call, Memory, Subject};
use everwire_core::session::node::CallId;
use everwire_host::{Asker, Payload, carry_out};
use tokio::sync::oneshot;

use crate::clock::{self, Clock};
use crate::disk::{Disk, Opened};
use crate::hub::Input;

/// A call that has been answered.
pub(crate) type Answered = (Asker, CallId, Answer<Payload>);

/// So many calls are in one commit at most: the answer to the first waits for it.
const BATCH: usize = 4096;

/// The log, as the hub has it.
#[derive(Debug)]
pub(crate) enum Engine {
    Memory(Box<Memory<Payload>>),
    Disk(Keeper),
}

/// The thread that has a log on disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

enum Task {
    Call { asker: Asker, id: CallId, call: Call<Payload> },
    Trim { subject: Subject, answer: oneshot::Sender<()> },
}

impl Engine {
    /// In memory.
    pub(crate) fn memory(memory: Memory<Payload>) -> Self {
        Self::Memory(Box::new(memory))
    }

    /// On disk; what was carried out comes to the hub.
    pub(crate) fn disk(opened: Opened, clock: Clock, hub: Sender<Input>) -> std::io::Result<Self> {
        let (tasks, received) = channel();
        let Opened { memory, disk, .. } = opened;
        let thread = std::thread::Builder::new().name("everwire-log".into());
        let thread = thread.spawn(move || keep(memory, disk, clock, &received, &hub))?;
        Ok(Self::Disk(Keeper { tasks: Some(tasks), thread: Some(thread) }))
    }

    /// Carries a call out; `None` if the answer comes later.
    pub(crate) fn call(
        &mut self,
        asker: Asker,
        id: CallId,
        call: Call<Payload>,
        now: Instant,
        grown: &mut BTreeSet<Subject>,
    ) -> Option<Answered> {
        match self {
            Self::Memory(memory) => Some((asker, id, carry_out(&call, &mut **memory, now, grown))),
            Self::Disk(keeper) => {
                keeper.give(Task::Call { asker, id, call });
                None
            }
        }
    }

    /// Discards what is stored of a subject so far.
    pub(crate) fn trim(
        &mut self,
        subject: Subject,
        answer: oneshot::Sender<()>,
        now: Instant,
        grown: &mut BTreeSet<Subject>,
    ) {
        match self {
            Self::Memory(memory) => {
                memory.trim(&subject, now);
                grown.insert(subject);
                // Who has asked may have gone.
                let _ = answer.send(());
            }
            Self::Disk(keeper) => keeper.give(Task::Trim { subject, answer }),
        }
    }

    /// When something is due to be discarded, if the hub has to see to that.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Memory(memory) => memory.next_deadline(),
            Self::Disk(_) => None,
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        if let Self::Memory(memory) = self {
            memory.handle_timeout(now);
        }
    }
}

impl Keeper {
    fn give(&self, task: Task) {
        // A keeper that has failed has told the hub.
        let _ = self.tasks.as_ref().map(|tasks| tasks.send(task));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tasks = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Carries out what comes, commits what has changed, and only then answers: nobody hears of what a crash could take
/// back, readers no more than writers.
fn keep(
    mut memory: Memory<Payload>,
    mut disk: Disk,
    clock: Clock,
    tasks: &Receiver<Task>,
    hub: &Sender<Input>,
) {
    loop {
        let now = clock.now();
        let waits =
            memory.next_deadline().map_or(Duration::from_secs(3600), |due| clock::time(due.since(now)));
        let first = match tasks.recv_timeout(waits) {
            Ok(task) => Some(task),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let now = clock.now();
        memory.handle_timeout(now);
        let (mut answers, mut grown, mut trims) = (Vec::new(), BTreeSet::new(), Vec::new());
        let rest = std::iter::from_fn(|| tasks.try_recv().ok());
        for task in first.into_iter().chain(rest).take(BATCH) {
            match task {
                Task::Call { asker, id, call } => {
                    answers.push((asker, id, carry_out(&call, &mut memory, now, &mut grown)));
                }
                Task::Trim { subject, answer } => {
                    memory.trim(&subject, now);
                    grown.insert(subject);
                    trims.push(answer);
                }
            }
        }
        let changes = memory.take_changes();
        if !changes.is_empty()
            && let Err(error) = disk.commit(&changes)
        {
            // What is in memory is ahead of what is on disk from now on, and what the disk has is not known: the only
            // safe way on is a start from what it has.
            tracing::error!(%error, "the log cannot be written: the server stops");
            let _ = hub.send(Input::Stop);
            return;
        }
        if hub.send(Input::Carried { answers, grown }).is_err() {
            return;
        }
        for answer in trims {
            let _ = answer.send(());
        }
    }
}
