//! What is to come, in the order of its time.
//!
//! One heap of a million clients is out of every cache, and each step of it is a wait for memory. So the time is cut
//! into short days (a calendar queue, Brown 1988): what is to come is written under its day in any order, and a day is
//! sorted when it begins. What belongs to the same instant keeps the order in which it was entered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use everwire_core::Instant;

/// A day is 2¹² µs: with a million clients some hundred events, and shorter than half a round trip, so that what
/// follows from a dial falls on a later day.
const DAY_BITS: u32 = 12;
const DAY_MICROS: u64 = 1 << DAY_BITS;

/// The time of day, and what happens then.
type Entry<T> = (u32, T);

pub(crate) struct Calendar<T> {
    /// The day that runs, counted from the origin of time.
    day: u64,
    /// What was entered before it began, sorted; the first `done` of them have been taken.
    today: Vec<Entry<T>>,
    done: usize,
    /// What was entered for this day after it had begun; the number keeps the order.
    late: BinaryHeap<Reverse<(u32, u64, T)>>,
    entered_late: u64,
    /// The days after it on which something happens.
    days: BTreeMap<u64, Vec<Entry<T>>>,
    /// The leaves of past days, to be written on again.
    leaves: Vec<Vec<Entry<T>>>,
}

impl<T: Copy + Ord> Calendar<T> {
    /// An empty one; nothing may be entered for a time before `from`.
    pub(crate) fn new(from: Instant) -> Self {
        Self {
            day: day(from),
            today: Vec::new(),
            done: 0,
            late: BinaryHeap::new(),
            entered_late: 0,
            days: BTreeMap::new(),
            leaves: Vec::new(),
        }
    }

    /// Enters what happens at a time that is not in the past.
    pub(crate) fn enter(&mut self, at: Instant, what: T) {
        let (day, time) = (day(at), (at.as_micros() % DAY_MICROS) as u32);
        debug_assert!(day >= self.day, "entered for a day that is over");
        if day <= self.day {
            self.late.push(Reverse((time, self.entered_late, what)));
            self.entered_late += 1;
        } else {
            let leaves = &mut self.leaves;
            self.days.entry(day).or_insert_with(|| leaves.pop().unwrap_or_default()).push((time, what));
        }
    }

    /// Takes what comes next.
    pub(crate) fn next(&mut self) -> Option<(Instant, T)> {
        loop {
            let late = self.late.peek().map(|Reverse((time, ..))| *time);
            match self.today.get(self.done) {
                Some((time, what)) if late.is_none_or(|late| *time <= late) => {
                    self.done += 1;
                    return Some((self.at(*time), *what));
                }
                _ => {}
            }
            if let Some(Reverse((time, _, what))) = self.late.pop() {
                return Some((self.at(time), what));
            }
            self.turn()?;
        }
    }

    fn at(&self, time: u32) -> Instant {
        Instant::from_micros(self.day * DAY_MICROS + u64::from(time))
    }

    /// Turns over to the next day on which something happens; `None`: there is none.
    fn turn(&mut self) -> Option<()> {
        let (day, entries) = self.days.pop_first()?;
        let mut over = std::mem::replace(&mut self.today, entries);
        over.clear();
        self.leaves.push(over);
        self.day = day;
        self.done = 0;
        // Stable: at the same time the first that was entered is the first.
        self.today.sort_by_key(|(time, _)| *time);
        Some(())
    }
}

fn day(at: Instant) -> u64 {
    at.as_micros() >> DAY_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use everwire_core::Random;

    /// Against one sorted list, with events that lead to others: now, today, tomorrow, on the same instant, far ahead.
    #[test]
    fn everything_comes_in_the_order_of_its_time_and_then_of_its_entry() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut draw = |below: u64| random.next_u64() % below;
            let from = Instant::from_micros(draw(1 << 40));
            let mut calendar = Calendar::new(from);
            let mut naive: Vec<(Instant, u32)> = Vec::new();
            let (mut now, mut entered, mut taken) = (from, 0, 0);
            loop {
                for _ in 0..if entered < 500 { 1 + draw(3) } else { 0 } {
                    let widest = [1, 2, 50, DAY_MICROS, 2 * DAY_MICROS, 300 * DAY_MICROS][draw(6) as usize];
                    let at = Instant::from_micros(now.as_micros() + draw(widest));
                    // Its own order is against that of the entry, and must not count.
                    calendar.enter(at, Reverse(entered));
                    naive.push((at, entered));
                    entered += 1;
                }
                let first = naive.iter().copied().min();
                let next = calendar.next().map(|(at, Reverse(number))| (at, number));
                assert_eq!(next, first, "seed {seed}, after {taken} of {entered}");
                let Some(first) = first else { break };
                naive.retain(|event| *event != first);
                now = first.0;
                taken += 1;
            }
            assert!(taken == entered && entered >= 500);
        }
    }
}
