//! From `hello` to `welcome`: authenticate, authorise, claim, look for losses, answer. [HELLO-13]

use super::action::{Asking, NodeAction, Purpose};
use super::asks::Question;
use super::calls::{CALL_MAX, Slot};
use super::input::{Authenticated, HookFailed, NotAuthenticated, Persona, in_window_range};
use super::link::Link;
use super::machine::Node;
use super::names::Room;
use super::phase::NodeEvent;
use super::rooms::answers_code;
use super::timer::NodeTimer;
use super::wrong;
use crate::engine::{Answer, Call, Claim, Claimed, Failure, LogEpoch, Producer, Read, Refused, Subject};
use crate::frame::NUMBER_MAX;
use crate::session::Hello;
use crate::session::down::{Asked, Content, Opening, Standing, head_call};
use crate::session::up::{Producing, RETRY_DELAY};
use crate::time::{Duration, Instant};

/// A claim begins within so much time after `hello`. [HELLO-16]
const CLAIM_BEGINS_MAX: Duration = Duration::from_secs(30);
/// How long the engine may take for what `welcome` needs besides the claim.
const WELCOME_MAX: Duration = Duration::from_secs(30);
/// How long a lagging replica is waited for. [EPOCH-6]
pub(super) const BEHIND_MAX: Duration = Duration::from_secs(5);

/// What the engine is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Hooks,
    Claim,
    Trimmed,
    Head,
}

/// What a claim has answered.
#[derive(Clone, Debug)]
pub(super) struct Won {
    pub(super) mark: u64,
    pub(super) born: u64,
    pub(super) refusals: Vec<Refused>,
    pub(super) epoch: LogEpoch,
    pub(super) durable: bool,
    pub(super) limit: u32,
}

/// A link between `hello` and `welcome`.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    pub(super) hello: Box<Hello>,
    pub(super) who: Option<Authenticated>,
    begun: Instant,
    pub(super) authenticated_at: Instant,
    pub(super) producing: Producing,
    stage: Stage,
    /// What is known of each room of `hello`.
    standings: Vec<Option<Standing>>,
    revoked: Vec<Subject>,
    pub(super) won: Option<Won>,
    opening: Option<Opening>,
}

impl Greeting {
    pub(super) fn persona(&self) -> Option<&Persona> {
        let who = self.who.as_ref()?;
        match self.producing {
            Producing::Kept => Some(&who.as_producer),
            Producing::Successor => who.as_successor.as_ref(),
        }
    }

    pub(super) fn producer(&self) -> Producer {
        let spare = self.hello.successor.filter(|_| self.producing == Producing::Successor);
        spare.unwrap_or(self.hello.producer)
    }
}

impl<P: Content> Node<P> {
    pub(super) fn greet(&mut self, hello: Box<Hello>, now: Instant) {
        if let Err(broken) = hello.check() {
            return self.broken(broken.clause);
        }
        if let Some(drain) = &self.drain {
            let reason = format!("window={}", in_window_range(drain.window).as_micros() / 1000);
            return self.close(1012, reason, true);
        }
        self.step(NodeEvent::Hello);
        self.timers.stop(NodeTimer::Hello);
        self.timers.set(NodeTimer::Claim, now + CLAIM_BEGINS_MAX);
        self.set_visible(hello.visible);
        let id = self.asks.ask(Question::Identity, now);
        self.order(NodeAction::Authenticate {
            id,
            token: hello.token.clone(),
            producer: hello.producer,
            successor: hello.successor,
            renewal: false,
        });
        self.greeting = Some(Box::new(Greeting {
            standings: vec![None; hello.rooms.len()],
            hello,
            who: None,
            begun: now,
            authenticated_at: now,
            producing: Producing::Kept,
            stage: Stage::Hooks,
            revoked: Vec::new(),
            won: None,
            opening: None,
        }));
    }

