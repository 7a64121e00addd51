//! Upwards: messages to the engine, requests to their handlers, verdicts to the client; and casts.

use super::action::{NodeAction, NodeFrame, Request};
use super::asks::{Draft, Question};
use super::calls::Slot;
use super::input::{AskId, Element, ElementKind, Examined};
use super::machine::Node;
use super::names::{is_of_server, is_subject};
use super::wrong;
use crate::engine::{Answer, Call, Failure, Post, Subject};
use crate::session::REQUESTS_MAX;
use crate::session::down::Content;
use crate::session::up::Judgement;
use crate::time::Instant;

/// Messages of a link that are at the hook. More would wait in the driver all the same, and run into their time.
const EXAMINED_MAX: usize = 64;
/// How often the hook may fail on one message. [SEND-18]
const FAILURES_MAX: u8 = 3;
/// Codes that begin so are not the application's. [REF-8]
const RESERVED: &str = "x-everwire-";

impl<P: Content> Node<P> {
    /// A `send`. Everything that the frame shows has been checked.
    pub(super) fn send(&mut self, n: u64, oldest: u64, elements: Vec<Element<P>>, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        link.lengths.clear();
        link.lengths.extend(elements.iter().map(|element| element.bytes));
        if let Err(ended) = link.settling.read(n, oldest, &link.lengths) {
            return self.close(ended.code, ended.clause.unwrap_or_default(), true);
        }
        for (element, n) in elements.into_iter().zip(n..) {
            match vet(element, link.limit) {
                Ok(vetted) if self.config.examines => {
                    let Vetted { subject, request, payload } = vetted;
                    link.drafts.push_back(Draft { n, subject, request, payload, failures: 0 });
                }
                Ok(vetted) => link.settling.judge(n, judged(vetted)),
                Err(code) => link.settling.judge(n, Judgement::Refuse(code.into())),
            }
        }
        self.examine(now);
    }

    fn examine(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        let mut begun = Vec::new();
        while link.examined < EXAMINED_MAX {
            let Some(draft) = link.drafts.pop_front() else { break };
            link.examined += 1;
            begun.push(draft);
        }
        for draft in begun {
            self.examine_one(draft, now);
        }
    }

    fn examine_one(&mut self, draft: Draft<P>, now: Instant) {
        let (n, subject, request) = (Some(draft.n), draft.subject.clone(), draft.request);
        let payload = draft.payload.clone();
        let id = self.asks.ask(Question::Message(draft), now);
        self.order(NodeAction::Examine { id, n, subject, request, payload });
    }

    /// [SEND-18] [SEND-20]
    pub(super) fn message_examined(&mut self, mut draft: Draft<P>, answer: Examined<P>, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        let judgement = match answer {
            Examined::Pass { subject, payload } => named(subject, draft.request).map_or_else(
                |code| Judgement::Refuse(code.into()),
                |subject| judged(Vetted { subject, request: draft.request, payload }),
            ),
            Examined::Refuse(code) => Judgement::Refuse(applications(&code).into()),
            Examined::Failed => {
                draft.failures += 1;
                if draft.failures < FAILURES_MAX {
                    return self.examine_one(draft, now);
                }
                if !self.config.failure_is_final {
                    return self.close(4004, "SEND-18", true);
                }
                Judgement::Refuse("failed".into())
            }
        };
        link.settling.judge(draft.n, judgement);
        link.examined = link.examined.saturating_sub(1);
        self.examine(now);
    }

    /// Engine calls, requests and `ack`s that are due.
    pub(super) fn upward(&mut self, now: Instant) {
        // What is stored takes its slot before another call is made.
        self.runs();
        let Some(link) = self.link.as_mut() else { return };
        let running = link.running.len().saturating_add(link.elsewhere);
        link.settling.set_slots(REQUESTS_MAX.saturating_sub(running));
        if let Some(call) = link.settling.call(now) {
            let id = self.calls.issue(Slot::Settle, now);
            self.order(NodeAction::Call { id, call });
        }
        let Some(link) = self.link.as_mut() else { return };
        // While a request waits for its turn, so does the client. [REQ-16] [SEND-24]
        link.settling.set_window(if link.settling.is_blocked() { 0 } else { link.window });
        if let Some(ended) = link.settling.ended() {
            let reason = ended.clause.unwrap_or(if ended.code == 4005 { "SEND-23" } else { "SEND-22" });
            return self.close(ended.code, reason, true);
        }
        while let Some(ack) = self.link.as_mut().and_then(|link| link.settling.ack(now)) {
            self.write(NodeFrame::Ack(ack));
        }
    }

