//! The machine of one replica: who leads, and when the Lease is looked at and written.
//!
//! In: views, [`Reply`]s and the time. Out: [`Request`]s, what is [`Shown`], and lines of the log. Nothing here waits, and
//! nothing here makes a serial: that is the [`Ledger`]'s.

use std::mem;
use std::time::{Duration, Instant};

use domain::base::Serial;

use super::ledger::{Found, Ledger};
use super::{News, Record, Reply, Request, Terms, Trouble};
use crate::zone::serial::{Digest, Version};

/// A follower whose view has changed looks at the Lease so long after: by then its leader has seen the same, and recorded
/// it. The second look is for a leader whose last version was less than a second ago.
const LOOKS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// A 403 is believed after this: an API server that has just started gives it to everybody.
const FORBIDDEN_FOR: Duration = Duration::from_secs(10);

/// How often one looks that cannot take part.
const LOOK_ALONE: Duration = Duration::from_secs(60);

/// What a replica shows: the serial of SOA, and the version that is transferred, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The serial in SOA.
    pub serial: Serial,
    /// The published version that this replica has the content of; without one, AXFR and IXFR are SERVFAIL.
    pub version: Option<Version>,
}

/// How a replica stands, for page and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it leads.
    pub leads: bool,
    /// What stands in the Lease, as far as known.
    pub record: Option<Record>,
    /// When the Lease was last read or written.
    pub read: Option<Instant>,
    /// The newest published version, as far as known.
    pub published: Option<Version>,
    /// What is shown.
    pub shown: Shown,
    /// Why it cannot take part, if it cannot.
    pub trouble: Option<Trouble>,
    /// Whether it makes versions alone for that.
    pub alone: bool,
}

/// A replica's part of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agreement {
    terms: Terms,
    ledger: Ledger,
    complete: bool,
    /// What was last read or written; `None` too if there is none.
    record: Option<Record>,
    /// Its resourceVersion, if an Update may be tried with it.
    version: Option<String>,
    /// Whether the last reply was a look at the Lease, on which nothing was done yet.
    fresh: bool,
    /// When it was read or written last: when that was asked for.
    read: Option<Instant>,
    /// When its holder was last seen to have changed it, by this clock.
    observed: Option<Instant>,
    under_way: Option<UnderWay>,
    /// Leads; when the last Update that was done was sent.
    renewed: Option<Instant>,
    look: Option<Instant>,
    /// When a follower looks besides.
    looks: [Option<Instant>; 2],
    /// When its view changed again while it was to look: it looks after that, too.
    again: Option<Instant>,
    /// When a lost race was last followed by a look at once.
    hurried: Option<Instant>,
    trouble: Option<(Trouble, Instant)>,
    /// Whether it came of writing: reading does not end it then.
    wrote: bool,
    /// Whether the log was told of it.
    told: bool,
    news: Vec<News>,
}

/// A request whose reply has not come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct UnderWay {
    /// What is written; `None`: it only looks.
    record: Option<Record>,
    sent: Instant,
}

impl Agreement {
    /// A replica that starts. `last` is what it stored in an earlier run ([`stored`](Self::stored)).
    pub fn new(terms: Terms, last: Option<Version>) -> Self {
        Self {
            ledger: Ledger::new(terms.timing.between_versions, last),
            terms,
            complete: false,
            record: None,
            version: None,
            fresh: false,
            read: None,
            observed: None,
            under_way: None,
            renewed: None,
            look: None,
            looks: [None; 2],
            again: None,
            hurried: None,
            trouble: None,
            wrote: false,
            told: false,
            news: Vec::new(),
        }
    }

    /// The newest content that this replica knows. Only a `complete` one may lead: everything was listed by the API
    /// server, nothing comes from the state directory.
    pub fn view(&mut self, digest: Digest, complete: bool, now: Instant) {
        self.complete = complete;
        if !self.ledger.view(digest) || self.renewed.is_some() {
            return;
        }
        if self.looks == [None; 2] {
            self.looks = LOOKS.map(|later| Some(now + later));
        } else {
            self.again = Some(now);
        }
    }

    /// What to ask of the API server now, if anything; also does what is due. To be called after all else here, and when
    /// [`due`](Self::due) says so.
    pub fn next(&mut self, now: Instant, clock: Serial) -> Option<Request> {
        self.pass(now);
        self.ledger.advance(now, clock);
        if self.under_way.is_some() {
            return None;
        }
        let request = self.write(now, clock).or_else(|| self.wants_look(now).then_some(Request::Get))?;
        for look in &mut self.looks {
            *look = look.filter(|look| *look > now);
        }
        if self.looks == [None; 2]
            && let Some(changed) = self.again.take()
        {
            self.looks = LOOKS.map(|later| Some(changed + later).filter(|look| *look > now));
        }
        let record = match &request {
            Request::Get => None,
            Request::Create(record) | Request::Update(record, _) => Some(record.clone()),
        };
        self.under_way = Some(UnderWay { record, sent: now });
        Some(request)
    }

