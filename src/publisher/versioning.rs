//! The versions of the zone, as the publisher has them: made alone, or agreed on with other replicas.
//!
//! In: the content of each zone, the time, what comes of the Lease. Out: the serial to publish a zone with, and the edition
//! that belongs to it, which may be of an older content or wait for others. A file of its own since the publisher need
//! not know which of the two it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never};
use domain::base::Serial;

use crate::leader::{Agreement, Reply, Request, Shown, Standing, Terms, VIEWS};
use crate::zone::Zone;
use crate::zone::serial::{self, BETWEEN_VERSIONS, Digest, Version, Versions};

/// Where versions come from.
#[derive(Debug)]
pub enum Versioning {
    /// This daemon is the only one, or does not know of others.
    Alone {
        /// What an earlier run stored.
        last: Option<Version>,
        /// How far versions are apart at least.
        between: Duration,
        /// None before the first zone.
        versions: Option<Versions>,
    },
    /// There are others.
    Agreed(Box<Replica>),
}

/// This replica's part, and the zones that it may have to show.
#[derive(Debug)]
pub struct Replica {
    agreement: Agreement,
    requests: Sender<Request>,
    replies: Receiver<Reply>,
    /// What is to be asked once the zone is published that it is about.
    outgoing: Option<Request>,
    /// Its own views, as the agreement has their hashes.
    views: VecDeque<Arc<Zone>>,
    /// The content of the last version that it asked to be recorded.
    offered: Option<Arc<Zone>>,
    /// The edition.
    edition: Option<Arc<Zone>>,
}

impl Default for Versioning {
    fn default() -> Self {
        Self::Alone { last: None, between: BETWEEN_VERSIONS, versions: None }
    }
}

impl Versioning {
    /// An earlier run stored this.
    pub fn go_on_from(&mut self, stored: Version) {
        if let Self::Alone { last, .. } = self {
            *last = Some(stored);
        }
    }

    /// Versions are at least so far apart.
    pub fn set_apart(&mut self, apart: Duration) {
        if let Self::Alone { between, .. } = self {
            *between = apart;
        }
    }

    /// The same with other replicas, by what is asked and answered on these channels.
    #[must_use]
    pub fn agree(self, terms: Terms, requests: Sender<Request>, replies: Receiver<Reply>) -> Self {
        let last = if let Self::Alone { last, .. } = self { last } else { None };
        Self::Agreed(Box::new(Replica {
            agreement: Agreement::new(terms, last),
            requests,
            replies,
            outgoing: None,
            views: VecDeque::new(),
            offered: None,
            edition: None,
        }))
    }

    /// Where replies come from.
    pub fn replies(&self) -> Receiver<Reply> {
        match self {
            Self::Alone { .. } => never(),
            Self::Agreed(replica) => replica.replies.clone(),
        }
    }

    /// Something came of what was asked; `None`: nothing will any more.
    pub fn on_reply(&mut self, reply: Option<Reply>, now: Instant) {
        let Self::Agreed(replica) = self else { return };
        match reply {
            Some(reply) => replica.agreement.on_reply(reply, now),
            None => {
                replica.replies = never();
                replica.agreement.leave();
            }
        }
    }

    /// The newest content is `digest`, if there is one yet; what is due is done. Only a `complete` content, all of it
    /// listed by the API server, is for others to follow.
    pub fn advance(&mut self, digest: Option<Digest>, complete: bool, now: Instant) {
        match self {
            Self::Alone { last, between, versions } => {
                let Some(digest) = digest else { return };
                match versions {
                    Some(versions) => drop(versions.advance(digest, serial::clock(), now)),
                    None => {
                        let first = Versions::first(digest, *last, serial::clock(), now);
                        *versions = Some(first.between(*between));
                    }
                }
            }
            Self::Agreed(replica) => {
                if let Some(digest) = digest {
                    replica.agreement.view(digest, complete, now);
                }
                let request = replica.agreement.next(now, serial::clock());
                replica.outgoing = request.or(replica.outgoing.take());
                for news in replica.agreement.take_news() {
                    log::log!(news.level(), "{news}");
                }
            }
        }
    }

    /// What the SOA has.
    pub fn serial(&self) -> Serial {
        self.shown().serial
    }

