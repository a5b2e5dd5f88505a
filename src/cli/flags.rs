//! Each flag, declared once: what a declaration says is here, the declarations are in a file for each group of them,
//! which is the place to add one.

mod failover;
mod kubernetes;
mod listening;
mod nodes;
mod probes;
mod replicas;
mod replies;
mod running;
mod secondaries;
mod zone;

use std::sync::LazyLock;

pub use self::failover::*;
pub use self::kubernetes::*;
pub use self::listening::*;
pub use self::nodes::*;
pub use self::probes::*;
pub use self::replicas::*;
pub use self::replies::*;
pub use self::running::*;
pub use self::secondaries::*;
pub use self::zone::*;

/// Every flag, in the order of `--help`.
pub static FLAGS: LazyLock<Vec<&'static Flag>> = LazyLock::new(|| {
    let groups = [SERVED, LISTENING, KUBERNETES, NODES, FAILOVER, PROBES, REPLIES, REPLICAS, SECONDARIES, RUNNING];
    groups.into_iter().flatten().copied().collect()
});

/// A part of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What is served.
    Zone,
    /// Where.
    Listening,
    /// From what.
    Kubernetes,
    /// What is answered when nodes are not well.
    Failover,
    /// How it is answered.
    Replies,
    /// How several daemons agree.
    Replicas,
    /// Who has copies of it.
    Secondaries,
    /// The log.
    Logging,
    /// The rest.
    Other,
}

impl Section {
    /// All of them, in the order of `--help`.
    pub const ALL: [Self; 9] = [
        Self::Zone,
        Self::Listening,
        Self::Kubernetes,
        Self::Failover,
        Self::Replies,
        Self::Replicas,
        Self::Secondaries,
        Self::Logging,
        Self::Other,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Zone => "Zone",
            Self::Listening => "Listening",
            Self::Kubernetes => "Kubernetes",
            Self::Failover => "Failover",
            Self::Replicas => "Replicas",
            Self::Replies => "Replies",
            Self::Secondaries => "Secondaries",
            Self::Logging => "Logging",
            Self::Other => "Other",
        }
    }
}

/// What holds when a flag is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Nothing: it must be given.
    Required,
    /// Nothing: what it is about is off.
    None,
    /// The same as with this value.
    Text(&'static str),
    /// Something that no value says, in words.
    Described(&'static str),
}

/// A flag of the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// A letter that stands for it after one dash.
    pub short: Option<char>,
    /// What its value is called in `--help`; `None` for a switch. One that has a default is a setting: `--flag=false`
    /// turns it off, and its variable says the same.
    pub value: Option<&'static str>,
    /// What holds when it is not given.
    pub default: Default,
    /// Between the values of a flag that may be given several times; `None`: the last one counts.
    pub separator: Option<char>,
    /// Where it stands in `--help`.
    pub section: Section,
    /// What it is for, in a line.
    pub summary: &'static str,
    /// What else there is to know; may be empty.
    pub details: &'static str,
    /// Which values are allowed.
    pub allowed: &'static str,
    /// A value that is allowed.
    pub example: &'static str,
}

impl Flag {
    /// The environment variable that stands for it; what is done once instead of serving has none.
    pub fn variable(&self) -> Option<String> {
        let is_setting = self.value.is_some() || self.default != Default::None;
        is_setting.then(|| format!("K8S_NODE_DNS_{}", self.name.replace('-', "_").to_ascii_uppercase()))
    }

    /// The flag with a value that is allowed, to be copied into a shell.
    pub fn usage(&self) -> String {
        match self.value {
            Some(_) => format!("--{} {}", self.name, shell_quoted(self.example)),
            None => format!("--{}", self.name),
        }
    }
}

/// The text as it is typed in a shell, where a semicolon would end the command.
pub(super) fn shell_quoted(text: &str) -> String {
    if text.contains([';', ' ', '*', '$']) { format!("'{text}'") } else { text.to_owned() }
}

/// What the declarations leave out.
const PLAIN: Flag = Flag {
    name: "",
    short: None,
    value: None,
    default: Default::None,
    separator: None,
    section: Section::Other,
    summary: "",
    details: "",
    allowed: "",
    example: "",
};

/// How long something takes.
const DURATION: &str = "whole numbers with units ms, s, m, h or d, as 5s or 1h30m; a number alone is seconds";

/// Declares the flags of a group.
macro_rules! flags {
    ($group:ident: $($(#[$doc:meta])* $id:ident { $($field:ident: $value:expr,)* })*) => {
        $($(#[$doc])* pub static $id: Flag = Flag { $($field: $value,)* ..PLAIN };)*
        /// All of this group, in the order of `--help`.
        pub(super) static $group: &[&Flag] = &[$(&$id,)*];
    };
}
use flags;
