//! What is published, and what secondaries are given, where replicas agree on versions.

use crossbeam_channel::{bounded, never};

use super::*;
use crate::leader::Record;
use crate::leader::fixture::terms;

/// A replica of which nobody else knows, and what it asks of the Lease.
struct Replica {
    rig: Rig,
    requests: Receiver<Request>,
    after: Duration,
}

impl Replica {
    fn new(announcing: Announcing) -> Self {
        let (sender, requests) = bounded(1);
        let Rig { publisher, published } = Rig::new();
        let publisher = publisher.with_announcing(announcing).with_agreement(terms(), sender, never());
        let mut rig = Rig { publisher, published };
        rig.step(Duration::ZERO, lists("192.0.2.1"));
        Self { rig, requests, after: Duration::ZERO }
    }

    /// It looks, and finds that another replica has recorded this.
    fn find(&mut self, version: Version) {
        let record = Record {
            holder: "dns-b".to_owned(),
            lease_duration: seconds(15),
            zone: Some("lb.example.test.".to_owned()),
            version: Some(version),
            ..Record::default()
        };
        assert_eq!(self.requests.try_recv(), Ok(Request::Get));
        let now = self.rig.publisher.started + self.after;
        self.rig.publisher.versioning.on_reply(Some(Reply::Found(record, "7".to_owned())), now);
        self.rig.step(self.after, []);
        self.after += seconds(3);
        self.rig.step(self.after, []);
    }

    fn zone(&self) -> Arc<Zone> {
        self.rig.published.current().unwrap()
    }

    fn edition(&self) -> Option<Arc<Zone>> {
        Some(Arc::clone(&self.rig.publisher.editions.current()?.zone))
    }
}

fn version(zone: &Zone) -> Version {
    Version { serial: zone.serial(), digest: zone.digest() }
}

#[test]
fn an_edition_has_its_digest_where_the_zone_had_the_serial_before_it_was_agreed_on() {
    let mut replica = Replica::new(Announcing::new(seconds(1), true, None));
    let first = replica.zone();
    assert!(first.zonemd().is_none() && replica.edition().is_none(), "the Lease was not read yet");
    // The leader saw the same in the same second.
    replica.find(version(&first));
    for zone in [replica.zone(), replica.edition().unwrap()] {
        assert_eq!(version(&zone), version(&first));
        assert!(zone.zonemd().is_some());
    }
}

#[test]
fn secondaries_get_nothing_at_a_serial_that_has_two_contents() {
    let announcer = crate::secondaries::Announcer::alone();
    let mut replica = Replica::new(Announcing::new(seconds(1), false, Some(announcer.clone())));
    let known = version(&replica.zone());
    replica.find(known);
    assert_eq!(replica.edition().as_deref().map(version), Some(known));
    replica.find(Version { digest: Digest(1), ..known });
    assert!(replica.edition().is_none());
    assert_eq!(replica.rig.serial(), Some(known.serial.into_int()), "SOA has the recorded serial");
    let later = Version { serial: known.serial.add(9), ..known };
    replica.find(later);
    assert_eq!(replica.edition().as_deref().map(version), Some(later));
    let journal = &replica.rig.publisher.editions.current().unwrap().journal;
    assert!(journal.is_empty(), "nothing leads on from a serial that has two contents");
    assert_eq!(announcer.left(), None, "a follower announces nothing");
}
