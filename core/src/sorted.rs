//! A map on a sorted vector, for keys that mostly come in ascending order.
//!
//! The standard library's ordered map costs 6 to 8 KB of WebAssembly for each type of key and value; the whole machine
//! of a page has to weigh less than ten of those.

use core::{fmt, ops};

use crate::gather::put_at;

/// An ordered map. A key above all others is put in and the first is taken out in constant time, whatever else is removed
/// in constant time behind a binary search, all of it amortised; only a key that is put in between others moves those
/// behind it.
///
/// What has been removed leaves a hole, and the holes go when they are more than what is left: so handlers that end
/// in any order while the first one hangs cost neither time nor memory.
#[derive(Clone)]
pub struct SortedMap<K, V> {
    /// Ascending.
    slots: Vec<(K, Option<V>)>,
    /// All below are holes, and this one is none if there is an entry at all.
    head: usize,
    len: usize,
    /// Where the next range is likely to begin: behind the beginning of the last.
    next: usize,
}

/// Fewer holes are not worth a move.
const HOLES_KEPT: usize = 8;

impl<K, V> SortedMap<K, V> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), head: 0, len: 0, next: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let live = self.slots.get(self.head..).unwrap_or_default();
        live.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    fn iter_mut(&mut self, from: usize) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        let live = self.slots.get_mut(from..).unwrap_or_default();
        live.iter_mut().filter_map(|(key, value)| Some((&*key, value.as_mut()?)))
    }

    /// The keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.iter_mut(self.head).map(|(_, value)| value)
    }

    /// Takes the entry with the lowest key.
    pub fn pop_first(&mut self) -> Option<(K, V)>
    where
        K: Clone,
    {
        let (key, value) = self.slots.get_mut(self.head)?;
        let (key, value) = (key.clone(), value.take()?);
        self.removed();
        Some((key, value))
    }

    /// Behind the removal of one.
    fn removed(&mut self) {
        self.len -= 1;
        if self.len == 0 {
            self.slots.clear();
            self.head = 0;
        } else if self.slots.len() - self.len > self.len + HOLES_KEPT {
            self.slots.retain(|(_, value)| value.is_some());
            self.head = 0;
        } else {
            while self.slots.get(self.head).is_some_and(|(_, value)| value.is_none()) {
                self.head += 1;
            }
        }
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    fn find(&self, key: &K) -> Result<usize, usize> {
        // Most leave in the order in which they came.
        if self.slots.get(self.head).is_some_and(|(first, _)| first == key) {
            return Ok(self.head);
        }
        self.slots.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// Where a key is that may have an entry: what is below the first of them has none.
    fn seek(&self, key: &K) -> Option<usize> {
        self.slots.get(self.head).filter(|(first, _)| first <= key)?;
        self.find(key).ok()
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.slots.get(self.seek(key)?)?.1.as_ref()
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.seek(key)?;
        self.slots.get_mut(at)?.1.as_mut()
    }

    /// Whether there is such an entry.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The entries from this key on, ascending.
    pub fn range_mut(&mut self, from: ops::RangeFrom<K>) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        let at = match self.slots.get(self.next) {
            Some((key, _)) if *key == from.start => self.next,
            _ => self.find(&from.start).unwrap_or_else(|at| at),
        };
        self.next = at + 1;
        self.iter_mut(at)
    }

    /// The place of a key, which is a hole if there was no such entry.
    fn place(&mut self, key: K) -> &mut Option<V> {
        let at = match self.slots.last() {
            Some((last, _)) if *last >= key => self.find(&key),
            _ => Err(self.slots.len()),
        };
        let at = match at {
            Ok(at) => at,
            Err(at) => {
                put_at(&mut self.slots, at, (key, None));
                at
            }
        };
        let Some((_, place)) = self.slots.get_mut(at) else { unreachable!("it has just been put there") };
        if place.is_none() {
            self.len += 1;
            self.head = self.head.min(at);
        }
        place
    }

    /// Puts an entry in; answers the value that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.place(key).replace(value)
    }

    /// The value of a key, which is put in first if it is not there.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.place(key).get_or_insert_default()
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.seek(key)?;
        let value = self.slots.get_mut(at)?.1.take()?;
        self.removed();
        Some(value)
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SortedMap<K, V> {}

impl<K: Ord, V> ops::Index<&K> for SortedMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("no entry of this key")
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One handler hangs while a million others come and go.
    #[test]
    fn holes_take_no_room() {
        let mut map = SortedMap::new();
        map.insert(0u32, ());
        for key in 1..1_000_000 {
            map.insert(key, ());
            assert_eq!(map.remove(&key), Some(()));
            assert!(map.slots.len() <= 2 * map.len() + HOLES_KEPT);
        }
        assert_eq!(map.pop_first(), Some((0, ())));
        assert!(map.slots.is_empty());
    }
}
