//! `--check`: the configuration in, one line for each thing that the daemon will need out, with what helps where it is
//! not as it should be.
//!
//! Nothing is served, written or changed. What is asked of the API server and bound is what the daemon asks and binds, by
//! the same code.

mod api;
mod ask;
mod port;
mod probes;
mod resolver;
mod served;
mod state;

use std::fmt;
use std::net::SocketAddr;

use crate::config::{self, Config};
use crate::dns::ListenConfig;

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub about: &'static str,
    /// How it is.
    pub finding: Finding,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Well(String),
    /// Not as for a first start, and right all the same; what to know of it.
    Note(String),
    /// What is wrong with it, and what helps.
    Failed(String),
}

impl Finding {
    fn word(&self) -> &'static str {
        match self {
            Self::Well(_) => "ok",
            Self::Note(_) => "note",
            Self::Failed(_) => "FAILED",
        }
    }

    fn text(&self) -> &str {
        let (Self::Well(text) | Self::Note(text) | Self::Failed(text)) = self;
        text
    }
}

impl From<Result<String, String>> for Finding {
    fn from(result: Result<String, String>) -> Self {
        result.map_or_else(Self::Failed, Self::Well)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Messages of servers may have several lines, and whatever else.
        let text: String = self.finding.text().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "{:<6} {}: {text}", self.finding.word(), self.about)
    }
}

/// Looks at everything, and hands each line to `say` when it is known. Whether all is well.
pub fn check(config: Result<Config, config::Error>, say: &mut dyn FnMut(&Line)) -> bool {
    let mut is_well = true;
    let mut find = |about, finding: Finding| {
        is_well &= !matches!(finding, Finding::Failed(_));
        say(&Line { about, finding });
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            find("flags", Finding::Failed(error.to_string()));
            return false;
        }
    };
    let odd = config.warnings.join("; ");
    let odd = if odd.is_empty() { odd } else { format!(", but: {odd}") };
    find("flags", Finding::Well(format!("the zone is {}{odd}", config.zone.apex)));
    if api::check(&config, &mut |about, result| find(about, result.into())) {
        served::check(&config, &mut find);
    }
    port::check(&config, &mut find);
    state::check(&config, &mut find);
    if let Some(resolver) = config.check_resolver {
        find("resolver", resolver::check(resolver, &config.zone, own_address(&config.listen)).into());
    }
    is_well
}

/// Where a daemon with this configuration answers, seen from this host.
fn own_address(listen: &ListenConfig) -> SocketAddr {
    let address = listen.addresses.iter().find(|address| !address.is_unspecified());
    SocketAddr::new(address.copied().unwrap_or_else(|| std::net::Ipv4Addr::LOCALHOST.into()), listen.port)
}
