//! Who may have the zone: `--allow-transfer`.

use std::net::IpAddr;

use crate::dns::context::mapped;
use crate::dns::limits::{Network, Networks};

/// Networks and names of keys: a client of one of the networks may, and so may one whose query is signed with one of the
/// keys. Nobody, if there are none.
#[derive(Debug)]
pub struct Acl {
    networks: Networks,
    keys: Vec<String>,
    is_empty: bool,
}

impl Default for Acl {
    fn default() -> Self {
        Self::new(&[], Vec::new())
    }
}

impl Acl {
    /// These may.
    pub fn new(networks: &[Network], keys: Vec<String>) -> Self {
        Self { is_empty: networks.is_empty() && keys.is_empty(), networks: Networks::new(networks), keys }
    }

    /// Whether nobody may.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The names of the keys.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether a client may, whose query is signed with the key of that name.
    pub fn may(&self, client: IpAddr, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.keys.iter().any(|one| same(one, key))) || self.networks.contain(mapped(client))
    }
}

/// Whether two names of keys are one: case and a last dot make no difference.
fn same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_or_a_key_is_enough_and_nothing_is_nobody() {
        let network = Network::around("192.0.2.0".parse().unwrap(), 24).unwrap();
        let acl = Acl::new(&[network, Network::single("2001:db8::7".parse().unwrap())], vec!["Sec.Example.".into()]);
        for (client, key, may) in [
            ("192.0.2.7", None, true),
            ("192.0.3.7", None, false),
            ("2001:db8::7", Some("other"), true),
            ("2001:db8::8", Some("other"), false),
            ("198.51.100.1", Some("sec.example"), true),
            ("198.51.100.1", Some("SEC.example."), true),
            ("198.51.100.1", Some("example"), false),
        ] {
            let client = client.parse().unwrap();
            assert_eq!(acl.may(client, key), may, "{client} {key:?}");
            assert!(!Acl::default().may(client, key));
        }
        assert!(Acl::default().is_empty() && !acl.is_empty());
    }
}
