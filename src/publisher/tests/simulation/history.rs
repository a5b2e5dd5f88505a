//! What happens in a cluster and around it, as a function of time, and how such a thing is made up.
//!
//! Out: a [`History`]. It is all that chance decides, so that proptest shrinks it to the few things that matter. Times are
//! milliseconds since the start.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cluster::WhenNone;
use crate::cluster::probes::Family;

pub(super) type Ms = u64;

/// A renewal comes so often; the Lease of most kubelets is for 40 s.
pub(super) const KUBELETS: u32 = 40;

/// A whole history.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) setting: Setting,
    pub(super) nodes: Vec<Machine>,
    pub(super) happenings: Vec<Happening>,
    pub(super) length: Ms,
}

/// How the daemon is set up, and what its surroundings are like.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// `--lease-timeout`, in seconds.
    pub(super) lease_timeout: Option<u64>,
    pub(super) probe: bool,
    /// `--probe-down` and `--probe-up`
    pub(super) turns: (u32, u32),
    pub(super) references: bool,
    /// `--up-after`, in seconds.
    pub(super) up_after: u64,
    pub(super) when_none: WhenNone,
    /// How long a list of nodes, and one of leases, takes to come.
    pub(super) lags: (Ms, Ms),
    /// How long an answer to a confirmation takes.
    pub(super) round_trip: Ms,
    /// When in each second the first address is probed.
    pub(super) phase: Ms,
}

/// A node and the machine that it is.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) area: &'static str,
    pub(super) has_v6: bool,
    pub(super) priority: Option<&'static str>,
    /// `leaseDurationSeconds`; `None`: it has no Lease.
    pub(super) lease: Option<u32>,
    /// When its kubelet renews it first.
    pub(super) phase: Ms,
    /// How long it takes to answer.
    pub(super) latency: Ms,
}

/// Something that lasts for a while.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    pub(super) at: Ms,
    pub(super) long: Ms,
    pub(super) what: What,
}

/// What it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// The kubelet of a node does not renew its Lease.
    Kubelet(usize),
    /// No kubelet comes through to the API server, although we do.
    KubeletsCut,
    /// A host does not answer probes, in one family or both.
    Host(usize, Option<Family>, Path),
    /// Both: it is dead.
    Dies(usize, Path),
    /// A node says itself that it is not well.
    NotReady(usize),
    /// A node is gone; then there is another one of its name.
    Deleted(usize),
    /// A node has the annotation, until so many seconds after it got it, or as long as it has it.
    Maintenance(usize, Option<i64>),
    /// The API server is away, for everybody.
    ApiGone,
    /// It refuses us alone.
    ApiRefuses,
    /// It, or the way to it, is silent to us alone.
    ApiSilent,
    /// Only what we watch is silent; requests are answered.
    WatchSilent,
    /// Our own network.
    Network(Option<Family>, Path),
    /// Our process does not run.
    Stall,
    /// Our wall clock is set, by so many seconds, for good.
    Step(i64),
    /// We stop, and start again.
    Restart,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Answers,
    Refuses,
    Drops,
    NoRoute,
}

/// What becomes of a request of ours to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Answers,
    Refuses,
    Silent,
}

impl Happening {
    pub(super) fn end(&self) -> Ms {
        self.at + self.long
    }
}

impl What {
    /// The node that it is about.
    fn node(&self) -> Option<usize> {
        use What::{Deleted, Dies, Host, Kubelet, Maintenance, NotReady};
        match self {
            Kubelet(node) | Host(node, ..) | Dies(node, _) | NotReady(node) | Deleted(node) => Some(*node),
            Maintenance(node, _) => Some(*node),
            _ => None,
        }
    }
}

impl History {
    /// What there is of a node at a time.
    pub(super) fn of(&self, node: usize, at: Ms) -> impl Iterator<Item = &Happening> {
        self.at(at).filter(move |happening| happening.what.node().is_some_and(|of| of % self.nodes.len() == node))
    }

    /// What there is at a time.
    pub(super) fn at(&self, at: Ms) -> impl Iterator<Item = &Happening> {
        self.happenings.iter().filter(move |happening| happening.at <= at && at < happening.end())
    }

    fn is(&self, what: &What, at: Ms) -> bool {
        self.at(at).any(|happening| happening.what == *what)
    }

    pub(super) fn kubelets_come_through(&self, at: Ms) -> bool {
        self.api_is_up(at) && !self.is(&What::KubeletsCut, at)
    }

    pub(super) fn kubelet_lives(&self, node: usize, at: Ms) -> bool {
        !self.of(node, at).any(|happening| matches!(happening.what, What::Kubelet(_) | What::Dies(..)))
    }

