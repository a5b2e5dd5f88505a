//! Which path is answered with what: a [`Request`] in, a [`Response`] out.
//!
//! What can be told from atomics is answered at once. What is about the cluster is the publisher's to know: it is asked
//! ([`Ask`]), and what waited is answered when its [`Report`] comes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::eventfd::EventFd;

use super::exposition;
use super::history::History;
use super::overall::{Circumstances, Overall, overall};
use super::page::{self, View};
use super::probes::{self, Check};
use super::request::Request;
use super::response::{CSS, HTML, JSON, METRICS, Response, SCRIPT, SVG, TEXT};
use super::sources::{Counts, Sources, WatchHealth};
use super::status;
use crate::report::{Ask, Report};
use crate::zone::text::ZoneFile;

/// Wakes the server up: it becomes readable when a report has come.
pub type Wake = Arc<EventFd>;

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
