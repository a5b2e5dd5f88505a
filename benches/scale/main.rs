//! What the size of the cluster costs: memory, the first answer, a change, and changes that change nothing.
//!
//! `just scale` runs it; benches/README.md says how each number is measured. The arguments are numbers of nodes; `serve NODES` only
//! starts the API server, for a profiler, and `real NODES` measures the first answer from a real one.

#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]
#![expect(clippy::indexing_slicing, reason = "JSON values are filled in, and replies have a header")]

mod daemon;
mod fake_api;
mod in_process;
mod leases;
mod objects;
mod real;
mod shown;

use std::error::Error;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use daemon::Daemon;
use fake_api::FakeApi;
use objects::{AREA, HOSTS, Objects, service_name};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Starts of the daemon and of curl.
const STARTS: usize = 7;

/// Ready conditions that change.
const FLIPS: usize = 300;

/// Status writes, and how many a second.
const WRITES: usize = 5000;
const WRITES_A_SECOND: f64 = 500.0;

/// Real changes, as fast as they come.
const BURST: usize = 5000;

/// What is measured: its name, its unit, what it may be at 5 000 nodes.
const ROWS: [(&str, &str, Option<f64>); 16] = [
    ("resident after loading", "MiB", Some(16.0)),
    ("resident at the peak", "MiB", Some(32.0)),
    ("resident after all of this", "MiB", None),
    ("first answer", "ms", None),
    ("curl reads the same pages", "ms", None),
    ("first answer by curl", "", None), // `real` judges it: no API server has its pages ready
    ("Ready flip in the answers, median", "ms", Some(1.0)),
    ("the same, 99 of 100", "ms", None),
    ("500 status writes a second", "% CPU", Some(5.0)),
    ("500 renewals of leases a second", "% CPU", Some(5.0)),
    ("resident with leases", "MiB", None),
    ("zones of a burst of 5 000 changes", "", Some(500.0)),
    ("event to published, median", "ms", Some(0.3)),
    ("/metrics, median", "ms", Some(20.0)),
    ("the status page, median", "ms", Some(100.0)),
    ("length of the status page", "kB", Some(500.0)),
];

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let only_serve = arguments.next_if(|argument| argument == "serve").is_some();
    let from_a_real_one = arguments.next_if(|argument| argument == "real").is_some();
    let sizes: Result<Vec<usize>, _> = arguments.map(|argument| argument.parse()).collect();
    let sizes = Some(sizes?).filter(|sizes| !sizes.is_empty()).unwrap_or(vec![50, 500, 5000]);
    if let Some(nodes) = sizes.first().filter(|_| only_serve) {
        return serve(*nodes);
    }
    if from_a_real_one {
        return sizes.into_iter().try_for_each(real::measure);
    }
    let mut columns = Vec::new();
    for nodes in &sizes {
        eprint_progress(&format!("{nodes} nodes"));
        columns.push(measure(*nodes)?);
    }
    eprint_progress("");
    print!("{:36}", "nodes");
    sizes.iter().for_each(|nodes| print!("{nodes:>10}"));
    println!();
    for (row, (name, unit, bound)) in ROWS.iter().enumerate() {
        print!("{:36}", format!("{name}{}{unit}", if unit.is_empty() { "" } else { ", " }));
        let values: Vec<f64> = columns.iter().map(|column: &Vec<f64>| column[row]).collect();
        values.iter().for_each(|value| print!("{value:>10.*}", if value.fract() == 0.0 { 0 } else { 2 }));
        let judged =
            bound.map(|bound| (bound, if values.iter().all(|value| *value <= bound) { "ok" } else { "MISSED" }));
        println!("{}", judged.map(|(bound, verdict)| format!("    at most {bound:<6} {verdict}")).unwrap_or_default());
    }
    Ok(())
}

