//! What is to be said about leases, once: in words, with what helps.
//!
//! A file of its own so that the machine beside it has no sentences.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::excerpt::{Excerpt, Plain};

/// Something about leases that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Leases last so long that their timeout is longer than what is asked for.
    Raised {
        /// One of the nodes.
        node: Arc<str>,
        /// `leaseDurationSeconds`
        seconds: u32,
        /// What was asked for.
        wanted: Duration,
        /// What it is instead.
        timeout: Duration,
    },
    /// A Lease is not held by its node: the node is judged without.
    Stranger {
        /// The node.
        node: Arc<str>,
        /// Who holds it, if anybody.
        holder: Option<Excerpt>,
    },
    /// So many leases are old that nobody goes out by them.
    Held {
        /// How many.
        overdue: usize,
        /// Of how many.
        counted: usize,
    },
    /// That is over.
    Released,
}

impl Warning {
    /// Whether it is one, and not good news.
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::Released)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised { node, seconds, wanted, timeout } => write!(
                f,
                "the Lease of node {} lasts {seconds} s, for which --lease-timeout {} is too short: it is {} for every \
                 node with such a Lease. Lower nodeLeaseDurationSeconds of the kubelets, or raise --lease-timeout",
                Plain(node),
                Seconds(*wanted),
                Seconds(*timeout),
            ),
            Self::Stranger { node, holder } => {
                write!(f, "the Lease of node {} is held by ", Plain(node))?;
                match holder {
                    Some(holder) => write!(f, "{holder}, not by its node")?,
                    None => f.write_str("nobody")?,
                }
                write!(
                    f,
                    ": the node is judged without. A kubelet makes a good one when 'kubectl delete lease -n \
                     kube-node-lease {}' has removed it",
                    Plain(node)
                )
            }
            Self::Held { overdue, counted } => write!(
                f,
                "{overdue} of {counted} nodes have not renewed their Lease for half of --lease-timeout: while more than \
                 half have not, nobody goes out by leases, and whether nodes are Ready decides. Look at the control plane \
                 and at the network between it and the nodes"
            ),
            Self::Released => f.write_str("most nodes renew their Leases again: those that do not go out"),
        }
    }
}

/// `22s`, `21.5s`
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

/// How long nothing is said again about holding.
const HUSH: Duration = Duration::from_secs(60);

/// How many durations, and how many nodes with a Lease of somebody else, are told apart. What comes beyond is judged in
/// the same way, and not told.
const MOST: usize = 20;

/// What was said already. Whatever is in the cluster, or however often the network comes and goes, it is not said again.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    raised: Vec<u32>,
    strangers: BTreeMap<Arc<str>, Option<Excerpt>>,
    /// When it was said that all are held, and whether that is still so for those who read it.
    held: Option<(Instant, bool)>,
}

impl Said {
    /// The timeout of a Lease is longer than wanted.
    pub(super) fn raised(
        &mut self,
        node: &Arc<str>,
        seconds: Option<u32>,
        wanted: Duration,
        timeout: Duration,
    ) -> Option<Warning> {
        let seconds = seconds.filter(|_| timeout > wanted).unwrap_or_default();
        if timeout <= wanted || self.raised.contains(&seconds) || self.raised.len() >= MOST {
            return None;
        }
        self.raised.push(seconds);
        let seconds = if seconds == 0 { 40 } else { seconds };
        Some(Warning::Raised { node: Arc::clone(node), seconds, wanted, timeout })
    }

    /// A Lease is somebody else's.
    pub(super) fn stranger(&mut self, node: &Arc<str>, holder: Option<&str>) -> Option<Warning> {
        let holder = holder.filter(|holder| !holder.is_empty()).map(Excerpt::new);
        let is_known = self.strangers.get(node).is_some_and(|known| *known == holder);
        if is_known || self.strangers.len() >= MOST {
            return None;
        }
        self.strangers.insert(Arc::clone(node), holder.clone());
        Some(Warning::Stranger { node: Arc::clone(node), holder })
    }

    /// Whether all are held, now.
    pub(super) fn held(&mut self, held: Option<(usize, usize)>, now: Instant) -> Option<Warning> {
        match (held, self.held) {
            (Some(_), Some((_, true))) | (None, None | Some((_, false))) => None,
            (Some(_), Some((told, false))) if now.saturating_duration_since(told) < HUSH => None,
            (Some((overdue, counted)), _) => {
                self.held = Some((now, true));
                Some(Warning::Held { overdue, counted })
            }
            (None, Some((told, true))) => {
                self.held = Some((told, false));
                Some(Warning::Released)
            }
        }
    }
}
