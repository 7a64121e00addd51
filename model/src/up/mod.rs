//! Upwards: two clients, two nodes, one engine, and what may go wrong between them.
//!
//! A client is the real [`Sending`](everwire_core::session::up::Sending) and a host that keeps its record; a node has a
//! real [`Settling`](everwire_core::session::up::Settling) a link; the engine is the real
//! [`Memory`](everwire_core::engine::Memory), behind its trait. Each step of the model is one call of one of them, so a
//! schedule here is one that a browser and a server could have.

mod client;
mod laws;
mod link;
mod server;

use std::sync::Arc;

use everwire_core::engine::Producer;
use everwire_core::session::up::LinkEnd;
use everwire_core::{Duration, Instant, Ticket};
use stateright::{Model, Property};

use self::client::Client;
use self::server::Server;
use crate::Bug;

/// When everything happens.
const NOW: Instant = Instant::from_micros(1_000_000_000);
/// When everybody is asked whether something is due: every delay has passed that is no patience. So a timer of the real
/// types may fire at any moment, and time makes no two states of one.
const LATER: Instant = Instant::from_micros(1_002_000_000);
const _: () = {
    use everwire_core::session::up::*;
    let passed = LATER.since(NOW).as_micros();
    assert!(
        passed > RELEASE_DELAY.as_micros()
            && passed > RETRY_DELAY.as_micros()
            && passed > ACK_DELAY.as_micros()
    );
    assert!(passed < UNANSWERED_MAX.as_micros() && passed < Duration::from_secs(60).as_micros());
};
/// No client dials so often within a budget.
const LINKS_MAX: u64 = 16;
const MESSAGE_BYTES_MAX: u32 = 1 << 20;
/// Tickets of one client are apart from those of another by so many.
const TICKETS: u32 = 100;

fn ticket(client: u8, place: u8) -> Ticket {
    Ticket(u32::from(client) * TICKETS + u32::from(place))
}

fn place_of(ticket: Ticket) -> u8 {
    (ticket.0 % TICKETS) as u8
}

fn producer(client: u8, drawn: u8) -> Producer {
    let mut octets = [0; 16];
    (octets[0], octets[1]) = (client, drawn);
    Producer(octets)
}

fn client_of(producer: Producer) -> u8 {
    producer.0[0]
}

/// What may go wrong, and how often in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Links that break under a client that lives on.
    pub breaks: u8,
    /// Instances that die, their links with them, and are restored from the host's record.
    pub crashes: u8,
    /// Closes with 1009 by the node, deserved or not.
    pub too_long: u8,
    /// Calls that the node gives up as unanswered, and that the engine carries out at any later time.
    pub silences: u8,
    /// Restarts of the engine, which loses everything.
    pub restarts: u8,
    /// Records of a producer in use that are removed.
    pub forgets: u8,
}

/// A model's bounds.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What it is called on the command line.
    pub name: &'static str,
    /// How many clients.
    pub clients: u8,
    /// How many messages each sends.
    pub messages: u8,
    /// Which of them the first node's hook refuses, counted from 0. The second node's hook lets it pass.
    pub refused: u8,
    /// How far ahead of the mark a node lets its clients write.
    pub window: u64,
    /// Whether a hook answers at any later time; otherwise as soon as the message is read.
    pub slow_hooks: bool,
    /// What may go wrong.
    pub faults: Faults,
}

/// Something that no state shows any more when it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Breach {
    /// A ticket has left a second time.
    Twice,
    /// An `ack` tells what the engine has not settled.
    Ack,
    /// The mark has been moved by somebody who had no right to.
    Mark,
    /// One end has closed with 4002, or would have had to.
    Odds,
}

/// All there is.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct State {
    server: Arc<Server>,
    clients: Vec<Arc<Client>>,
    left: Faults,
    breach: Option<Breach>,
}

/// What happens next. Clients are counted from 0, links as they number themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client dials a node.
    Dial(u8, u8),
    /// A client is handed so many messages, and writes a frame.
    Write(u8, u8),
    /// A client reads a frame.
    Read(u8),
    /// A link's node reads a frame.
    NodeRead(u8, u64),
    /// The hook of a link's node answers.
    Judge(u8, u64),
    /// A link's node issues a call.
    Issue(u8, u64),
    /// The engine carries a link's call out and answers.
    CarryOut(u8, u64),
    /// The node tells the client what is settled, or that the link is over.
    Tell(u8),
    /// The link breaks; so many frames of the client still arrive.
    Break(u8, usize),
    /// The client's instance dies; so many of its frames still arrive.
    Crash(u8, usize),
    /// The node closes with 1009 and reads nothing more.
    TooLong(u8),
    /// A link's node gives up a call.
    Silence(u8, u64),
    /// A call that was given up is carried out.
    Stray(u8, usize),
    /// The engine restarts with an empty log.
    Restart,
    /// The engine forgets the record of the client's producer.
    Forget(u8),
}

impl Action {
    fn is_fault(self) -> bool {
        use Action::{Break, Crash, Forget, Restart, Silence, TooLong};
        matches!(self, Break(..) | Crash(..) | TooLong(_) | Silence(..) | Restart | Forget(_))
    }
}

/// The model with its bounds.
#[derive(Clone, Debug)]
pub struct Upwards {
    /// The bounds.
    pub setting: Setting,
    /// What is wrong with the core.
    pub bug: Bug,
}

impl State {
    fn client(&mut self, at: u8) -> &mut Client {
        Arc::make_mut(&mut self.clients[usize::from(at)])
    }

    fn keep(&mut self, outcome: Result<(), Breach>) {
        self.breach = self.breach.or(outcome.err());
    }
}

