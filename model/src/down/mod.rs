//! Downwards: a log that grows, a node that reads it, and a client with handlers.
//!
//! The client is the real [`Reader`](everwire_core::session::down::Reader) and a host that keeps its record; the node has
//! the real [`Opening`](everwire_core::session::down::Opening) and [`Feed`](everwire_core::session::down::Feed); the engine
//! is the real [`Memory`](everwire_core::engine::Memory). Readers do not meet, so one is enough.

mod client;
mod laws;
mod link;
mod log;

use std::sync::Arc;

use everwire_core::Instant;
use everwire_core::engine::Subject;
use stateright::{Model, Property};

use self::client::Client;
use self::link::{Down, Link};
use self::log::Server;
use crate::Bug;
use crate::digest::Digested;

/// When everything happens.
const NOW: Instant = Instant::from_micros(1_000_000_000);
/// When everybody is asked whether something is due; as in [`crate::up`].
const LATER: Instant = Instant::from_micros(1_030_000_000);
const _: () = {
    use everwire_core::session::down::*;
    let passed = LATER.since(NOW).as_micros();
    assert!(passed > ADVANCE_EVERY.as_micros() && passed > SEEN_DELAY.as_micros());
    assert!(passed < STUCK_AFTER.as_micros());
};

fn own() -> Subject {
    "user_1".into()
}

fn room() -> Subject {
    "room_1".into()
}

/// A subject to write to: the client's own, its room, and one that is none of its business.
fn subject(at: u8) -> Subject {
    match at {
        0 => room(),
        1 => own(),
        _ => "room_2".into(),
    }
}

/// What may go wrong, and how often in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Links that break.
    pub breaks: u8,
    /// Instances that die, their links with them, and are restored from the host's record.
    pub crashes: u8,
    /// Answers of the engine that the node is told twice.
    pub echoes: u8,
    /// Restarts of the engine, which loses everything.
    pub restarts: u8,
}

/// A model's bounds.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What it is called on the command line.
    pub name: &'static str,
    /// How many messages are stored in all.
    pub messages: u8,
    /// To how many subjects: the room, the client's own, one that is not in the filter.
    pub subjects: u8,
    /// How long each is. Four that count as 262,144 shut the window.
    pub octets: u64,
    /// How many messages the log keeps.
    pub kept: usize,
    /// How often the application leaves the room, or joins it again.
    pub wishes: u8,
    /// What may go wrong.
    pub faults: Faults,
}

/// Something that no state shows any more when it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Breach {
    /// A handler was started twice, or after that of a later message.
    Order,
    /// A message came that is not in the filter.
    Stranger,
    /// A room's `from` has risen, and no loss was told.
    Silence,
    /// A loss was told of which nothing is missing.
    Needless,
    /// One end has closed with 4002, or would have had to.
    Odds,
}

/// All there is.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct State {
    server: Arc<Server>,
    client: Arc<Digested<Client>>,
    link: Option<Arc<Digested<Link>>>,
    unwritten: u8,
    wishes: u8,
    left: Faults,
    breach: Option<Breach>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A message is stored.
    Post(u8),
    /// The client dials.
    Dial,
    /// The client reads a frame.
    Read,
    /// The next handler starts.
    Start,
    /// A handler ends.
    Settle(u64),
    /// The client reports what was processed.
    Report,
    /// The application leaves the room, or joins it.
    Wish,
    /// The node reads a frame; if it is `hello`, it claims.
    NodeRead,
    /// The node asks what is gone, and says welcome.
    Open,
    /// The node asks for what has come, and the engine answers.
    Ask,
    /// The node is told that answer.
    Answer,
    /// A join is authorised.
    Authorise,
    /// The node tells how far it has looked.
    Advance,
    /// The link breaks.
    Break,
    /// The client's instance dies.
    Crash,
    /// The node is told an answer, and will be told it again.
    AnswerTwice,
    /// The node is told an answer again.
    Echo,
    /// The engine restarts with an empty log.
    Restart,
}

const OF_ITSELF: [Action; 11] = [
    Action::Dial,
    Action::Read,
    Action::Start,
    Action::Report,
    Action::NodeRead,
    Action::Open,
    Action::Ask,
    Action::Answer,
    Action::Authorise,
    Action::Advance,
    Action::Echo,
];

/// The model with its bounds.
#[derive(Clone, Debug)]
pub struct Downwards {
    /// The bounds.
    pub setting: Setting,
    /// What is wrong with the core.
    pub bug: Bug,
}

