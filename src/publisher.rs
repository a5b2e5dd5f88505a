//! Events in, published zones out: the one thread that owns the [`Cluster`] and writes [`Published`].
//!
//! The first event of a quiet period is published at once; events that come while a zone is built, or right behind it
//! ([`SPACING`]), go into the next one. There are few timers: Services that fail don't hold back the nodes for more than
//! [`SERVICES_MAY_TAKE`], serials are at least a second apart, the cluster says when it wants to be looked at again (waits
//! and maintenance end), and with a state directory what is not listed in time is served from there, and what is served is
//! written there. Who wants to know how things stand asks, and is told between events ([`report`](crate::report)).

mod announcing;
mod earlier;
mod folding;
mod heartbeats;
mod probing;
mod versioning;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, select};

pub use self::announcing::Announcing;
pub use self::heartbeats::Heartbeats;
pub use self::probing::Probing;
use self::versioning::Versioning;
use crate::cluster::probes::{Overview, ProbeResult};
use crate::cluster::{Changes, Cluster, Moment};
use crate::kube::{Kind, WatchEvent};
use crate::leader::{Reply, Request, Terms};
use crate::report::{Ask, Report, Served, Timeline};
use crate::state::saver::Saver;
use crate::state::{Earlier, Fallback};
use crate::thread::{self, Stop};
use crate::zone::published::Publish;
use crate::zone::serial;
use crate::zone::{Editions, Published, Zone, ZoneConfig};

/// How long the first zone waits for Services and EndpointSlices once nodes are known.
const SERVICES_MAY_TAKE: Duration = Duration::from_secs(5);

/// More events than this are not folded into one zone: a storm that never ends must not keep the zone from changing.
const EVENTS_A_ZONE: usize = 10_000;

/// Zones are at least so far apart: a burst at the rate at which events can be decoded would be a zone for each handful of
/// them. It is half of what a change may take from the API server into the answers.
const SPACING: Duration = Duration::from_micros(500);

/// The publisher comes round as often, if only to show that it can.
const ROUND: Duration = Duration::from_secs(2);

/// What the publisher remembers.
#[derive(Debug)]
pub struct Publisher {
    config: ZoneConfig,
    cluster: Cluster,
    publish: Publish,
    editions: Arc<Editions>,
    serving: Option<Served>,
    versioning: Versioning,
    /// When a zone was published last.
    published: Option<Instant>,
    started: Instant,
    /// When nodes were listed for the first time.
    nodes_since: Option<Instant>,
    /// What an earlier run knew, as long as it may be of use.
    fallback: Option<Fallback>,
    saver: Option<Saver>,
    /// Where leases are looked at.
    heartbeats: Option<Heartbeats>,
    /// Where probes are looked at.
    probing: Option<Probing>,
    announcing: Announcing,
    timeline: Timeline,
}

/// What the publisher does next.
enum Next {
    Event(WatchEvent),
    Ask(Ask),
    Probes(Vec<ProbeResult>),
    /// What came of what was asked of the Lease; `None`: nothing will any more.
    Reply(Option<Reply>),
    /// Look at the clock.
    Round,
    Stop,
}

impl Publisher {
    /// A publisher that knows nothing yet.
    pub fn new(config: ZoneConfig, cluster: Cluster, published: Arc<Published>) -> Self {
        Self {
            config,
            cluster,
            publish: Publish::new(published),
            editions: Arc::default(),
            serving: None,
            versioning: Versioning::default(),
            published: None,
            started: Instant::now(),
            nodes_since: None,
            fallback: None,
            saver: None,
            heartbeats: None,
            probing: None,
            announcing: Announcing::default(),
            timeline: Timeline::default(),
        }
    }

    /// The same, that goes on from what an earlier run left, and leaves something for the next.
    #[must_use]
    pub fn with_state(mut self, earlier: Option<Earlier>, saver: Saver) -> Self {
        if let Some(Earlier { version, fallback, memories }) = earlier {
            self.versioning.go_on_from(version);
            self.fallback = fallback;
            self.remember(memories, Moment::now());
        }
        self.saver = Some(saver);
        self
    }

    /// The same, that gives secondaries their editions there.
    #[must_use]
    pub fn with_editions(self, editions: Arc<Editions>) -> Self {
        Self { editions, ..self }
    }

    /// The same, that takes nodes out whose leases are not renewed.
    #[must_use]
    pub fn with_heartbeats(self, heartbeats: Option<Heartbeats>) -> Self {
        Self { heartbeats, ..self }
    }

    /// The same, that takes addresses out whose probes fail.
    #[must_use]
    pub fn with_probing(self, probing: Option<Probing>) -> Self {
        Self { probing, ..self }
    }

