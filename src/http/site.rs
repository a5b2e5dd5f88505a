//! Which path is answered with what: a [`Request`] in, a [`Response`] out.
//!
//! What can be told from atomics is answered at once. What is about the cluster is the publisher's to know: it is asked
//! ([`Ask`]), and what waited is answered when its [`Report`] comes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::eventfd::EventFd;

use super::exposition;
use super::history::{History, Totals};
use super::overall::{Circumstances, Overall, overall};
use super::page::{self, View};
use super::probes::{self, Check};
use super::request::Request;
use super::response::{CSS, HTML, JSON, METRICS, Response, SCRIPT, SVG, TEXT};
use super::status;
use crate::dns::context::AnswerConfig;
use crate::dns::counters::{Outcome, TcpCounters, UdpCounters};
use crate::probe::Counters as ProberCounters;
use crate::report::{Ask, Report};
use crate::secondaries::{Standing, Standings};
use crate::thread::Pulses;
use crate::zone::text::ZoneFile;
use crate::zone::{Published, ZoneConfig};

/// Wakes the server up: it becomes readable when a report has come.
pub type Wake = Arc<EventFd>;

/// Where everything that is shown comes from.
pub struct Sources {
    /// The zone without its nodes.
    pub zone: ZoneConfig,
    /// How queries are answered.
    pub answer: Arc<AnswerConfig>,
    /// What they are answered from.
    pub published: Arc<Published>,
    /// Where DNS is served.
    pub listening: Vec<SocketAddr>,
    /// What each UDP worker counts.
    pub udp: Vec<Arc<UdpCounters>>,
    /// What the TCP server counts.
    pub tcp: Arc<TcpCounters>,
    /// What the prober counts, if there is one.
    pub prober: Option<Arc<ProberCounters>>,
    /// How secondaries stand, if any are told of changes.
    pub secondaries: Option<Arc<Standings>>,
    /// Whether the threads move on.
    pub pulses: Pulses,
    /// Whether the daemon is on its way out.
    pub stopping: Arc<AtomicBool>,
    /// Where the objects come from, once that is known.
    pub origin: Arc<OnceLock<Origin>>,
    /// When the process started.
    pub started: SystemTime,
    /// Where the publisher is asked for a report.
    pub asks: Sender<Ask>,
}

impl Sources {
    /// What is left out.
    pub(super) fn unreadable(&self) -> Vec<Unreadable> {
        self.origin.get().map(|origin| (origin.unreadable)()).unwrap_or_default()
    }

    /// How secondaries stand.
    pub(super) fn secondaries(&self) -> Vec<Standing> {
        self.secondaries.as_deref().map(Standings::look).unwrap_or_default()
    }

    /// What came in so far.
    fn totals(&self) -> Totals {
        let sum = |of: fn(&UdpCounters) -> u64| self.udp.iter().map(|counters| of(counters)).sum::<u64>();
        let sets = || self.udp.iter().map(|counters| &counters.queries).chain([&self.tcp.queries]);
        let outcomes =
            |all: &[Outcome]| sets().map(|set| all.iter().map(|one| set.outcome(*one)).sum::<u64>()).sum::<u64>();
        Totals {
            udp: sum(|counters| counters.received.value()),
            tcp: self.tcp.received.value(),
            negative: outcomes(&[Outcome::NoData, Outcome::NxDomain]),
            failed: outcomes(&[
                Outcome::ServFail,
                Outcome::Refused,
                Outcome::FormErr,
                Outcome::NotImp,
                Outcome::BadVers,
            ]) + sum(|counters| {
                counters.unanswered.value() + counters.limited.value() + counters.send_errors.value()
            }),
        }
    }
}

/// Where the objects come from.
pub struct Origin {
    /// In words; the operator may have named another one since the start.
    pub described: Box<dyn Fn() -> String + Send + Sync>,
    /// How each kind's watch is now; nothing for a file.
    pub watches: Box<dyn Fn() -> Vec<WatchHealth> + Send + Sync>,
    /// What is left out of each kind, since it cannot be decoded.
    pub unreadable: Box<dyn Fn() -> Vec<Unreadable> + Send + Sync>,
}

/// Objects of a kind that are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The kind, as its resource is called: `nodes`.
    pub kind: &'static str,
    /// How many.
    pub count: usize,
    /// The last one.
    pub object: String,
    /// What is wrong with it.
    pub reason: String,
}

/// How the watch of one kind is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchHealth {
    /// The kind, as its resource is called: `nodes`.
    pub kind: &'static str,
    /// Whether a watch is open.
    pub connected: bool,
    /// How long ago the API server said anything about it.
    pub silent: Option<Duration>,
    /// How old what is known may be: the time since it was last known to be complete.
    pub stale: Option<Duration>,
    /// How often the watch began anew, by reason.
    pub restarts: Vec<(&'static str, u64)>,
}

/// All pages.
pub struct Site {
    sources: Sources,
    wake: Wake,
    reports: (Sender<Report>, Receiver<Report>),
    /// The publisher was asked and has not answered.
    asked: bool,
    counts: Counts,
    history: History,
}

/// What this server counts of itself.
#[derive(Debug, Default)]
pub struct Counts {
    /// How often each status was answered.
    pub responses: BTreeMap<u16, u64>,
    /// Connections closed to make room for a new one.
    pub replaced: u64,
}

