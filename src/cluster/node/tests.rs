//! The rules for areas and addresses in answers.md, and what people write instead.

mod particulars;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use super::super::excerpt::Excerpt;
use super::super::fault::{Annotation, Problem};
use super::super::listing::FAULT_LIMIT;
use super::*;
use crate::cluster::policy::WhenNone;

fn node(areas: &str, addresses: &str) -> Node {
    let object = objects::Node {
        name: "pi-3".into(),
        areas: Some(areas.into()),
        addresses: Some(addresses.into()),
        ..objects::Node::default()
    };
    Node::read(object, None, &mut KnownAreas::default())
}

fn areas(annotation: &str) -> (Vec<String>, Vec<String>) {
    let node = node(annotation, "");
    let areas = node.areas().iter().map(ToString::to_string).collect();
    (areas, node.faults().0.map(ToString::to_string).collect())
}

fn addresses(annotation: &str) -> (Vec<String>, Vec<String>) {
    let node = node("", annotation);
    let addresses = node.addresses().iter().map(|a| a.to_string()).collect();
    (addresses, node.faults().0.map(ToString::to_string).collect())
}

#[test]
fn areas_as_people_write_them() {
    let longest = "a".repeat(63);
    for (annotation, expect) in [
        ("home", vec!["home"]),
        ("home,cloud", vec!["cloud", "home"]),
        (" home ,\tcloud\n", vec!["cloud", "home"]),
        (",,home,, ,", vec!["home"]),
        ("home,Home,HOME", vec!["home"]),
        ("", vec![]),
        (" , ,", vec![]),
        ("7,a,v4", vec!["7", "a", "v4"]),
        ("a_b,a-b,a--b,xn--bcher-kva", vec!["a--b", "a-b", "a_b", "xn--bcher-kva"]),
        (longest.as_str(), vec![longest.as_str()]),
    ] {
        assert_eq!(areas(annotation), (expect.into_iter().map(Into::into).collect(), vec![]), "{annotation:?}");
    }
}

#[test]
fn a_bad_area_is_skipped_and_the_good_ones_beside_it_count() {
    let long = "a".repeat(64);
    for (bad, problem) in [
        ("-x", Problem::BadEdge('-')),
        ("x-", Problem::BadEdge('-')),
        ("_x", Problem::BadEdge('_')),
        ("x_", Problem::BadEdge('_')),
        ("-", Problem::BadEdge('-')),
        ("a!b", Problem::BadCharacter('!')),
        ("a.b", Problem::BadCharacter('.')),
        ("a b", Problem::BadCharacter(' ')),
        ("a\0b", Problem::BadCharacter('\0')),
        ("bücher", Problem::BadCharacter('ü')),
        // KELVIN SIGN, which Unicode lowercases to k.
        ("\u{212a}ube", Problem::BadCharacter('\u{212a}')),
        (long.as_str(), Problem::TooLong(64)),
    ] {
        let node = node(&format!("home,{bad} , cloud"), "");
        assert_eq!(node.areas().iter().map(Area::as_str).collect::<Vec<_>>(), ["cloud", "home"], "{bad:?}");
        let (faults, count) = node.faults();
        let expect = Fault { annotation: Annotation::Areas, value: Excerpt::new(bad), problem };
        assert_eq!((faults.collect::<Vec<_>>(), count), (vec![&expect], 1));
    }
    assert_eq!(Area::parse(""), Err(Problem::BadEdge(' ')));
}

#[test]
fn addresses_as_people_write_them() {
    for (annotation, expect) in [
        ("203.0.113.7", vec!["203.0.113.7"]),
        ("203.0.113.7, 2001:db8::7 ,203.0.113.6", vec!["203.0.113.6", "203.0.113.7", "2001:db8::7"]),
        (",, 203.0.113.7,203.0.113.7,", vec!["203.0.113.7"]),
        ("2001:DB8:0:0::7,2001:db8::7", vec!["2001:db8::7"]),
        ("::ffff:203.0.113.7,::ffff:cb00:7107,203.0.113.7", vec!["203.0.113.7"]),
        (
            "127.0.0.1,::1,10.0.0.1,192.168.1.1,169.254.1.1,fe80::1,fd00::1",
            vec!["10.0.0.1", "127.0.0.1", "169.254.1.1", "192.168.1.1", "::1", "fd00::1", "fe80::1"],
        ),
        // IPv4-compatible and translated addresses are IPv6 addresses like others, and 0.0.0.1 is not 0.0.0.0.
        ("::203.0.113.7,64:ff9b::cb00:7107,0.0.0.1", vec!["0.0.0.1", "::cb00:7107", "64:ff9b::cb00:7107"]),
        ("", vec![]),
    ] {
        assert_eq!(addresses(annotation), (expect.into_iter().map(Into::into).collect(), vec![]), "{annotation:?}");
    }
}

