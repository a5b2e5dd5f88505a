//! A cluster and a configuration in, a [`Zone`] out: whole, or a new one from an old one and what changed.
//!
//! A pure function of its arguments, without clock or socket. Building a whole zone is the same as changing all names of
//! an empty one.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

use domain::base::{Serial, Ttl};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::ZoneConfig;
use super::names::Names;
use super::serial::Digest;
use super::wire::{self, ApexRecord};
use super::zonemd::Zonemd;
use crate::cluster::{Addresses, Area, Changes, Cluster, ServiceName};

/// The longest name, in octets (RFC 1035, section 3.1).
const MAX_NAME: usize = 255;

/// A version of the zone, ready to be answered from. Immutable; a newer one shares nearly all names that did not change.
#[derive(Clone, Debug)]
pub struct Zone {
    pub(super) names: Arc<Names>,
    pub(super) fixed: Arc<Fixed>,
    /// Whether Services and EndpointSlices are known: if not, they alone could tell whether some names exist.
    pub(super) services_known: bool,
    /// Names that DNS cannot have, as text.
    skipped: BTreeSet<String>,
    serial: Serial,
    pub(super) soa: Soa,
}

/// What only the configuration decides.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) config: ZoneConfig,
    ns: Vec<ApexRecord>,
    glue: Vec<ApexRecord>,
    hinfo: Box<[u8]>,
    digest: u128,
    /// The RDATA of the NS records, without compression.
    pub(super) servers: Vec<Box<[u8]>>,
}

/// The SOA record, with its own TTL and with that of negative answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Soa {
    answer: ApexRecord,
    negative: ApexRecord,
    /// Its RDATA, without compression.
    pub(super) rdata: Box<[u8]>,
    /// The digest of the version, if it has one.
    pub(super) zonemd: Option<Zonemd>,
}

impl Zone {
    /// Builds the zone of `cluster`.
    pub fn build(config: &ZoneConfig, cluster: &Cluster) -> Self {
        let mut names = Names::new(config.apex.as_slice(), config.ttl);
        for server in config.servers.iter().filter(|server| config.contains(server.name.as_slice())) {
            names.insert(server.name.as_slice(), &families(&server.glue));
        }
        let mut zone = Self {
            names: Arc::new(names),
            fixed: Arc::new(Fixed::new(config)),
            services_known: cluster.services_known(),
            skipped: BTreeSet::new(),
            serial: Serial(0),
            soa: Soa::default(),
        };
        zone.change(cluster, cluster.areas(), cluster.services());
        zone.with_serial(Serial(0))
    }

    /// The zone of `cluster`, which differs by `changes` from the one that this zone was built from. It keeps the serial.
    #[must_use]
    pub fn update(&self, cluster: &Cluster, changes: &Changes) -> Self {
        let mut zone = Self { services_known: cluster.services_known(), ..self.clone() };
        zone.change(cluster, changes.areas.iter(), changes.services.iter());
        zone
    }

    /// The same zone with another serial.
    #[must_use]
    pub fn with_serial(mut self, serial: Serial) -> Self {
        let config = &self.fixed.config;
        let negative_ttl = config.soa.ttl.min(config.soa.negative_ttl); // RFC 2308, section 5
        let zonemd = self.soa.zonemd.take().filter(|_| serial == self.serial); // that of another version is wrong
        self.soa = Soa {
            answer: wire::soa(config, serial.into_int(), config.soa.ttl),
            negative: wire::soa(config, serial.into_int(), negative_ttl),
            rdata: wire::soa_rdata(config, serial.into_int()),
            zonemd,
        };
        self.serial = serial;
        self
    }

