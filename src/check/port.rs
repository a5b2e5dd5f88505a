//! Whether each address can be listened on: for DNS over UDP and TCP, and for the status page.
//!
//! A port that is taken is looked at again, since who runs `--check` on a host where the daemon runs already should not
//! be sent to look for a fault: whoever has it is asked for the zone. When it answers for it, that is a note.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

use super::ask::ask;
use super::{Config, Finding};
use crate::dns::ListenConfig;
use crate::dns::listen::{BindError, Listeners, reachable};
use crate::http;
use crate::zone::ZoneConfig;

/// How long a program on this host may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest status that is read: that of a few thousand nodes.
const MAX_STATUS: u64 = 16 * 1024 * 1024;

/// Says of each address how it is.
pub(super) fn check(config: &Config, say: &mut dyn FnMut(&'static str, Finding)) {
    let ListenConfig { addresses, port, .. } = &config.listen;
    let each = if addresses.is_empty() { vec![Vec::new()] } else { addresses.iter().map(|one| vec![*one]).collect() };
    for addresses in each {
        let one = ListenConfig { addresses, port: *port, threads: NonZeroUsize::MIN };
        let finding = match Listeners::bind(&one) {
            Ok(bound) => {
                let bound: Vec<_> = bound.local_addrs().iter().map(ToString::to_string).collect();
                Finding::Well(format!("{} can be listened on over UDP and TCP", bound.join(", ")))
            }
            Err(error) => dns(&error, &config.zone),
        };
        say("port", finding);
    }
    if let Some(address) = config.http {
        let finding = match http::listen::bind(address) {
            Ok(_) => Finding::Well(format!("{address} can be listened on for the status page and probes")),
            Err(error) => match error.in_use().then(|| software(reachable(address), &config.zone)).flatten() {
                Some(software) => Finding::Note(format!(
                    "{address} is taken: {software} shows the status page of this zone there, so it runs already. Stop \
                     it before another one is started, or give that one another --http-listen"
                )),
                None => Finding::Failed(error.to_string()),
            },
        };
        say("http", finding);
    }
}

/// What keeps us from an address for DNS.
fn dns(error: &BindError, zone: &ZoneConfig) -> Finding {
    let serves = || {
        let says = ask(reachable(error.address), &zone.apex, PATIENCE).ok()?;
        // A resolver that forwards the zone is in the way, like any other program.
        says.serial.filter(|_| says.authoritative)
    };
    match error.in_use().then(serves).flatten() {
        Some(serial) => Finding::Note(format!(
            "{} is taken by a server that answers for {} already, with serial {serial}: this daemon, it seems, which \
             runs. Stop it before another one is started, or give that one another --port or --bind. This shows who it \
             is: ss -tulpn 'sport = :{}'",
            error.address,
            zone.apex,
            error.address.port()
        )),
        None => Finding::Failed(error.to_string()),
    }
}

/// What of `/status.json` counts here.
#[derive(Deserialize)]
struct Status {
    software: String,
    zone: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Who shows the status of this zone there, as `k8s-node-dns 1.2.3`.
fn software(address: SocketAddr, zone: &ZoneConfig) -> Option<String> {
    let response = status(address).ok()?;
    let body = response.split_once("\r\n\r\n").map(|(_, body)| body)?;
    let status: Status = serde_json::from_str(body).ok()?;
    // Before it serves the zone it does not name it.
    let is_ours = status.zone.is_none_or(|known| known.name.eq_ignore_ascii_case(&zone.apex.to_string()));
    (is_ours && status.software.starts_with("k8s-node-dns ")).then_some(status.software)
}

fn status(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /status.json HTTP/1.0\r\n\r\n")?;
    let mut response = String::new();
    stream.take(MAX_STATUS).read_to_string(&mut response)?;
    Ok(response)
}
