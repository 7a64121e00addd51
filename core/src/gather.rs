//! What the client does with vectors, without panics that have a text to format: those would link `core::fmt` for numbers.

use core::mem;

/// As `collect`, for the client's half: that of the standard library is 350 bytes of WebAssembly for each kind of iterator,
/// this is 100. It grows as it goes.
pub(crate) fn gather<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        list.push(item);
    }
    list
}

/// Takes out the item at this place, if there is one.
pub(crate) fn take_at<T>(list: &mut Vec<T>, at: usize) -> Option<T> {
    let mut items = list.iter_mut().skip(at);
    let mut hole = items.next()?;
    for item in items {
        mem::swap(hole, item);
        hole = item;
    }
    list.pop()
}

/// Puts an item at this place, or behind all if there are fewer.
pub(crate) fn put_at<T>(list: &mut Vec<T>, at: usize, item: T) {
    let behind = list.len().saturating_sub(at);
    list.push(item);
    let mut items = list.iter_mut().rev();
    let Some(mut hole) = items.next() else { return };
    for item in items.take(behind) {
        mem::swap(hole, item);
        hole = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order() {
        for many in 0..5 {
            for at in 0..7 {
                let (mut list, mut model): (Vec<_>, Vec<_>) = ((0..many).collect(), (0..many).collect());
                assert_eq!(take_at(&mut list, at), (at < model.len()).then(|| model.remove(at)));
                assert_eq!(list, model);
                put_at(&mut list, at, 9);
                model.insert(at.min(model.len()), 9);
                assert_eq!(list, model);
            }
        }
    }
}
