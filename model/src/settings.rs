//! Which bounds are explored, and by what they are called.

use core::fmt;

use everwire_core::session::up::WINDOW_MESSAGES_MAX;

use crate::{Bug, Order, Outcome, down, explore, run, up};

/// A model with its bounds.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// Of the upward half.
    Up(up::Setting),
    /// Of the downward half.
    Down(down::Setting),
}

/// Nothing goes wrong.
const UP: up::Setting = up::Setting {
    name: "",
    clients: 1,
    messages: 2,
    refused: 1,
    window: WINDOW_MESSAGES_MAX,
    slow_hooks: false,
    faults: up::Faults { breaks: 0, crashes: 0, too_long: 0, silences: 0, restarts: 0, forgets: 0 },
};
const DOWN: down::Setting = down::Setting {
    name: "",
    messages: 3,
    subjects: 2,
    octets: 100,
    kept: 100,
    wishes: 0,
    faults: down::Faults { breaks: 0, crashes: 0, echoes: 0, restarts: 0 },
};

/// What is explored at every change.
pub const SMALL: &[Setting] = &[
    // Two clients meet in the engine, and lose it.
    Setting::Up(up::Setting {
        name: "pair",
        clients: 2,
        faults: up::Faults { crashes: 1, restarts: 1, ..UP.faults },
        ..UP
    }),
    // One client on up to three links, with every kind of fault but those below.
    Setting::Up(up::Setting {
        name: "lone",
        faults: up::Faults { breaks: 1, crashes: 1, silences: 1, restarts: 1, ..UP.faults },
        ..UP
    }),
    // A hook that takes its time, and credit for one message at a time.
    Setting::Up(up::Setting {
        name: "slow",
        messages: 3,
        window: 1,
        slow_hooks: true,
        faults: up::Faults { breaks: 1, crashes: 1, silences: 1, ..UP.faults },
        ..UP
    }),
    // A record that goes under its client.
    Setting::Up(up::Setting {
        name: "gone",
        faults: up::Faults { breaks: 1, crashes: 1, forgets: 1, ..UP.faults },
        ..UP
    }),
    // A message that is tried alone, and withdrawn.
    Setting::Up(up::Setting {
        name: "long",
        faults: up::Faults { breaks: 1, too_long: 2, ..UP.faults },
        ..UP
    }),
    // A room that is left and joined again.
    Setting::Down(down::Setting {
        name: "room",
        wishes: 2,
        faults: down::Faults { breaks: 1, ..DOWN.faults },
        ..DOWN
    }),
    // A log that keeps one message.
    Setting::Down(down::Setting {
        name: "trim",
        kept: 1,
        faults: down::Faults { breaks: 1, crashes: 1, ..DOWN.faults },
        ..DOWN
    }),
    // A log that is lost, and answers that come twice.
    Setting::Down(down::Setting {
        name: "epoch",
        messages: 2,
        wishes: 1,
        faults: down::Faults { crashes: 1, echoes: 1, restarts: 1, ..DOWN.faults },
        ..DOWN
    }),
    // Messages of which four shut the window.
    Setting::Down(down::Setting {
        name: "window",
        messages: 5,
        subjects: 1,
        octets: 300_000,
        faults: down::Faults { crashes: 1, ..DOWN.faults },
        ..DOWN
    }),
];

/// What takes hours, or much memory.
pub const LARGE: &[Setting] = &[
    Setting::Up(up::Setting {
        name: "pair",
        clients: 2,
        faults: up::Faults { breaks: 1, crashes: 1, restarts: 1, ..UP.faults },
        ..UP
    }),
    Setting::Up(up::Setting {
        name: "lone",
        faults: up::Faults { breaks: 1, crashes: 2, silences: 1, restarts: 1, ..UP.faults },
        ..UP
    }),
    Setting::Up(up::Setting {
        name: "three",
        messages: 3,
        faults: up::Faults { breaks: 1, crashes: 1, silences: 1, ..UP.faults },
        ..UP
    }),
    Setting::Up(up::Setting {
        name: "slow",
        messages: 3,
        window: 2,
        slow_hooks: true,
        faults: up::Faults { breaks: 1, crashes: 1, silences: 1, ..UP.faults },
        ..UP
    }),
    Setting::Up(up::Setting {
        name: "gone",
        faults: up::Faults { breaks: 1, crashes: 1, silences: 1, forgets: 1, ..UP.faults },
        ..UP
    }),
    Setting::Up(up::Setting {
        name: "long",
        messages: 3,
        faults: up::Faults { crashes: 1, too_long: 2, ..UP.faults },
        ..UP
    }),
    Setting::Down(down::Setting {
        name: "room",
        subjects: 3,
        wishes: 3,
        faults: down::Faults { breaks: 1, crashes: 1, ..DOWN.faults },
        ..DOWN
    }),
    Setting::Down(down::Setting {
        name: "trim",
        messages: 4,
        kept: 1,
        wishes: 1,
        faults: down::Faults { breaks: 1, crashes: 1, ..DOWN.faults },
        ..DOWN
    }),
    Setting::Down(down::Setting {
        name: "epoch",
        messages: 3,
        wishes: 1,
        faults: down::Faults { breaks: 1, crashes: 1, echoes: 1, restarts: 1 },
        ..DOWN
    }),
    Setting::Down(down::Setting {
        name: "window",
        messages: 6,
        subjects: 1,
        octets: 300_000,
        kept: 3,
        faults: down::Faults { breaks: 1, crashes: 1, ..DOWN.faults },
        ..DOWN
    }),
];

impl Setting {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Up(setting) => setting.name,
            Self::Down(setting) => setting.name,
        }
    }

    /// Looks at all of it.
    pub fn explore(&self, bug: Bug, order: Order, threads: usize) -> Outcome {
        match *self {
            Self::Up(setting) => explore(up::Upwards { setting, bug }, order, threads),
            Self::Down(setting) => explore(down::Downwards { setting, bug }, order, threads),
        }
    }

    /// Whether every schedule comes to an end, and how many different states there are.
    pub fn ends(&self) -> (bool, usize) {
        let bug = Bug::NONE;
        match *self {
            Self::Up(setting) => run::ends(&up::Upwards { setting, bug }),
            Self::Down(setting) => run::ends(&down::Downwards { setting, bug }),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = match self {
            Self::Up(up::Setting { name, clients, messages, window, slow_hooks, faults, .. }) => {
                let hooks = if *slow_hooks { ", slow hooks" } else { "" };
                write!(f, "up, {name}: {clients} × {messages} messages, window {window}{hooks}")?;
                format!("{faults:?}")
            }
            Self::Down(down::Setting { name, messages, subjects, octets, kept, wishes, faults }) => {
                write!(f, "down, {name}: {messages} messages of {octets} octets to {subjects} subjects, ")?;
                write!(f, "{kept} kept, {wishes} wishes")?;
                format!("{faults:?}")
            }
        };
        write!(f, "; {}", faults.trim_start_matches("Faults").trim_matches(['{', '}', ' ']))
    }
}
