//! A world of replicas, one register with resourceVersions, and a network that loses: what happens is chosen from
//! outside, and after each step it is checked that nothing is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use domain::base::Serial;

use super::super::{Agreement, Record, Reply, Request, Terms, Timing};
use crate::zone::serial::{Digest, Version};

/// Seconds at the beginning of time.
pub const BASE: u32 = 1_800_000_000;

/// Small, so that a handful of seconds is a long history.
const TIMING: Timing = Timing {
    lease_duration: Duration::from_secs(2),
    renew_deadline: Duration::from_millis(1_500),
    retry_period: Duration::from_secs(1),
    between_versions: Duration::from_secs(1),
};

/// Restoring etcd takes longer than a Lease lasts: then nobody writes what it had read before.
const RESTORE_TAKES: u64 = 4_000;

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// What is wrong with this world, on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Nothing.
    #[default]
    None,
    /// The register takes every Update, whatever its resourceVersion.
    Unchecked,
    /// Replicas hear that an Update was done before it is.
    Hasty,
    /// Requests that are under way survive the restoration of etcd.
    Undead,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A second passes.
    Second,
    /// The request of a replica arrives, and its reply.
    Deliver(usize),
    /// It arrives, but the reply is lost.
    Deafen(usize),
    /// It is lost.
    Lose(usize),
    /// It is given up, and arrives later.
    Delay(usize),
    /// What was given up arrives, for the second time perhaps.
    Arrive,
    /// A replica sees something.
    See(usize, u8),
    /// A replica dies and starts again; with its state directory or without.
    Crash(usize, bool),
    /// SIGSTOP, or SIGCONT.
    Stop(usize),
    /// etcd is backed up.
    Backup,
    /// It is restored.
    Restore,
    /// The clock of a replica is set by so many seconds.
    Set(usize, i8),
}

/// The Lease at the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Register {
    pub object: Option<(Record, u32)>,
    count: u32,
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    pub machine: Agreement,
    pub request: Option<Request>,
    /// The reply that nobody hears while it is stopped, and what was recorded then.
    inbox: Option<(Reply, Option<Version>)>,
    stopped: bool,
    /// What it saw in this run.
    views: BTreeSet<u8>,
    pub view: u8,
    /// What is on its disk.
    stored: Version,
    clock: i32,
    runs: u32,
    shown: Option<Version>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    flaw: Flaw,
    milliseconds: u64,
    pub register: Register,
    backup: Option<Register>,
    late: Option<Request>,
    pub replicas: Vec<Replica>,
    /// Every version that was ever recorded.
    pub published: BTreeMap<u32, u128>,
    /// Those that somebody has shown.
    shown: BTreeSet<u32>,
    /// Whether all clocks were always right.
    right: bool,
}

/// What was broken.
pub type Broken = String;

impl Replica {
    fn new(number: usize, runs: u32, last: Option<Version>, view: u8) -> Self {
        let terms = Terms {
            identity: format!("replica-{number}-{runs}"),
            lease: "dns/k8s-node-dns-leader".to_owned(),
            zone: "lb.example.test.".to_owned(),
            timing: TIMING,
        };
        let stored = last.unwrap_or(Version { serial: Serial(0), digest: Digest(0) });
        Self {
            machine: Agreement::new(terms, last),
            request: None,
            inbox: None,
            stopped: false,
            views: BTreeSet::from([view]),
            view,
            stored,
            clock: 0,
            runs,
            shown: None,
        }
    }
}

impl World {
    /// So many replicas that start now. The first sees something else than the others, so that each has something to record.
    pub fn new(replicas: usize, flaw: Flaw) -> Self {
        let mut world = Self {
            flaw,
            milliseconds: 0,
            register: Register::default(),
            backup: None,
            late: None,
            replicas: (1..=replicas)
                .map(|view| Replica::new(view - 1, 0, None, if view == 1 { 1 } else { 2 }))
                .collect(),
            published: BTreeMap::new(),
            shown: BTreeSet::new(),
            right: true,
        };
        for number in 0..replicas {
            world.begin(number);
        }
        world
    }

    pub fn has_flaw(&self) -> bool {
        self.flaw != Flaw::None
    }

    pub fn now(&self) -> Instant {
        start() + Duration::from_millis(self.milliseconds)
    }

    fn clock(&self, number: usize) -> Serial {
        let seconds = (self.milliseconds / 1000) as i32 + self.replicas[number].clock;
        Serial(BASE.wrapping_add_signed(seconds))
    }