    /// What came of the request that is under way.
    pub fn on_reply(&mut self, reply: Reply, now: Instant) {
        let Some(UnderWay { record, sent }) = self.under_way.take() else { return };
        let retry = self.terms.timing.retry_period;
        let mut look = sent + retry;
        match reply {
            Reply::Found(found, version) => self.found(found, version, sent, now),
            Reply::Absent => self.absent(sent, now),
            Reply::Done(version) => self.done(record, version, sent, now),
            Reply::Conflict => {
                self.version = None;
                if self.hurried.is_none_or(|hurried| now >= hurried + retry) {
                    self.hurried = Some(now);
                    look = now;
                }
            }
            Reply::Forbidden => {
                self.wrote |= record.is_some();
                self.hinder(Trouble::Forbidden, now);
            }
            Reply::Unknown => self.version = None,
        }
        if self.trouble.is_some() && self.told && !self.ledger.joined() {
            look = sent + LOOK_ALONE;
        }
        self.look = Some(look);
    }

    /// The daemon stops, and gives the Lease up if this replica holds it: no reply will come any more.
    pub fn leave(&mut self) {
        self.lead_no_more(News::Left);
    }

    /// When [`next`](Self::next) has something to do even if nothing comes.
    pub fn due(&self) -> Option<Instant> {
        let deadline = self.renewed.map(|renewed| renewed + self.terms.timing.renew_deadline);
        let tell = self.trouble.as_ref().filter(|_| !self.told).map(|(why, since)| *since + patience(why));
        let [first, second] = self.looks;
        let talk = [self.look, first, second, self.publishes().then(|| self.ledger.due(self.recorded())).flatten()];
        let talk = talk.into_iter().flatten().min().filter(|_| self.under_way.is_none());
        [deadline, tell, talk, self.ledger.own_due()].into_iter().flatten().min()
    }

    /// What to show.
    pub fn shown(&self) -> Shown {
        self.ledger.shown()
    }

    /// Whether this replica leads.
    pub fn leads(&self) -> bool {
        self.renewed.is_some()
    }

    /// Whether it tells secondaries of what it shows: who leads does, unless a newer version was published. A new leader
    /// may still show an older one, until its own is recorded.
    pub fn announces(&self) -> bool {
        self.ledger.alone() || self.leads() && self.shown().version == self.ledger.published()
    }

    /// What to keep for the next run.
    pub fn stored(&self) -> Version {
        self.ledger.stored()
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        Standing {
            leads: self.leads(),
            record: self.record.clone(),
            read: self.read,
            published: self.ledger.published(),
            shown: self.shown(),
            trouble: self.trouble.as_ref().map(|(why, _)| why.clone()),
            alone: self.ledger.alone(),
        }
    }

    /// What is new for the log.
    pub fn take_news(&mut self) -> Vec<News> {
        mem::take(&mut self.news)
    }

    /// Time passes: a leader may be none any more, and trouble may have come to stay.
    fn pass(&mut self, now: Instant) {
        if self.renewed.is_some_and(|renewed| now >= renewed + self.terms.timing.renew_deadline) {
            self.lose();
        }
        if let Some((why, since)) = &self.trouble
            && !self.told
            && now >= *since + patience(why)
        {
            self.told = true;
            self.news.push(News::Trouble { lease: self.terms.lease.clone(), why: why.clone() });
            self.ledger.go_alone();
        }
    }

    /// What is to be written, if anything is.
    fn write(&mut self, now: Instant, clock: Serial) -> Option<Request> {
        let fresh = mem::take(&mut self.fresh);
        let recorded = self.recorded();
        // After a pause the Lease may be another one under the same resourceVersion: a restored etcd counts on from less.
        let deadline = self.terms.timing.renew_deadline;
        let is_recent = self.read.is_some_and(|read| now < read + deadline);
        let Some(version) = self.version.clone().filter(|_| is_recent) else {
            let create = fresh && is_recent && self.record.is_none() && self.complete;
            return create.then(|| Request::Create(self.next_record(None, now, clock)));
        };
        if self.leads() {
            let new = if self.complete { self.ledger.make(recorded, now, clock) } else { None };
            let is_time = fresh || self.look.is_none_or(|look| look <= now);
            let newest = new.or_else(|| self.ledger.newest(recorded));
            return (new.is_some() || is_time).then(|| Request::Update(self.mine(newest), version));
        }
        if !fresh {
            return None;
        }
        let record = self.record.as_ref()?;
        if self.complete && (record.holder == self.terms.identity || self.has_expired(record, now)) {
            return Some(Request::Update(self.next_record(recorded, now, clock), version));
        }
        let record = Record { version: self.ledger.published(), ..record.clone() };
        self.ledger.is_behind(recorded).then_some(Request::Update(record, version))
    }

    fn wants_look(&self, now: Instant) -> bool {
        let [first, second] = self.looks;
        self.look.is_none_or(|look| look <= now) || [first, second].into_iter().flatten().any(|look| look <= now)
    }