    /// Builds the names of these areas and Services again.
    fn change<'a>(
        &mut self,
        cluster: &Cluster,
        areas: impl Iterator<Item = &'a Area>,
        services: impl Iterator<Item = &'a ServiceName>,
    ) {
        for area in areas {
            self.set(&[area.as_str()], cluster.area(area));
        }
        for service in services {
            self.set(&[&service.name, &service.namespace], cluster.service(service));
        }
    }

    /// Sets a name and its `v4` and `v6` names to these addresses; with `None` they exist no more.
    fn set(&mut self, labels: &[&str], addresses: Option<Addresses>) {
        let names = Arc::make_mut(&mut self.names);
        for family in family_labels(labels) {
            let labels = family.iter().chain(labels).copied();
            let Some(owner) = owner(labels.clone(), self.fixed.config.apex.as_slice()) else {
                let text = labels.collect::<Vec<_>>().join(".");
                if addresses.is_some() {
                    self.skipped.insert(text)
                } else {
                    self.skipped.remove(&text)
                };
                continue;
            };
            if self.fixed.config.is_server(&owner) {
                continue;
            }
            match addresses.clone() {
                None => names.remove(&owner),
                Some(all) => names.insert(
                    &owner,
                    &match family {
                        Some("v4") => Addresses { v6: Vec::new(), ..all },
                        Some(_) => Addresses { v4: Vec::new(), ..all },
                        None => all,
                    },
                ),
            }
        }
    }

    /// Whether Services and EndpointSlices are known: if not, names may be missing.
    pub fn services_known(&self) -> bool {
        self.services_known
    }

    /// Names that the cluster has and DNS can't: longer than 255 octets, or with a label that is empty, longer than 63 or
    /// no host name's.
    pub fn skipped(&self) -> &BTreeSet<String> {
        &self.skipped
    }

    /// The zone's serial.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The hash of the zone's records, the SOA's serial left out.
    pub fn digest(&self) -> Digest {
        Digest(self.names.digest().0.wrapping_add(self.fixed.digest))
    }

    /// The number of names, empty non-terminals included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Never: there is always an apex.
    pub fn is_empty(&self) -> bool {
        self.names.len() == 0
    }

    /// The apex, in wire format and lower case.
    pub fn apex(&self) -> &[u8] {
        self.fixed.config.apex.as_slice()
    }

    /// The SOA for the answer section.
    pub fn soa(&self) -> &ApexRecord {
        &self.soa.answer
    }

    /// The SOA for the authority section of negative answers.
    pub fn negative_soa(&self) -> &ApexRecord {
        &self.soa.negative
    }

    /// The NS records of the apex.
    pub fn ns(&self) -> &[ApexRecord] {
        &self.fixed.ns
    }

    /// The addresses of the name servers that are in the zone.
    pub fn glue(&self) -> &[ApexRecord] {
        &self.fixed.glue
    }

    /// The HINFO record that answers type ANY.
    pub fn hinfo(&self) -> &[u8] {
        &self.fixed.hinfo
    }
}

impl Fixed {
    fn new(config: &ZoneConfig) -> Self {
        let glue = config.servers.iter().flat_map(|server| server.glue.iter().map(|address| (&server.name, *address)));
        Self {
            ns: config.servers.iter().map(|server| wire::ns(config, &server.name)).collect(),
            glue: glue.map(|(name, address)| wire::glue(config, name, address)).collect(),
            hinfo: wire::hinfo(config.ttl),
            digest: digest(config),
            servers: config.servers.iter().map(|server| server.name.as_slice().into()).collect(),
            config: config.clone(),
        }
    }
}

/// What stands before the labels of an area or a Service in its names; `None`: nothing. `v4.apps` is the A records of an
/// area `apps`, not a Service `v4`: that has only `v4.v4.apps` and `v6.v4.apps`.
pub(super) fn family_labels<'a>(labels: &[&str]) -> impl Iterator<Item = Option<&'a str>> {
    let plain = !matches!(labels, ["v4" | "v6", _]);
    [None, Some("v4"), Some("v6")].into_iter().skip(usize::from(!plain))
}

/// The name of these labels below the apex, in wire format and lower case; `None` if DNS has no such name.
pub(super) fn owner<'a>(labels: impl Iterator<Item = &'a str>, apex: &[u8]) -> Option<Vec<u8>> {
    let mut owner = Vec::with_capacity(64);
    for label in labels {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        owner.push(length);
        owner.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    owner.extend_from_slice(apex);
    (owner.len() <= MAX_NAME).then_some(owner)
}

/// Addresses by family, sorted, as [`Names`] wants them.
fn families(addresses: &[IpAddr]) -> Addresses {
    let mut families = Addresses::default();
    for address in addresses {
        match address {
            IpAddr::V4(v4) => families.v4.push(*v4),
            IpAddr::V6(v6) => families.v6.push(*v6),
        }
    }
    families.v4.sort_unstable();
    families.v6.sort_unstable();
    families
}

/// The hash of what the configuration adds to the zone's records: all of the SOA but the serial, NS, and the TTLs.
fn digest(config: &ZoneConfig) -> u128 {
    let mut hasher = SipHasher13::new();
    let soa = &config.soa;
    let mut ttl = |ttl: Ttl| hasher.write(&ttl.as_secs().to_be_bytes());
    [config.ttl, soa.refresh, soa.retry, soa.expire, soa.ttl, soa.negative_ttl].into_iter().for_each(&mut ttl);
    for name in [&config.apex, &soa.mailbox].into_iter().chain(config.servers.iter().map(|server| &server.name)) {
        hasher.write(name.as_slice());
    }
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests;
