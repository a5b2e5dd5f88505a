//! Whether a resolver finds the zone: what it says of SOA and NS, beside what is configured and what a daemon on this
//! host says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use domain::base::iana::Rcode;

use super::ask::{Says, ask};
use crate::zone::ZoneConfig;

/// How long a reply may take; a resolver that has to ask around needs a second or two.
const PATIENCE: Duration = Duration::from_secs(3);

/// Says whether `resolver` finds the zone. `own` is where the daemon answers, if it runs.
pub(super) fn check(resolver: SocketAddr, zone: &ZoneConfig, own: SocketAddr) -> Result<String, String> {
    let name = &zone.apex;
    let says = ask(resolver, name, PATIENCE).map_err(|error| {
        format!("{resolver} gives no reply ({error}). Is it a resolver, and does it answer this host?")
    })?;
    // A daemon that does not run is no fault: this is for before the start, too.
    let own = if own == resolver { None } else { ask(own, name, Duration::from_millis(500)).ok() };
    let configured = zone.servers.iter().map(|server| server.name.to_string().to_ascii_lowercase()).collect();
    judge(resolver, &name.to_string(), &says, own.and_then(|own| own.serial), &configured)
}

fn judge(
    resolver: SocketAddr,
    zone: &str,
    says: &Says,
    own: Option<u32>,
    configured: &BTreeSet<String>,
) -> Result<String, String> {
    let list = |servers: &BTreeSet<String>| servers.iter().cloned().collect::<Vec<_>>().join(", ");
    let Some(serial) = says.serial else {
        let help = match says.rcode {
            Rcode::SERVFAIL => {
                "it does not reach the servers of the zone over UDP and TCP port 53, or the parent is signed and does not \
                 delegate the zone (domain-insecure of unbound, validate-except of BIND)"
            }
            Rcode::REFUSED => "it does not answer this host, or is no resolver and does not have the zone",
            _ => "it has no forwarding for the zone, and the parent zone does not delegate it",
        };
        return Err(format!(
            "{resolver} has no SOA of {zone} ({}): {help}. The README has what to configure, under \"Bringing questions \
             to it\"",
            says.rcode
        ));
    };
    if says.servers != *configured {
        return Err(format!(
            "{resolver} has {zone} with the name servers {}, but --soa-ns says {}: another server answers for the zone, \
             or one that was started with other flags",
            list(&says.servers),
            list(configured)
        ));
    }
    let beside = match own {
        None => "no daemon answers here to compare it with".to_owned(),
        Some(own) if own == serial => "as the daemon here".to_owned(),
        Some(own) => format!("here it is {own}: another replica, or the resolver's cache, for one TTL"),
    };
    Ok(format!("{resolver} has {zone} with serial {serial} ({beside}), name servers {}", list(&says.servers)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resolver_says_is_explained() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let ours = || names(&["ns1.lb.example.test", "ns2.example.net"]);
        let found =
            |serial, servers| Says { serial: Some(serial), servers, rcode: Rcode::NOERROR, authoritative: false };
        let none = |rcode| Says { serial: None, servers: BTreeSet::new(), rcode, authoritative: false };
        for (says, own, is_well, word) in [
            (found(7, ours()), Some(7), true, "serial 7 (as the daemon here), name servers ns1.lb.example.test, ns2"),
            (found(7, ours()), Some(9), true, "here it is 9: another replica, or the resolver's cache"),
            (found(7, ours()), None, true, "no daemon answers here"),
            (
                found(7, names(&["ns.other.test"])),
                Some(7),
                false,
                "ns.other.test, but --soa-ns says ns1.lb.example.test",
            ),
            (none(Rcode::NXDOMAIN), Some(7), false, "(NXDOMAIN): it has no forwarding for the zone"),
            (none(Rcode::NOERROR), None, false, "no forwarding for the zone, and the parent"),
            (none(Rcode::SERVFAIL), None, false, "domain-insecure"),
            (none(Rcode::REFUSED), None, false, "does not answer this host"),
        ] {
            let said = judge("192.0.2.1:53".parse().unwrap(), "lb.example.test", &says, own, &ours());
            assert_eq!(said.is_ok(), is_well, "{said:?}");
            let (Ok(text) | Err(text)) = said;
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }
}
