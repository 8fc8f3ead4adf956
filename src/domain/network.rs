//! A block of addresses, such as `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// See the [module](self). An address alone is a block of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoNetwork {
    /// It is something else.
    #[error("it is neither an address nor a block of addresses")]
    Form,
    /// It is a block that is written with an address in the middle of it.
    #[error("the block is written {0}")]
    Middle(Network),
}

impl Network {
    /// Whether an address is in the block. A mapped address (`::ffff:10.0.0.1`) is what it maps.
    pub fn covers(&self, address: IpAddr) -> bool {
        let whole = bits(self.address);
        let (mine, other) = (whole, bits(address.to_canonical()));
        mine.1 == other.1 && (mine.0 ^ other.0) & mask(self.prefix, mine.1) == 0
    }

    /// Whether every address of its kind is in the block.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn mask(prefix: u8, width: u8) -> u128 {
    let all = if width == 32 { u128::from(u32::MAX) } else { u128::MAX };
    let free = u32::from(width.saturating_sub(prefix));
    all & all.checked_shl(free).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork::Form)?;
        let (number, width) = bits(address);
        let prefix = match prefix {
            None => width,
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().ok().filter(|prefix| *prefix <= width).ok_or(NoNetwork::Form)?
            }
            Some(_) => return Err(NoNetwork::Form),
        };
        let begin = number & mask(prefix, width);
        if begin != number {
            let address = match u32::try_from(begin) {
                Ok(begin) if width == 32 => IpAddr::V4(begin.into()),
                _ => IpAddr::V6(begin.into()),
            };
            return Err(NoNetwork::Middle(Self { address, prefix }));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn covers(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().covers(address.parse().unwrap())
    }

    #[test]
    fn a_block_ends_where_its_prefix_says() {
        assert!(covers("10.0.0.0/8", "10.255.255.255"));
        assert!(!covers("10.0.0.0/8", "11.0.0.0"));
        assert!(covers("192.0.2.4/30", "192.0.2.7"));
        assert!(!covers("192.0.2.4/30", "192.0.2.8"));
        assert!(covers("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!covers("2001:db8::/33", "2001:db8:8000::1"));
    }

    #[test]
    fn an_address_alone_is_a_block_of_one() {
        assert!(covers("192.0.2.1", "192.0.2.1") && !covers("192.0.2.1", "192.0.2.2"));
        assert!(covers("::1", "::1") && !covers("::1", "::2"));
    }

    #[test]
    fn a_mapped_address_is_what_it_maps_and_kinds_are_not_mixed() {
        assert!(covers("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(!covers("0.0.0.0/0", "::1"));
        assert!(!covers("::/0", "192.0.2.1"));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for wrong in ["", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "proxy", "10.0.0"] {
            assert_eq!(wrong.parse::<Network>(), Err(NoNetwork::Form), "{wrong}");
        }
        let told = "10.1.2.3/8".parse::<Network>().unwrap_err().to_string();
        assert_eq!(told, "the block is written 10.0.0.0/8");
    }
}
