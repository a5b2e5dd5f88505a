//! What the zones are made of besides nodes and Services: two name servers, one of them with glue.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::{Name, Ttl};
use k8s_node_dns::zone::{NameServer, SoaConfig, ZoneConfig};

/// The zone's name, as domain prints it.
pub const APEX: &str = "lb.test";

/// The configuration of the zones.
pub fn config() -> ZoneConfig {
    let name = |text: &str| Name::vec_from_str(text).expect("a name");
    let glue =
        vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
    let ttl = Ttl::from_secs(30);
    ZoneConfig {
        apex: name(APEX),
        servers: vec![
            NameServer { name: name("ns1.lb.test"), glue },
            NameServer { name: name("ns2.elsewhere.test"), glue: Vec::new() },
        ],
        soa: SoaConfig {
            mailbox: name("admin.elsewhere.test"),
            refresh: Ttl::from_secs(3600),
            retry: Ttl::from_secs(900),
            expire: Ttl::from_secs(604_800),
            ttl,
            negative_ttl: ttl,
        },
        ttl,
    }
}
