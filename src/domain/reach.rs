//! Which addresses of the network a file may be fetched from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a fetch may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Addresses of the public internet.
    #[default]
    Public,
    /// Besides, those of private networks and of this machine. Never link-local ones, behind which
    /// clouds keep credentials of their machines.
    Private,
}

impl Reach {
    /// Whether an address is within reach.
    pub fn covers(self, address: IpAddr) -> bool {
        // A mapped address leads where the address in it leads.
        match address.to_canonical() {
            IpAddr::V4(v4) => is_public_v4(v4) || (self == Self::Private && is_private_v4(v4)),
            IpAddr::V6(v6) => is_public_v6(v6) || (self == Self::Private && is_private_v6(v6)),
        }
    }
}

/// Everything but the special blocks of the IANA registry.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(is_private_v4(address)
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    address.is_private() || address.is_loopback() || shared
}

/// Global unicast without what stands for something else: 6to4, Teredo, documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let special = first == 0x2001 && (second < 0x200 || second == 0x0db8)
        || first == 0x2002
        || first == 0x3fff && second < 0x1000;
    first & 0xe000 == 0x2000 && !special
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, ..] = address.segments();
    address.is_loopback() || first & 0xfe00 == 0xfc00
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], public: bool, private: bool) {
        for address in addresses {
            let parsed: IpAddr = address.parse().unwrap();
            let covers = [Reach::Public.covers(parsed), Reach::Private.covers(parsed)];
            assert_eq!(covers, [public, private], "{address}");
        }
    }

    #[test]
    fn public_addresses_are_within_every_reach() {
        check(
            &["8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.0.1", "100.128.0.1"],
            true,
            true,
        );
        check(
            &["2606:4700::1111", "2a00::1", "2001:4860:4860::8888", "::ffff:8.8.8.8"],
            true,
            true,
        );
    }

    #[test]
    fn private_ones_are_within_reach_only_if_somebody_said_so() {
        check(&["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"], false, true);
        check(&["127.0.0.1", "127.8.8.8", "100.64.0.1", "100.127.255.255"], false, true);
        check(&["::1", "fd00::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"], false, true);
    }

    #[test]
    fn others_never_are() {
        check(
            &["0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "255.255.255.255"],
            false,
            false,
        );
        check(
            &["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.0.0.1"],
            false,
            false,
        );
        check(&["240.0.0.1", "192.88.99.1", "::ffff:169.254.169.254"], false, false);
        check(
            &["::", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::1"],
            false,
            false,
        );
        check(&["2001::1", "64:ff9b::7f00:1", "::127.0.0.1", "3fff::1", "100::1"], false, false);
    }
}
