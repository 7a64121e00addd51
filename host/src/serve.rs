//! The actions of a node, carried out; and the application's answers to its questions.

use everwire_core::Instant;
use everwire_core::engine::{Producer, Subject};
use everwire_core::frame::{Form, FromServer, split};
use everwire_core::session::Secret;
use everwire_core::session::down::Standing;
use everwire_core::session::node::{
    self, ANNOUNCED_ABOVE, AskId, Asking, Examined, HookFailed, NodeAction, NodeBody, NodeFrame,
    NotAuthenticated, Purpose,
};

use crate::body;
use crate::hooks::{Access, Authenticated, Kind, Permit, Verdict, Who};
use crate::keys::{Keys, anonymous, inbox, named};
use crate::link::{Link, Listed, Question};
use crate::order::{Asker, LinkId, Order};
use crate::payload::Payload;
use crate::process::{Out, Process, time};

impl Process {
    /// Who somebody is. Answers to questions that nobody has are ignored, here as below.
    pub fn authenticated(&mut self, link: LinkId, id: AskId, answer: Authenticated, now: Instant) {
        self.with(link, now, |link| {
            let Some(Question::Who { producer, successor }) = link.questions.remove(&id) else { return };
            let answer = answer.and_then(|who| known(&who, &producer, successor.as_ref()));
            link.node.handle_authenticated(id, answer, now);
        });
    }

    /// What somebody may, for each room that was asked about, in that order.
    pub fn authorised(
        &mut self,
        link: LinkId,
        id: AskId,
        answer: Result<Vec<Permit>, HookFailed>,
        now: Instant,
    ) {
        self.with(link, now, |link| {
            let Some(Question::May { purpose, rooms }) = link.questions.remove(&id) else { return };
            let answer = answer.and_then(|permits| standings(purpose, rooms, permits).ok_or(HookFailed));
            link.node.handle_authorised(id, answer, now);
        });
    }

    /// What the hook says of a message.
    pub fn examined(&mut self, link: LinkId, id: AskId, verdict: Verdict, now: Instant) {
        self.with(link, now, |link| {
            let Some(Question::What { subject, message }) = link.questions.remove(&id) else { return };
            let answer = match (verdict, &link.identity) {
                (Verdict::Refuse(code), _) => Examined::Refuse(code),
                (Verdict::To(to), Some(identity)) => match body::addressed(&message, identity, &to) {
                    Some(payload) => Examined::Pass { subject: Some(to), payload },
                    // The hook has named what is no subject.
                    None => Examined::Failed,
                },
                (Verdict::Pass, _) => Examined::Pass { subject, payload: message },
                (Verdict::Failed | Verdict::To(_), _) => Examined::Failed,
            };
            link.node.handle_examined(id, answer, now);
        });
    }
}

impl Link {
    /// Takes a frame. How many messages it brought.
    pub(crate) fn frame(&mut self, form: Form, octets: &[u8], now: Instant) -> u64 {
        let frame = split(form, octets);
        let body = body::read(&frame, self.identity.as_ref());
        let messages = match &body {
            NodeBody::Elements(elements) => elements.len() as u64,
            NodeBody::Hello(hello) => {
                self.hello_epoch.clone_from(&hello.epoch);
                0
            }
            _ => 0,
        };
        self.node.handle_frame(frame.head, frame.shape(), body, now);
        if messages > 0 {
            self.look_at_pace(messages, now);
        }
        messages
    }

    pub(crate) fn look_at_pace(&mut self, messages: u64, now: Instant) {
        if let Some(window) = self.pace.take(messages, now) {
            self.node.handle_window(window, now);
        }
    }

    pub(crate) fn pace_due(&self) -> Option<Instant> {
        // Nobody waits for the window of a link that is over.
        self.pace.due().filter(|_| self.node.next_deadline().is_some())
    }

