//! What there is to tell of the Lease: the lines of the log.

use std::fmt;

use domain::base::Serial;
use log::Level;

/// Why a replica cannot take part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// It may not use the Lease (403).
    Forbidden,
    /// The Lease is of this zone.
    OtherZone(String),
}

/// Something that the log is told once. It names the Lease, `namespace/name`, where that helps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum News {
    /// This replica leads from now on.
    Leads,
    /// It does not any more.
    Lost,
    /// It does not any more, since the daemon stops.
    Left,
    /// Another replica does.
    Follows(String),
    /// Somebody holds a Lease that no replica of ours has written.
    Foreign {
        /// Where the Lease is.
        lease: String,
        /// Who.
        holder: String,
    },
    /// It cannot take part.
    Trouble {
        /// Where the Lease is.
        lease: String,
        /// Why.
        why: Trouble,
    },
    /// It can again.
    TroubleOver,
    /// The Lease has an older version than was published: etcd was restored from a backup.
    Restored,
    /// The Lease has this serial with another content than it was published with.
    Contradiction(Serial),
}

impl News {
    /// How loud.
    pub fn level(&self) -> Level {
        match self {
            Self::Leads | Self::Left | Self::Follows(_) | Self::TroubleOver => Level::Info,
            Self::Foreign { .. }
            | Self::Lost
            | Self::Restored
            | Self::Contradiction(_)
            | Self::Trouble { why: Trouble::Forbidden, .. } => Level::Warn,
            Self::Trouble { why: Trouble::OtherZone(_), .. } => Level::Error,
        }
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leads => f.write_str("this replica leads: it makes the zone's versions from now on"),
            Self::Lost => f.write_str(
                "this replica does not lead any more: addresses are answered as before, another replica makes the versions",
            ),
            Self::Left => f.write_str("this replica does not lead any more since it stops: another can make the versions"),
            Self::Follows(holder) => write!(f, "replica {holder} leads"),
            Self::Foreign { lease, holder } => write!(
                f,
                "{holder} holds the Lease {lease}, which has no version of ours (it is the original's, or somebody else's): \
                 no replica makes a version until it is given up or runs out. If it is here to stay, give the replicas \
                 another --leader-elect-lease-name"
            ),
            Self::Trouble { lease, why: Trouble::Forbidden } => write!(
                f,
                "the API server forbids the Lease {lease} (403): a Role with get, create and update on leases \
                 (coordination.k8s.io) in its namespace is missing; until it is there, this replica agrees with no other \
                 on serials"
            ),
            Self::Trouble { lease, why: Trouble::OtherZone(zone) } => write!(
                f,
                "the Lease {lease} is of zone {zone}: each zone needs one of its own, give this one another \
                 --leader-elect-lease-name; or delete the Lease if the zone was renamed; until then, this replica agrees \
                 with no other on serials"
            ),
            Self::TroubleOver => f.write_str("the Lease can be used: replicas agree on serials"),
            Self::Restored => f.write_str(
                "the Lease has an older version of the zone than was published (was etcd restored from a backup?): a newer \
                 one will be recorded",
            ),
            Self::Contradiction(serial) => write!(
                f,
                "the Lease has serial {serial} with another content than it was published with (was the Lease edited, or is \
                 a clock wrong?): AXFR and IXFR get SERVFAIL here until a later serial is recorded, which the next change \
                 of the zone brings"
            ),
        }
    }
}
