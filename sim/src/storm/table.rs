//! What was measured, for people and for programs.

use std::fmt::Write as _;

use everwire_core::Duration;

use super::{Outcome, Storm, Who};

/// Rows in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    storm: Storm,
    who: Who,
    outcome: Outcome,
    /// How long the simulation of it took, in seconds.
    took: f64,
}

impl Row {
    fn each(&self) -> f64 {
        self.outcome.attempts as f64 / f64::from(self.storm.clients)
    }

    fn over(&self, peak: u32) -> f64 {
        f64::from(peak) / f64::from(self.storm.accepts_per_second)
    }
}

fn secs(span: Duration) -> f64 {
    span.as_millis_f64() / 1000.0
}

impl Table {
    /// What the columns mean and what was assumed.
    pub fn heading(storm: &Storm) -> String {
        let Storm { clients, accepts_per_second, seed, .. } = storm;
        format!(
            "{clients} clients lose one server at once; it accepts {accepts_per_second}/s, queues one second's worth, refuses the rest.\n\
             W = clients ÷ accepts = {:.1} s; nobody is faster than the floor, outage + W. Round trip 50 ms, seed {seed}.\n\
             Peaks: the most dials in one second ÷ accepts, after the server has come back, and at any time.\n\n\
             {:<26}{:>10}{:>12}{:>10}{:>10}{:>9}{:>9}{:>10}{:>11}{:>8}",
            secs(storm.window()),
            "",
            "outage s",
            "dials each",
            "peak up",
            "peak any",
            "99 % s",
            "all s",
            "floor s",
            "gave up %",
            "run s",
        )
    }

    /// Adds a row; returns it as text.
    pub fn add(&mut self, storm: Storm, who: Who, outcome: Outcome, took: f64) -> String {
        let row = Row { storm, who, outcome, took };
        let time =
            |span: Option<Duration>| span.map_or("never".to_owned(), |span| format!("{:.1}", secs(span)));
        let text = format!(
            "{:<26}{:>10}{:>12.2}{:>10.1}{:>10.1}{:>9}{:>9}{:>10.1}{:>11.1}{:>8.1}",
            who.name(),
            secs(storm.down),
            row.each(),
            row.over(outcome.peak_up),
            row.over(outcome.peak),
            time(outcome.back_most),
            time(outcome.back_all),
            secs(storm.floor()),
            f64::from(outcome.gave_up) * 100.0 / f64::from(storm.clients),
            took,
        );
        self.rows.push(row);
        text
    }

    /// The rows as JSON: `{"storms":[{…}…]}`, times in seconds, `null` for what never happened.
    pub fn json(&self) -> String {
        let mut json = String::from("{\"storms\":[");
        for (at, row) in self.rows.iter().enumerate() {
            let Row { storm, who, outcome, took } = row;
            let time = |span: Option<Duration>| span.map_or("null".to_owned(), |span| secs(span).to_string());
            let written = write!(
                json,
                "{}\n{{\"rule\":\"{}\",\"clients\":{},\"acceptsPerSecond\":{},\"down\":{},\"window\":{},\"floor\":{},\
                 \"attempts\":{},\"attemptsPerClient\":{},\"peakUpOverCapacity\":{},\"peakOverCapacity\":{},\
                 \"back99\":{},\"backAll\":{},\"gaveUp\":{},\"linksMax\":{},\"bytesPerClient\":{},\"seed\":{},\"took\":{took:.3}}}",
                if at == 0 { "" } else { "," },
                who.name(),
                storm.clients,
                storm.accepts_per_second,
                secs(storm.down),
                secs(storm.window()),
                secs(storm.floor()),
                outcome.attempts,
                row.each(),
                row.over(outcome.peak_up),
                row.over(outcome.peak),
                time(outcome.back_most),
                time(outcome.back_all),
                outcome.gave_up,
                outcome.links_max,
                outcome.bytes_each,
                storm.seed,
            );
            debug_assert!(written.is_ok(), "a String takes everything");
        }
        json.push_str("\n]}\n");
        json
    }
}
