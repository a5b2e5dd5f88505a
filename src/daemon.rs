//! The composition root: it alone knows everybody. It binds, starts the threads, waits, and stops them in order.

mod attend;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use crossbeam_channel::{bounded, never, unbounded};
use nix::sys::eventfd::{EfdFlags, EventFd};

use self::attend::Attendant;
use crate::cluster::Cluster;
use crate::config::{Config, ProbeConfig};
use crate::dns::answer::answer;
use crate::dns::context::AnswerConfig;
use crate::dns::counters::{TcpCounters, UdpCounters};
use crate::dns::limits::{RateLimitConfig, RateLimits};
use crate::dns::listen::{BindError, Listeners, reachable};
use crate::dns::{descriptors, tcp, udp};
use crate::election;
use crate::http::site::Site;
use crate::http::sources::Unreadable;
use crate::http::{self, Origin, Sources, WatchHealth};
use crate::kube;
use crate::logger;
use crate::notify::Notify;
use crate::probe;
use crate::publisher::{Announcing, Heartbeats, Probing, Publisher};
use crate::secondaries::{self, Announcer, Standings};
use crate::signals::Signals;
use crate::state::{self, Identity};
use crate::thread::{Ended, Threads};
use crate::zone::{Published, serial};

/// How many events may wait for the publisher. A source that is faster waits itself, so that a storm of events costs
/// time and not memory.
const EVENTS: usize = 1024;

/// Likewise for results of probes, which come together: the prober waits, and then knows that it did.
const RESULTS: usize = 64;

