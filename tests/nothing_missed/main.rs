//! Nothing is missed: thousands of random changes run through every fault that a watch has, in virtual time, and at each
//! quiet moment the zone equals one built afresh from a list.
//!
//! What is under test is the state machine of each kind, the cluster and the zone, joined as the reflectors and the
//! publisher join them; no socket, no thread and no clock is between them, so that a failure is a seed.
//! `NOTHING_MISSED_SEEDS=N` tries more of them. The same with the real daemon is in `integration/random.rs`.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[path = "../integration/common/random.rs"]
mod random;
mod server;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use domain::base::{Name, Ttl};
use k8s_node_dns::cluster::{self, Changes, Cluster};
use k8s_node_dns::kube::objects::Object;
use k8s_node_dns::kube::watch::{Failure, Input, Moment, Step, Told, Watch};
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::zone::{NameServer, SoaConfig, Zone, ZoneConfig};

use self::random::Random;
use self::server::{Server, Table};

/// Between two looks of the simulation at everything.
const TICK: Duration = Duration::from_millis(200);

/// How long a watch lasts, as the daemon asks for it.
const WATCH: Duration = Duration::from_secs(30);

/// After so long without faults everything is known: a watch that is silent is noticed, and the longest pause is over.
const QUIET: Duration = Duration::from_secs(75);

/// A watch that the server answers.
struct Stream {
    since: Instant,
    reached: u64,
    /// It began at a version that the server had not reached: nothing ever comes.
    future: bool,
}

/// A reflector and its connection.
struct Follower<T: Object> {
    watch: Watch<T>,
    stream: Option<Stream>,
}

impl<T: Object> Follower<T> {
    fn new() -> Self {
        Self { watch: Watch::default(), stream: None }
    }

    /// Does what a reflector does in one tick; returns what it tells the publisher, and whether it saw a restored
    /// server.
    fn tick(&mut self, world: &World, server: &mut Server, table: fn(&mut Server) -> &mut Table<T>) -> Vec<Told<T>> {
        let mut random = Random::new(world.seed);
        let now = world.now;
        let fault = world.faults && random.one_in(world.one_in);
        let chance = random.below(1001) as f64 / 1000.0;
        let moment = Moment { now, chance };
        if world.cut {
            self.stream = None; // the state machine hears of it when it reads, which it does if it watches
        }
        let failure = random.pick(&[
            Failure::Connection,
            Failure::Unauthorized,
            Failure::Forbidden,
            Failure::Gone,
            Failure::Unavailable(None),
            Failure::Unavailable(Some(Duration::from_secs(2))),
            Failure::Other,
        ]);
        let mut told = Vec::new();
        let input = match self.watch.step(now) {
            Step::Pause(_) => return told,
            _ if world.away => Input::Failed(Failure::Connection),
            _ if fault => Input::Failed(failure),
            Step::List(token) => {
                let version = server.version;
                table(server).page(version, &token, 1 + random.below(4) as usize)
            }
            Step::Check => Input::Version(server.version.to_string()),
            Step::Watch(version) => {
                let version: u64 = version.parse().unwrap();
                let Some(stream) = &mut self.stream else {
                    if world.cut {
                        return self.watch.take(Input::Failed(Failure::Connection), moment);
                    }
                    if version < server.compacted {
                        return self.watch.take(Input::Failed(Failure::Gone), moment);
                    }
                    self.stream = Some(Stream { since: now, reached: version, future: version > server.version });
                    return told;
                };
                let ended =
                    world.ended || now.duration_since(stream.since) >= WATCH || (world.faults && random.one_in(40));
                let (compacted, current) = (server.compacted, server.version);
                let mut events = Vec::new();
                if !stream.future {
                    if stream.reached < compacted {
                        // A server drops a watcher that is too slow for its window.
                        self.stream = None;
                        return self.watch.take(Input::Failed(Failure::Gone), moment);
                    }
                    for (version, change) in &table(server).history {
                        if *version > stream.reached && !random.one_in(8) {
                            stream.reached = *version;
                            events.push(Input::Event(Some(change.clone()), version.to_string()));
                            if world.faults && random.one_in(6) {
                                events.push(Input::Event(Some(change.clone()), version.to_string())); // told twice
                            }
                        } else if *version > stream.reached {
                            break; // the rest comes later, and other kinds overtake it
                        }
                    }
                    let all = table(server).history.last().is_none_or(|(version, _)| *version <= stream.reached);
                    if all && random.one_in(10) {
                        stream.reached = current;
                        events.push(Input::Bookmark(current.to_string()));
                    }
                }
                if ended {
                    events.push(Input::End);
                }
                for event in events {
                    told.extend(self.watch.take(event, moment));
                    if !matches!(self.watch.step(now), Step::Watch(_)) {
                        break;
                    }
                }
                if ended || !matches!(self.watch.step(now), Step::Watch(_)) {
                    self.stream = None;
                }
                return told;
            }
        };
        if matches!(input, Input::Failed(_)) {
            self.stream = None;
        }
        told.extend(self.watch.take(input, moment));
        told
    }