    pub(super) fn greeting_authenticated(
        &mut self,
        answer: Result<Authenticated, NotAuthenticated>,
        now: Instant,
    ) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let who = match answer {
            Ok(who) => who,
            Err(NotAuthenticated::Refused) => return self.close(4401, "refused", true),
            Err(NotAuthenticated::Forbidden) => return self.close(4403, "forbidden", true),
            Err(NotAuthenticated::Failed) => return self.close(4004, "HELLO-15", true),
        };
        let mut personas = core::iter::once(&who.as_producer).chain(&who.as_successor);
        let room = |persona: &Persona| !self.config.is_identity(&persona.identity.name);
        if personas.any(room) || greeting.hello.successor.is_some() != who.as_successor.is_some() {
            return self.close(4403, "HELLO-13", true);
        }
        greeting.who = Some(who);
        greeting.authenticated_at = now;
        self.authorise_hello(now);
    }

    /// [HELLO-14] [HELLO-20]
    fn authorise_hello(&mut self, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let Some(persona) = greeting.persona() else { return };
        let own = Subject::from(&*persona.identity.name);
        greeting.stage = Stage::Hooks;
        let (mut places, mut rooms) = (Vec::new(), Vec::new());
        let mut many = 0;
        for (place, wished) in greeting.hello.rooms.iter().enumerate() {
            let room = &wished.room;
            let standing = match self.config.kind(room.as_str(), own.as_str()) {
                Room::Own => Some(Standing::Allowed { from_holds: true, since: 0 }),
                Room::Malformed => Some(denied("malformed")),
                Room::Closed => Some(denied("forbidden")),
                Room::Open => {
                    many += 1;
                    (many > self.config.rooms_max()).then(|| denied("too-many"))
                }
            };
            if standing.is_none() {
                places.push(place);
                rooms.push(Asking { room: room.clone(), from: wished.from, grant: wished.grant.clone() });
            }
            if let Some(slot) = greeting.standings.get_mut(place) {
                *slot = standing;
            }
        }
        if rooms.is_empty() {
            return self.claim(now);
        }
        let id = self.asks.ask(Question::Hello(places), now);
        self.order(NodeAction::Authorise { id, identity: own, purpose: Purpose::Hello, rooms });
    }

    pub(super) fn greeting_authorised(
        &mut self,
        places: Vec<usize>,
        answer: Result<Vec<Standing>, HookFailed>,
        now: Instant,
    ) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let Ok(answers) = answer else { return self.close(4004, "HELLO-15", true) };
        let mut answers = answers.into_iter();
        for place in places {
            // A hook that says less than it was asked has failed.
            let Some(answer) = answers.next() else { return self.close(4004, "HELLO-15", true) };
            if let Some(slot) = greeting.standings.get_mut(place) {
                *slot = Some(sane(answer));
            }
        }
        self.claim(now);
    }

    /// [HELLO-16]
    fn claim(&mut self, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let Some(persona) = greeting.persona() else { return };
        let hello = &greeting.hello;
        let (oldest, written, born) = match greeting.producing {
            Producing::Kept => (hello.oldest, hello.written, hello.born),
            Producing::Successor => (1, 0, None),
        };
        let claim = Claim {
            producer: greeting.producer(),
            identity: persona.identity.clone(),
            inbox: persona.inbox.clone(),
            link: hello.link,
            oldest,
            written,
            born,
        };
        if now.since(greeting.begun) > CLAIM_BEGINS_MAX {
            return self.close(4004, "HELLO-16", true);
        }
        greeting.stage = Stage::Claim;
        self.timers.stop(NodeTimer::Claim);
        self.call(Slot::Greet, Call::Claim(claim), now);
    }

    pub(super) fn greeting_answered(&mut self, answer: Answer<P>, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        match (greeting.stage, answer) {
            (Stage::Claim, Answer::Claim(Ok(claimed))) => self.claimed(claimed, now),
            // It may have been carried out, and a second one would read as fenced by a stranger. [HELLO-18]
            (Stage::Claim, _) => self.close(4004, "HELLO-18", true),
            (_, Answer::Trimmed(Err(Failure::EpochChanged)) | Answer::Read(Err(Failure::EpochChanged))) => {
                self.close(4006, "EPOCH-5", true);
            }
            (Stage::Trimmed, Answer::Trimmed(Ok(trimmed))) => {
                if let Some(opening) = &mut greeting.opening {
                    opening.trimmed = trimmed;
                }
                self.open(now);
            }
            (Stage::Head, Answer::Read(Ok(Read::Interval(interval)))) => {
                if let Some(opening) = &mut greeting.opening {
                    opening.head = opening.head.max(interval.upto);
                }
                greeting.stage = Stage::Trimmed;
                self.greeting_asks(now);
            }
            _ => self.calls.rest(Slot::Greet, now),
        }
    }

    fn claimed(&mut self, claimed: Claimed, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let (won, head) = match claimed {
            Claimed::Claimed { mark, born, refusals, epoch, head, durable, limit } => {
                (Won { mark, born, refusals, epoch, durable, limit }, head)
            }
            Claimed::Fenced => return self.close(4005, "HELLO-17", true),
            Claimed::Full => return self.close(1013, "HELLO-17", true),
            Claimed::Unknown => return self.unknown(now),
        };
        let hello = &greeting.hello;
        let kept = greeting.producing == Producing::Kept;
        let marks = if kept { hello.oldest - 1..=hello.written } else { 0..=0 };
        if !marks.contains(&won.mark) || !(1..=hello.link).contains(&won.born) || head > NUMBER_MAX {
            return self.close(4004, "an engine that contradicts itself", true);
        }
        let Some(persona) = greeting.persona() else { return };
        let own = Subject::from(&*persona.identity.name);
        let standing = |standing: &Option<Standing>| standing.clone().unwrap_or_else(|| denied("forbidden"));
        let wished = greeting.hello.rooms.iter().zip(&greeting.standings);
        let rooms = wished.map(|(wished, of)| Asked {
            subject: wished.room.clone(),
            from: wished.from,
            standing: standing(of),
        });
        let hello = &greeting.hello;
        greeting.opening = Some(Opening {
            epoch: hello.epoch.clone(),
            position: wrong::server_cursor(&won.epoch, greeting.producer()).or(hello.position),
            rooms: rooms.collect(),
            held: hello.held,
            own,
            engine_epoch: won.epoch.clone(),
            head,
            trimmed: Vec::new(),
        });
        greeting.won = Some(won);
        greeting.stage = Stage::Trimmed;
        self.timers.set(NodeTimer::Welcome, now + WELCOME_MAX);
        self.greeting_asks(now);
    }

    fn unknown(&mut self, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let before = greeting.persona().map(|persona| persona.identity.clone());
        if greeting.producing == Producing::Successor || greeting.hello.successor.is_none() {
            return self.close(4005, "HELLO-17", true);
        }
        greeting.producing = Producing::Successor;
        let same = greeting.persona().map(|persona| persona.identity.clone()) == before;
        // It is too late for a claim that would begin after this. [HELLO-16]
        self.timers.set(NodeTimer::Claim, greeting.begun + CLAIM_BEGINS_MAX);
        if same { self.claim(now) } else { self.authorise_hello(now) }
    }

    /// Asks the engine again what is open.
    pub(super) fn greeting_asks(&mut self, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let Some(opening) = &greeting.opening else { return };
        if !self.calls.is_free(Slot::Greet, now) || self.timers.at(NodeTimer::Lag).is_some() {
            return;
        }
        let epoch = opening.engine_epoch.clone();
        let call = match greeting.stage {
            Stage::Trimmed => {
                let filter = opening.question();
                Call::Trimmed { epoch, filter }
            }
            Stage::Head => head_call(epoch),
            Stage::Hooks | Stage::Claim => return,
        };
        self.call(Slot::Greet, call, now);
    }

    fn open(&mut self, now: Instant) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let Some(opening) = &mut greeting.opening else { return };
        for room in &mut opening.rooms {
            if greeting.revoked.contains(&room.subject) {
                room.standing = denied("forbidden");
            }
        }
        let Ok(opened) = opening.open() else {
            greeting.stage = Stage::Head;
            self.timers.start(NodeTimer::Behind, now + BEHIND_MAX);
            self.timers.set(NodeTimer::Lag, now + RETRY_DELAY);
            return;
        };
        let Some(greeting) = self.greeting.take() else { return };
        for timer in [NodeTimer::Behind, NodeTimer::Lag, NodeTimer::Welcome] {
            self.timers.stop(timer);
        }
        if let Some((link, welcome)) = Link::open(&self.config, *greeting, &opened, now) {
            self.welcome(link, welcome, now);
        }
    }

    /// The identity may read this room no longer. [HELLO-14]
    pub(super) fn greeting_revoked(&mut self, room: &Subject) {
        let Some(greeting) = self.greeting.as_mut() else { return };
        let named = greeting.hello.rooms.iter().any(|wished| wished.room == *room);
        if named && !greeting.revoked.contains(room) {
            greeting.revoked.push(room.clone());
        }
    }

    /// No answer of the engine has come in time.
    pub(super) fn greeting_unanswered(&mut self) {
        const { assert!(CALL_MAX.as_micros() < WELCOME_MAX.as_micros()) };
        let Some(greeting) = self.greeting.as_ref() else { return };
        if greeting.stage == Stage::Claim {
            self.close(4004, "HELLO-18", true);
        }
    }
}

/// What a hook says, as far as it can be said to a client.
fn sane(standing: Standing) -> Standing {
    match standing {
        Standing::Allowed { from_holds, since } => {
            Standing::Allowed { from_holds, since: since.min(NUMBER_MAX - 1) }
        }
        Standing::Denied(code) => denied(answers_code(&code)),
    }
}

pub(super) fn denied(code: &str) -> Standing {
    Standing::Denied(code.into())
}
