//! Networks: those of clients, which share an account, and those that are exempt.
//!
//! A file of its own since prefixes are arithmetic, and the configuration needs them too. All of it is done in the 128
//! bits of IPv6, where IPv4 is the mapped part.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::dns::context::mapped;

/// The prefix of clients that share an account: what one customer has at most, as NSD, Knot and BIND have it.
const CLIENTS_V4: u8 = 24;

/// The same for IPv6.
const CLIENTS_V6: u8 = 56;

/// How many bits of a mapped address precede the IPv4 address.
const MAPPED: u8 = 96;

/// A network: an address whose bits behind the prefix are zero, and the prefix' length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of all addresses whose first `prefix` bits are those of `address`; `None` if it has no so many.
    pub fn around(address: IpAddr, prefix: u8) -> Option<Self> {
        if prefix > width(address) {
            return None;
        }
        let address = match address {
            IpAddr::V4(v4) => {
                IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into())
            }
            IpAddr::V6(v6) => {
                IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
            }
        };
        Some(Self { address, prefix })
    }

    /// The network of one address.
    pub fn single(address: IpAddr) -> Self {
        Self { address, prefix: width(address) }
    }

    /// The network that `client` shares its account with.
    pub fn of_client(client: IpAddr) -> Self {
        let prefix = if client.is_ipv4() { CLIENTS_V4 } else { CLIENTS_V6 };
        Self::around(client, prefix).unwrap_or(Self::single(client))
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// From and to, both included.
    fn range(&self) -> (u128, u128) {
        let first = mapped(self.address).to_bits();
        let prefix = u32::from(self.prefix + if self.address.is_ipv4() { MAPPED } else { 0 });
        (first, first | u128::MAX.checked_shr(prefix).unwrap_or(0))
    }
}

/// As it is written: `192.0.2.0/24`, or the address alone.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.prefix < width(self.address) { write!(f, "/{}", self.prefix) } else { Ok(()) }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The bits of `client` that name its account, below 2^57: another number for each network of either family.
#[inline]
pub(super) fn account(client: Ipv6Addr) -> u64 {
    match client.to_ipv4_mapped() {
        Some(v4) => u64::from(v4.to_bits() >> (32 - CLIENTS_V4)),
        None => 1 << CLIENTS_V6 | (client.to_bits() >> (128 - CLIENTS_V6)) as u64,
    }
}

/// Several networks, as ranges in order that neither meet nor overlap.
#[derive(Debug)]
pub struct Networks(Box<[(u128, u128)]>);

impl Networks {
    /// These networks.
    pub fn new(networks: &[Network]) -> Self {
        let mut ranges: Vec<_> = networks.iter().map(Network::range).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into())
    }

    /// Whether one of them has `client` in it.
    #[inline]
    pub fn contain(&self, client: Ipv6Addr) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let client = client.to_bits();
        let after = self.0.partition_point(|(first, _)| *first <= client);
        after.checked_sub(1).and_then(|index| self.0.get(index)).is_some_and(|(_, last)| client <= *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Ipv6Addr {
        mapped(address.parse::<IpAddr>().unwrap())
    }

    fn network(text: &str) -> Network {
        let (address, prefix) = text.split_once('/').unwrap();
        Network::around(address.parse().unwrap(), prefix.parse().unwrap()).unwrap()
    }

    #[test]
    fn clients_share_an_account_by_24_and_56_bits() {
        let same = |a: &str, b: &str| account(parsed(a)) == account(parsed(b));
        assert!(same("192.0.2.0", "192.0.2.255"));
        assert!(!same("192.0.2.0", "192.0.3.0"));
        assert!(same("2001:db8:0:100::", "2001:db8:0:1ff:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:0:100::", "2001:db8:0:200::"));
        // The same bits in the other family.
        assert!(!same("192.0.2.0", "0:c0:0:200::"));
        assert!(!same("0.0.0.0", "::"));
        for (client, expect) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
            ("255.255.255.255", "255.255.255.0/24"),
        ] {
            assert_eq!(Network::of_client(client.parse().unwrap()).to_string(), expect);
        }
    }

    #[test]
    fn a_network_has_its_first_and_last_address_and_no_other() {
        #[rustfmt::skip]
        let cases = [
            ("192.0.2.0/24", &["192.0.2.0", "192.0.2.255"][..], &["192.0.1.255", "192.0.3.0", "::c000:200"][..]),
            ("192.0.2.1/32", &["192.0.2.1"], &["192.0.2.0", "192.0.2.2"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "::1", "2001:db8::1"]),
            ("2001:db8::/32", &["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"], &["2001:db7::", "2001:db9::", "1.2.3.4"]),
            ("::1/128", &["::1"], &["::", "::2", "0.0.0.1"]),
            ("::/0", &["::", "ffff::", "1.2.3.4"], &[]), // IPv4 is a part of it
        ];
        for (text, inside, outside) in cases {
            let networks = Networks::new(&[network(text)]);
            for address in inside {
                assert!(networks.contain(parsed(address)), "{address} in {text}");
            }
            for address in outside {
                assert!(!networks.contain(parsed(address)), "{address} not in {text}");
            }
        }
    }

    #[test]
    fn many_networks_that_overlap_and_touch_are_as_each_of_them() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "192.0.2.0/25",
            "192.0.2.128/25",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::1/128",
        ];
        let each: Vec<_> = texts.iter().map(|text| network(text)).collect();
        let all = Networks::new(&each);
        assert_eq!(all.0.len(), 4);
        let clients = ["9.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255", "11.0.0.0", "192.0.2.127"];
        let clients =
            clients.into_iter().chain(["192.0.2.128", "192.0.3.0", "::1", "::2", "2001:db8:1::", "2001:db9::"]);
        for client in clients.map(parsed) {
            let by_one = each.iter().any(|network| Networks::new(&[*network]).contain(client));
            assert_eq!(all.contain(client), by_one, "{client}");
        }
        assert!(!Networks::new(&[]).contain(parsed("10.0.0.1")));
    }

    #[test]
    fn a_prefix_cuts_what_is_behind_it() {
        let around = |text: &str, prefix| Network::around(text.parse().unwrap(), prefix).map(|n| n.to_string());
        assert_eq!(around("192.0.2.77", 24).as_deref(), Some("192.0.2.0/24"));
        assert_eq!(around("192.0.2.77", 32).as_deref(), Some("192.0.2.77"));
        assert_eq!(around("192.0.2.77", 0).as_deref(), Some("0.0.0.0/0"));
        assert_eq!(around("192.0.2.77", 33), None);
        assert_eq!(around("2001:db8::1", 33).as_deref(), Some("2001:db8::/33"));
        assert_eq!(around("2001:db8::1", 0).as_deref(), Some("::/0"));
        assert_eq!(around("2001:db8::1", 129), None);
    }
}