    pub(super) fn host(&self, node: usize, family: Family, at: Ms) -> Path {
        let paths = self.of(node, at).filter_map(|happening| match happening.what {
            What::Host(_, only, path) if only.is_none_or(|only| only == family) => Some(path),
            What::Dies(_, path) => Some(path),
            _ => None,
        });
        worst(paths)
    }

    pub(super) fn network(&self, family: Family, at: Ms) -> Path {
        let paths = self.at(at).filter_map(|happening| match happening.what {
            What::Network(only, path) if only.is_none_or(|only| only == family) => Some(path),
            _ => None,
        });
        worst(paths)
    }

    pub(super) fn api(&self, at: Ms) -> Api {
        if self.is(&What::ApiGone, at) || self.is(&What::ApiRefuses, at) {
            Api::Refuses
        } else if self.is(&What::ApiSilent, at) {
            Api::Silent
        } else {
            Api::Answers
        }
    }

    pub(super) fn api_is_up(&self, at: Ms) -> bool {
        !self.is(&What::ApiGone, at)
    }

    pub(super) fn watch_is_silent(&self, at: Ms) -> bool {
        self.is(&What::WatchSilent, at)
    }

    /// Whether we are not running, since we were stopped.
    pub(super) fn is_stopped(&self, at: Ms) -> bool {
        self.is(&What::Restart, at)
    }

    /// The end of the stall at a time, and how long it is.
    pub(super) fn stall(&self, at: Ms) -> Option<(Ms, Ms)> {
        let stalls = self.at(at).filter(|happening| happening.what == What::Stall);
        stalls.map(|stall| (stall.end(), stall.long)).max()
    }

    /// The same of one that was at any time between.
    pub(super) fn stall_between(&self, from: Ms, to: Ms) -> Option<(Ms, Ms)> {
        let stalls = self.happenings.iter().filter(|h| h.what == What::Stall && h.at <= to && from < h.end());
        stalls.map(|stall| (stall.end(), stall.long)).max()
    }

    /// By how many seconds the wall clock was set since the start.
    pub(super) fn steps(&self, at: Ms) -> i64 {
        let steps = self.happenings.iter().filter(|happening| happening.at <= at);
        steps.map(|happening| if let What::Step(by) = happening.what { by } else { 0 }).sum()
    }

    /// The same history without some of what happens.
    pub(super) fn without(&self, goes: impl Fn(&What) -> bool) -> Self {
        let happenings = self.happenings.iter().filter(|happening| !goes(&happening.what)).cloned().collect();
        Self { happenings, ..self.clone() }
    }
}

fn worst(paths: impl Iterator<Item = Path>) -> Path {
    paths.max_by_key(|path| *path as u8).unwrap_or(Path::Answers)
}

fn setting() -> impl Strategy<Value = Setting> {
    let flags = (
        select(vec![Some(22), Some(35), None]),
        proptest::bool::weighted(0.8),
        (2..=3_u32, 1..=3_u32),
        any::<bool>(),
        select(vec![0_u64, 5, 15]),
        select(vec![WhenNone::Empty, WhenNone::All]),
    );
    let surroundings = ((0..250_u64, 0..250_u64), select(vec![4_u64, 80, 900]), 0..1000_u64);
    (flags, surroundings).prop_map(|(flags, (lags, round_trip, phase))| {
        let (lease_timeout, probe, turns, references, up_after, when_none) = flags;
        Setting { lease_timeout, probe, turns, references, up_after, when_none, lags, round_trip, phase }
    })
}

fn machine() -> impl Strategy<Value = Machine> {
    let lease = select(vec![Some(KUBELETS), Some(KUBELETS), Some(KUBELETS), Some(60), None]);
    let priority = select(vec![None, None, Some("10")]);
    let area = select(vec!["home", "home", "cloud"]);
    (area, any::<bool>(), priority, lease, 0..10_000_u64, 1..60_u64).prop_map(
        |(area, has_v6, priority, lease, phase, latency)| Machine { area, has_v6, priority, lease, phase, latency },
    )
}

fn sick() -> impl Strategy<Value = Path> {
    select(vec![Path::Refuses, Path::Drops])
}

fn family() -> impl Strategy<Value = Option<Family>> {
    select(vec![None, Some(Family::V4), Some(Family::V6)])
}

