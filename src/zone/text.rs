//! The zone as a zone file (RFC 1035, section 5), with a comment at each name that says which nodes stand behind it and
//! which are left out and why.
//!
//! In: the zone, and the snapshot of the cluster that it was built from. Out: text that BIND, Knot and NSD load. A pure
//! function: `/zone` of the status page shows it. Records are read from the zone itself, so that what is shown is what
//! is answered; the reasons are the cluster's own.
//!
//! Two things a zone file cannot say: a name that exists without any record (an area whose nodes are all down) is a
//! comment here, and the first record does not move.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::Name;
use domain::base::iana::Rtype;

use super::build::{family_labels, owner};
use super::standing::Standing;
use super::wire::{A, AAAA, RRset};
use super::{Lookup, Zone, ZoneConfig};
use crate::cluster::{Addresses, Area, Node, Owner, Plain, ServiceName, Snapshot};

/// Shows a zone as a zone file.
#[derive(Debug)]
pub struct ZoneFile<'a> {
    /// What it is made of besides the cluster.
    pub config: &'a ZoneConfig,
    /// The zone.
    pub zone: &'a Zone,
    /// The cluster that it was built from.
    pub cluster: &'a Snapshot,
}

/// How many A and AAAA records the zone has. Counted from the cluster, since a scrape should not look 15 000 names up.
pub fn addresses(cluster: &Snapshot, config: &ZoneConfig) -> usize {
    let in_zone = config.servers.iter().filter(|server| config.contains(server.name.as_slice()));
    let servers: usize = in_zone.map(|server| server.glue.len()).sum();
    let count = |labels: &[&str], addresses: &Addresses| -> usize {
        let of_family = |family: Option<&str>| match family {
            None => addresses.v4.len() + addresses.v6.len(),
            Some("v4") => addresses.v4.len(),
            Some(_) => addresses.v6.len(),
        };
        let exists = |family: &Option<&str>| {
            owner(family.iter().chain(labels).copied(), config.apex.as_slice())
                .is_some_and(|owner| !config.is_server(&owner))
        };
        family_labels(labels).filter(exists).map(of_family).sum()
    };
    let areas = cluster.areas.iter().map(|area| count(&[area.area.as_str()], &area.addresses));
    let services = cluster.services.iter().map(|standing| {
        let ServiceName { namespace, name } = &standing.service;
        count(&[name, namespace], &standing.addresses)
    });
    servers + areas.sum::<usize>() + services.sum::<usize>()
}

/// A and AAAA of a name that exists.
fn records<'z>(zone: &'z Zone, name: &[u8]) -> Option<(RRset<'z, A>, RRset<'z, AAAA>)> {
    match zone.lookup(name, None) {
        Lookup::Found(found) | Lookup::Apex(found) => Some((found.a(), found.aaaa())),
        Lookup::Missing | Lookup::Unknown | Lookup::Outside => None,
    }
}

/// Everything of the cluster that has a name, areas first.
fn owners(cluster: &Snapshot) -> impl Iterator<Item = Owner> {
    let areas = cluster.areas.iter().map(|standing| Owner::Area(standing.area.clone()));
    areas.chain(cluster.services.iter().map(|standing| Owner::Service(standing.service.clone())))
}

/// A name of an area or a Service.
struct OwnedName {
    /// Relative to the zone.
    text: String,
    /// In wire format; `None` if DNS has no such name.
    owner: Option<Vec<u8>>,
    /// A name server has it.
    is_server: bool,
}

/// The name itself, and its `v4` and `v6` names.
fn names_of(owned: &Owner, config: &ZoneConfig) -> Vec<OwnedName> {
    let labels = match owned {
        Owner::Area(area) => vec![area.as_str()],
        Owner::Service(service) => vec![service.name.as_str(), &service.namespace],
    };
    let name = |family: Option<&str>| {
        let text = family.iter().chain(&labels).copied();
        let owner = owner(text.clone(), config.apex.as_slice());
        let is_server = owner.as_deref().is_some_and(|owner| config.is_server(owner));
        OwnedName { text: text.collect::<Vec<_>>().join("."), owner, is_server }
    };
    family_labels(&labels).map(name).collect()
}

