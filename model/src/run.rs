//! Exploring a model, and what came of it.

use core::fmt::{self, Debug};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::{Duration, Instant};

use stateright::{Checker as _, Expectation, HasDiscoveries, Model};

/// How a property has come out.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What it says.
    pub name: &'static str,
    /// Whether it must hold in every state; otherwise, in one.
    pub always: bool,
    /// The steps to a state that breaks it, or, of one that must hold in one state, to that state.
    pub steps: Option<Vec<String>>,
    /// That state.
    pub state: Option<String>,
}

impl Verdict {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.always != self.steps.is_some()
    }
}

/// What exploring has found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// States reached, on whatever way: so many steps have been tried.
    pub states: usize,
    /// Different ones among them.
    pub unique: usize,
    /// The longest way, in states.
    pub depth: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Each property.
    pub verdicts: Vec<Verdict>,
}

impl Outcome {
    /// Whether every property holds.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(Verdict::holds)
    }

    /// Those that do not hold. Where one is broken that must always hold, the others have not been looked for to the end.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken: Vec<_> = self.verdicts.iter().filter(|verdict| !verdict.holds()).collect();
        let always = broken.iter().any(|verdict| verdict.always);
        broken.iter().filter(|verdict| verdict.always || !always).map(|verdict| verdict.name).collect()
    }

    /// The steps to a state that breaks a property.
    pub fn steps_to(&self, name: &str) -> Option<usize> {
        let verdict = self.verdicts.iter().find(|verdict| verdict.name == name && !verdict.holds())?;
        verdict.steps.as_ref().map(Vec::len)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, unique, depth, elapsed, .. } = self;
        writeln!(f, "  {states} states, {unique} unique, depth {depth}, {:.1} s", elapsed.as_secs_f64())?;
        let broken = self.broken();
        for verdict in &self.verdicts {
            let (name, said) = (verdict.name, broken.contains(&verdict.name));
            let steps = verdict.steps.as_ref().map_or(0, Vec::len);
            match (verdict.always, verdict.holds()) {
                (true, true) => writeln!(f, "  holds    {name}")?,
                (false, true) => writeln!(f, "  happens  {name}: {steps} steps")?,
                (false, false) if said => writeln!(f, "  NEVER    {name}")?,
                (false, false) => {}
                (true, false) => writeln!(f, "  BROKEN   {name}: {steps} steps")?,
            }
        }
        let shortest = self.verdicts.iter().filter(|verdict| broken.contains(&verdict.name));
        let Some(shortest) = shortest.min_by_key(|verdict| verdict.steps.as_ref().map(Vec::len)) else {
            return Ok(());
        };
        for step in shortest.steps.iter().flatten() {
            writeln!(f, "    {step}")?;
        }
        writeln!(f, "{}", shortest.state.as_deref().unwrap_or_default())?;
        Ok(())
    }
}

/// In what order states are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last found first: takes the least memory.
    Depth,
    /// The first found first: a counterexample is as short as any.
    Breadth,
}

/// Looks at every state, or at as many as it takes until a property is broken.
pub fn explore<M>(model: M, order: Order, threads: usize) -> Outcome
where
    M: Model + Clone + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq,
{
    let started = Instant::now();
    let properties = model.properties();
    let builder = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let (states, unique, depth, mut found) = match order {
        Order::Depth => {
            let checker = builder.spawn_dfs().join();
            (checker.state_count(), checker.unique_state_count(), checker.max_depth(), checker.discoveries())
        }
        Order::Breadth => {
            let checker = builder.spawn_bfs().join();
            (checker.state_count(), checker.unique_state_count(), checker.max_depth(), checker.discoveries())
        }
    };
    let elapsed = started.elapsed();
    let verdict = |property: stateright::Property<M>| {
        let (mut steps, mut state) = (None, None);
        if let Some(path) = found.remove(property.name) {
            state = Some(format!("{:#?}", path.last_state()));
            steps = Some(path.into_actions().iter().map(|action| format!("{action:?}")).collect());
        }
        let always = property.expectation == Expectation::Always;
        Verdict { name: property.name, always, steps, state }
    };
    Outcome { states, unique, depth, elapsed, verdicts: properties.into_iter().map(verdict).collect() }
}

/// Whether no schedule comes back to where it has been: then each comes to an end, and what holds at rest is not held
/// up for ever. With how many different states there are.
pub(crate) fn ends<M>(model: &M) -> (bool, usize)
where
    M: Model,
    M::State: Hash,
{
    let digest = |state: &M::State| {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        hasher.finish()
    };
    // Whether a state is still on the way that is being walked.
    let mut known: HashMap<u64, bool> = HashMap::new();
    let mut way: Vec<(Option<u64>, Vec<M::State>)> = vec![(None, model.init_states())];
    while let Some((here, next)) = way.last_mut() {
        let Some(state) = next.pop() else {
            known.extend(here.map(|here| (here, false)));
            way.pop();
            continue;
        };
        let here = digest(&state);
        match known.get(&here) {
            Some(true) => return (false, known.len()),
            Some(false) => {}
            None => {
                known.insert(here, true);
                way.push((Some(here), model.next_states(&state)));
            }
        }
    }
    (true, known.len())
}