    pub fn clock_would_be_right(&self, number: usize, seconds: i8) -> bool {
        (self.replicas[number].clock + i32::from(seconds)).abs() <= 1
    }

    fn recorded(&self) -> Option<Version> {
        self.register.object.as_ref().and_then(|(record, _)| record.version)
    }

    fn begin(&mut self, number: usize) {
        let now = self.now();
        let replica = &mut self.replicas[number];
        replica.machine.view(Digest(replica.view.into()), true, now);
        self.run(number);
    }

    /// The replica does what it has to.
    fn run(&mut self, number: usize) {
        let (now, clock) = (self.now(), self.clock(number));
        let replica = &mut self.replicas[number];
        if replica.stopped {
            return;
        }
        if let Some((reply, _)) = replica.inbox.take() {
            replica.machine.on_reply(reply, now);
        }
        if let Some(request) = replica.machine.next(now, clock) {
            assert_eq!(replica.request.replace(request), None, "one at a time");
        }
        replica.stored = replica.machine.stored();
        assert!(replica.machine.due().is_none_or(|due| due > now), "it would not let the publisher sleep");
    }

    fn hear(&mut self, number: usize, reply: Reply) {
        self.replicas[number].inbox = Some((reply, self.recorded()));
        self.run(number);
    }

    /// Whether it can happen now.
    pub fn can(&self, act: Act) -> bool {
        let has_request = |number: usize| self.replicas[number].request.is_some();
        let writes =
            |number: usize| matches!(self.replicas[number].request, Some(Request::Create(_) | Request::Update(..)));
        match act {
            Act::Deliver(number) | Act::Lose(number) => has_request(number),
            Act::Deafen(number) => writes(number),
            Act::Delay(number) => writes(number) && self.late.is_none(),
            Act::Arrive => self.late.is_some(),
            Act::See(number, view) => self.replicas[number].view != view && !self.replicas[number].stopped,
            Act::Restore => self.backup.is_some(),
            Act::Backup => self.backup.is_none() && self.register.object.is_some(),
            Act::Second | Act::Crash(..) | Act::Stop(_) | Act::Set(..) => true,
        }
    }

    /// It happens.
    pub fn act(&mut self, act: Act) -> Result<(), Broken> {
        match act {
            Act::Second => self.pass(1_000),
            Act::Deliver(number) => self.deliver(number, true)?,
            Act::Deafen(number) => self.deliver(number, false)?,
            Act::Lose(number) => {
                self.replicas[number].request = None;
                self.hear(number, Reply::Unknown);
            }
            Act::Delay(number) => {
                self.late = self.replicas[number].request.take();
                self.hear(number, Reply::Unknown);
            }
            Act::Arrive => {
                let request = self.late.take().unwrap();
                self.apply(request)?;
            }
            Act::See(number, view) => {
                let now = self.now();
                let replica = &mut self.replicas[number];
                replica.view = view;
                replica.views.insert(view);
                replica.machine.view(Digest(view.into()), true, now);
                self.run(number);
            }
            Act::Crash(number, keeps) => {
                let old = &self.replicas[number];
                // What it had sent may arrive all the same.
                self.late = old.request.clone().or(self.late.take());
                let clock = old.clock;
                let new = Replica::new(number, old.runs + 1, keeps.then_some(old.stored), old.view);
                self.replicas[number] = Replica { clock, ..new };
                self.begin(number);
            }
            Act::Stop(number) => {
                self.replicas[number].stopped = !self.replicas[number].stopped;
                self.run(number);
            }
            Act::Backup => self.backup = Some(self.register.clone()),
            Act::Restore => self.restore(),
            Act::Set(number, seconds) => {
                self.replicas[number].clock += i32::from(seconds);
                self.right &= self.replicas[number].clock.abs() <= 1;
            }
        }
        self.check()
    }

    /// Time passes, in which everybody runs.
    pub fn pass(&mut self, milliseconds: u64) {
        self.milliseconds += milliseconds;
        for number in 0..self.replicas.len() {
            self.run(number);
        }
    }

    fn restore(&mut self) {
        self.register = self.backup.take().unwrap();
        // What nobody has heard of, and etcd has forgotten, never was.
        let known = self.replicas.iter().filter_map(|replica| replica.machine.standing().published);
        let coming = self.replicas.iter().filter_map(|replica| replica.inbox.as_ref()?.1);
        let known: BTreeSet<_> =
            known.chain(coming).chain(self.recorded()).map(|version| version.serial.into_int()).collect();
        self.published.retain(|serial, _| known.contains(serial) || self.shown.contains(serial));
        if self.flaw != Flaw::Undead {
            self.late = None;
            self.milliseconds += RESTORE_TAKES;
            for number in 0..self.replicas.len() {
                if self.replicas[number].request.take().is_some() {
                    self.hear(number, Reply::Unknown);
                }
            }
        }
        self.pass(0);
    }

