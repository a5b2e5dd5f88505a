//! Whether a node counts: the one place where this is decided.
//!
//! In: [`Evidence`], all that is known of a node, the time included. Out: the reasons against it, as types, in the order
//! in which they weigh: the first is the [`Verdict`], which zone, log and status page all show; the page shows the others
//! too. What else is to be weighed one day becomes a field of [`Evidence`], a line of [`reasons`](Evidence::reasons) and a
//! variant of [`Ineligible`]. What speaks against a single address is [`Unfit`], and holds for every name.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::excerpt::{Excerpt, Plain};
use super::{Exclusion, Maintenance};
use crate::kube::objects::Condition;
use crate::utc;

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// It has a deletionTimestamp.
    pub deleting: bool,
    /// What its operator says of maintenance.
    pub maintenance: Option<&'a Maintenance>,
    /// The label or taint that excludes it.
    pub exclusion: Option<&'a Exclusion>,
    /// Its condition of type Ready.
    pub ready: Option<&'a Condition>,
    /// Its Lease was not renewed in time.
    pub late: Option<LeaseLate>,
    /// It came back and has not been well for long enough.
    pub wait: Option<Wait>,
    /// The time of day, for what people write as one.
    pub wall: SystemTime,
}

/// A Lease that was not renewed in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseLate {
    /// How long it had not been renewed when that was found.
    pub age: Duration,
}

/// Probes of an address that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeDown {
    /// How many in a row.
    pub failures: u32,
    /// What became of the last one.
    pub reason: String,
}

/// What somebody who came back has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long, from the return.
    pub long: Duration,
    /// How often it went out in the last ten minutes.
    pub removals: u32,
}

/// Why an address is not answered although its node is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its probes fail.
    Down(ProbeDown),
    /// It came back and has not been well for long enough.
    Waiting(Wait),
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
    /// Its operator took it out.
    Maintenance(Maintenance),
    /// It has a label or taint that excludes it.
    Excluded(Exclusion),
    /// No condition of type Ready: the kubelet never posted its status.
    NoReadyCondition,
    /// Ready is False: the kubelet says so itself.
    NotReady(Condition),
    /// Ready is Unknown: the control plane lost sight of the kubelet.
    ReadyUnknown(Condition),
    /// Ready is something that Kubernetes does not define.
    UnexpectedStatus(Condition),
    /// Its Lease was not renewed in time.
    LeaseLate(LeaseLate),
    /// It came back and has not been well for long enough.
    Waiting(Wait),
}

/// What a reason is about. Within a class only the words change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It is gone.
    Gone,
    /// Somebody said so.
    Told,
    /// It is not well.
    Sick,
    /// It is well again.
    Waiting,
}

impl Evidence<'_> {
    /// All that speaks against the node, what weighs most first: one that is being deleted will not come back, so whether
    /// it is ready no longer matters.
    pub fn reasons(self) -> impl Iterator<Item = Ineligible> {
        let maintenance = self.maintenance.filter(|maintenance| maintenance.holds(self.wall));
        [
            self.deleting.then_some(Ineligible::BeingDeleted),
            maintenance.map(|maintenance| Ineligible::Maintenance(*maintenance)),
            self.exclusion.map(|exclusion| Ineligible::Excluded(exclusion.clone())),
            not_ready(self.ready),
            self.late.map(Ineligible::LeaseLate),
            self.wait.map(Ineligible::Waiting),
        ]
        .into_iter()
        .flatten()
    }

    /// Decides: the first reason is the one that is told.
    pub fn judge(self) -> Verdict {
        self.reasons().next().map_or(Verdict::Eligible, Verdict::Out)
    }
}

/// What is wrong with a Ready condition.
fn not_ready(ready: Option<&Condition>) -> Option<Ineligible> {
    let Some(ready) = ready else { return Some(Ineligible::NoReadyCondition) };
    match ready.status.as_str() {
        "True" => None,
        "False" => Some(Ineligible::NotReady(ready.clone())),
        "Unknown" => Some(Ineligible::ReadyUnknown(ready.clone())),
        _ => Some(Ineligible::UnexpectedStatus(ready.clone())),
    }
}

impl Verdict {
    /// Whether the node counts.
    pub fn is_eligible(&self) -> bool {
        matches!(self, Self::Eligible)
    }
}