    /// The version whose content secondaries are given, if there is one.
    pub fn version(&self) -> Option<Version> {
        self.shown().version
    }

    fn shown(&self) -> Shown {
        match self {
            Self::Alone { last, versions, .. } => {
                let version = versions.as_ref().map(Versions::present);
                Shown { serial: version.or(*last).map_or(Serial(0), |version| version.serial), version }
            }
            Self::Agreed(replica) => replica.agreement.shown(),
        }
    }

    /// This zone is published. Returns the edition, with the serial of its version, if there is one: the same or an
    /// earlier content, made complete by `finish` where it is another zone.
    pub fn follow(
        &mut self,
        zone: Option<&Arc<Zone>>,
        finish: impl FnOnce(Zone, Option<Version>) -> Zone,
    ) -> Option<Arc<Zone>> {
        let shown = self.version();
        match self {
            Self::Alone { .. } => zone.filter(|zone| shown.is_some_and(|shown| shown.digest == zone.digest())).cloned(),
            Self::Agreed(replica) => {
                replica.see(zone);
                replica.ask();
                let version = shown?;
                // One from before Services were known is given to nobody, even if that changes no record.
                let present = |edition: &Arc<Zone>| is(edition, version) && edition.services_known();
                if !replica.edition.as_ref().is_some_and(present) {
                    let zones = replica.views.iter().rev().chain(&replica.offered);
                    let content = zones.chain(&replica.edition).find(|zone| zone.digest() == version.digest)?;
                    // Also where the serial is the version's already: the zone may be from before it was one.
                    let edition = finish(Zone::clone(content).with_serial(version.serial), shown);
                    replica.edition = Some(Arc::new(edition));
                }
                replica.edition.clone()
            }
        }
    }

    /// Whether secondaries are to have none, not even an earlier one: there is no version that this replica could show.
    pub fn withdraws(&self) -> bool {
        matches!(self, Self::Agreed(replica) if replica.agreement.shown().version.is_none())
    }

    /// Whether secondaries hear of editions from this replica.
    pub fn announces(&self) -> bool {
        match self {
            Self::Alone { .. } => true,
            Self::Agreed(replica) => replica.agreement.announces(),
        }
    }

    /// When something is due even if nothing changes. The content is `digest`, if there is one yet.
    pub fn due(&self, digest: Option<Digest>) -> Option<Instant> {
        match self {
            Self::Alone { versions, .. } => versions.as_ref()?.due(digest?),
            Self::Agreed(replica) => replica.agreement.due(),
        }
    }

    /// What to keep for the next run; `None` before there is anything.
    pub fn stored(&self) -> Option<Version> {
        match self {
            Self::Alone { versions, .. } => versions.as_ref().map(Versions::present),
            Self::Agreed(replica) => Some(replica.agreement.stored()),
        }
    }

    /// How this replica stands with the others.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Alone { .. } => None,
            Self::Agreed(replica) => Some(replica.agreement.standing()),
        }
    }
}

impl Replica {
    /// Keeps the zone as long as the agreement keeps its hash.
    fn see(&mut self, zone: Option<&Arc<Zone>>) {
        let Some(zone) = zone else { return };
        if self.views.back().is_some_and(|view| Arc::ptr_eq(view, zone)) {
            return;
        }
        self.views.retain(|view| view.digest() != zone.digest());
        if self.views.len() >= VIEWS {
            self.views.pop_front();
        }
        self.views.push_back(Arc::clone(zone));
    }

    /// Asks what is to be asked, and keeps the content of the version that it is about.
    fn ask(&mut self) {
        let Some(request) = self.outgoing.take() else { return };
        if let Request::Create(record) | Request::Update(record, _) = &request
            && let Some(version) = record.version
            && let Some(zone) = self.views.iter().find(|view| view.digest() == version.digest)
        {
            self.offered = Some(Arc::clone(zone));
        }
        // There is room: one is under way at a time. A reader that is gone ends with the daemon.
        let _ = self.requests.try_send(request);
    }
}

/// Whether the zone is this version.
fn is(zone: &Zone, version: Version) -> bool {
    zone.serial() == version.serial && zone.digest() == version.digest
}