/// Why the daemon could not start, or had to end.
#[derive(Debug)]
pub enum Error {
    /// An address cannot be listened on.
    Bind(BindError),
    /// The address of the status page cannot be listened on.
    BindHttp(http::listen::BindError),
    /// The cluster's objects cannot be had: a wrong kubeconfig or cluster file.
    Source(kube::Error),
    /// The system refuses a thread, a signal handler or an epoll set.
    System {
        /// What for.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A thread ended that should not.
    ThreadEnded(Ended),
}

/// Serves DNS until a signal says that it is enough.
///
/// # Errors
/// It cannot start, or a thread died.
pub fn run(config: Config) -> Result<(), Error> {
    let started = Instant::now();
    let signals = Signals::start().map_err(system("signal handlers"))?;
    let listeners = Listeners::bind(&config.listen).map_err(Error::Bind)?;
    let mut threads = Threads::default();
    let published = Arc::new(Published::default());
    let (events_in, events) = bounded(EVENTS);
    let http = config.http.map(http::listen::bind).transpose().map_err(Error::BindHttp)?;

    log::info!("k8s-node-dns {} serves {} on {}", env!("CARGO_PKG_VERSION"), config.zone.apex, Addresses(&listeners));
    let limits = Limits { rate: config.rate_limit, tcp: connections(config.tcp, &listeners) };
    let keys = Arc::clone(&config.answer.keys);
    let editions = Arc::clone(&config.answer.transfers.editions);
    let answer_config = Arc::new(config.answer);
    let listening = listeners.local_addrs().to_vec();
    let first_address = listening.first().copied();
    let own_addresses = listening.iter().map(|address| address.ip().to_canonical()).collect();
    let open_already = limits.tcp.connections + sockets(&listeners);
    let (udp, tcp) = serve_dns(&mut threads, listeners, &published, Arc::clone(&answer_config), limits)?;
    let probing = config.probe.map(|config| start_probing(&mut threads, config, own_addresses, open_already));
    let (probing, prober) = probing.transpose()?.unzip();
    let from = config.listen.addresses.into_iter().filter(|address| !address.is_unspecified()).collect();
    let lag = config.election.as_ref().map(|election| election.terms.timing.retry_period);
    let telling = secondaries::Config { secondaries: config.notify, from, lag, keys: Arc::clone(&keys) };
    let (announcer, secondaries) = start_notifier(&mut threads, telling)?.unzip();
    let stopping = Arc::new(AtomicBool::new(false));
    let origin = Arc::new(OnceLock::new());
    let asks = match http {
        None => never(),
        Some(listener) => {
            let (asks, receiver) = bounded(1);
            let sources = Sources {
                zone: config.zone.clone(),
                answer: answer_config,
                published: Arc::clone(&published),
                listening,
                udp,
                tcp,
                prober,
                secondaries,
                pulses: threads.pulses(),
                stopping: Arc::clone(&stopping),
                origin: Arc::clone(&origin),
                started: SystemTime::now(),
                asks,
            };
            serve_http(&mut threads, listener, sources)?;
            receiver
        }
    };
    let annotations = config.annotations;
    let services_watched = annotations.service.is_some();
    let wanted = kube::Wanted { keys: annotations.clone(), leases: config.lease_timeout.is_some() };
    let source = kube::spawn(config.source, wanted, events_in, &mut threads).map_err(Error::Source)?;
    log::info!("the cluster is {}", source.describe());
    let described = source.describe();
    let described = Box::new(move || described.to_string());
    let _ = origin.set(Origin { described, watches: watches(&source), unreadable: unreadable(&source) });
    let zone = config.zone.apex.to_string();
    let cluster = Cluster::new(services_watched).with_policy(config.policy);
    let mut publisher = Publisher::new(config.zone, cluster, Arc::clone(&published)).with_editions(editions);
    let heartbeats = config.lease_timeout.zip(source.confirmations());
    publisher =
        publisher.with_heartbeats(heartbeats.map(|(timeout, confirmations)| Heartbeats::new(timeout, confirmations)));
    publisher = publisher.with_probing(probing).with_announcing(Announcing::new(
        config.notify_interval,
        config.zonemd,
        announcer,
    ));
    if let Some(state) = &config.state {
        let origin = state::Origin { source: source.describe(), staleness: source.staleness() };
        let (earlier, saver, writer) =
            state::open(state, Identity { zone: zone.clone(), keys: annotations }, origin, serial::since_1970());
        threads.spawn_unjoined("state", move || writer.run()).map_err(system("the thread that writes the state"))?;
        publisher = publisher.with_state(earlier, saver);
    }
    let mut leaving = None;
    if let Some(election) = config.election
        && let Some(client) = source.client(threads.stop())
    {
        let terms = election.terms.clone();
        let (ends, handle) =
            election::spawn(election, client, &mut threads).map_err(system("the thread of the leader election"))?;
        publisher = publisher.with_agreement(terms, ends.requests, ends.replies);
        leaving = Some(handle);
    }
    let stop = threads.stop();
    threads
        .spawn("publisher", move || publisher.run(&events, &asks, &stop))
        .map_err(system("the publisher's thread"))?;

    let attendant = Attendant {
        signals: signals.received(),
        ended: threads.ended(),
        pulses: threads.pulses(),
        source: &source,
        keys,
        election: leaving,
        published,
        stopping: Arc::clone(&stopping),
        notify: Notify::of_process(),
        zone,
        started,
    };
    if logger::is_for_people(config.log)
        && let Some(address) = first_address
    {
        log::info!("ask it: {}", dig(address, &attendant.zone));
    }
    let result = attendant.attend(config.lame_duck);
    signals.ending();
    stopping.store(true, Ordering::Relaxed);
    source.shutdown();
    threads.stop_and_join();
    if result.is_ok() {
        log::info!("stopped");
    }
    result
}

/// What the DNS side allows its clients.
struct Limits {
    rate: RateLimitConfig,
    tcp: tcp::Limits,
}

/// The same limits, with as many connections as there can be open files.
fn connections(limits: tcp::Limits, listeners: &Listeners) -> tcp::Limits {
    let connections = descriptors::allow(limits.connections, sockets(listeners));
    if connections < limits.connections {
        log::warn!(
            "the limit of open files allows {connections} connections over TCP, not {}. Raise it (ulimit -Hn, \
             LimitNOFILE=) or lower --tcp-connections",
            limits.connections
        );
    }
    tcp::Limits { connections, ..limits }
}

/// Descriptors that serving takes whoever comes.
fn sockets(listeners: &Listeners) -> usize {
    listeners.tcp.len() + listeners.udp.iter().map(Vec::len).sum::<usize>() + http::server::DESCRIPTORS
}

/// Starts the prober; returns what the publisher has of it, and what it counts.
fn start_probing(
    threads: &mut Threads,
    config: ProbeConfig,
    own: Vec<IpAddr>,
    open_already: usize,
) -> Result<(Probing, Arc<probe::Counters>), Error> {
    let (targets_in, targets) = unbounded();
    let (results_in, results) = bounded(RESULTS);
    let open = descriptors::allow(probe::OPEN, open_already);
    let config_of_prober = probe::Config { pace: config.pace, open, own };
    let counters = probe::spawn(config_of_prober, targets, results_in, threads).map_err(system("the prober"))?;
    Ok((Probing::new(config.policy, targets_in, results), counters))
}

/// Starts the thread that tells secondaries, if there are any.
fn start_notifier(
    threads: &mut Threads,
    config: secondaries::Config,
) -> Result<Option<(Announcer, Arc<Standings>)>, Error> {
    if config.secondaries.is_empty() {
        return Ok(None);
    }
    let secondaries: Vec<_> = config.secondaries.iter().map(ToString::to_string).collect();
    log::info!("new versions are told to {}", secondaries.join(", "));
    secondaries::spawn(config, threads).map(Some).map_err(system("the thread that tells secondaries"))
}

/// Starts the UDP workers and the TCP server; returns what they count.
fn serve_dns(
    threads: &mut Threads,
    listeners: Listeners,
    published: &Arc<Published>,
    config: Arc<AnswerConfig>,
    limits: Limits,
) -> Result<(Vec<Arc<UdpCounters>>, Arc<TcpCounters>), Error> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)
        .map_err(|error| Error::System { what: "a random number", source: io::Error::other(error) })?;
    let rate_limits = RateLimits::new(&limits.rate, key).map(Arc::new);
    let mut udp_counters = Vec::new();
    for (i, sockets) in listeners.udp.into_iter().enumerate() {
        let counters = Arc::new(UdpCounters::default());
        udp_counters.push(Arc::clone(&counters));
        let worker = udp::Worker {
            sockets,
            published: Arc::clone(published),
            config: Arc::clone(&config),
            limits: rate_limits.clone(),
            counters,
            answer,
        };
        let stop = threads.stop();
        threads.spawn(&format!("udp-{i}"), move || worker.run(&stop)).map_err(system("a UDP worker"))?;
    }
    let counters = Arc::new(TcpCounters::default());
    let server =
        tcp::Server::new(listeners.tcp, Arc::clone(published), config, Arc::clone(&counters), limits.tcp, answer)
            .map_err(system("the TCP server"))?;
    let stop = threads.stop();
    threads.spawn("tcp", move || server.run(&stop)).map_err(system("the TCP server's thread"))?;
    Ok((udp_counters, counters))
}