impl Site {
    /// The pages about `sources`; `wake` is written to when a report has come.
    pub fn new(sources: Sources, wake: Wake) -> Self {
        let reports = bounded(1);
        Self { sources, wake, reports, asked: false, counts: Counts::default(), history: History::default() }
    }

    /// Answers at once, or asks the publisher.
    pub(super) fn answer(&mut self, request: &Request) -> Option<Response> {
        let verbose = request.parameter("verbose").is_some();
        let response = match request.path.as_str() {
            "/livez" => probes::respond("livez", &probes::liveness(self.sources.pulses.check()), verbose),
            "/readyz" => probes::respond("readyz", &self.readiness(), verbose),
            "/style.css" => Response::ok(CSS, page::STYLE),
            "/page.js" => Response::ok(SCRIPT, page::SCRIPT),
            "/icon.svg" => Response::ok(SVG, page::ICON),
            "/" | "/status.json" | "/zone" | "/metrics" => {
                self.ask();
                return None;
            }
            _ => Response::text(404, "404 Not Found: try / /status.json /zone /metrics /readyz /livez\n"),
        };
        Some(self.counted(response))
    }

    /// Answers what waited for a report.
    pub(super) fn answer_from(&mut self, request: &Request, report: &Report) -> Response {
        let response = match (request.path.as_str(), &report.served) {
            ("/", _) => self.page(request, report),
            ("/status.json", _) => self.status(report),
            ("/metrics", _) => self.metrics(Some(report)),
            ("/zone", Some(served)) => {
                let file = ZoneFile { config: &self.sources.zone, zone: &served.zone, cluster: &report.cluster };
                Response::ok(TEXT, file.to_string())
            }
            _ => Response::text(503, "503 Service Unavailable: no zone is served yet; /readyz has the reason\n"),
        };
        self.counted(response)
    }

    fn page(&self, request: &Request, report: &Report) -> Response {
        let (now, watches) = (SystemTime::now(), self.watches());
        let overall = self.overall(report, &watches, now);
        let (sources, history) = (&self.sources, &self.history);
        let view = View { sources, report, overall: &overall, watches: &watches, history, request, now };
        Response::ok(HTML, page::render(&view))
    }

    fn status(&self, report: &Report) -> Response {
        let (now, watches) = (SystemTime::now(), self.watches());
        let overall = self.overall(report, &watches, now);
        Response::ok(JSON, status::write(&self.sources, report, &overall, &watches, now))
    }

    fn overall(&self, report: &Report, watches: &[WatchHealth], now: SystemTime) -> Overall {
        let origin = self.sources.origin.get().map(|origin| (origin.described)());
        let circumstances = Circumstances {
            zone: &self.sources.zone.apex.to_string(),
            origin: origin.as_deref(),
            watches,
            unreadable: self.sources.unreadable().iter().map(|kind| kind.count).sum(),
            stopping: self.sources.stopping.load(Ordering::Relaxed),
            now,
        };
        overall(report, &circumstances)
    }

    fn watches(&self) -> Vec<WatchHealth> {
        self.sources.origin.get().map(|origin| (origin.watches)()).unwrap_or_default()
    }

    /// Answers what waited too long for one.
    pub(super) fn give_up(&mut self, request: &Request) -> Response {
        let response = match request.path.as_str() {
            "/metrics" => self.metrics(None),
            _ => Response::text(503, "503 Service Unavailable: the publisher does not answer; see /livez?verbose\n"),
        };
        self.counted(response)
    }

    fn metrics(&self, report: Option<&Report>) -> Response {
        let ready = self.readiness().iter().all(Check::passed);
        Response::ok(METRICS, exposition::write(&self.sources, &self.counts, ready, report))
    }

    fn readiness(&self) -> Vec<Check> {
        let stopping = self.sources.stopping.load(Ordering::Relaxed);
        probes::readiness(stopping, self.sources.published.current().is_some())
    }

    /// What is not a request that is answered.
    pub(super) fn refuse(&mut self, response: Response) -> Response {
        self.counted(response)
    }

    /// A connection was closed to make room.
    pub(super) fn replaced(&mut self) {
        self.counts.replaced += 1;
    }

    /// Looks at the counters now and then.
    pub(super) fn sample(&mut self, now: Duration) {
        if self.history.is_due(now) {
            let totals = self.sources.totals();
            self.history.push(now, totals);
        }
    }

    /// The report that was asked for.
    pub(super) fn receive(&mut self) -> Option<Report> {
        self.asked = false;
        self.reports.1.try_recv().ok()
    }

    /// Asks for a report, unless one is on its way: that serves everybody who waits.
    fn ask(&mut self) {
        if self.asked {
            return;
        }
        let (reports, wake) = (self.reports.0.clone(), Arc::clone(&self.wake));
        let ask: Ask = Box::new(move |report| {
            let _ = reports.try_send(report);
            let _ = wake.write(1);
        });
        self.asked = self.sources.asks.try_send(ask).is_ok();
    }

    fn counted(&mut self, response: Response) -> Response {
        *self.counts.responses.entry(response.status).or_default() += 1;
        response
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("counts", &self.counts).finish_non_exhaustive()
    }
}
