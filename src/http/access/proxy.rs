//! Users whom a trusted proxy names.
//!
//! *Invariant:* the header counts only in a request whose connection comes from a listed address,
//! and nothing behind the guard ever sees it: [`take`] takes it out, whoever sent it.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};

use crate::config::ProxyConfig;
use crate::domain::access::{Means, Who};

/// The longest name of a user, in characters.
const LONGEST: usize = 128;

/// What a request says of a proxy's user.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing, or nothing that counts.
    Nothing,
    /// This user.
    User(Who),
    /// The proxy names several users, or none by a name that could be one.
    Nonsense,
}

/// Takes the header out, and reads it if the connection comes from the proxy.
pub(super) fn take(
    config: Option<&ProxyConfig>,
    headers: &mut HeaderMap,
    peer: Option<IpAddr>,
) -> Said {
    let Some(config) = config else { return Said::Nothing };
    let values: Vec<HeaderValue> = headers.get_all(&config.user_header).iter().cloned().collect();
    headers.remove(&config.user_header);
    if !is_proxy(config, peer) {
        return Said::Nothing;
    }
    match values.as_slice() {
        [] => Said::Nothing,
        [value] => user(config, headers, value, peer).map_or(Said::Nonsense, Said::User),
        _ => Said::Nonsense,
    }
}

/// Where a request came from: the last address in `X-Forwarded-For` that is no trusted proxy's own,
/// or the connection's other end. Each proxy adds at the end whom it has heard, so what stands before
/// the word of one that is not trusted, anybody may have written.
pub(super) fn origin(
    config: Option<&ProxyConfig>,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Option<IpAddr> {
    let Some(config) = config else { return peer };
    let said: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .collect();
    let mut from = peer;
    for hop in said.into_iter().rev() {
        if !is_proxy(config, from) {
            break;
        }
        let Some(address) = address(hop.trim()) else { break };
        from = Some(address.to_canonical());
    }
    from
}

/// An address as proxies write it: some add the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip()).ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

fn is_proxy(config: &ProxyConfig, peer: Option<IpAddr>) -> bool {
    peer.is_some_and(|peer| config.from.iter().any(|network| network.covers(peer)))
}

fn user(
    config: &ProxyConfig,
    headers: &HeaderMap,
    value: &HeaderValue,
    peer: Option<IpAddr>,
) -> Option<Who> {
    let name = std::str::from_utf8(value.as_bytes()).ok()?.trim();
    // Two headers of one name may have been joined on the way, and no user has a comma.
    let fits = !name.is_empty()
        && name.chars().count() <= LONGEST
        && !name.chars().any(|char| char.is_control() || char == ',');
    if !fits {
        return None;
    }
    let role = config.roles.get(name).copied().unwrap_or(config.role);
    let from = origin(Some(config), headers, peer);
    Some(Who { name: name.to_owned(), role, means: Means::Proxy, from })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;

    fn config() -> ProxyConfig {
        ProxyConfig {
            from: vec!["10.0.0.0/30".parse().unwrap()],
            user_header: http::HeaderName::from_static("x-forwarded-user"),
            role: Role::Viewer,
            roles: [("kim".to_owned(), Role::Operator)].into(),
        }
    }

    fn said(peer: &str, headers: &[(&'static str, &[u8])]) -> Said {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let said = take(Some(&config()), &mut map, Some(peer.parse().unwrap()));
        assert!(!map.contains_key("x-forwarded-user"), "it is taken out");
        said
    }

    const KIM: (&str, &[u8]) = ("x-forwarded-user", b"kim");

    fn role_of(said: Said) -> Option<Role> {
        match said {
            Said::User(who) => Some(who.role),
            _ => None,
        }
    }

    #[test]
    fn the_proxys_word_counts_and_nobody_elses() {
        assert_eq!(role_of(said("10.0.0.3", &[KIM])), Some(Role::Operator));
        assert_eq!(role_of(said("::ffff:10.0.0.3", &[KIM])), Some(Role::Operator));
        assert_eq!(said("10.0.0.4", &[KIM]), Said::Nothing);
        assert_eq!(said("127.0.0.1", &[KIM]), Said::Nothing);
        assert_eq!(said("10.0.0.3", &[]), Said::Nothing);
    }

    #[test]
    fn a_user_who_is_not_named_has_the_role_of_all() {
        assert_eq!(role_of(said("10.0.0.1", &[("x-forwarded-user", b"lee")])), Some(Role::Viewer));
        assert_eq!(role_of(said("10.0.0.1", &[("x-forwarded-user", b"KIM")])), Some(Role::Viewer));
    }

    #[test]
    fn two_users_or_no_name_are_nonsense() {
        let long = [b'x'; LONGEST + 1];
        let values: [&[u8]; 5] = [b"", b" ", b"kim, root", &[0xff, 0xfe], &long];
        for value in values {
            assert_eq!(said("10.0.0.1", &[("x-forwarded-user", value)]), Said::Nonsense);
        }
        assert_eq!(said("10.0.0.1", &[KIM, ("x-forwarded-user", b"root")]), Said::Nonsense);
        assert!(matches!(
            said("10.0.0.1", &[("x-forwarded-user", &long[..LONGEST])]),
            Said::User(_)
        ));
    }

    #[test]
    fn where_a_request_came_from_is_the_last_address_that_is_no_proxys() {
        let from = |peer: &str, value: &str| {
            let mut headers = HeaderMap::new();
            for line in value.lines() {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            origin(Some(&config()), &headers, Some(peer.parse().unwrap())).unwrap().to_string()
        };
        assert_eq!(from("10.0.0.1", "198.51.100.9, 192.0.2.7"), "192.0.2.7");
        for through_two in [
            "198.51.100.9, 192.0.2.7, 10.0.0.2",
            "198.51.100.9\n192.0.2.7,10.0.0.2\n10.0.0.3",
            "192.0.2.7, ::ffff:10.0.0.2",
            "192.0.2.7:4711, 10.0.0.2:80",
        ] {
            assert_eq!(from("10.0.0.1", through_two), "192.0.2.7", "{through_two}");
        }
        assert_eq!(from("10.0.0.1", "[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(from("10.0.0.1", "[2001:db8::1]"), "2001:db8::1");
        assert_eq!(from("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3", "proxies all the way");
        assert_eq!(from("10.0.0.1", "192.0.2.7, unknown"), "10.0.0.1", "no further than is known");
        assert_eq!(from("10.0.0.1", "192.0.2.7, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(from("10.0.0.1", "unknown"), "10.0.0.1");
        assert_eq!(from("10.0.0.9", "192.0.2.7"), "10.0.0.9", "anybody may write it");
    }
}