fn spend(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

impl State {
    fn keep(&mut self, outcome: Result<(), Breach>) {
        self.breach = self.breach.or(outcome.err());
    }

    fn server(&mut self) -> &mut Server {
        Arc::make_mut(&mut self.server)
    }

    fn client(&mut self) -> &mut Client {
        self.client_and_link().0
    }

    fn link(&mut self) -> Option<&mut Link> {
        self.link.as_mut().map(|link| &mut **Arc::make_mut(link))
    }

    fn client_and_link(&mut self) -> (&mut Client, Option<&mut Link>) {
        (&mut **Arc::make_mut(&mut self.client), self.link.as_mut().map(|link| &mut **Arc::make_mut(link)))
    }

    fn link_and_server(&mut self) -> Option<(&mut Link, &mut Server)> {
        Some((&mut **Arc::make_mut(self.link.as_mut()?), Arc::make_mut(&mut self.server)))
    }
}

impl Downwards {
    fn step(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Post(at) => {
                spend(&mut next.unwritten)?;
                let octets = self.setting.octets;
                next.server().post(&subject(at), octets);
                if let Some(link) = next.link() {
                    link.wake();
                }
            }
            Action::Dial => {
                if state.link.is_some() {
                    return None;
                }
                let link = next.client().dial();
                next.link = Some(Arc::new(Digested::new(link)));
            }
            Action::Read => {
                let (client, link) = next.client_and_link();
                let link = link?;
                let down = link.down.pop_front()?;
                if matches!(down, Down::Close) {
                    client.lose();
                    next.link = None;
                } else {
                    let stored = match link.epoch() {
                        Some(epoch) => state.server.stored(epoch).1,
                        None => &[],
                    };
                    let read = client.read(down, link, stored);
                    next.keep(read);
                }
            }
            Action::Start => {
                let (client, link) = next.client_and_link();
                let started = client.start(link)?;
                next.keep(started);
            }
            Action::Settle(delivery) => {
                let (client, link) = next.client_and_link();
                client.settle(delivery, link);
            }
            Action::Report => {
                let (client, link) = next.client_and_link();
                client.report(link?)?;
            }
            Action::Wish => {
                spend(&mut next.wishes)?;
                let (client, link) = next.client_and_link();
                client.wish(link);
            }
            Action::NodeRead => {
                let (link, server) = next.link_and_server()?;
                let read = link.read(server)?;
                next.keep(read);
            }
            Action::Open => {
                let (link, server) = next.link_and_server()?;
                let opened = link.open(server)?;
                next.keep(opened);
            }
            Action::Ask => {
                let (link, server) = next.link_and_server()?;
                link.ask(server)?;
            }
            Action::Answer => next.link()?.answer(false)?,
            Action::AnswerTwice => {
                spend(&mut next.left.echoes)?;
                next.link()?.answer(true)?;
            }
            Action::Echo => next.link()?.echo()?,
            Action::Authorise => {
                let (link, server) = next.link_and_server()?;
                link.authorise(server)?;
            }
            Action::Advance => next.link()?.advance()?,
            Action::Break => {
                spend(&mut next.left.breaks)?;
                next.link.take()?;
                next.client().lose();
            }
            Action::Crash => {
                spend(&mut next.left.crashes)?;
                next.link = None;
                next.client().crash();
            }
            Action::Restart => {
                spend(&mut next.left.restarts)?;
                next.server().restart();
                if let Some(link) = next.link() {
                    link.wake();
                }
            }
        }
        Some(next)
    }

    /// Whether nothing happens any more of itself.
    fn rests(&self, state: &State) -> bool {
        let still = |link: &Arc<Digested<Link>>| {
            link.up.is_empty() && link.down.is_empty() && link.answer.is_none() && link.joining.is_empty()
        };
        state.link.as_ref().is_some_and(still)
            && state.client.running().next().is_none()
            && OF_ITSELF.into_iter().all(|action| self.next_state(state, action).is_none())
    }
}

impl Model for Downwards {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.bug.on();
        let Setting { messages, kept, wishes, faults, .. } = self.setting;
        let state = State {
            server: Arc::new(Server::new(kept)),
            client: Arc::new(Digested::new(Client::new())),
            link: None,
            unwritten: messages,
            wishes,
            left: faults,
            breach: None,
        };
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.breach.is_some() {
            return;
        }
        actions.extend((0..self.setting.subjects).filter(|_| state.unwritten > 0).map(Action::Post));
        actions.extend(state.client.running().map(Action::Settle));
        actions.extend(OF_ITSELF);
        actions.extend([Action::Wish, Action::AnswerTwice, Action::Break, Action::Crash, Action::Restart]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.bug.on();
        self.step(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::all()
    }
}