impl Ineligible {
    /// All codes.
    pub const CODES: [&'static str; 9] = [
        "being-deleted",
        "maintenance",
        "excluded",
        "no-ready-condition",
        "not-ready",
        "ready-unknown",
        "unexpected-status",
        "lease-late",
        "waiting",
    ];

    /// In a word, for programs: kept from version to version (docs/status.md).
    pub fn code(&self) -> &'static str {
        match self {
            Self::BeingDeleted => "being-deleted",
            Self::Maintenance(_) => "maintenance",
            Self::Excluded(_) => "excluded",
            Self::NoReadyCondition => "no-ready-condition",
            Self::NotReady(_) => "not-ready",
            Self::ReadyUnknown(_) => "ready-unknown",
            Self::UnexpectedStatus(_) => "unexpected-status",
            Self::LeaseLate(_) => "lease-late",
            Self::Waiting(_) => "waiting",
        }
    }

    pub(super) fn class(&self) -> Class {
        match self {
            Self::BeingDeleted => Class::Gone,
            Self::Maintenance(_) | Self::Excluded(_) => Class::Told,
            Self::NoReadyCondition
            | Self::NotReady(_)
            | Self::ReadyUnknown(_)
            | Self::UnexpectedStatus(_)
            | Self::LeaseLate(_) => Class::Sick,
            Self::Waiting(_) => Class::Waiting,
        }
    }
}

impl Unfit {
    /// All codes.
    pub const CODES: [&'static str; 2] = ["probe-down", "waiting"];

    /// In a word, for programs: kept from version to version (docs/status.md).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Down(_) => "probe-down",
            Self::Waiting(_) => "waiting",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(down) => down.fmt(f),
            Self::Waiting(wait) => wait.fmt(f),
        }
    }
}

impl fmt::Display for ProbeDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} probes failed in a row: {}", self.failures, Plain(&self.reason))
    }
}

impl fmt::Display for LeaseLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its Lease was not renewed for {:.1} s", self.age.as_secs_f64())
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is back and waits {} s (--up-after)", self.long.as_secs_f64())?;
        if self.removals > 1 {
            write!(f, ", since it went out {} times in ten minutes", self.removals)?;
        }
        Ok(())
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
            Self::Maintenance(Maintenance::Always) => return f.write_str("it is in maintenance"),
            Self::Maintenance(Maintenance::Until(end)) => {
                return write!(f, "it is in maintenance until {}", utc::timestamp(utc::since_1970(*end)));
            }
            Self::Excluded(exclusion) => return write!(f, "excluded by {exclusion}"),
            Self::LeaseLate(late) => return late.fmt(f),
            Self::Waiting(wait) => return wait.fmt(f),
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
            let evidence = Evidence { deleting, ready: ready.as_ref(), ..nothing() };
            assert_eq!(evidence.judge(), expect, "{deleting} {status:?}");
        }
    }

    fn nothing() -> Evidence<'static> {
        let wall = SystemTime::UNIX_EPOCH;
        Evidence { deleting: false, maintenance: None, exclusion: None, ready: None, late: None, wait: None, wall }
    }

    #[test]
    fn the_first_reason_is_told_and_all_are_known() {
        let until = Maintenance::Until(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
        let (unknown, wait) = (condition("Unknown"), Wait { long: Duration::from_secs(30), removals: 2 });
        let all = Evidence {
            deleting: true,
            maintenance: Some(&until),
            ready: Some(&unknown),
            late: Some(LeaseLate { age: Duration::from_millis(35_049) }),
            wait: Some(wait),
            ..nothing()
        };
        let codes = |evidence: Evidence<'_>| evidence.reasons().map(|reason| reason.code()).collect::<Vec<_>>();
        assert_eq!(codes(all), ["being-deleted", "maintenance", "ready-unknown", "lease-late", "waiting"]);
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        let alive = Evidence { deleting: false, wall: later, ready: Some(&condition("True")), ..all };
        assert_eq!(codes(alive), ["lease-late", "waiting"], "maintenance is over at the moment that it names");
        assert_eq!(alive.judge().to_string(), "its Lease was not renewed for 35.0 s");
        assert_eq!(
            Verdict::Out(Ineligible::Waiting(wait)).to_string(),
            "it is back and waits 30 s (--up-after), since it went out 2 times in ten minutes"
        );
        let down = Unfit::Down(ProbeDown { failures: 3, reason: "connection\nrefused".to_owned() });
        assert_eq!(down.to_string(), "3 probes failed in a row: connection\\nrefused");
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