/// Only the API server, for a profiler that runs the daemon; until standard input ends.
fn serve(nodes: usize) -> Outcome<()> {
    let api = FakeApi::start(&Objects::new(nodes)?)?;
    println!("--kubeconfig {}", api.kubeconfig()?.display());
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// All rows for one size.
fn measure(nodes: usize) -> Outcome<Vec<f64>> {
    let objects = Objects::new(nodes)?;
    let api = FakeApi::start(&objects)?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = api.kubeconfig()?;
    let (namespace, service) = service_name(objects.services - 1);
    let last = format!("{service}.{namespace}");
    let start = |level: &str| -> Outcome<(Daemon, Duration)> {
        api.forget_watches();
        let mut daemon = Daemon::start(&kubeconfig, folder.path(), level)?;
        let answered = daemon.wait_for(&last, HOSTS as u16, Duration::from_millis(1))?;
        let took = daemon.since_start(answered);
        api.wait_for_watches();
        Ok((daemon, took))
    };

    // In turns, since the minute changes both.
    let (mut firsts, mut curls) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        curls.push(milliseconds(curl(&api)?));
        firsts.push(milliseconds(start("info")?.1));
    }
    let ratios = firsts.iter().zip(&curls).map(|(first, curl)| first / curl).collect();

    let (mut daemon, _) = start("info")?;
    sleep(Duration::from_secs(2));
    let (loaded, peak) = (daemon.memory("VmRSS")?, daemon.memory("VmHWM")?);

    let mut flips = Vec::new();
    for turn in 0..FLIPS {
        let (number, ready) = (turn / 2 * 7 % nodes, turn % 2 == 1);
        let node = objects.node(number, ready, turn);
        let area = (nodes - number / AREA * AREA).min(AREA) - usize::from(!ready);
        sleep(Duration::from_millis(10));
        let sent = Instant::now();
        api.modify_node(&node)?;
        let flipped = daemon.wait_for(&format!("area-{}", number / AREA), area as u16, Duration::from_micros(20))?;
        flips.push(milliseconds(flipped - sent));
    }

    let writes: Vec<String> = (0..100).map(|turn| objects.node(turn % nodes, true, turn + FLIPS)).collect();
    let (cpu, begun) = (daemon.cpu()?, Instant::now());
    for (turn, node) in writes.iter().cycle().take(WRITES).enumerate() {
        let due = begun + Duration::from_secs_f64(turn as f64 / WRITES_A_SECOND);
        sleep(due.saturating_duration_since(Instant::now()));
        api.modify_node(node)?;
    }
    let share = daemon.cpu()?.saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    let after = daemon.memory("VmRSS")?;
    drop(daemon);

    let zones = burst(&objects, &api, start("debug")?.0)?;
    let published = in_process::event_to_published(&objects)?;
    let shown = shown::measure(&api, folder.path(), &last)?;
    let renewals = leases::measure(&objects, &api, folder.path(), &last)?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(vec![
        mib(loaded),
        mib(peak),
        mib(after),
        median(firsts),
        median(curls),
        median(ratios),
        median(flips.clone()),
        quantile(flips, 0.99),
        share,
        renewals.share,
        mib(renewals.resident),
        zones as f64,
        published,
        shown.scrape,
        shown.page,
        shown.length,
    ])
}

/// How many zones are published for a burst of changes.
fn burst(objects: &Objects, api: &FakeApi, mut daemon: Daemon) -> Outcome<usize> {
    // All nodes go down, and come up again as often as it takes; in the last round they go down.
    let rounds = BURST.div_ceil(objects.nodes) | 1;
    let round = |round: usize| {
        (0..objects.nodes).rev().map(move |number| objects.node(number, round % 2 == 1, round * objects.nodes + number))
    };
    let changes: Vec<String> = (0..rounds).flat_map(round).collect();
    let published = |daemon: &Daemon| -> Outcome<usize> { Ok(daemon.log()?.matches("zone published").count()) };
    let before = published(&daemon)?;
    for node in &changes {
        api.modify_node(node)?;
    }
    daemon.wait_for("area-0", 0, Duration::from_millis(1))?;
    sleep(Duration::from_millis(1500)); // a serial may be a second late, and is a zone too
    Ok(published(&daemon)? - before)
}

/// Reads all pages, one after the other, over one connection.
fn curl(api: &FakeApi) -> Outcome<Duration> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--fail", "--cacert"]).arg(api.ca());
    for url in api.urls() {
        command.args(["--output", "/dev/null", &url]);
    }
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).status()?;
    if status.success() { Ok(begun.elapsed()) } else { Err(format!("curl: {status}").into()) }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// Says on stderr what is being measured, in one line that is overwritten.
fn eprint_progress(text: &str) {
    use std::io::Write;
    let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
}