/// What happens to nodes.
fn of_nodes() -> impl Strategy<Value = What> {
    let node = || 0..5_usize;
    prop_oneof![
        3 => node().prop_map(What::Kubelet),
        3 => (node(), family(), sick()).prop_map(|(node, family, path)| What::Host(node, family, path)),
        4 => (node(), sick()).prop_map(|(node, path)| What::Dies(node, path)),
        2 => node().prop_map(What::NotReady),
        1 => node().prop_map(What::Deleted),
        1 => (node(), proptest::option::of(-30..60_i64)).prop_map(|(node, until)| What::Maintenance(node, until)),
    ]
}

/// What happens to us.
fn of_us() -> impl Strategy<Value = What> {
    let network = select(vec![Path::Drops, Path::Refuses, Path::NoRoute]);
    prop_oneof![
        Just(What::ApiRefuses),
        Just(What::ApiSilent),
        Just(What::WatchSilent),
        (family(), network).prop_map(|(family, path)| What::Network(family, path)),
        Just(What::Stall),
        Just(What::Restart),
        (-100_000..100_000_i64).prop_map(What::Step),
    ]
}

fn anything() -> impl Strategy<Value = What> {
    prop_oneof![4 => of_nodes(), 3 => of_us(), 1 => Just(What::ApiGone)]
}

fn happenings(what: BoxedStrategy<What>, until: Ms, many: usize) -> impl Strategy<Value = Vec<Happening>> {
    let long = prop_oneof![2 => 1..4000_u64, 3 => 4000..40_000_u64, 2 => 40_000..100_000_u64];
    let happening = (0..until, long, what).prop_map(|(at, long, what)| {
        // Nobody's process stands still for a minute and goes on.
        let long = if what == What::Stall { long % 15_000 + 1 } else { long };
        Happening { at, long, what }
    });
    vec(happening, 0..many)
}

fn history(what: BoxedStrategy<What>, length: Ms, many: usize) -> impl Strategy<Value = History> {
    let happenings = happenings(what, length * 3 / 4, many);
    (setting(), vec(machine(), 1..=5), happenings).prop_map(move |(setting, nodes, happenings)| History {
        setting,
        nodes,
        happenings,
        length,
    })
}

/// Anything happens.
pub(super) fn eventful() -> impl Strategy<Value = History> {
    history(anything().boxed(), 150_000, 8)
}

/// All live; whatever happens, happens to us, or to the API server.
pub(super) fn seen_badly() -> impl Strategy<Value = History> {
    history(prop_oneof![6 => of_us(), 1 => Just(What::ApiGone)].boxed(), 150_000, 8)
}

/// All live, and for so long that all leases are too old none of them comes through to the API server. Leases are all
/// alike, and nothing else happens.
pub(super) fn cut_off() -> impl Strategy<Value = History> {
    let nodes = vec(machine(), 1..=5);
    (setting(), nodes, 1000..60_000_u64, 1..40_000_u64).prop_map(|(setting, nodes, at, longer)| {
        let setting = Setting { probe: false, ..setting }; // probes would vouch for them
        let long = setting.lease_timeout.map_or(0, |timeout| timeout * 1000) + longer;
        let nodes = nodes.into_iter().map(|node| Machine { lease: Some(KUBELETS), ..node }).collect();
        let happenings = vec![Happening { at, long, what: What::KubeletsCut }];
        History { setting, nodes, happenings, length: 250_000 }
    })
}

/// We see everything.
pub(super) fn seen_well() -> impl Strategy<Value = History> {
    history(of_nodes().boxed(), 150_000, 5)
}

/// Two nodes are sick in every way, over and over, for half an hour.
pub(super) fn restless() -> impl Strategy<Value = History> {
    let node = || 0..2_usize;
    let what = prop_oneof![
        12 => node().prop_map(What::NotReady),
        3 => node().prop_map(What::Kubelet),
        6 => (node(), sick()).prop_map(|(node, path)| What::Host(node, None, path)),
        3 => (node(), sick()).prop_map(|(node, path)| What::Dies(node, path)),
        3 => Just(What::ApiRefuses),
        1 => Just(What::Restart),
        1 => node().prop_map(|node| What::Maintenance(node, None)),
    ];
    let happening = (0..1_600_000_u64, 1..30_000_u64, what).prop_map(|(at, long, what)| Happening { at, long, what });
    let machines = vec(machine(), 2..=3);
    (setting(), machines, vec(happening, 20..120)).prop_map(|(setting, nodes, happenings)| History {
        setting: Setting { up_after: setting.up_after.max(1), ..setting },
        nodes: nodes.into_iter().map(|node| Machine { has_v6: false, ..node }).collect(),
        happenings,
        length: 1_800_000,
    })
}