    fn restored(&mut self, now: Instant) {
        self.stream = None;
        assert_eq!(self.watch.take(Input::Restored, Moment { now, chance: 0.0 }), []);
    }
}

/// What all kinds see of a tick.
struct World {
    now: Instant,
    seed: u64,
    faults: bool,
    /// Of so many requests or looks at a watch one fails.
    one_in: u64,
    /// The server refuses connections.
    away: bool,
    /// Every connection is cut in this tick.
    cut: bool,
    /// Every watch ends in this tick, in order, as that of an API server which is told to end.
    ended: bool,
}

/// What the publisher has.
struct Published {
    cluster: Cluster,
    zone: Option<Zone>,
    changes: Changes,
}

impl Published {
    fn apply(&mut self, event: WatchEvent) {
        let changes = self.cluster.apply(event, cluster::Moment::now());
        self.changes.merge(changes);
    }

    fn publish(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        self.zone = Some(match &self.zone {
            None => Zone::build(&config(), &self.cluster),
            Some(zone) => zone.update(&self.cluster, &changes),
        });
    }
}

fn config() -> ZoneConfig {
    let name = |text| Name::from_str(text).unwrap();
    let ttl = Ttl::from_secs(30);
    ZoneConfig {
        apex: name("lb.example.test"),
        servers: vec![NameServer { name: name("ns.example.net"), glue: Vec::new() }],
        soa: SoaConfig {
            mailbox: name("admin.example.test"),
            refresh: ttl,
            retry: ttl,
            expire: ttl,
            ttl,
            negative_ttl: ttl,
        },
        ttl,
    }
}

/// The zone of what the server has.
fn fresh(server: &Server) -> (Cluster, Zone) {
    fn all<T: Object>(table: &Table<T>) -> Change<T> {
        Change::Replaced(table.objects.values().cloned().collect())
    }
    let mut cluster = Cluster::new(true);
    cluster.apply(WatchEvent::Nodes(all(&server.nodes)), cluster::Moment::now());
    cluster.apply(WatchEvent::Services(all(&server.services)), cluster::Moment::now());
    cluster.apply(WatchEvent::EndpointSlices(all(&server.slices)), cluster::Moment::now());
    let zone = Zone::build(&config(), &cluster);
    (cluster, zone)
}

/// What a name has, for the message of a test that fails.
fn names(cluster: &Cluster) -> BTreeMap<String, String> {
    let areas = cluster.areas().map(|area| (area.as_str().to_owned(), format!("{:?}", cluster.area(area))));
    let services =
        cluster.services().map(|service| (format!("{service:?}"), format!("{:?}", cluster.service(service))));
    areas.chain(services).collect()
}

/// What happened in a run, so that a run in which nothing did is no success.
#[derive(Debug, Default)]
struct Seen {
    changes: u64,
    quiet: u64,
    restored: u64,
    restorations: u64,
    refused: u64,
    lists: u64,
}

/// Tells the publisher; whether a restored server was seen.
fn tell<T: Object>(
    told: Vec<Told<T>>,
    event: fn(Change<T>) -> WatchEvent,
    to: &mut Published,
    seen: &mut Seen,
) -> bool {
    let mut restored = false;
    for told in told {
        match told {
            Told::Changed(change) => {
                seen.lists += u64::from(matches!(change, Change::Replaced(_)));
                to.apply(event(change));
            }
            Told::Restored => restored = true,
            Told::Refused => seen.refused += 1,
            Told::Allowed => {}
        }
    }
    seen.restored += u64::from(restored);
    restored
}