impl fmt::Display for ZoneFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, zone, cluster } = self;
        let apex = config.apex.fmt_with_dot();
        let soa = &config.soa;
        writeln!(f, "; zone {apex} of {} nodes, written by k8s-node-dns {}", cluster.nodes.len(), version())?;
        writeln!(f, "$ORIGIN {apex}\n$TTL {}", config.ttl.as_secs())?;
        if let Some(primary) = config.servers.first() {
            let [refresh, retry, expire, ttl, negative] =
                [soa.refresh, soa.retry, soa.expire, soa.ttl, soa.negative_ttl].map(|ttl| ttl.as_secs());
            let (primary, mailbox, serial) = (primary.name.fmt_with_dot(), soa.mailbox.fmt_with_dot(), zone.serial());
            writeln!(
                f,
                "@ {ttl} IN SOA {primary} {mailbox} {} {refresh} {retry} {expire} {negative}",
                serial.into_int()
            )?;
        }
        for server in &config.servers {
            writeln!(f, "@ IN NS {}", server.name.fmt_with_dot())?;
        }
        let mut apex = (1..).map_while(|at| zone.apex_record(at));
        if let Some(record) = apex.find(|record| record.rtype == Rtype::ZONEMD)
            && let Some((numbers, digest)) = record.rdata.split_at_checked(6)
        {
            let numbers = [zone.serial().into_int()].into_iter().chain(numbers.iter().skip(4).copied().map(u32::from));
            let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
            write!(f, "@ {} IN ZONEMD {} ", record.ttl.as_secs(), numbers.join(" "))?;
            digest.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
            writeln!(f)?;
        }
        for server in config.servers.iter().filter(|server| config.contains(server.name.as_slice())) {
            writeln!(f, "\n; name server, with the addresses of --soa-ns")?;
            self.records(f, server.name.as_slice())?;
        }
        let members = cluster.members();
        for owner in owners(cluster) {
            self.owner(f, &owner, &members)?;
        }
        Ok(())
    }
}

