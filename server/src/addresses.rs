//! What one address may have and do: connections at a time, new ones a second, and such as say nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A burst is so many seconds' worth.
const BURST_SECONDS: u32 = 5;
/// What is known of addresses that have nothing open is let go beyond so many: a flood from everywhere fills no memory.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) of_address: usize,
    pub(crate) greeting_of_address: usize,
    pub(crate) connects_per_second: u32,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The server has enough connections.
    Full,
    /// This address has.
    AddressFull,
    /// It connects too often; it may again after so long.
    TooFast(Duration),
}

#[derive(Debug)]
struct Address {
    open: usize,
    greeting: usize,
    tokens: f64,
    filled_at: Instant,
}

#[derive(Debug, Default)]
struct Books {
    open: usize,
    of: BTreeMap<IpAddr, Address>,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    limits: Limits,
    books: Arc<Mutex<Books>>,
}

/// A place that somebody has. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    books: Arc<Mutex<Books>>,
    address: Option<IpAddr>,
    greeting: bool,
}

impl Addresses {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, books: Arc::default() }
    }

    /// A place for somebody from here, if there is one.
    pub(crate) fn enter(&self, address: Option<IpAddr>, now: Instant) -> Result<Place, Refused> {
        let address = address.map(network);
        let mut books = locked(&self.books);
        if let Some(address) = address {
            self.enter_address(&mut books, address, now)?;
        }
        if books.open >= self.limits.connections {
            return Err(Refused::Full);
        }
        if let Some(of) = address.and_then(|address| books.of.get_mut(&address)) {
            of.open += 1;
            of.greeting += 1;
        }
        books.open += 1;
        Ok(Place { books: self.books.clone(), address, greeting: true })
    }

    fn enter_address(&self, books: &mut Books, address: IpAddr, now: Instant) -> Result<(), Refused> {
        let per_second = f64::from(self.limits.connects_per_second.max(1));
        let most = per_second * f64::from(BURST_SECONDS);
        if books.of.len() >= REMEMBERED_MAX && !books.of.contains_key(&address) {
            books.of.retain(|_, of| of.open > 0);
        }
        let of = books.of.entry(address).or_insert(Address {
            open: 0,
            greeting: 0,
            tokens: most,
            filled_at: now,
        });
        let fresh = now.saturating_duration_since(of.filled_at).as_secs_f64() * per_second;
        (of.tokens, of.filled_at) = ((of.tokens + fresh).min(most), now);
        if of.tokens < 1.0 {
            return Err(Refused::TooFast(Duration::from_secs_f64((1.0 - of.tokens) / per_second)));
        }
        of.tokens -= 1.0;
        if of.open >= self.limits.of_address || of.greeting >= self.limits.greeting_of_address {
            return Err(Refused::AddressFull);
        }
        Ok(())
    }
}

impl Place {
    /// It has said `hello`, and is known.
    pub(crate) fn greeted(&mut self) {
        if !std::mem::take(&mut self.greeting) {
            return;
        }
        let mut books = locked(&self.books);
        if let Some(of) = self.address.and_then(|address| books.of.get_mut(&address)) {
            of.greeting -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.greeted();
        let mut books = locked(&self.books);
        books.open -= 1;
        if let Some(of) = self.address.and_then(|address| books.of.get_mut(&address)) {
            of.open -= 1;
        }
    }
}

/// Counters have no half states.
fn locked(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { connections: 5, of_address: 3, greeting_of_address: 2, connects_per_second: 2 }
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some([127, 0, 0, last].into())
    }

    #[test]
    fn places_are_given_back() {
        let (addresses, now) = (Addresses::new(limits()), Instant::now());
        let mut first = addresses.enter(address(1), now).unwrap();
        let _second = addresses.enter(address(1), now).unwrap();
        assert_eq!(addresses.enter(address(1), now).unwrap_err(), Refused::AddressFull, "two say nothing");
        first.greeted();
        first.greeted();
        let third = addresses.enter(address(1), now).unwrap();
        drop(third);
        drop(first);
        let _again = addresses.enter(address(1), now).unwrap();
        assert_eq!(locked(&addresses.books).open, 2);
    }

    #[test]
    fn one_address_leaves_places_to_others() {
        let (addresses, now) = (Addresses::new(limits()), Instant::now());
        let enter = |last| addresses.enter(address(last), now).map(|mut place| {
            place.greeted();
            place
        });
        let kept: Vec<_> = [1, 1, 1, 2, 2].map(|last| enter(last).unwrap()).into();
        assert_eq!(enter(1).unwrap_err(), Refused::AddressFull);
        assert_eq!(enter(3).unwrap_err(), Refused::Full);
        drop(kept);
        enter(3).unwrap();
    }

    #[test]
    fn so_many_connects_a_second() {
        let (addresses, now) = (Addresses::new(limits()), Instant::now());
        for _ in 0..10 {
            drop(addresses.enter(address(1), now).unwrap());
        }
        assert_eq!(
            addresses.enter(address(1), now).unwrap_err(),
            Refused::TooFast(Duration::from_millis(500))
        );
        addresses.enter(address(2), now).unwrap();
        let later = now + Duration::from_millis(600);
        drop(addresses.enter(address(1), later).unwrap());
        assert!(matches!(addresses.enter(address(1), later).unwrap_err(), Refused::TooFast(_)));
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let [one, other, foreign] = ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"]
            .map(|text| network(text.parse().unwrap()));
        assert!(one == other && one != foreign);
        assert_eq!(network("::ffff:127.0.0.1".parse().unwrap()), IpAddr::from([127, 0, 0, 1]));
    }
}