    /// Requests that this link has made stored, whether it still lives or not. [REQ-2] [SEND-23]
    pub(super) fn runs(&mut self) {
        let Some(link) = self.link.as_mut() else { return };
        let mut requests = Vec::new();
        while let Some((n, payload)) = link.settling.next_run() {
            link.running.insert(n);
            requests.push(NodeAction::Run(Request {
                producer: link.producer,
                link: link.number,
                n,
                identity: link.own.clone(),
                inbox: link.persona.inbox.clone(),
                epoch: link.epoch.clone(),
                limit: link.limit,
                payload,
            }));
        }
        requests.into_iter().for_each(|request| self.order(request));
    }

    /// What the engine has answered to an `append` or a `refuse`.
    pub(super) fn settled(&mut self, answer: Answer<P>, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        match answer {
            Answer::Append(answer) => link.settling.appended(answer, now),
            Answer::Refuse(answer) => link.settling.refused(answer, now),
            _ => link.settling.appended(Err(Failure::Unanswered), now),
        }
        wrong::note_mark(self.config.process, &link.epoch, link.producer, link.settling.mark());
    }

    // ---- casts ----

    /// What is not passed on is dropped in silence. [CAST-3]
    pub(super) fn cast(&mut self, elements: Vec<Element<P>>, now: Instant) {
        for element in elements {
            let Some(link) = self.link.as_mut() else { return };
            let Ok(Vetted { subject, payload, .. }) = vet(element, link.limit) else { continue };
            if !self.config.examines {
                if let Some(subject) = subject {
                    self.publish(Post::new(subject, payload), now);
                }
            } else if link.casts.has_room() {
                let id = self.asks.ask(Question::Cast, now);
                link.casts.push(id);
                self.order(NodeAction::Examine { id, n: None, subject, request: false, payload });
            }
        }
    }

    pub(super) fn cast_examined(&mut self, id: AskId, answer: Examined<P>) {
        let Some(link) = self.link.as_mut() else { return };
        let passed = match answer {
            Examined::Pass { subject, payload } => {
                named(subject, false).ok().flatten().map(|subject| Post::new(subject, payload))
            }
            Examined::Refuse(_) | Examined::Failed => None,
        };
        link.casts.decide(id, passed);
    }

    pub(super) fn publishes(&mut self, now: Instant) {
        while let Some(post) = self.link.as_mut().and_then(|link| link.casts.next()) {
            self.publish(post, now);
        }
    }

    fn publish(&mut self, cast: Post<P>, now: Instant) {
        let Some(link) = self.link.as_ref() else { return };
        let call = Call::Publish { epoch: link.epoch.clone(), cast };
        self.call(Slot::Publish, call, now);
    }
}

/// An acceptable message.
struct Vetted<P> {
    subject: Option<Subject>,
    request: bool,
    payload: P,
}

/// What of [REF-6] needs no JSON parser, and [SEND-16] and [SEND-27].
fn vet<P>(element: Element<P>, limit: u32) -> Result<Vetted<P>, &'static str> {
    if element.bytes > u64::from(limit) {
        return Err("too-large");
    }
    match element.kind {
        ElementKind::Malformed => Err("malformed"),
        ElementKind::Withdrawn => Err("withdrawn"),
        ElementKind::Message { receiver, request, payload } => {
            Ok(Vetted { subject: named(receiver, request)?, request, payload })
        }
    }
}

/// A subject that a message may have; that of a request is the node's to name. [REQ-1] [SEND-27]
fn named(subject: Option<Subject>, request: bool) -> Result<Option<Subject>, &'static str> {
    match subject {
        _ if request => Ok(None),
        Some(subject) if !is_subject(subject.as_str()) => Err("malformed"),
        Some(subject) if is_of_server(subject.as_str()) => Err("forbidden"),
        subject => Ok(subject),
    }
}

fn judged<P>(vetted: Vetted<P>) -> Judgement<P> {
    match vetted.subject {
        _ if vetted.request => Judgement::Request(vetted.payload),
        Some(subject) => Judgement::Store(Post::new(subject, vetted.payload)),
        None => Judgement::Refuse("no-receiver".into()),
    }
}

fn applications(code: &str) -> &str {
    if code.starts_with(RESERVED) { "failed" } else { code }
}
