//! `--check`: the configuration in, one line for each thing that the daemon will need out, with what helps where it is
//! not as it should be.
//!
//! Nothing is served, written or changed. What is asked of the API server and bound is what the daemon asks and binds, by
//! the same code.

mod api;
mod resolver;
mod served;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use crate::config::{self, Config};
use crate::dns::ListenConfig;
use crate::dns::listen::Listeners;
use crate::http;

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub about: &'static str,
    /// How it is; or what is wrong with it, and what helps.
    pub result: Result<String, String>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match &self.result {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        // Messages of servers may have several lines, and whatever else.
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "{word:<6} {}: {text}", self.about)
    }
}

/// Looks at everything, and hands each line to `say` when it is known. Whether all is well.
pub fn check(config: Result<Config, config::Error>, say: &mut dyn FnMut(&Line)) -> bool {
    let mut is_well = true;
    let mut line = |about, result: Result<String, String>| {
        is_well &= result.is_ok();
        say(&Line { about, result });
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            line("flags", Err(error.to_string()));
            return false;
        }
    };
    let odd = config.warnings.join("; ");
    let odd = if odd.is_empty() { odd } else { format!(", but: {odd}") };
    line("flags", Ok(format!("the zone is {}{odd}", config.zone.apex)));
    if api::check(&config, &mut line) {
        served::check(&config, &mut line);
    }
    listen(&config, &mut line);
    if let Some(resolver) = config.check_resolver {
        line("resolver", resolver::check(resolver, &config.zone, own_address(&config.listen)));
    }
    is_well
}

/// Whether each address can be bound, over UDP and TCP.
fn listen(config: &Config, line: &mut dyn FnMut(&'static str, Result<String, String>)) {
    let ListenConfig { addresses, port, .. } = &config.listen;
    let each = if addresses.is_empty() { vec![Vec::new()] } else { addresses.iter().map(|one| vec![*one]).collect() };
    for addresses in each {
        let one = ListenConfig { addresses, port: *port, threads: NonZeroUsize::MIN };
        line(
            "port",
            match Listeners::bind(&one) {
                Ok(bound) => {
                    let bound: Vec<_> = bound.local_addrs().iter().map(ToString::to_string).collect();
                    Ok(format!("{} can be listened on over UDP and TCP", bound.join(", ")))
                }
                Err(error) => Err(error.to_string()),
            },
        );
    }
    if let Some(address) = config.http {
        let result = http::listen::bind(address).map_err(|error| error.to_string());
        line("http", result.map(|_| format!("{address} can be listened on for the status page and probes")));
    }
}

/// Where a daemon with this configuration answers, seen from this host.
fn own_address(listen: &ListenConfig) -> SocketAddr {
    let address = listen.addresses.iter().find(|address| !address.is_unspecified());
    SocketAddr::new(address.copied().unwrap_or_else(|| std::net::Ipv4Addr::LOCALHOST.into()), listen.port)
}