    /// The same, that tells secondaries.
    #[must_use]
    pub fn with_announcing(mut self, announcing: Announcing) -> Self {
        self.versioning.set_apart(announcing.between());
        Self { announcing, ..self }
    }

    /// The same, that agrees with other replicas on versions, by what is asked and answered on these channels. To be
    /// called last, as it goes on from the state.
    #[must_use]
    pub fn with_agreement(self, terms: Terms, requests: Sender<Request>, replies: Receiver<Reply>) -> Self {
        Self { versioning: self.versioning.agree(terms, requests, replies), ..self }
    }

    /// Publishes until told to stop, or until nobody can send events any more.
    pub fn run(mut self, events: &Receiver<WatchEvent>, asks: &Receiver<Ask>, stop: &Stop) {
        loop {
            let mut probed = Vec::new();
            let first = match self.next(events, asks, stop) {
                Next::Event(event) => Some(event),
                Next::Round => None,
                Next::Probes(results) => {
                    probed = results;
                    None
                }
                Next::Reply(reply) => {
                    self.versioning.on_reply(reply, Instant::now());
                    None
                }
                Next::Ask(ask) => {
                    ask(self.report());
                    continue;
                }
                Next::Stop => break,
            };
            let (mut changes, mut is_new) =
                self.apply_all(first.into_iter().chain(events.try_iter().take(EVENTS_A_ZONE)), Moment::now);
            if let Some(pause) = self.pause().filter(|_| !changes.is_empty()) {
                std::thread::sleep(pause);
                let (more, was_new) = self.apply_all(events.try_iter().take(EVENTS_A_ZONE), Moment::now);
                is_new |= was_new;
                changes.merge(more);
            }
            let now = Moment::now();
            let (more, was_new) = self.settle(probed, now);
            is_new |= was_new || !changes.is_empty();
            changes.merge(more);
            let now = now.at;
            if self.serving.is_none() {
                changes = Changes::default(); // all names, of which the first zone is made without being told
            }
            self.advance(&changes, now);
            self.save(is_new);
        }
        let memories = self.memories(Moment::now());
        let version = self.serving.as_ref().and(self.versioning.stored());
        if let (Some(saver), Some(version)) = (self.saver, version) {
            saver.finish(&self.cluster, memories, version, Instant::now(), serial::since_1970());
        }
    }

    /// How long it is too early for a zone.
    fn pause(&self) -> Option<Duration> {
        SPACING.checked_sub(self.published?.elapsed())
    }

    /// Has the state written when it is time.
    fn save(&mut self, changed: bool) {
        let Some(mut saver) = self.saver.take() else { return };
        if let Some(version) = self.serving.as_ref().and(self.versioning.stored()) {
            if changed {
                saver.changed();
            }
            let memories = || self.memories(Moment::now());
            saver.save(&self.cluster, memories, version, Instant::now(), serial::since_1970());
        }
        self.saver = Some(saver);
    }

    /// Waits for an event, for somebody who asks, or for the next deadline. Events go first: whoever asks without end
    /// must not hold them up.
    fn next(&self, events: &Receiver<WatchEvent>, asks: &Receiver<Ask>, stop: &Stop) -> Next {
        thread::beat_before(ROUND);
        if let Ok(event) = events.try_recv() {
            return Next::Event(event);
        }
        let round = Instant::now() + ROUND;
        let deadline = crossbeam_channel::at(self.deadline().map_or(round, |deadline| deadline.min(round)));
        select! {
            recv(events) -> event => event.map_or(Next::Stop, Next::Event),
            recv(stop.channel()) -> _ => Next::Stop,
            recv(asks) -> ask => ask.map_or(Next::Stop, Next::Ask),
            recv(Probing::results(self.probing.as_ref())) -> results => results.map_or(Next::Stop, Next::Probes),
            recv(self.versioning.replies()) -> reply => Next::Reply(reply.ok()),
            recv(deadline) -> _ => Next::Round,
        }
    }

    fn report(&self) -> Report {
        Report {
            cluster: self.cluster.snapshot(),
            served: self.serving.clone(),
            leases: self.heartbeats.as_ref().map(Heartbeats::standing),
            probes: self.probing.as_ref().map(|probing| Overview::of(probing.probes())),
            replicas: self.versioning.standing(),
            timeline: self.timeline.entries(),
        }
    }

    /// When something is to be done even if no event comes.
    fn deadline(&self) -> Option<Instant> {
        let first = self.nodes_since.filter(|_| self.serving.is_none()).map(|since| since + SERVICES_MAY_TAKE);
        let version = self.versioning.due(self.serving.as_ref().map(|served| served.zone.digest()));
        let fall_back = self.fallback.as_ref().map(Fallback::due);
        let saver = self.saver.as_ref().filter(|_| self.serving.is_some());
        let save = saver.map(|saver| saver.due(Instant::now()));
        let leases = self.heartbeats.as_ref().and_then(Heartbeats::due);
        let probes = self.probing.as_ref().and_then(|probing| probing.due(&self.cluster));
        [first, version, fall_back, save, self.cluster.due(), leases, probes].into_iter().flatten().min()
    }

