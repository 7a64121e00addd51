//! The one thread that has the process: what the connections hear goes in, what they are to write comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use everwire_core::Instant;
use everwire_core::engine::{Answer, Subject};
use everwire_core::frame::Form;
use everwire_core::session::node::{AskId, CallId, Drain, HookFailed, NotAuthenticated, RunId};
use everwire_host::{
    Asker, Authenticated, Counts, Kind, LinkId, Order, Payload, Permit, Process, Reply, Verdict,
};
use std::net::IpAddr;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::app::{Answered, Application, Credential, Message, Request};
use crate::clock::Clock;
use crate::engine::Engine;

/// How long a hook may take. The nodes wait as long; this only lets go of what nobody waits for. [ROOM-21]
const HOOK_MAX: Duration = Duration::from_secs(10);
/// A handler's own limit is the configuration's; this only lets go of one that never ends.
const HANDLER_MAX: Duration = Duration::from_secs(60 * 60);
/// So many inputs are taken before anything is written: the more there is to do, the fewer frames it makes.
const BATCH: usize = 1024;

/// What comes to the hub.
pub(crate) enum Input {
    /// A connection is there.
    Opened {
        link: LinkId,
        out: UnboundedSender<Out>,
        address: Option<IpAddr>,
    },
    /// It has read so many octets, and with them these messages are whole. The permit is for what it may read meanwhile.
    Read {
        link: LinkId,
        octets: u64,
        frames: Vec<(Form, Bytes)>,
        permit: OwnedSemaphorePermit,
    },
    /// A message is longer than it may be.
    TooLong {
        link: LinkId,
    },
    /// The peer breaks RFC 6455.
    Broken {
        link: LinkId,
        code: u16,
    },
    /// So many octets in all have left.
    Taken {
        link: LinkId,
        octets: u64,
    },
    /// It is closed.
    Closed {
        link: LinkId,
    },
    /// The application has answered.
    Authenticated {
        link: LinkId,
        id: AskId,
        answer: Authenticated,
    },
    Authorised {
        link: LinkId,
        id: AskId,
        answer: Result<Vec<Permit>, HookFailed>,
    },
    Examined {
        link: LinkId,
        id: AskId,
        verdict: Verdict,
    },
    Ran {
        run: RunId,
        reply: Reply,
    },
    /// The engine has answered calls that were together on their way.
    Carried {
        answers: Vec<(Asker, CallId, Answer<Payload>)>,
        grown: BTreeSet<Subject>,
    },
    /// The application speaks.
    Post {
        subject: Subject,
        message: Payload,
    },
    Revoke {
        identity: Subject,
        room: Subject,
    },
    Expel {
        identity: Subject,
        code: u16,
        reason: String,
    },
    Drain {
        drain: Drain,
    },
    Trim {
        subject: Subject,
        answer: oneshot::Sender<()>,
    },
    /// What has been counted, and whether all is done.
    Look {
        answer: oneshot::Sender<Standing>,
    },
    /// The process ends.
    Stop,
}

/// What the hub has to say of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) counts: Counts,
    pub(crate) is_idle: bool,
}

/// What a connection is told.
#[derive(Debug)]
pub(crate) enum Out {
    Write { form: Form, octets: Vec<u8> },
    Reading(bool),
    Welcomed,
    MessageBytesMax(u64),
    Close { code: u16, reason: String, lingers: bool },
}

/// A connection, as the hub has it.
struct Peer {
    out: UnboundedSender<Out>,
    address: Option<IpAddr>,
    message_bytes_max: u64,
}

pub(crate) struct Hub {
    process: Process,
    engine: Engine,
    app: Arc<Application>,
    clock: Clock,
    peers: BTreeMap<LinkId, Peer>,
    grown: BTreeSet<Subject>,
    /// To itself, for those who answer later.
    inputs: Sender<Input>,
    runtime: Handle,
}

