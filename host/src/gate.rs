//! What one address may have and do: connections at a time, new ones a second, and such as say nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use everwire_core::{Duration, Instant};

use crate::order::LinkId;

/// A burst is so many seconds' worth.
const BURST_SECONDS: u64 = 5;
const SECOND: u64 = 1_000_000;
/// What is known of addresses that have nothing open is let go beyond so many: a flood from everywhere fills no memory.
const REMEMBERED_MAX: usize = 10_000;

/// The limits of a [`Gate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Connections at a time.
    pub connections_max: usize,
    /// Of one address (IPv6: of one /64).
    pub connections_per_address: usize,
    /// Of one address, such as have not come to their `welcome`.
    pub greeting_per_address: usize,
    /// New connections a second of one address, beyond a burst of five times as many.
    pub connects_per_second: u32,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address: 10_000,
            greeting_per_address: 256,
            connects_per_second: 50,
        }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server has enough connections: 503.
    Full,
    /// This address has: 429.
    AddressFull,
    /// It connects too often, and may again after so long: 429.
    TooFast(Duration),
}

#[derive(Debug)]
struct Address {
    open: usize,
    greeting: usize,
    /// Microseconds that it has saved up; a connection costs its share of a second.
    saved: u64,
    saved_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    address: Option<IpAddr>,
    greeting: bool,
}

/// Counts who is in and lets others in or not.
#[derive(Debug)]
pub struct Gate {
    limits: GateLimits,
    places: BTreeMap<LinkId, Place>,
    addresses: BTreeMap<IpAddr, Address>,
}

impl Gate {
    /// With nobody in.
    pub fn new(limits: GateLimits) -> Self {
        Self { limits, places: BTreeMap::new(), addresses: BTreeMap::new() }
    }

    /// Somebody would come in. Who has no address is held against [`GateLimits::connections_max`] alone.
    pub fn enter(&mut self, link: LinkId, address: Option<IpAddr>, now: Instant) -> Result<(), Refused> {
        let address = address.map(network);
        if let Some(address) = address {
            self.admit(address, now)?;
        }
        if self.places.len() >= self.limits.connections_max {
            return Err(Refused::Full);
        }
        if let Some(of) = address.and_then(|address| self.addresses.get_mut(&address)) {
            of.open += 1;
            of.greeting += 1;
        }
        self.places.insert(link, Place { address, greeting: true });
        Ok(())
    }

    /// It has come to its `welcome`.
    pub fn greeted(&mut self, link: LinkId) {
        let Some(place) = self.places.get_mut(&link) else { return };
        if std::mem::take(&mut place.greeting)
            && let Some(of) = place.address.and_then(|address| self.addresses.get_mut(&address))
        {
            of.greeting -= 1;
        }
    }

    /// It has gone.
    pub fn left(&mut self, link: LinkId) {
        self.greeted(link);
        let Some(place) = self.places.remove(&link) else { return };
        if let Some(of) = place.address.and_then(|address| self.addresses.get_mut(&address)) {
            of.open -= 1;
        }
    }

    fn admit(&mut self, address: IpAddr, now: Instant) -> Result<(), Refused> {
        let each = SECOND / u64::from(self.limits.connects_per_second.max(1));
        let most = BURST_SECONDS * SECOND;
        if self.addresses.len() >= REMEMBERED_MAX && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, of| of.open > 0);
        }
        let of = self.addresses.entry(address).or_insert(Address {
            open: 0,
            greeting: 0,
            saved: most,
            saved_at: now,
        });
        of.saved = of.saved.saturating_add(now.since(of.saved_at).as_micros()).min(most);
        of.saved_at = now;
        let Some(left) = of.saved.checked_sub(each) else {
            return Err(Refused::TooFast(Duration::from_micros(each - of.saved)));
        };
        of.saved = left;
        if of.open >= self.limits.connections_per_address || of.greeting >= self.limits.greeting_per_address {
            return Err(Refused::AddressFull);
        }
        Ok(())
    }
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

    fn gate() -> Gate {
        Gate::new(GateLimits {
            connections_max: 5,
            connections_per_address: 3,
            greeting_per_address: 2,
            connects_per_second: 2,
        })
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some([127, 0, 0, last].into())
    }

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    #[test]
    fn places_are_given_back() {
        let mut gate = gate();
        gate.enter(LinkId(1), address(1), at(0)).unwrap();
        gate.enter(LinkId(2), address(1), at(0)).unwrap();
        assert_eq!(gate.enter(LinkId(3), address(1), at(0)), Err(Refused::AddressFull), "two say nothing");
        gate.greeted(LinkId(1));
        gate.greeted(LinkId(1));
        gate.enter(LinkId(4), address(1), at(0)).unwrap();
        gate.left(LinkId(4));
        gate.left(LinkId(4));
        gate.left(LinkId(1));
        gate.enter(LinkId(5), address(1), at(0)).unwrap();
        assert_eq!(gate.places.len(), 2);
        for link in 0..9 {
            gate.left(LinkId(link));
        }
        assert!(gate.addresses.values().all(|of| (of.open, of.greeting) == (0, 0)) && gate.places.is_empty());
    }

    #[test]
    fn one_address_leaves_places_to_others() {
        let mut gate = gate();
        for (link, last) in (1..).zip([1, 1, 1, 2, 2]) {
            gate.enter(LinkId(link), address(last), at(0)).unwrap();
            gate.greeted(LinkId(link));
        }
        assert_eq!(gate.enter(LinkId(6), address(1), at(0)), Err(Refused::AddressFull));
        assert_eq!(gate.enter(LinkId(7), address(3), at(0)), Err(Refused::Full));
        gate.left(LinkId(1));
        gate.enter(LinkId(8), address(3), at(0)).unwrap();
    }

    #[test]
    fn so_many_connects_a_second() {
        let mut gate = gate();
        for link in 0..10 {
            gate.enter(LinkId(link), address(1), at(0)).unwrap();
            gate.left(LinkId(link));
        }
        let wait = Refused::TooFast(Duration::from_millis(500));
        assert_eq!(gate.enter(LinkId(11), address(1), at(0)), Err(wait));
        gate.enter(LinkId(12), address(2), at(0)).unwrap();
        assert!(gate.enter(LinkId(13), address(1), at(499)).is_err());
        gate.enter(LinkId(14), address(1), at(500)).unwrap();
        assert!(gate.enter(LinkId(15), address(1), at(500)).is_err());
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let [one, other, foreign] =
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(|text| network(text.parse().unwrap()));
        assert!(one == other && one != foreign);
        assert_eq!(network("::ffff:127.0.0.1".parse().unwrap()), IpAddr::from([127, 0, 0, 1]));
    }
}