    /// Publishes what has to be published after `changes`.
    fn advance(&mut self, changes: &Changes, now: Instant) {
        if self.nodes_since.is_none() && self.cluster.loaded(Kind::Node) {
            // Where nodes come from the state, the API had its time.
            self.nodes_since = Some(if self.cluster.restored(Kind::Node) { self.started } else { now });
        }
        self.serving = match self.serving.take() {
            None => self.first_zone(now),
            Some(served) => Some(self.next_zone(served, changes, now)),
        };
        let view = self.serving.as_ref().map(|served| &served.zone);
        if view.is_none() {
            self.versioning.advance(None, false, now);
        }
        let announcing = &self.announcing;
        if let Some(edition) = self.versioning.follow(view, |zone, version| announcing.complete(zone, version)) {
            self.editions.publish(&edition);
            if self.versioning.announces() {
                self.announcing.follow(&edition);
            } else {
                self.announcing.hush();
            }
        } else if self.versioning.withdraws() {
            self.editions.withdraw();
            self.announcing.hush();
        }
    }

    /// Whether others may follow what this daemon knows: all of it was listed by the API server.
    fn complete(&self) -> bool {
        self.cluster.services_known()
            && self.cluster.listed(Kind::Node)
            && !Kind::ALL.iter().any(|kind| self.cluster.restored(*kind))
    }

    /// The first zone, once there is enough to publish one.
    fn first_zone(&mut self, now: Instant) -> Option<Served> {
        let waited = now.saturating_duration_since(self.nodes_since?) >= SERVICES_MAY_TAKE;
        if !self.cluster.services_known() {
            if !waited {
                return None;
            }
            log::warn!(
                "Services and EndpointSlices could not be listed for {} s: serving the areas without them; names of \
                 Services get SERVFAIL until they are listed",
                SERVICES_MAY_TAKE.as_secs()
            );
        }
        let begun = Instant::now();
        let zone = Zone::build(&self.config, &self.cluster);
        let build = begun.elapsed();
        self.versioning.advance(Some(zone.digest()), self.complete(), now);
        let zone = zone.with_serial(self.versioning.serial());
        let zone = self.announcing.complete(zone, self.versioning.version());
        log_skipped(&zone, None);
        log::info!(
            "zone {} is being served: {} names, serial {}",
            self.config.apex,
            zone.len(),
            zone.serial().into_int()
        );
        let (zone, since) = (self.publish.publish(zone), SystemTime::now());
        self.published = Some(Instant::now());
        Some(Served { zone, since, changed: since, build, count: 1 })
    }

    /// The zone after `changes`, and a new version of it when one is due.
    fn next_zone(&mut self, mut served: Served, changes: &Changes, now: Instant) -> Served {
        let old = Arc::clone(&served.zone);
        let begun = Instant::now();
        let changed = (!changes.is_empty()).then(|| old.update(&self.cluster, changes));
        let build = begun.elapsed();
        let digest = changed.as_ref().unwrap_or(&old).digest();
        self.versioning.advance(Some(digest), self.complete(), now);
        let (serial, version) = (self.versioning.serial(), self.versioning.version());
        if changed.is_none() && serial == old.serial() && !self.announcing.has_to_digest(&old, version) {
            return served;
        }
        if changed.is_some() {
            (served.changed, served.build) = (SystemTime::now(), build);
        }
        if let Some(changed) = changed.as_ref().filter(|changed| self.announcing.has_to_digest(changed, version)) {
            self.publish.publish(changed.clone()); // addresses do not wait for that
        }
        let zone = changed.unwrap_or_else(|| (*old).clone()).with_serial(serial);
        let zone = self.announcing.complete(zone, version);
        log_skipped(&zone, Some(&old));
        log::debug!("zone published: {} names, serial {}", zone.len(), zone.serial().into_int());
        served.zone = self.publish.publish(zone);
        self.published = Some(Instant::now());
        served.count += 1;
        served
    }
}

/// Says which names of the cluster DNS cannot have, each once.
fn log_skipped(zone: &Zone, old: Option<&Zone>) {
    for name in zone.skipped().iter().filter(|name| !old.is_some_and(|old| old.skipped().contains(*name))) {
        log::warn!(
            "name {name:?} is left out: it is longer than 255 octets with the zone, or a label is empty, longer than 63 or \
             has other characters than letters, digits, - and _"
        );
    }
}

#[cfg(test)]
mod tests;
