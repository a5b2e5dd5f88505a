use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::Ttl;

use super::super::fixture::{self, name};
use super::*;
use crate::cluster::Moment;
use crate::kube::{Change, WatchEvent};

/// A record as a test writes it.
struct Line(Vec<u8>, Rtype, u32, Vec<u8>);

impl Line {
    fn new(owner: &str, ttl: u32, rtype: Rtype, rdata: impl Into<Vec<u8>>) -> Self {
        Self(name(owner).as_slice().to_ascii_lowercase(), rtype, ttl, rdata.into())
    }

    fn record(&self) -> Record<'_> {
        Record { owner: &self.0, rtype: self.1, ttl: Ttl::from_secs(self.2), rdata: &self.3 }
    }
}

fn wire(text: &str) -> Vec<u8> {
    name(text).as_slice().to_vec()
}

fn soa() -> Vec<u8> {
    let mut rdata = [wire("ns1.EXAMPLE"), wire("Admin.example")].concat();
    for number in [2_018_031_900, 1800, 900, 604_800, 86_400_u32] {
        rdata.extend(number.to_be_bytes());
    }
    rdata
}

/// What both examples of RFC 8976 begin with, without the ZONEMD record. Names are in whatever case.
fn beginning() -> Vec<Line> {
    vec![
        Line::new("example", 86_400, Rtype::SOA, soa()),
        Line::new("example", 86_400, Rtype::NS, wire("ns1.example")),
        Line::new("example", 86_400, Rtype::NS, wire("NS2.example")),
        Line::new("ns1.example", 3600, Rtype::A, Ipv4Addr::new(203, 0, 113, 63).octets()),
        aaaa("NS2.example", "2001:db8::63"),
    ]
}

fn aaaa(owner: &str, address: &str) -> Line {
    Line::new(owner, 3600, Rtype::AAAA, address.parse::<Ipv6Addr>().unwrap().octets())
}

fn text(owner: &str, ttl: u32, text: &str) -> Line {
    Line::new(owner, ttl, Rtype::TXT, [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn the_examples_of_rfc_8976_have_its_digests() {
    // Appendix A.1.
    let simple = beginning();
    // Appendix A.2. Of what this zone never has, names in MX and PTR are written here in the canonical form.
    let mut complex = beginning();
    let mx = |preference: u8, host: &str| [vec![0, preference], wire(host)].concat();
    complex.extend([
        text("occluded.sub.example", 7200, "I'm occluded but must be digested"),
        Line::new("sub.example", 7200, Rtype::NS, wire("ns1.example")),
        text("duplicate.example", 300, "I must be digested just once"),
        text("duplicate.example", 300, "I must be digested just once"),
        text("UPPERCASE.example", 3600, "canonicalize uppercase owner names"),
        Line::new("*.example", 777, Rtype::PTR, wire("dont-forget-about-wildcards.example")),
        Line::new("mail.example", 3600, Rtype::MX, mx(20, "mail1.example")),
        Line::new("mail.example", 3600, Rtype::MX, mx(10, "mail2.example")),
    ]);
    let hosts = ["5:61", "3:62", "4:63", "1:65", "2:64"];
    complex.extend(hosts.map(|host| aaaa("sortme.example", &format!("2001:db8::{host}"))));
    let mut other = vec![0x78, 0x49, 0x51, 0xdc, 1, 1]; // 2018031900 1 1
    other[..4].copy_from_slice(&2_018_031_900_u32.to_be_bytes());
    other.extend(*b"allowed but ignored. allowed but ignored. allowe");
    complex.push(Line::new("non-apex.example", 900, Rtype::ZONEMD, other));
    for (lines, expect) in [
        (simple, "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c"),
        (complex, "a3b69bad980a3504e1cffcb0fd6397f93848071c93151f552ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe"),
    ] {
        assert_eq!(hex(&digest(lines.iter().map(Line::record))), expect);
        assert_eq!(hex(&digest(lines.iter().rev().map(Line::record))), expect, "in whatever order they come");
    }
}

#[test]
fn names_are_in_canonical_order() {
    // RFC 4034, section 6.1, without the octets that no name has here; and what a plain comparison gets wrong.
    let names = [
        "example",
        "a.example",
        "yljkjljk.a.example",
        "z.a.example",
        "zabc.a.example",
        "a-b.example",
        "b.a-b.example",
        "a0.example",
        "aa.example",
        "z.example",
        "a.z.example",
    ];
    let mut keys = Vec::new();
    let ranges: Vec<_> = names.iter().map(|owner| push_key(&mut keys, name(owner).as_slice())).collect();
    let keys: Vec<_> = ranges.into_iter().map(|range| &keys[range]).collect();
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
    assert_eq!(push_key(&mut Vec::new(), &[0]), 0..0);
}

#[test]
fn a_version_has_a_digest_and_the_next_one_another() {
    let mut cluster = fixture::cluster();
    let zone = fixture::zone().with_serial(Serial(1_800_000_000));
    assert!(zone.zonemd().is_none());
    let content = zone.digest();
    let zone = zone.with_zonemd();
    let of =
        |zone: &Zone| zone.records().filter(|record| record.rtype == Rtype::ZONEMD).map(|r| r.rdata.to_vec()).next();
    let first = of(&zone).unwrap();
    assert_eq!(first[..6], [&1_800_000_000_u32.to_be_bytes()[..], &[1, 1]].concat());
    assert_eq!((first.len(), zone.digest()), (6 + 48, content), "the content is the same");
    assert_eq!(of(&zone.clone().with_zonemd()), Some(first.clone()), "it is not digested itself");
    let node = fixture::node("new", "home", "192.0.2.200");
    let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(node)), Moment::now());
    let changed = zone.update(&cluster, &changes);
    assert_eq!(of(&changed), Some(first.clone()), "addresses run ahead of the version");
    assert_eq!(of(&changed.clone().with_serial(zone.serial())), Some(first.clone()));
    let next = changed.with_serial(Serial(1_800_000_001));
    assert_eq!(of(&next), None);
    assert_ne!(of(&next.with_zonemd()), Some(first));
}
