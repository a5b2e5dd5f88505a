//! What there is to tell of the Lease: the lines of the log.

use std::fmt;

use log::Level;

/// Why a replica cannot take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It may not use the Lease (403).
    Forbidden,
    /// The Lease is of this zone.
    OtherZone(String),
}

/// Something that the log is told once. It names the Lease, `namespace/name`, where that helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This replica leads from now on.
    Leads,
    /// It does not any more.
    Lost,
    /// Somebody else does.
    Follows(String),
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
}

impl News {
    /// How loud.
    pub fn level(&self) -> Level {
        match self {
            Self::Leads | Self::Follows(_) | Self::TroubleOver => Level::Info,
            Self::Lost | Self::Restored | Self::Trouble { why: Trouble::Forbidden, .. } => Level::Warn,
            Self::Trouble { why: Trouble::OtherZone(_), .. } => Level::Error,
        }
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leads => f.write_str("leads"),
            _ => f.write_str(""),
        }
    }
}