impl Hub {
    pub(crate) fn new(
        process: Process,
        engine: Engine,
        app: Arc<Application>,
        clock: Clock,
        inputs: Sender<Input>,
        runtime: Handle,
    ) -> Self {
        Self { process, engine, app, clock, peers: BTreeMap::new(), grown: BTreeSet::new(), inputs, runtime }
    }

    /// Serves until it is told to stop.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) {
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        loop {
            let now = self.clock.now();
            let due = [self.process.next_deadline(), self.engine.next_deadline()].into_iter().flatten().min();
            let waits = due.map_or(Duration::from_secs(3600), |due| crate::clock::time(due.since(now)));
            match inputs.recv_timeout(waits) {
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(input) => {
                    let now = self.clock.now();
                    self.take(input, now);
                    for _ in 1..BATCH {
                        match inputs.try_recv() {
                            Ok(Input::Stop) => return,
                            Ok(input) => self.take(input, now),
                            Err(_) => break,
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.clock.now();
            if self.engine.next_deadline().is_some_and(|due| due <= now) {
                self.engine.timeout(now);
            }
            if self.process.next_deadline().is_some_and(|due| due <= now) {
                self.process.timeout(now);
            }
            self.carry_out(now);
        }
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Opened { link, out, address } => {
                self.process.opened(link, now);
                let message_bytes_max = self.process.frame_bytes_max(link);
                let _ = out.send(Out::MessageBytesMax(message_bytes_max));
                self.peers.insert(link, Peer { out, address, message_bytes_max });
            }
            Input::Read { link, octets, frames, permit } => {
                if frames.is_empty() {
                    self.process.octets(link, octets, now);
                }
                for (form, frame) in frames {
                    self.process.frame(link, form, &frame, now);
                }
                drop(permit);
            }
            Input::TooLong { link } => self.process.too_long(link, now),
            Input::Broken { link, code } => self.process.end(link, code, "", now),
            Input::Taken { link, octets } => self.process.taken(link, octets, now),
            Input::Closed { link } => self.process.closed(link, now),
            Input::Authenticated { link, id, answer } => self.process.authenticated(link, id, answer, now),
            Input::Authorised { link, id, answer } => self.process.authorised(link, id, answer, now),
            Input::Examined { link, id, verdict } => self.process.examined(link, id, verdict, now),
            Input::Ran { run, reply } => self.process.ran(run, reply, now),
            Input::Carried { answers, mut grown } => {
                for (asker, id, answer) in answers {
                    self.process.answered(asker, id, answer, now);
                }
                self.grown.append(&mut grown);
            }
            Input::Post { subject, message } => self.process.post(subject, message, now),
            Input::Revoke { identity, room } => self.process.revoke(&identity, &room, now),
            Input::Expel { identity, code, reason } => self.process.expel(&identity, code, &reason, now),
            Input::Drain { drain } => self.process.drain(drain, now),
            Input::Trim { subject, answer } => {
                self.engine.trim(subject, answer, now, &mut self.grown);
            }
            Input::Look { answer } => {
                let (counts, is_idle) = (self.process.counts(), self.process.is_idle());
                // Who has asked may have gone.
                let _ = answer.send(Standing { counts, is_idle });
            }
            Input::Stop => {}
        }
    }

    /// Carries out all orders, and those that follow from them.
    fn carry_out(&mut self, now: Instant) {
        loop {
            while let Some(order) = self.process.poll() {
                self.order(order, now);
            }
            if self.grown.is_empty() {
                return;
            }
            let grown = std::mem::take(&mut self.grown);
            self.process.grown(&grown, now);
        }
    }

    fn order(&mut self, order: Order, now: Instant) {
        match order {
            Order::Write { link, form, octets } => {
                // The first frame after `hello` is `welcome`, and whoever has it may send longer frames.
                self.tell_limit(link);
                self.tell(link, Out::Write { form, octets });
            }
            Order::Welcomed { link, identity } => {
                tracing::info!(link = link.0, %identity, "welcomed");
                self.tell(link, Out::Welcomed);
            }
            Order::Reading { link, on } => self.tell(link, Out::Reading(on)),
            Order::Close { link, code, reason, lingers } => {
                tracing::debug!(link = link.0, code, reason = &*reason, "closing");
                self.tell(link, Out::Close { code, reason: reason.into_owned(), lingers });
            }
            Order::Forget { link } => {
                self.peers.remove(&link);
            }
            Order::Visible { .. } => {}
            Order::Authenticate { link, id, token, renewal } => {
                let address = self.peers.get(&link).and_then(|peer| peer.address);
                let asked = self.app.clone();
                let credential = Credential { token, address, renewal };
                self.ask(
                    HOOK_MAX,
                    move || asked.authenticated(credential),
                    || Err(NotAuthenticated::Failed),
                    move |answer| Input::Authenticated { link, id, answer },
                );
            }
            Order::Authorise { link, id, identity, rooms } => {
                let asked = self.app.clone();
                self.ask(
                    HOOK_MAX,
                    move || asked.authorised(&identity, rooms),
                    || Err(crate::app::HookFailed),
                    move |answer| Input::Authorised { link, id, answer: answer.map_err(|_| HookFailed) },
                );
            }
            Order::Examine { link, id, identity, kind, subject, message } => {
                let asked = self.app.clone();
                let receiver = subject.filter(|_| kind != Kind::Request);
                let message = Message::new(&identity, receiver.as_ref(), kind, message);
                self.ask(
                    HOOK_MAX,
                    move || asked.examined(message),
                    || Verdict::Failed,
                    move |verdict| Input::Examined { link, id, verdict },
                );
            }
            Order::Run { run, identity, request } => {
                let asked = self.app.clone();
                let request = Request::new(&identity, request);
                self.ask(
                    HANDLER_MAX,
                    move || asked.ran(request),
                    || Reply::Failed { code: "failed".into(), message: "the handler has failed".into() },
                    move |reply| Input::Ran { run, reply },
                );
            }
            Order::Call { asker, id, call } => {
                if let Some((asker, id, answer)) = self.engine.call(asker, id, call, now, &mut self.grown) {
                    self.process.answered(asker, id, answer, now);
                }
            }
            Order::Draw => {
                let mut bits = [0; 16];
                if getrandom::fill(&mut bits).is_ok() {
                    self.process.drawn(bits, now);
                } else {
                    tracing::error!(
                        "the system gives no random bits: nothing that this process says is stored"
                    );
                }
            }
        }
    }

    fn tell(&self, link: LinkId, out: Out) {
        if let Some(peer) = self.peers.get(&link) {
            // A connection that has gone says so itself.
            let _ = peer.out.send(out);
        }
    }

    fn tell_limit(&mut self, link: LinkId) {
        let most = self.process.frame_bytes_max(link);
        let Some(peer) = self.peers.get_mut(&link).filter(|peer| peer.message_bytes_max != most) else {
            return;
        };
        peer.message_bytes_max = most;
        let _ = peer.out.send(Out::MessageBytesMax(most));
    }

    /// Asks the application: what is known at once is taken at once, what is not comes later.
    fn ask<T: Send + 'static>(
        &mut self,
        within: Duration,
        asked: impl FnOnce() -> Answered<T>,
        failed: impl FnOnce() -> T + Send + 'static,
        input: impl FnOnce(T) -> Input + Send + 'static,
    ) {
        // A hook that panics has failed, and takes nobody else with it.
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let mut answer = asked();
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => Ok(answer),
                Poll::Pending => Err(answer),
            }
        }));
        let now = self.clock.now();
        match begun {
            Ok(Ok(answer)) => self.take(input(answer), now),
            Err(_) => self.take(input(failed()), now),
            Ok(Err(later)) => {
                let inputs = self.inputs.clone();
                self.runtime.spawn(async move {
                    let within = tokio::time::timeout(within, later);
                    let answer = tokio::spawn(within).await;
                    let answer = answer.ok().and_then(Result::ok).unwrap_or_else(failed);
                    let _ = inputs.send(input(answer));
                });
            }
        }
    }
}