    fn deliver(&mut self, number: usize, heard: bool) -> Result<(), Broken> {
        let request = self.replicas[number].request.take().unwrap();
        let writes = request != Request::Get;
        let reply = match self.apply(request.clone()) {
            Ok(Reply::Conflict) if writes && self.flaw == Flaw::Hasty => Reply::Done("0".to_owned()),
            reply => reply?,
        };
        self.hear(number, if heard { reply } else { Reply::Unknown });
        Ok(())
    }

    /// The API server does what it is asked.
    fn apply(&mut self, request: Request) -> Result<Reply, Broken> {
        let current = self.register.object.as_ref().map(|(_, version)| version.to_string());
        let record = match request {
            Request::Get => {
                let found = self.register.object.clone();
                return Ok(found.map_or(Reply::Absent, |(record, version)| Reply::Found(record, version.to_string())));
            }
            Request::Create(record) if current.is_none() => record,
            Request::Update(record, version) if current.as_deref() == Some(&*version) => record,
            Request::Create(record) | Request::Update(record, _) if self.flaw == Flaw::Unchecked => record,
            Request::Create(_) | Request::Update(..) => return Ok(Reply::Conflict),
        };
        self.register.count += 1;
        let stamp = |time: String| if time.is_empty() { format!("at {}", self.milliseconds) } else { time };
        let record = Record { acquired: stamp(record.acquired), renewed: stamp(record.renewed), ..record };
        let version = record.version;
        self.register.object = Some((record, self.register.count));
        version.map_or(Ok(()), |version| self.publish(version))?;
        Ok(Reply::Done(self.register.count.to_string()))
    }

    /// Each serial has one content, and is greater than all before it.
    fn publish(&mut self, Version { serial, digest }: Version) -> Result<(), Broken> {
        if let Some(known) = self.published.get(&serial.into_int()) {
            let same = *known == digest.0;
            return if same {
                Ok(())
            } else {
                Err(format!("serial {serial} has two contents: {known} and {}", digest.0))
            };
        }
        if let Some((greatest, _)) = self.published.last_key_value().filter(|(last, _)| Serial(**last) >= serial) {
            return Err(format!("serial {serial} comes behind {greatest}"));
        }
        if self.right && serial > Serial(BASE + (self.milliseconds / 1000) as u32 + 1) {
            return Err(format!("serial {serial} runs ahead of right clocks"));
        }
        self.published.insert(serial.into_int(), digest.0);
        Ok(())
    }

    /// What is shown was recorded, is what this replica has seen, and does not go back.
    fn check(&mut self) -> Result<(), Broken> {
        for replica in &mut self.replicas {
            let Some(version) = replica.machine.shown().version else { continue };
            if self.published.get(&version.serial.into_int()) != Some(&version.digest.0) {
                return Err(format!("{version:?} is shown and was never recorded"));
            }
            if !replica.views.iter().any(|view| u128::from(*view) == version.digest.0) {
                return Err(format!("{version:?} is shown by one that never saw this"));
            }
            if replica.shown.is_some_and(|shown| version.serial < shown.serial) {
                return Err(format!("{version:?} is shown after {:?}", replica.shown));
            }
            replica.shown = Some(version);
            self.shown.insert(version.serial.into_int());
        }
        Ok(())
    }

    /// When nothing more goes wrong, one leads, and all who see what it sees show the same, which is what they see.
    pub fn settle(mut self) -> Result<(), Broken> {
        for replica in &mut self.replicas {
            replica.stopped = false;
        }
        for _ in 0..120 {
            self.pass(100);
            while let Some(number) = self.replicas.iter().position(|replica| replica.request.is_some()) {
                self.act(Act::Deliver(number))?;
            }
        }
        let leads: Vec<_> = self.replicas.iter().filter(|replica| replica.machine.leads()).collect();
        let [leader] = leads[..] else { return Err(format!("{} lead", leads.len())) };
        let recorded = self.recorded();
        for replica in self.replicas.iter().filter(|replica| replica.view == leader.view) {
            let shown = replica.machine.shown();
            let is_current = shown.version.is_some_and(|version| version.digest == Digest(replica.view.into()));
            if !is_current || shown.version != recorded || shown != leader.machine.shown() {
                return Err(format!("{shown:?} is shown, and {recorded:?} recorded"));
            }
        }
        Ok(())
    }
}