    /// The record of a leader, with a new version if one may be made.
    fn next_record(&mut self, recorded: Option<Version>, now: Instant, clock: Serial) -> Record {
        let new = self.ledger.make(recorded, now, clock);
        self.mine(new.or_else(|| self.ledger.newest(recorded)))
    }

    /// The record of a leader, renewed now.
    fn mine(&self, version: Option<Version>) -> Record {
        let Terms { identity, zone, timing, .. } = &self.terms;
        let (acquired, transitions) = match &self.record {
            Some(record) if record.holder == *identity => (record.acquired.clone(), record.transitions),
            Some(record) => (String::new(), record.transitions.saturating_add(1)),
            None => (String::new(), 0),
        };
        Record {
            holder: identity.clone(),
            lease_duration: timing.lease_duration,
            acquired,
            renewed: String::new(),
            transitions,
            zone: Some(zone.clone()),
            version,
        }
    }

    /// Whether nobody holds it, by this clock and the time that the holder asked for.
    fn has_expired(&self, record: &Record, now: Instant) -> bool {
        let until = self.observed.and_then(|observed| observed.checked_add(record.lease_duration));
        record.holder.is_empty() || until.is_some_and(|until| now >= until)
    }

    fn found(&mut self, record: Record, version: String, sent: Instant, now: Instant) {
        if let Some(zone) = record.zone.as_ref().filter(|zone| **zone != self.terms.zone) {
            let why = Trouble::OtherZone(zone.clone());
            return self.hinder(why, now);
        }
        if self.record.as_ref().is_none_or(|known| !known.is_held_as(&record)) {
            self.observed = Some(now);
        }
        let is_mine = record.holder == self.terms.identity;
        if !self.wrote || !is_mine && !self.has_expired(&record, now) {
            self.end_trouble();
        }
        self.note(record.version, now);
        let is_news = self.record.as_ref().is_none_or(|known| known.holder != record.holder);
        if is_news && !is_mine && !record.holder.is_empty() {
            let holder = record.holder.clone();
            self.news.push(match record.zone {
                Some(_) => News::Follows(holder),
                None => News::Foreign { lease: self.terms.lease.clone(), holder },
            });
        }
        if !is_mine && self.leads() {
            self.lose();
        }
        (self.record, self.version, self.read, self.fresh) = (Some(record), Some(version), Some(sent), true);
    }

    fn absent(&mut self, sent: Instant, now: Instant) {
        if !self.wrote {
            self.end_trouble();
        }
        self.note(None, now);
        self.lose();
        (self.record, self.version, self.read, self.fresh) = (None, None, Some(sent), true);
    }

    fn done(&mut self, record: Option<Record>, version: String, sent: Instant, now: Instant) {
        let Some(record) = record else { return };
        self.end_trouble();
        self.note(record.version, now);
        if record.holder == self.terms.identity {
            (self.looks, self.again) = ([None; 2], None);
            if !self.leads() {
                self.news.push(News::Leads);
            }
            self.renewed = Some(sent);
        } else {
            self.renewed = None; // somebody else holds it: only a newer version was written into it
        }
        (self.record, self.version, self.read) = (Some(record), Some(version), Some(sent));
    }

    /// This is recorded.
    fn note(&mut self, version: Option<Version>, now: Instant) {
        let was_behind = self.ledger.is_behind(self.recorded());
        let is_news = self.read.is_none() || version != self.recorded();
        let found = self.ledger.recorded(version, now);
        match version.filter(|_| is_news) {
            Some(_) if found == Found::Older && !was_behind => self.news.push(News::Restored),
            Some(version) if found == Found::Contradiction => self.news.push(News::Contradiction(version.serial)),
            _ => {}
        }
    }

    fn recorded(&self) -> Option<Version> {
        self.record.as_ref().and_then(|record| record.version)
    }

    fn lose(&mut self) {
        self.lead_no_more(News::Lost);
    }

    fn lead_no_more(&mut self, why: News) {
        if self.renewed.take().is_some() {
            self.version = None;
            self.news.push(why);
        }
    }

    fn hinder(&mut self, why: Trouble, now: Instant) {
        (self.version, self.fresh) = (None, false);
        if matches!(why, Trouble::OtherZone(_)) {
            self.lose();
        }
        if self.trouble.as_ref().is_none_or(|(known, _)| *known != why) {
            (self.trouble, self.told) = (Some((why, now)), false);
        }
    }

    fn end_trouble(&mut self) {
        self.wrote = false;
        if self.trouble.take().is_some() {
            self.ledger.end_alone(); // also where it went alone for another reason than this one, which was not told yet
            if mem::take(&mut self.told) {
                self.news.push(News::TroubleOver);
            }
        }
    }

    /// Whether it may make versions.
    fn publishes(&self) -> bool {
        self.leads() && self.complete && self.version.is_some()
    }
}

/// How long trouble may be of the moment.
fn patience(why: &Trouble) -> Duration {
    match why {
        Trouble::Forbidden => FORBIDDEN_FOR,
        Trouble::OtherZone(_) => Duration::ZERO,
    }
}