fn spend(left: &mut u8) -> Option<()> {
    *left = left.checked_sub(1)?;
    Some(())
}

fn may(left: u8, fault: Action) -> Option<Action> {
    (left > 0).then_some(fault)
}

impl Upwards {
    fn of_client(&self, state: &State, at: u8, actions: &mut Vec<Action>) {
        let client = &state.clients[usize::from(at)];
        match &client.link {
            None => actions.extend([Action::Dial(at, 0), Action::Dial(at, 1)]),
            Some(link) => {
                actions.push(Action::Read(at));
                actions.push(Action::Tell(at));
                actions.extend((0..=client.unsubmitted()).map(|many| Action::Write(at, many)));
                if client.has_more() {
                    for keep in 0..=link.up.len() {
                        actions.extend(may(state.left.breaks, Action::Break(at, keep)));
                        actions.extend(may(state.left.crashes, Action::Crash(at, keep)));
                    }
                    actions.extend(may(state.left.too_long, Action::TooLong(at)));
                }
            }
        }
        for link in client.link.iter().chain(&client.zombies) {
            if !link.up.is_empty() {
                actions.push(Action::NodeRead(at, link.number));
            }
            if link.has_unjudged() {
                actions.push(Action::Judge(at, link.number));
            }
            if link.call.is_none() {
                actions.push(Action::Issue(at, link.number));
            } else {
                actions.push(Action::CarryOut(at, link.number));
                actions.extend(may(state.left.silences, Action::Silence(at, link.number)));
            }
        }
        actions.extend((0..client.strays.len()).map(|stray| Action::Stray(at, stray)));
        actions.extend(may(state.left.forgets, Action::Forget(at)).filter(|_| client.has_more()));
    }

    /// Carries an action out; `None` if there is nothing to be done.
    fn step(&self, state: &State, action: Action) -> Option<State> {
        let (setting, bug) = (&self.setting, self.bug);
        let mut next = state.clone();
        match action {
            Action::Dial(at, node) => next.client(at).dial(node)?,
            Action::Write(at, many) => next.client(at).write(many, bug)?,
            Action::Read(at) => {
                let read = next.client(at).read()?;
                next.keep(read);
            }
            Action::NodeRead(at, number) => {
                let read = next.client(at).change(number, |link| link.read(setting))??;
                next.keep(read);
            }
            Action::Judge(at, number) => next.client(at).change(number, |link| link.judge(setting))??,
            Action::Issue(at, number) => next.client(at).change(number, |link| link.issue())??,
            Action::CarryOut(at, number) => {
                let call = state.clients[usize::from(at)].at(number)?.call.as_ref()?;
                let (server, answer) = state.server.carry_out(call, bug);
                next.server = Arc::new(server);
                let server = next.server.clone();
                let change = |link: &mut link::Link| link.answer(answer, &server, setting.window);
                let answered = next.client(at).change(number, change)?;
                next.keep(answered);
            }
            Action::Tell(at) => {
                let client = next.client(at);
                let number = client.link.as_ref()?.number;
                let told = client.change(number, |link| link.tell(&state.server))??;
                next.keep(told);
            }
            Action::Break(at, keep) => {
                spend(&mut next.left.breaks)?;
                let lost = next.client(at).lose(LinkEnd::Broke, keep);
                next.keep(lost);
            }
            Action::TooLong(at) => {
                spend(&mut next.left.too_long)?;
                let lost = next.client(at).lose(LinkEnd::TooLong, 0);
                next.keep(lost);
            }
            Action::Crash(at, keep) => {
                spend(&mut next.left.crashes)?;
                let restored = next.client(at).crash(keep, bug);
                next.keep(restored);
            }
            Action::Silence(at, number) => {
                spend(&mut next.left.silences)?;
                let client = next.client(at);
                let give_up = |link: &mut link::Link| link.give_up(&state.server, setting.window);
                let (stray, given_up) = client.change(number, give_up)??;
                client.strays.push(stray);
                next.keep(given_up);
            }
            Action::Stray(at, stray) => {
                let call = next.client(at).strays.remove(stray);
                next.server = Arc::new(state.server.carry_out(&call, bug).0);
            }
            Action::Restart => {
                spend(&mut next.left.restarts)?;
                next.server = Arc::new(state.server.restart(bug));
            }
            Action::Forget(at) => {
                spend(&mut next.left.forgets)?;
                let producer = state.clients[usize::from(at)].producer();
                next.server = Arc::new(state.server.forget(&producer, bug));
            }
        }
        Some(next)
    }

    /// Whether nothing happens any more of itself.
    fn rests(&self, state: &State) -> bool {
        let still =
            |client: &Arc<Client>| client.link.iter().chain(&client.zombies).all(|link| link.is_still());
        if !state.clients.iter().all(still) {
            return false;
        }
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        // A call that was given up may never be carried out.
        let mut own =
            actions.into_iter().filter(|action| !action.is_fault() && !matches!(action, Action::Stray(..)));
        own.all(|action| self.next_state(state, action).is_none())
    }
}

impl Model for Upwards {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.bug.on();
        let clients = (0..self.setting.clients).map(|id| Arc::new(Client::new(id, self.setting.messages)));
        vec![State {
            server: Arc::new(Server::new()),
            clients: clients.collect(),
            left: self.setting.faults,
            breach: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.breach.is_some() {
            return;
        }
        for at in 0..self.setting.clients {
            self.of_client(state, at, actions);
        }
        if state.left.restarts > 0 && state.clients.iter().any(|client| client.has_more()) {
            actions.push(Action::Restart);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.bug.on();
        self.step(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::all()
    }
}