#[test]
fn a_bad_address_is_skipped_and_the_good_ones_beside_it_count() {
    let v4 = IpAddr::from([203, 0, 113, 7]);
    let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7]);
    for (bad, problem) in [
        ("300.1.1.1", Problem::NotAnAddress),
        ("1.2.3", Problem::NotAnAddress),
        ("010.0.0.1", Problem::NotAnAddress),
        ("0x7f.0.0.1", Problem::NotAnAddress),
        ("1.2.3.4.5", Problem::NotAnAddress),
        ("1:2:3", Problem::NotAnAddress),
        ("node.example.com", Problem::NotAnAddress),
        ("example.com/24", Problem::NotAnAddress),
        ("203.0.113.7%eth0", Problem::NotAnAddress),
        ("203.0.113.7 203.0.113.8", Problem::NotAnAddress),
        ("[]", Problem::NotAnAddress),
        ("203.0.113.7:53", Problem::HasPort(v4)),
        ("[2001:db8::7]:53", Problem::HasPort(v6)),
        ("[2001:db8::7]", Problem::Bracketed(v6)),
        ("203.0.113.7/24", Problem::HasPrefix(v4)),
        ("2001:db8::7/64", Problem::HasPrefix(v6)),
        ("2001:db8::7%eth0", Problem::HasZoneId(v6)),
        ("2001:db8::7%eth0/64", Problem::HasZoneId(v6)),
        ("0.0.0.0", Problem::Unspecified),
        ("::", Problem::Unspecified),
        ("::ffff:0.0.0.0", Problem::Unspecified),
        ("224.0.0.1", Problem::Multicast),
        ("239.255.255.250", Problem::Multicast),
        ("ff02::1", Problem::Multicast),
        ("::ffff:224.0.0.1", Problem::Multicast),
        ("255.255.255.255", Problem::Broadcast),
        ("::ffff:255.255.255.255", Problem::Broadcast),
    ] {
        let node = node("", &format!("192.0.2.1,{bad} ,192.0.2.2"));
        assert_eq!(node.addresses().v4, [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)], "{bad:?}");
        assert_eq!(node.addresses().v6, [Ipv6Addr::UNSPECIFIED; 0], "{bad:?}");
        let (faults, count) = node.faults();
        let expect = Fault { annotation: Annotation::Addresses, value: Excerpt::new(bad), problem };
        assert_eq!((faults.collect::<Vec<_>>(), count), (vec![&expect], 1));
    }
}

#[test]
fn a_fault_says_what_to_write_instead() {
    for (area, expect) in [
        ("a.b", "area \"a.b\" is skipped: an area is one label; write it without dots, as eu-west"),
        ("a!b", "area \"a!b\" is skipped: '!' cannot be in an area; use letters a-z, digits, - and _"),
        ("a\nb", "area \"a\\nb\" is skipped: '\\n' cannot be in an area; use letters a-z, digits, - and _"),
        ("-x", "area \"-x\" is skipped: it begins or ends with '-'; let it begin and end with a letter a-z or a digit"),
    ] {
        assert_eq!(areas(area).1, [expect]);
    }
    let long = "a".repeat(1000);
    let expect =
        format!("area \"{}\"... is skipped: it has 1000 characters; write a name of at most 63", "a".repeat(64));
    assert_eq!(areas(&long).1, [expect]);
    for (address, expect) in [
        ("[::1]", "address \"[::1]\" is skipped: it is in brackets; write ::1 without brackets"),
        ("10.0.0.1:53", "address \"10.0.0.1:53\" is skipped: it has a port; write 10.0.0.1 without a port"),
        ("::", "address \"::\" is skipped: it is the unspecified address; write one that clients can reach"),
    ] {
        assert_eq!(addresses(address).1, [expect]);
    }
}

#[test]
fn ten_thousand_addresses_in_one_annotation() {
    let each = (0..10_000_u32).rev().map(|i| Ipv4Addr::from(0x0a00_0000 + i).to_string());
    let node = node("", &each.collect::<Vec<_>>().join(","));
    assert_eq!(node.addresses().v4.len(), 10_000);
    assert!(node.addresses().v4.is_sorted());
    assert_eq!(node.faults().1, 0);
}

#[test]
fn thousands_of_faults_are_counted_and_few_of_them_kept() {
    let node = node(&"a!,".repeat(5_000), &"x,".repeat(5_000));
    let (faults, count) = node.faults();
    assert_eq!((faults.count(), count), (2 * FAULT_LIMIT, 10_000));
}

#[test]
fn an_annotation_that_stays_is_not_read_again() {
    let before = node("home,a!b", "203.0.113.7,x");
    let mut object = before.object.clone();
    object.ready = Some(objects::Condition { status: "True".into(), ..<_>::default() }.into());
    let after = Node::read(object.clone(), Some(&before), &mut KnownAreas::default());
    assert!(Arc::ptr_eq(&before.areas, &after.areas) && Arc::ptr_eq(&before.addresses, &after.addresses));
    assert_eq!(after.faults_since(Some(&before)).count(), 0);
    assert_eq!(after.faults_since(None).count(), 2);

    object.areas = Some("cloud,a!b".into());
    let moved = Node::read(object, Some(&after), &mut KnownAreas::default());
    assert_eq!(moved.faults_since(Some(&after)).count(), 1);
}

#[test]
fn a_node_that_is_being_deleted_lists_no_area_and_brings_no_address() {
    let ready = Some(objects::Condition { status: "True".into(), ..<_>::default() }.into());
    let object = objects::Node { ready, ..node("home", "203.0.113.7").object };
    let by_itself =
        Circumstances { late: None, wait: None, unfit: None, when_none: WhenNone::All, wall: SystemTime::UNIX_EPOCH };
    let stays = Node::read(object.clone(), None, &mut KnownAreas::default()).judge(&by_itself);
    assert_eq!((stays.listed().len(), stays.brings().is_some()), (1, true));
    let goes = Node::read(objects::Node { deleting: true, ..object }, None, &mut KnownAreas::default());
    let goes = goes.judge(&by_itself);
    assert_eq!((goes.listed().len(), goes.brings().is_some(), goes.areas().len()), (0, false, 1));
}