/// Starts the server of the status page and the probes.
fn serve_http(threads: &mut Threads, listener: TcpListener, sources: Sources) -> Result<(), Error> {
    let what = "the HTTP server";
    let address = listener.local_addr().map_err(system(what))?;
    let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
    let wake = EventFd::from_flags(flags).map_err(|error| system(what)(error.into()))?;
    let wake = Arc::new(wake);
    let site = Site::new(sources, Arc::clone(&wake));
    let server = http::server::Server::new(listener, site, wake).map_err(system(what))?;
    let stop = threads.stop();
    threads.spawn("http", move || server.run(&stop)).map_err(system("the HTTP server's thread"))?;
    log::info!("status page, metrics and probes: http://{address}/");
    Ok(())
}

/// How the watches are, as it is shown: what they do from `kube::health`, how old what is known is from its staleness.
fn watches(source: &kube::Handle) -> Box<dyn Fn() -> Vec<WatchHealth> + Send + Sync> {
    let (health, staleness) = (source.health(), source.staleness());
    Box::new(move || {
        let now = Instant::now();
        let looks = health.look(now).map(|look| WatchHealth {
            kind: look.kind.resource(),
            connected: look.open,
            silent: look.silent,
            stale: staleness.age(look.kind.resource(), now),
            restarts: look.restarts.map(|(reason, count)| (reason.label(), count)).to_vec(),
        });
        looks.collect()
    })
}

/// What is left out, as it is shown.
fn unreadable(source: &kube::Handle) -> Box<dyn Fn() -> Vec<Unreadable> + Send + Sync> {
    let unreadable = source.unreadable();
    Box::new(move || {
        let kinds = unreadable.look().into_iter().map(|(kind, look)| {
            let kube::decode::BadObject { object, reason } = look.last;
            Unreadable { kind: kind.resource(), count: look.count, object, reason }
        });
        kinds.collect()
    })
}

/// What to type to see it answer.
fn dig(address: SocketAddr, zone: &str) -> String {
    let ip = reachable(address).ip();
    let port = if address.port() == 53 { String::new() } else { format!(" -p {}", address.port()) };
    format!("dig @{ip}{port} {zone} SOA")
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::System { what, source }
}

/// The addresses that are listened on, as text.
struct Addresses<'a>(&'a Listeners);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.0.local_addrs().iter().enumerate() {
            write!(f, "{}{address}", if i == 0 { "" } else { ", " })?;
        }
        write!(f, " over UDP and TCP")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(error) => Some(error),
            Self::BindHttp(error) => Some(error),
            Self::Source(error) => Some(error),
            Self::System { source, .. } => Some(source),
            Self::ThreadEnded(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::BindHttp(error) => error.fmt(f),
            Self::Source(error) => error.fmt(f),
            Self::System { what, source } => write!(f, "the system refuses {what}: {source}"),
            Self::ThreadEnded(Ended { thread, panicked }) => {
                let how = if *panicked { "panicked" } else { "ended without being told to" };
                write!(f, "thread {thread} {how}: ending, so that whoever started this daemon starts it again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_untold_ends_the_daemon_with_its_name_and_cause() {
        for (panicked, message) in [
            (true, "thread udp-0 panicked: ending, so that whoever started this daemon starts it again"),
            (
                false,
                "thread udp-0 ended without being told to: ending, so that whoever started this daemon starts it again",
            ),
        ] {
            let error = Error::ThreadEnded(Ended { thread: "udp-0".to_owned(), panicked });
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn what_to_ask_can_be_typed() {
        for (address, expect) in [
            ("[::]:53", "dig @127.0.0.1 lb.example.test SOA"),
            ("0.0.0.0:5300", "dig @127.0.0.1 -p 5300 lb.example.test SOA"),
            ("[2001:db8::1]:5300", "dig @2001:db8::1 -p 5300 lb.example.test SOA"),
        ] {
            assert_eq!(dig(address.parse().unwrap(), "lb.example.test"), expect);
        }
    }
}
