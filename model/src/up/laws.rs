//! What must hold, whatever happens.

use std::sync::Arc;

use everwire_core::Ticket;
use stateright::Property;

use super::client::{Client, Told};
use super::{Breach, State, TICKETS, Upwards, place_of, ticket};

type Law = Property<Upwards>;

/// All of them.
pub(super) fn all() -> Vec<Law> {
    vec![
        Law::always("no message is stored twice in one log", |_, state| {
            state.server.logs().all(|log| log.iter().enumerate().all(|(at, body)| !log[..at].contains(body)))
        }),
        Law::always("each client's messages stand in the log in its order", |_, state| {
            state.server.logs().all(|log| (0..state.clients.len()).all(|client| in_order(log, client)))
        }),
        Law::always("what is told settled is in the log of its epoch", |_, state| {
            told(state).all(|(ticket, told)| match told {
                Told::Settled(epoch) => state.server.seen(epoch).log.contains(&ticket.0),
                _ => true,
            })
        }),
        Law::always("what is told refused is in no log", |_, state| {
            told(state).all(|(ticket, told)| {
                told != Told::Refused || state.server.logs().all(|log| !log.contains(&ticket.0))
            })
        }),
        Law::always("unknown is told only of what the server has lost", |model, state| {
            let lost = state.server.epoch > 0 || state.left.forgets < model.setting.faults.forgets;
            lost || told(state).all(|(_, told)| told != Told::Unknown)
        }),
        Law::always("each ticket leaves once", |_, state| state.breach != Some(Breach::Twice)),
        Law::always("an ack tells nothing that the engine has not settled", |_, state| {
            state.breach != Some(Breach::Ack)
        }),
        Law::always("nobody but the link in force moves a mark", |_, state| {
            state.breach != Some(Breach::Mark)
        }),
        Law::always("no end finds the other at fault", |_, state| state.breach != Some(Breach::Odds)),
        Law::always("at rest every ticket has left", |model, state| {
            state.clients.iter().all(|client| !client.has_more())
                || state.breach.is_some()
                || !model.rests(state)
        }),
        Law::always("at rest no refusal is kept that a client with a link has told", |model, state| {
            let let_go = |client: &Arc<Client>| {
                client.link.is_none() || !state.server.keeps_refusals(&client.producer())
            };
            state.clients.iter().all(let_go) || state.breach.is_some() || !model.rests(state)
        }),
        Law::sometimes("a refusal is told", |_, state| told(state).any(|(_, told)| told == Told::Refused)),
        Law::sometimes("what the first node would refuse is stored at the second", |model, state| {
            state
                .server
                .logs()
                .any(|log| log.iter().any(|body| place_of(Ticket(*body)) == model.setting.refused))
        }),
    ]
}

fn told(state: &State) -> impl Iterator<Item = (Ticket, Told)> {
    state.clients.iter().zip(0..).flat_map(|(client, id)| {
        let told = client.told.iter().zip(0..);
        told.filter_map(move |(told, place)| Some((ticket(id, place), (*told)?)))
    })
}

fn in_order(log: &[u32], client: usize) -> bool {
    let own = |body: &&u32| (**body / TICKETS) as usize == client;
    log.iter().filter(own).is_sorted_by(|earlier, later| earlier < later)
}
