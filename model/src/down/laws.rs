//! What must hold, whatever happens.

use stateright::Property;

use super::{Breach, Downwards, State};

type Law = Property<Downwards>;

/// All of them.
pub(super) fn all() -> Vec<Law> {
    vec![
        Law::always("each handler starts once, in the order of the log", |_, state| {
            state.breach != Some(Breach::Order)
        }),
        Law::always("no message of the filter is passed over", |_, state| {
            let epoch = state.client.record().epoch.as_ref();
            epoch.is_none_or(|epoch| state.client.is_complete(state.server.stored(epoch).1))
        }),
        Law::always("nothing comes from below a room's from", |_, state| {
            state.breach != Some(Breach::Stranger)
        }),
        Law::always("what is missing is told as lost", |_, state| state.breach != Some(Breach::Silence)),
        Law::always("what is told as lost is missing", |_, state| state.breach != Some(Breach::Needless)),
        Law::always("no end finds the other at fault", |_, state| state.breach != Some(Breach::Odds)),
        Law::always("what is processed has come, and what has come fits the window", |_, state| {
            state.client.seen() <= state.client.record().received && state.client.is_bounded()
        }),
        Law::always("at rest everything has come and is processed, and both ends know it", |model, state| {
            state.breach.is_some() || !model.rests(state) || is_done(state)
        }),
        Law::sometimes("a loss is told, if any can be", |model, state| {
            model.setting.kept >= usize::from(model.setting.messages) || state.client.told_lost
        }),
        Law::sometimes("a handler runs while there is no link", |_, state| {
            state.link.is_none() && state.client.running().next().is_some()
        }),
    ]
}

fn is_done(state: &State) -> bool {
    let record = state.client.record();
    let head = state.server.engine.head();
    let outstanding = state.link.as_ref().and_then(|link| link.outstanding());
    record.received == head
        && state.client.seen() == head
        && record.pending.entries.is_empty()
        && outstanding == Some(0)
        && record.epoch.as_ref() == Some(state.server.engine.epoch())
}
