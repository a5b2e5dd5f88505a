//! Whether a node counts: the one place where this is decided.
//!
//! In: [`Evidence`], all that is known of a node. Out: a [`Verdict`] that carries its reason as a type; the zone, the
//! log and the status page all show that same reason. What else is to be weighed one day (leases, probes, the clock)
//! becomes a field of [`Evidence`], a line of [`judge`](Evidence::judge) and a variant of [`Ineligible`].

use std::fmt;

use super::excerpt::{Excerpt, Plain};
use crate::kube::objects::{self, Condition};

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// It has a deletionTimestamp.
    pub deleting: bool,
    /// Its condition of type Ready.
    pub ready: Option<&'a Condition>,
}

/// Whether a node counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Eligible,
    /// It does not, and why.
    Out(Ineligible),
}

/// Why a node does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ineligible {
    /// It has a deletionTimestamp.
    BeingDeleted,
    /// No condition of type Ready: the kubelet never posted its status.
    NoReadyCondition,
    /// Ready is False: the kubelet says so itself.
    NotReady(Condition),
    /// Ready is Unknown: the control plane lost sight of the kubelet.
    ReadyUnknown(Condition),
    /// Ready is something that Kubernetes does not define.
    UnexpectedStatus(Condition),
}

impl<'a> From<&'a objects::Node> for Evidence<'a> {
    fn from(node: &'a objects::Node) -> Self {
        Self { deleting: node.deleting, ready: node.ready.as_deref() }
    }
}

impl Evidence<'_> {
    /// Decides. The first reason found is the one that is told: a node that is being deleted will not come back, so
    /// whether it is ready no longer matters.
    pub fn judge(self) -> Verdict {
        if self.deleting {
            return Verdict::Out(Ineligible::BeingDeleted);
        }
        let Some(ready) = self.ready else { return Verdict::Out(Ineligible::NoReadyCondition) };
        match ready.status.as_str() {
            "True" => Verdict::Eligible,
            "False" => Verdict::Out(Ineligible::NotReady(ready.clone())),
            "Unknown" => Verdict::Out(Ineligible::ReadyUnknown(ready.clone())),
            _ => Verdict::Out(Ineligible::UnexpectedStatus(ready.clone())),
        }
    }
}

impl Verdict {
    /// Whether the node counts.
    pub fn is_eligible(&self) -> bool {
        matches!(self, Self::Eligible)
    }
}

impl Ineligible {
    /// In a word, for programs: kept from version to version (docs/status.md).
    pub fn code(&self) -> &'static str {
        match self {
            Self::BeingDeleted => "being-deleted",
            Self::NoReadyCondition => "no-ready-condition",
            Self::NotReady(_) => "not-ready",
            Self::ReadyUnknown(_) => "ready-unknown",
            Self::UnexpectedStatus(_) => "unexpected-status",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eligible => f.write_str("ready"),
            Self::Out(reason) => write!(f, "{reason}"),
        }
    }
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = match self {
            Self::BeingDeleted => return f.write_str("it is being deleted"),
            Self::NoReadyCondition => {
                return f.write_str("it has no Ready condition: its kubelet has not posted a status yet");
            }
            Self::NotReady(condition) => {
                f.write_str("NotReady")?;
                condition
            }
            Self::ReadyUnknown(condition) => {
                f.write_str("NotReady (unknown)")?;
                condition
            }
            Self::UnexpectedStatus(condition) => {
                write!(
                    f,
                    "its Ready condition is {} instead of True, False or Unknown",
                    Excerpt::new(&condition.status)
                )?;
                condition
            }
        };
        if !condition.since.is_empty() {
            write!(f, " since {}", Plain(&condition.since))?;
        }
        match (condition.message.as_str(), condition.reason.as_str()) {
            ("", "") => Ok(()),
            ("", reason) => write!(f, ": {}", Plain(reason)),
            (message, _) => write!(f, ": {}", Plain(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(status: &str) -> Condition {
        Condition {
            status: status.into(),
            reason: "KubeletNotReady".into(),
            message: "PLEG is not healthy".into(),
            since: "2026-11-20T02:13:00Z".into(),
        }
    }

    #[test]
    fn only_a_ready_node_that_stays_is_eligible() {
        use Ineligible::{BeingDeleted, NoReadyCondition, NotReady, ReadyUnknown, UnexpectedStatus};
        for (deleting, status, expect) in [
            (false, Some("True"), Verdict::Eligible),
            (true, Some("True"), Verdict::Out(BeingDeleted)),
            (true, None, Verdict::Out(BeingDeleted)),
            (false, None, Verdict::Out(NoReadyCondition)),
            (false, Some("False"), Verdict::Out(NotReady(condition("False")))),
            (false, Some("Unknown"), Verdict::Out(ReadyUnknown(condition("Unknown")))),
            (false, Some("true"), Verdict::Out(UnexpectedStatus(condition("true")))),
            (false, Some(""), Verdict::Out(UnexpectedStatus(condition("")))),
        ] {
            let ready = status.map(condition);
            assert_eq!(Evidence { deleting, ready: ready.as_ref() }.judge(), expect, "{deleting} {status:?}");
        }
    }

    #[test]
    fn the_reason_is_told_as_kubernetes_gave_it() {
        let with = |message: &str, reason: &str, since: &str| Condition {
            status: "False".into(),
            reason: reason.into(),
            message: message.into(),
            since: since.into(),
        };
        for (reason, expect) in [
            (Ineligible::BeingDeleted, "it is being deleted"),
            (Ineligible::NoReadyCondition, "it has no Ready condition: its kubelet has not posted a status yet"),
            (Ineligible::NotReady(condition("False")), "NotReady since 2026-11-20T02:13:00Z: PLEG is not healthy"),
            (
                Ineligible::ReadyUnknown(condition("Unknown")),
                "NotReady (unknown) since 2026-11-20T02:13:00Z: PLEG is not healthy",
            ),
            (Ineligible::NotReady(with("", "KubeletNotReady", "")), "NotReady: KubeletNotReady"),
            (Ineligible::NotReady(with("", "", "")), "NotReady"),
            (Ineligible::NotReady(with("a\nb", "", "")), "NotReady: a\\nb"),
            (
                Ineligible::UnexpectedStatus(Condition { status: "yes".into(), ..Condition::default() }),
                "its Ready condition is \"yes\" instead of True, False or Unknown",
            ),
        ] {
            assert_eq!(Verdict::Out(reason).to_string(), expect);
        }
        assert_eq!(Verdict::Eligible.to_string(), "ready");
    }
}
