//! How often somebody may try to be let in.
//!
//! Tokens are too long to be guessed; this keeps the attempt from costing us anything. Failures are
//! counted per address, in a map that cannot grow: who has many addresses gets many attempts, and
//! never our memory or disk.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use jiff::Timestamp;

/// So many failures within [`WINDOW`] are one too many for the next attempt.
pub const FAILURES: u32 = 10;
/// From the first failure.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// How many addresses are remembered.
pub const ADDRESSES: usize = 1024;
/// So many failures within [`WINDOW`], whosever they are, are put on record.
pub const RECORDED: u32 = 200;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Throttle {
    of: HashMap<Option<IpAddr>, Count>,
    all: Option<Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Timestamp,
    failures: u32,
}

impl Count {
    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set back must lock nobody out for long.
        now < self.since || self.since.checked_add(WINDOW).is_ok_and(|end| now >= end)
    }

    fn more(known: Option<Self>, now: Timestamp) -> Self {
        match known.filter(|known| !known.is_over(now)) {
            Some(known) => Self { failures: known.failures.saturating_add(1), ..known },
            None => Self { since: now, failures: 1 },
        }
    }
}

impl Throttle {
    /// Whether an attempt may be made; else, how long to wait.
    ///
    /// # Errors
    ///
    /// For how long none may be made.
    pub fn admit(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        let known = self.of.get(&block(from)).filter(|known| !known.is_over(now));
        let Some(known) = known.filter(|known| known.failures >= FAILURES) else { return Ok(()) };
        let end = known.since.checked_add(WINDOW).unwrap_or(now);
        Err(Duration::try_from(end.duration_since(now)).unwrap_or(WINDOW))
    }

    /// Counts an attempt that failed. Whether it is to be put on record.
    pub fn failed(&mut self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let key = block(from);
        if !self.of.contains_key(&key) && self.of.len() >= ADDRESSES {
            self.make_room(now);
        }
        let count = Count::more(self.of.get(&key).copied(), now);
        self.of.insert(key, count);
        let all = Count::more(self.all, now);
        self.all = Some(all);
        all.failures <= RECORDED
    }

    /// Forgets the failures of an address from which somebody was let in.
    pub fn succeeded(&mut self, from: Option<IpAddr>) {
        self.of.remove(&block(from));
    }

    fn make_room(&mut self, now: Timestamp) {
        self.of.retain(|_, count| !count.is_over(now));
        if self.of.len() < ADDRESSES {
            return;
        }
        let oldest = self.of.iter().min_by_key(|(_, count)| count.since).map(|(key, _)| *key);
        if let Some(oldest) = oldest {
            self.of.remove(&oldest);
        }
    }
}

/// Of IPv6, whoever has one address has the other 2^64 of its network as well.
fn block(from: Option<IpAddr>) -> Option<IpAddr> {
    Some(match from?.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{T0, at};

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn failing(throttle: &mut Throttle, from: Option<IpAddr>, times: u32) {
        for _ in 0..times {
            throttle.failed(from, T0);
        }
    }

    #[test]
    fn after_too_many_failures_an_address_waits_for_the_end_of_the_window() {
        let mut throttle = Throttle::default();
        failing(&mut throttle, address("192.0.2.1"), FAILURES - 1);
        assert_eq!(throttle.admit(address("192.0.2.1"), T0), Ok(()));
        failing(&mut throttle, address("192.0.2.1"), 1);
        assert_eq!(throttle.admit(address("192.0.2.1"), T0), Err(WINDOW));
        assert_eq!(throttle.admit(address("192.0.2.1"), at(899)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.admit(address("192.0.2.1"), at(900)), Ok(()));
        assert_eq!(throttle.admit(address("192.0.2.2"), T0), Ok(()), "others do not wait");
    }

    #[test]
    fn who_was_let_in_begins_anew() {
        let mut throttle = Throttle::default();
        failing(&mut throttle, address("192.0.2.1"), FAILURES - 1);
        throttle.succeeded(address("192.0.2.1"));
        failing(&mut throttle, address("192.0.2.1"), FAILURES - 1);
        assert_eq!(throttle.admit(address("192.0.2.1"), T0), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_one_is_what_it_maps() {
        let mut throttle = Throttle::default();
        failing(&mut throttle, address("2001:db8::1"), FAILURES);
        assert!(throttle.admit(address("2001:db8::ffff"), T0).is_err());
        assert!(throttle.admit(address("2001:db8:0:1::1"), T0).is_ok());
        failing(&mut throttle, address("::ffff:192.0.2.1"), FAILURES);
        assert!(throttle.admit(address("192.0.2.1"), T0).is_err());
    }

    #[test]
    fn however_many_addresses_fail_no_more_are_remembered_than_there_is_room_for() {
        let mut throttle = Throttle::default();
        for n in 0..(ADDRESSES as u32 + 500) {
            throttle.failed(Some(IpAddr::V4((0x0a00_0000 + n).into())), at(i64::from(n / 100)));
        }
        assert_eq!(throttle.of.len(), ADDRESSES);
    }

    #[test]
    fn a_flood_of_failures_is_put_on_record_only_so_often() {
        let mut throttle = Throttle::default();
        let recorded = (0..RECORDED + 100)
            .filter(|n| throttle.failed(Some(IpAddr::V4((0x0a00_0000 + n).into())), T0))
            .count();
        assert_eq!(recorded, RECORDED as usize);
        assert!(throttle.failed(None, at(900)));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut throttle = Throttle::default();
        failing(&mut throttle, address("192.0.2.1"), FAILURES);
        assert_eq!(throttle.admit(address("192.0.2.1"), at(-1)), Ok(()));
    }
}