    /// Under what the link is to be found now.
    pub(crate) fn names(&self) -> Listed {
        let producer = self.node.producer().map(|(producer, _)| producer);
        Listed {
            filter: self.node.filter().unwrap_or(&self.listed.filter).clone(),
            inbox: match (&producer, &self.listed.producer) {
                (Some(now), Some(before)) if now == before => self.listed.inbox.clone(),
                (now, _) => now.as_ref().map(inbox),
            },
            producer,
            identity: self.identity.clone(),
        }
    }

    /// Whether a handler has begun to run.
    pub(crate) fn carry_out(&mut self, action: NodeAction<Payload>, out: &mut Out<'_>) -> bool {
        let link = out.id;
        let order = match action {
            NodeAction::Authenticate { id, token, producer, successor, renewal } => {
                self.questions.insert(id, Question::Who { producer, successor });
                Order::Authenticate { link, id, token, renewal }
            }
            NodeAction::Authorise { id, identity, purpose, mut rooms } => {
                let asked = questions(purpose, &mut rooms, |asking| {
                    self.holds(out.keys, &identity, asking).unwrap_or(false)
                });
                self.questions.insert(id, Question::May { purpose, rooms });
                Order::Authorise { link, id, identity, rooms: asked }
            }
            NodeAction::Examine { id, n, subject, request, payload } => {
                let Some(identity) = self.identity.clone() else { return false };
                let kind = match (n, request) {
                    (None, _) => Kind::Cast,
                    (Some(_), true) => Kind::Request,
                    (Some(_), false) => Kind::Message,
                };
                let question = Question::What { subject: subject.clone(), message: payload.clone() };
                self.questions.insert(id, question);
                Order::Examine { link, id, identity, kind, subject, message: payload }
            }
            NodeAction::Call { id, call } => Order::Call { asker: Asker::Link(link), id, call },
            NodeAction::Run(request) => {
                out.counts.requests += 1;
                let run = out.origin.handle_run(&request, out.now);
                out.orders.push_back(Order::Run {
                    run,
                    identity: request.identity,
                    request: request.payload,
                });
                return true;
            }
            NodeAction::Write(frame) => {
                self.write(frame, out);
                return false;
            }
            NodeAction::Reading(on) => Order::Reading { link, on },
            NodeAction::Visible(on) => Order::Visible { link, on },
            NodeAction::Close { code, reason, lingers } => {
                if code == 4002 {
                    out.counts.closed_broken += 1;
                } else {
                    out.counts.closed_otherwise += 1;
                }
                Order::Close { link, code, reason, lingers }
            }
        };
        out.orders.push_back(order);
        false
    }

    /// Whether the grant of a room of `hello` holds.
    fn holds(&self, keys: &Keys, identity: &Subject, asking: &Asking) -> Option<bool> {
        let (from, grant, epoch) = (asking.from?, asking.grant.as_ref()?, self.hello_epoch.as_ref()?);
        Some(keys.holds(grant, epoch, identity, &asking.room, from))
    }

    fn write(&mut self, mut frame: NodeFrame<Payload>, out: &mut Out<'_>) {
        let mut grant = None;
        let is_push = matches!(frame, NodeFrame::Push { .. });
        let is_welcome = matches!(frame, NodeFrame::Welcome(_));
        match &mut frame {
            NodeFrame::Welcome(welcome) => {
                welcome.time = time(out.now);
                let (identity, epoch) = (welcome.identity.clone(), welcome.epoch.clone());
                for place in &mut welcome.rooms {
                    place.grant = Some(out.keys.grant(&epoch, &identity, &place.subject, place.from));
                }
                out.orders.push_back(Order::Welcomed { link: out.id, identity: identity.clone() });
                (self.identity, self.epoch) = (Some(identity), Some(epoch));
                out.counts.links_welcomed += 1;
            }
            NodeFrame::Joined { room, from } => grant = self.grant(out.keys, room, *from),
            _ => {}
        }
        out.counts.messages_out += frame.payloads().count() as u64;
        let form = frame.form();
        let octets = body::write(frame, grant.as_ref());
        if octets.len() as u64 > ANNOUNCED_ABOVE && !is_welcome {
            let mut more = Vec::new();
            FromServer::More { bytes: octets.len() as u64 }.write(&mut more);
            self.hand_over(Form::Text, more, false, out);
        }
        self.hand_over(form, octets, is_push, out);
        if let Some((producer, number)) = self.node.producer().filter(|_| is_welcome) {
            let elsewhere = out.origin.running_elsewhere(&producer, number);
            if elsewhere > 0 {
                self.node.handle_elsewhere(elsewhere, out.now);
            }
        }
    }