fn run(seed: u64, seen: &mut Seen) {
    let mut random = Random::new(seed);
    let start = Instant::now();
    let mut world = World { now: start, seed: 1, faults: true, one_in: 1, away: false, cut: false, ended: false };
    let mut server = Server::default();
    let mut backup = server.clone();
    let (mut nodes, mut services, mut slices) = (Follower::new(), Follower::new(), Follower::new());
    let mut published = Published { cluster: Cluster::new(true), zone: None, changes: Changes::default() };
    let mut away_until = start;
    for _ in 0..6 {
        world.one_in = random.pick(&[8, 60, 1000]);
        let quiet_from = world.now + Duration::from_secs(20 + random.below(60));
        let quiet_until = quiet_from + QUIET;
        while world.now < quiet_until {
            world.now += TICK;
            world.faults = world.now < quiet_from;
            world.cut = world.faults && random.one_in(60);
            world.ended = false;
            if world.faults {
                for _ in 0..random.below(3) {
                    server.change(&mut random);
                    seen.changes += 1;
                }
                if random.one_in(80) {
                    server.compact();
                }
                if random.one_in(60) {
                    backup = server.clone();
                }
                let last = world.now + TICK >= quiet_from && random.one_in(3);
                if last || random.one_in(200) {
                    // While it is away, as long as that takes; or by another server behind the same balancer, without
                    // a failed connection, from a backup that is so old that its versions do not come near.
                    server = backup.clone();
                    server.forget_pages();
                    if server.version < 25_000 || random.one_in(2) {
                        away_until = world.now + Duration::from_secs(2);
                        world.cut = true;
                    } else {
                        world.ended = true;
                        server.version -= 20_000;
                        server.compact();
                        backup = server.clone();
                    }
                    seen.restorations += 1;
                }
                if random.one_in(200) {
                    away_until = world.now + Duration::from_secs(random.below(20));
                }
            }
            world.away = world.now < away_until;
            let Server { version: before, .. } = server;
            let seeds = [random.below(1 << 31), random.below(1 << 31), random.below(1 << 31)];
            world.seed = seeds[0];
            let told = nodes.tick(&world, &mut server, |server| &mut server.nodes);
            let by_nodes = tell(told, WatchEvent::Nodes, &mut published, seen);
            world.seed = seeds[1];
            let told = services.tick(&world, &mut server, |server| &mut server.services);
            let by_services = tell(told, WatchEvent::Services, &mut published, seen);
            world.seed = seeds[2];
            let told = slices.tick(&world, &mut server, |server| &mut server.slices);
            let by_slices = tell(told, WatchEvent::EndpointSlices, &mut published, seen);
            assert_eq!(server.version, before, "who reads changes nothing");
            // Who saw a restored server makes the others list.
            if by_services || by_slices {
                nodes.restored(world.now);
            }
            if by_nodes || by_slices {
                services.restored(world.now);
            }
            if by_nodes || by_services {
                slices.restored(world.now);
            }
            if random.one_in(3) {
                published.publish(); // several events go into one zone
            }
        }
        published.publish();
        let (cluster, zone) = fresh(&server);
        assert_eq!(names(&published.cluster), names(&cluster), "seed {seed}");
        assert_eq!(published.zone.as_ref().unwrap().digest(), zone.digest(), "seed {seed}");
        assert_eq!(published.zone.as_ref().unwrap().len(), zone.len(), "seed {seed}");
        seen.quiet += 1;
    }
}

#[test]
fn a_random_script_through_every_fault() {
    let seeds = std::env::var("NOTHING_MISSED_SEEDS").map_or(40, |seeds| seeds.parse().unwrap());
    let mut seen = Seen::default();
    for seed in 1..=seeds {
        run(seed, &mut seen);
    }
    println!("{seen:?}");
    let Seen { changes, quiet, restored, restorations, refused, lists } = seen;
    let rare = [restored, restorations, refused].map(|times| times / seeds);
    assert!(changes > 1000 * seeds && quiet == 6 * seeds && lists > 20 * seeds && !rare.contains(&0), "{rare:?}");
}