impl ZoneFile<'_> {
    /// An area or a Service: who stands behind it, then its records.
    fn owner(&self, f: &mut fmt::Formatter<'_>, owner: &Owner, members: &BTreeMap<&Area, Vec<&Node>>) -> fmt::Result {
        let (standings, basis): (Vec<Standing<'_>>, _) = match owner {
            Owner::Area(area) => {
                let basis = self.cluster.area(area.as_str()).map(|standing| &standing.basis);
                let members = members.get(area).map_or(&[][..], Vec::as_slice);
                (members.iter().map(|node| Standing { name: node.name(), node: Some(node), basis }).collect(), basis)
            }
            Owner::Service(service) => {
                let standing = self.cluster.service(service);
                let basis = standing.map(|standing| &standing.basis);
                let hosts = standing.map_or(&[][..], |standing| &standing.hosts);
                (hosts.iter().map(|name| Standing { name, node: self.cluster.node(name), basis }).collect(), basis)
            }
        };
        let eligible = standings.iter().filter(|standing| standing.is_in()).count();
        let (kind, verb) = match owner {
            Owner::Area(_) => ("area", "list it"),
            Owner::Service(_) => ("Service", "host it"),
        };
        writeln!(f, "\n; {kind} {owner}: {eligible} in of {} nodes that {verb}", standings.len())?;
        if let Some(basis) = basis.filter(|basis| basis.is_makeshift() || basis.priority().is_some_and(|one| one != 0))
        {
            writeln!(f, ";   answered with {basis}")?;
        }
        for standing in &standings {
            let side = if standing.is_in() { "in " } else { "out" };
            writeln!(f, ";   {side} {}: {standing}", Plain(standing.name))?;
            if let Some((faults, _)) = standing.node.map(Node::faults) {
                for fault in faults {
                    writeln!(f, ";       {fault}")?;
                }
            }
        }
        for name in names_of(owner, self.config) {
            match &name.owner {
                None => writeln!(f, "; {} is left out: DNS has no such name", Plain(&name.text))?,
                Some(_) if name.is_server => writeln!(f, "; {} is a name server's: see above", Plain(&name.text))?,
                Some(owner) => self.records(f, owner)?,
            }
        }
        Ok(())
    }

    /// The records of a name.
    fn records(&self, f: &mut fmt::Formatter<'_>, owner: &[u8]) -> fmt::Result {
        let Ok(name) = Name::from_octets(owner) else { return Ok(()) };
        let name = name.fmt_with_dot();
        let Some((a, aaaa)) = records(self.zone, owner) else { return Ok(()) };
        if a.is_empty() && aaaa.is_empty() {
            return writeln!(f, "; {name} exists without records");
        }
        for address in a.0.iter().filter_map(|record| record.last_chunk::<4>()) {
            writeln!(f, "{name} IN A {}", Ipv4Addr::from(*address))?;
        }
        for address in aaaa.0.iter().filter_map(|record| record.last_chunk::<16>()) {
            writeln!(f, "{name} IN AAAA {}", Ipv6Addr::from(*address))?;
        }
        Ok(())
    }
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cluster::Moment;

    fn text() -> String {
        let (config, zone, cluster) = (fixture::config(), fixture::zone(), fixture::cluster().snapshot());
        ZoneFile { config: &config, zone: &zone, cluster: &cluster }.to_string()
    }

    #[test]
    fn each_name_has_its_records_and_who_stands_behind_it() {
        let text = text();
        for expect in [
            "$ORIGIN lb.example.test.\n$TTL 30\n@ 60 IN SOA ns1.lb.example.test. admin.example.test. 2026112301 3600 900 \
             604800 20\n@ IN NS ns1.lb.example.test.\n@ IN NS ns.example.net.\n\n\
             ; name server, with the addresses of --soa-ns\n\
             ns1.lb.example.test. IN A 192.0.2.53\nns1.lb.example.test. IN AAAA 2001:db8::53\n",
            "\n; area home: 2 in of 3 nodes that list it\n;   in  pi-1: 192.0.2.1, 2001:db8::1\n;   in  pi-2: 192.0.2.2\n\
             ;   out pi-3: NotReady\n\
             home.lb.example.test. IN A 192.0.2.1\nhome.lb.example.test. IN A 192.0.2.2\n\
             home.lb.example.test. IN AAAA 2001:db8::1\nv4.home.lb.example.test. IN A 192.0.2.1\n\
             v4.home.lb.example.test. IN A 192.0.2.2\nv6.home.lb.example.test. IN AAAA 2001:db8::1\n",
            "; area attic: 0 in of 1 nodes that list it\n;   out nas: NotReady\n\
             ; attic.lb.example.test. exists without records\n",
            "; ns1 is a name server's: see above\nv4.ns1.lb.example.test. IN A 203.0.113.1\n",
            "; Service git.apps: 1 in of 1 nodes that host it\n;   in  pi-1: 192.0.2.1, 2001:db8::1\n\
             git.apps.lb.example.test. IN A 192.0.2.1\n",
            "; Service v4.apps: 1 in of 1 nodes that host it\n;   in  vps: 198.51.100.1\n\
             v4.v4.apps.lb.example.test. IN A 198.51.100.1\n",
        ] {
            assert!(text.contains(expect), "{expect}\nis not in\n{text}");
        }
    }

    #[test]
    fn what_is_counted_is_what_is_written() {
        let (config, cluster) = (fixture::config(), fixture::cluster().snapshot());
        let written = text().lines().filter(|line| line.contains(" IN A ") || line.contains(" IN AAAA ")).count();
        assert_eq!(addresses(&cluster, &config), written);
    }

    #[test]
    fn nobody_writes_a_record_with_the_name_of_a_node() {
        let mut cluster = fixture::cluster();
        let hostile = fixture::node("x\nevil.lb.example.test. IN A 192.0.2.66", "home, a\nb", "192.0.2.7");
        let _ = cluster.apply(crate::kube::WatchEvent::Nodes(crate::kube::Change::Applied(hostile)), Moment::now());
        let (config, zone) = (fixture::config(), Zone::build(&fixture::config(), &cluster));
        let text = ZoneFile { config: &config, zone: &zone, cluster: &cluster.snapshot() }.to_string();
        assert!(text.contains(";   in  x\\nevil.lb.example.test. IN A 192.0.2.66: 192.0.2.7\n"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("evil")), "{text}");
    }
}