    fn grant(&self, keys: &Keys, room: &Subject, from: u64) -> Option<Secret> {
        Some(keys.grant(self.epoch.as_ref()?, self.identity.as_ref()?, room, from))
    }

    fn hand_over(&mut self, form: Form, octets: Vec<u8>, is_push: bool, out: &mut Out<'_>) {
        self.outbox.write(octets.len() as u64, is_push);
        out.counts.frames_out += 1;
        out.counts.octets_out += octets.len() as u64;
        out.wrote = true;
        out.orders.push_back(Order::Write { link: out.id, form, octets });
    }
}

/// Whom the machine is told of: the same somebody under both producers.
fn known(
    who: &Who,
    producer: &Producer,
    successor: Option<&Producer>,
) -> Result<node::Authenticated, NotAuthenticated> {
    let persona = |producer: &Producer| match who {
        Who::Named { identity, .. } => named(identity, producer),
        Who::Anonymous => anonymous(producer),
    };
    let expires = match who {
        // Its name would be taken for a room by some, and for that of a stranger by others.
        Who::Named { identity, .. } if identity.is_empty() => return Err(NotAuthenticated::Forbidden),
        Who::Named { expires, .. } => *expires,
        Who::Anonymous => None,
    };
    Ok(node::Authenticated { as_producer: persona(producer), as_successor: successor.map(persona), expires })
}

/// What the application is asked: of a room of `hello` whose `from` no grant proves, whether it could be paged back to
/// it, too. A grant that holds is not asked about, so it is taken off the rest. [ROOM-10]
fn questions(
    purpose: Purpose,
    rooms: &mut [Asking],
    holds: impl Fn(&Asking) -> bool,
) -> Vec<(Subject, Access)> {
    let mut asked = Vec::with_capacity(rooms.len());
    for asking in rooms {
        match purpose {
            Purpose::Page => asked.push((asking.room.clone(), Access::Page)),
            Purpose::Join | Purpose::Renewal => asked.push((asking.room.clone(), Access::Join)),
            Purpose::Hello => {
                asked.push((asking.room.clone(), Access::Join));
                if !holds(asking) {
                    asking.grant = None;
                }
                if is_to_be_paged(asking) {
                    asked.push((asking.room.clone(), Access::Page));
                }
            }
        }
    }
    asked
}

fn is_to_be_paged(asking: &Asking) -> bool {
    asking.from.is_some() && asking.grant.is_none()
}

/// The application's answers, as the machine takes them. `None`: it has answered less than it was asked.
fn standings(purpose: Purpose, rooms: Vec<Asking>, permits: Vec<Permit>) -> Option<Vec<Standing>> {
    let mut permits = permits.into_iter();
    let each = rooms.into_iter().map(|asking| {
        let permit = permits.next()?;
        let from_holds = if purpose == Purpose::Hello && is_to_be_paged(&asking) {
            let reaches = |since| asking.from.is_some_and(|from| since <= from);
            matches!(permits.next()?, Permit::Allowed { since } if reaches(since))
        } else {
            true
        };
        Some(match permit {
            Permit::Allowed { since } => Standing::Allowed { from_holds, since },
            Permit::Denied(code) => Standing::Denied(code),
        })
    });
    each.collect()
}
