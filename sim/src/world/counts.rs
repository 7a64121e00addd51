//! What a run has seen, so that a test that sees nothing is noticed.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use everwire_core::session::client::Phase;
use everwire_core::session::node::NodePhase;

/// What one schedule was like, or many together.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// How many schedules.
    pub schedules: u64,
    /// Messages handed over, and faults, of each schedule.
    lengths: Vec<(u32, u32)>,
    /// Virtual time, in microseconds.
    pub micros: u64,
    /// Messages handed over.
    pub messages: u64,
    /// Handlers started.
    pub handlers: u64,
    /// Links dialled.
    pub dials: u64,
    faults: BTreeMap<&'static str, u64>,
    transitions: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    exits: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// One fault of this kind.
    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// A client has gone from one phase to another.
    pub(super) fn client_step(&mut self, from: Phase, to: Phase) {
        self.transition("client", client_name(from), client_name(to));
    }

    /// A node's link has gone from one phase to another.
    pub(super) fn node_step(&mut self, from: NodePhase, to: NodePhase) {
        self.transition("node", node_name(from), node_name(to));
    }

    fn transition(&mut self, machine: &'static str, from: &'static str, to: &'static str) {
        *self.transitions.entry((machine, from, to)).or_default() += 1;
    }

    /// Something that an application was told.
    pub(super) fn told(&mut self, what: &'static str) {
        *self.exits.entry(what).or_default() += 1;
    }

    /// One schedule is over.
    pub(super) fn close(&mut self, messages: usize, micros: u64) {
        self.schedules = 1;
        self.messages = messages as u64;
        self.micros = micros;
        let faults: u64 = self.faults.values().sum();
        self.lengths = vec![(messages as u32, faults as u32)];
    }

    /// Takes in another's.
    pub fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.lengths.extend(other.lengths);
        self.micros += other.micros;
        self.messages += other.messages;
        self.handlers += other.handlers;
        self.dials += other.dials;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (step, count) in other.transitions {
            *self.transitions.entry(step).or_default() += count;
        }
        for (what, count) in other.exits {
            *self.exits.entry(what).or_default() += count;
        }
    }

    /// How often each kind of fault has happened.
    pub fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.faults
    }

    /// How often each machine has gone from one phase to another.
    pub fn transitions(&self) -> &BTreeMap<(&'static str, &'static str, &'static str), u64> {
        &self.transitions
    }

    /// How often an application was told what.
    pub fn exits(&self) -> &BTreeMap<&'static str, u64> {
        &self.exits
    }

    /// The middle schedule: messages, and faults.
    pub fn median(&self) -> (u32, u32) {
        (self.at(0.5, |length| length.0), self.at(0.5, |length| length.1))
    }

    fn at(&self, share: f64, of: impl Fn(&(u32, u32)) -> u32) -> u32 {
        let mut all: Vec<u32> = self.lengths.iter().map(of).collect();
        all.sort_unstable();
        let last = all.len().saturating_sub(1);
        all.get((share * last as f64) as usize).copied().unwrap_or(0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.micros as f64 / 3.6e9;
        writeln!(
            f,
            "{} schedules, {hours:.0} simulated hours, {} messages handed over, {} handlers started, {} dials",
            self.schedules, self.messages, self.handlers, self.dials
        )?;
        let row = |name: &str, of: &dyn Fn(&(u32, u32)) -> u32| {
            let mut line = format!("  {name} of a schedule:");
            for (share, label) in
                [(0.0, "least"), (0.1, "10 %"), (0.5, "median"), (0.9, "90 %"), (1.0, "most")]
            {
                let _ = write!(line, " {label} {}", self.at(share, of));
            }
            line
        };
        writeln!(f, "{}", row("messages", &|length| length.0))?;
        writeln!(f, "{}", row("faults", &|length| length.1))?;
        writeln!(f, "  faults:")?;
        for (kind, count) in &self.faults {
            writeln!(f, "    {kind:<18} {count}")?;
        }
        writeln!(f, "  transitions:")?;
        for ((machine, from, to), count) in &self.transitions {
            writeln!(f, "    {machine:<7} {from:<10} → {to:<10} {count}")?;
        }
        writeln!(f, "  told:")?;
        for (what, count) in &self.exits {
            writeln!(f, "    {what:<24} {count}")?;
        }
        Ok(())
    }
}

fn client_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "idle",
        Phase::Asking => "asking",
        Phase::Dialling => "dialling",
        Phase::Greeting => "greeting",
        Phase::Open => "open",
        Phase::Leaving => "leaving",
        Phase::Waiting => "waiting",
        Phase::Suspended => "suspended",
        Phase::Closing => "closing",
        Phase::Closed => "closed",
    }
}

fn node_name(phase: NodePhase) -> &'static str {
    match phase {
        NodePhase::Fresh => "fresh",
        NodePhase::Claiming => "claiming",
        NodePhase::Open => "open",
        NodePhase::Draining => "draining",
        NodePhase::Finishing => "finishing",
        NodePhase::Ended => "ended",
    }
}
