//! Numbers that mostly follow one another, as they cross the boundary: a list of its own for each frame costs a page as much
//! as the parsing of ten messages, and what does not fit into a few octets is memory that its collector has to count.

use js_sys::Float64Array;

/// Runs of tuples: the first of each run, and how many there are, each of whose numbers is one more than in the one before.
#[derive(Default)]
pub(super) struct Runs(Vec<f64>);

impl Runs {
    /// Puts one in, behind the others. All that are put in have as many numbers.
    pub(super) fn push(&mut self, next: &[f64]) {
        let run = self.0.len().checked_sub(next.len() + 1).and_then(|at| self.0.get_mut(at..));
        if let Some([first @ .., many]) = run
            && first.iter().zip(next).all(|(first, next)| *first + *many == *next)
        {
            *many += 1.0;
            return;
        }
        self.0.extend_from_slice(next);
        self.0.push(1.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the host takes them; none are left.
    pub(super) fn take(&mut self) -> Float64Array {
        let all = Float64Array::from(self.0.as_slice());
        self.0.clear();
        all
    }
}

/// What a host has put together the same way, of single numbers.
pub(super) fn numbers(runs: &[f64]) -> impl Iterator<Item = u64> {
    runs.chunks_exact(2).flat_map(|run| {
        let (first, many) = (run[0] as u64, run[1] as u64);
        first..first + many
    })
}
