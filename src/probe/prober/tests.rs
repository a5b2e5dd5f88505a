//! Hosts in networks of their own: every way to be well or not, seen by the real prober and judged by the real machine.
//!
//! They run as root, or where a user may make network namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU32;

use crossbeam_channel::{Sender, bounded, unbounded};

use super::super::fixture::{Host, be_a_host};
use super::super::{Pace, spawn};
use super::*;
use crate::cluster::probes::{Family, Policy, Probes, State, Turn};
use crate::dns::fixture::{ip, own_network, run};
use crate::thread::Threads;

/// Not a test, but what [`Host`] runs.
#[test]
fn host() {
    be_a_host();
}

/// Whether this is the process with the network of its own.
fn in_a_network() -> bool {
    let there = own_network();
    if there {
        // Nobody answers for who is not there: what the kernel tries for three seconds would be slower than the tests.
        ip("route add unreachable 203.0.113.0/24");
    } else {
        let must = std::env::var_os("CI_REQUIRE_ALL").is_some_and(|value| value == "1");
        assert!(!must || run("unshare", "-n true"), "network namespaces are needed");
    }
    there
}

const FAST: Pace = Pace { interval: Duration::from_millis(100), timeout: Duration::from_millis(300) };

/// How long a test waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The prober and the machine, as the daemon has them.
struct Rig {
    threads: Threads,
    targets: Sender<Targets>,
    results: Receiver<Vec<ProbeResult>>,
    counters: Arc<Counters>,
    probes: Probes,
    pending: VecDeque<ProbeResult>,
}

impl Rig {
    fn new(pace: Pace, targets: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let (targets_in, targets_out) = unbounded();
        let (results_in, results) = bounded(16);
        let mut threads = Threads::default();
        let config = Config { pace, open: OPEN, own: vec![IpAddr::from([0; 16])] };
        let counters = spawn(config, targets_out, results_in, &mut threads).unwrap();
        let three = NonZeroU32::new(3).unwrap();
        let spec = Arc::new(Spec::parse("tcp:80").unwrap().unwrap());
        let mut probes = Probes::new(Policy { spec, down: three, up: three, references: Vec::new() });
        let target = |(address, spec): (String, &str)| {
            Target::new(address.parse().unwrap(), Arc::new(Spec::parse(spec).unwrap().unwrap()))
        };
        assert!(probes.set_targets(targets.into_iter().map(target)).is_empty());
        let mut rig = Self { threads, targets: targets_in, results, counters, probes, pending: VecDeque::new() };
        rig.hand_on();
        rig
    }

    fn hand_on(&mut self) {
        if let Some(targets) = self.probes.take_targets() {
            self.targets.send(targets).unwrap();
        }
    }

    /// The next result.
    fn next(&mut self) -> ProbeResult {
        while self.pending.is_empty() {
            self.pending.extend(self.results.recv_timeout(PATIENCE).unwrap());
        }
        self.pending.pop_front().unwrap()
    }

    /// The turns until there has been such a one.
    fn until(&mut self, wanted: impl Fn(&Turn) -> bool) -> Vec<Turn> {
        let (begun, mut turns) = (Instant::now(), Vec::new());
        while !turns.iter().any(&wanted) {
            assert!(begun.elapsed() < PATIENCE, "only {turns:?}");
            let result = self.next();
            turns.extend(self.probes.result(&result));
        }
        turns
    }

    /// The turns within a time.
    fn during(&mut self, time: Duration) -> Vec<Turn> {
        let (begun, mut turns) = (Instant::now(), Vec::new());
        while begun.elapsed() < time {
            let result = self.next();
            turns.extend(self.probes.result(&result));
        }
        turns
    }

    /// All targets answer.
    fn arm(&mut self) {
        let begun = Instant::now();
        while self.probes.standings().any(|standing| standing.state != State::In(0)) {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.probes.standings().collect::<Vec<_>>());
            let result = self.next();
            assert_eq!(self.probes.result(&result), []);
        }
    }

    fn end(self) {
        drop(self.results);
        self.threads.stop_and_join();
    }
}

fn addresses(hosts: &[&Host]) -> Vec<(String, &'static str)> {
    let both = hosts.iter().map(|host| host.addresses()).flat_map(|(v4, v6)| [v4, v6]);
    both.map(|address| (address, "tcp:80")).collect()
}

fn parse(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn down(address: &str) -> impl Fn(&Turn) -> bool + use<> {
    let wanted = parse(address);
    move |turn| matches!(turn, Turn::Down(address, _) if *address == wanted)
}

fn up(address: &str) -> impl Fn(&Turn) -> bool + use<> {
    let wanted = parse(address);
    move |turn| *turn == Turn::Up(wanted)
}

#[test]
fn every_kind_of_host_is_seen_for_what_it_is() {
    if !in_a_network() {
        return;
    }
    let host = Host::new(1, None);
    let (v4, v6) = host.addresses();
    let good = |outcome: &Outcome| *outcome == Outcome::Success;
    let failed = |wanted: Failure| move |outcome: &Outcome| *outcome == Outcome::Failure(wanted.clone());
    let silent = || failed(Failure::Silent(FAST.timeout));
    let own = |wanted: OwnFault| move |outcome: &Outcome| *outcome == Outcome::Ours(wanted.clone());
    type Check = Box<dyn Fn(&Outcome) -> bool>;
    let mut expect: Vec<(String, &str, Check)> = Vec::new();
    for address in [&v4, &v6] {
        let mut add = |spec, check: Check| expect.push((address.clone(), spec, check));
        add("tcp:80", Box::new(good));
        add("tcp:81", Box::new(good));
        add("tcp:9", Box::new(failed(Failure::Refused)));
        add("http:80/", Box::new(good));
        add("http:80/moved", Box::new(good));
        add("http:80/missing", Box::new(failed(Failure::Status(404))));
        add("http:81/", Box::new(silent()));
        add("http:82/", Box::new(failed(Failure::NotHttp)));
        add("http:83/", Box::new(failed(Failure::Status(503))));
        add("http:84/", Box::new(failed(Failure::Closed)));
        add("http:85/", Box::new(silent()));
        add("https:443/,host=other.example", Box::new(good));
        add("https:443/", Box::new(good));
        add("https:81/", Box::new(silent()));
        add("https:82/", Box::new(|outcome| matches!(outcome, Outcome::Failure(Failure::Tls(_)))));
        add("https:84/", Box::new(failed(Failure::Closed)));
    }
    // An address of our own, one without a route, and one that a router says is not there.
    expect.push(("198.51.100.1".to_owned(), "tcp:80", Box::new(own(OwnFault::OwnAddress))));
    expect.push(("100.64.0.1".to_owned(), "tcp:80", Box::new(own(OwnFault::System(libc::ENETUNREACH)))));
    expect.push(("203.0.113.1".to_owned(), "tcp:80", Box::new(own(OwnFault::System(libc::EHOSTUNREACH)))));

    let mut rig = Rig::new(FAST, expect.iter().map(|(address, spec, _)| (address.clone(), *spec)));
    let mut seen: BTreeMap<(IpAddr, String), usize> = BTreeMap::new();
    while expect.iter().any(|(address, spec, _)| seen.get(&(parse(address), (*spec).to_owned())) < Some(&4)) {
        let ProbeResult { target, begun, ended, outcome } = rig.next();
        assert!(begun <= ended);
        let spec = target.spec.to_string();
        let (.., check) = expect.iter().find(|(of, with, _)| parse(of) == target.address && *with == spec).unwrap();
        assert!(check(&outcome), "{target}: {outcome:?}");
        *seen.entry((target.address, spec)).or_default() += 1;
    }
    assert_eq!(rig.counters.interval(), FAST.interval);
    rig.end();
}

#[test]
fn hosts_go_out_and_come_back_however_they_die() {
    if !in_a_network() {
        return;
    }
    let (mut host, witness) = (Host::new(1, None), Host::new(2, None));
    let (v4, v6) = host.addresses();
    let mut rig = Rig::new(FAST, addresses(&[&host, &witness]));
    rig.arm();
    type End = fn(&str) -> Box<dyn Fn(&Turn) -> bool>;
    let both = |rig: &mut Rig, end: End| {
        let mut turns = rig.until(end(&v4));
        if !turns.iter().any(end(&v6)) {
            turns.extend(rig.until(end(&v6)));
        }
        assert_eq!(turns.len(), 2, "{turns:?}");
    };
    let (out, back): (End, End) = (|address| Box::new(down(address)), |address| Box::new(up(address)));

    for tables in ["iptables", "ip6tables"] {
        host.run(tables, "-A INPUT -j DROP");
    }
    both(&mut rig, out);
    for tables in ["iptables", "ip6tables"] {
        host.run(tables, "-F");
    }
    both(&mut rig, back);

    for tables in ["iptables", "ip6tables"] {
        host.run(tables, "-A INPUT -p tcp -j REJECT --reject-with tcp-reset");
    }
    both(&mut rig, out);
    for tables in ["iptables", "ip6tables"] {
        host.run(tables, "-F");
    }
    both(&mut rig, back);

    // IPv6 alone.
    host.run("ip6tables", "-A INPUT -j DROP");
    assert_eq!(rig.until(down(&v6)).len(), 1);
    host.run("ip6tables", "-F");
    assert_eq!(rig.until(up(&v6)).len(), 1);

    host.run("ip", "link set p1 down");
    both(&mut rig, out);
    host.run("ip", "link set p1 up");
    host.run("ip", &format!("route add 198.51.100.1/32 dev p1 src {v4}"));
    host.run("ip", &format!("-6 addr replace {v6}/128 dev p1 nodad"));
    host.run("ip", &format!("-6 route replace 2001:db8:1::1/128 dev p1 src {v6}"));
    both(&mut rig, back);

    host.close_ports();
    both(&mut rig, out);
    rig.end();
}

#[test]
fn our_own_network_takes_nobody_out() {
    if !in_a_network() {
        return;
    }
    let (one, other) = (Host::new(1, None), Host::new(2, None));
    let mut rig = Rig::new(FAST, addresses(&[&one, &other]));
    rig.arm();
    let time = FAST.interval * 15;
    // Dropped on our side: nothing comes back from anybody.
    for tables in ["iptables", "ip6tables"] {
        assert!(run(tables, "-A INPUT -p tcp -j DROP"));
    }
    rig.during(time).iter().for_each(|turn| assert!(matches!(turn, Turn::Held(_)), "{turn:?}"));
    assert!(rig.probes.is_blind(Family::V4) && rig.probes.is_blind(Family::V6));
    for tables in ["iptables", "ip6tables"] {
        assert!(run(tables, "-F"));
    }
    rig.during(time).iter().for_each(|turn| assert!(matches!(turn, Turn::Sighted(_)), "{turn:?}"));
    assert!(!rig.probes.is_blind(Family::V4) && !rig.probes.is_blind(Family::V6));
    // Our links are down: there is no route, which connect() says itself.
    for host in [&one, &other] {
        ip(&format!("link set {} down", host.link()));
    }
    rig.during(time).iter().for_each(|turn| assert!(matches!(turn, Turn::Held(_)), "{turn:?}"));
    let unarmed = rig.probes.standings().filter(|standing| !matches!(standing.state, State::In(_))).count();
    assert_eq!(unarmed, 0);
    rig.end();
}

/// With the real pace: what the operator is promised. The numbers are printed; a busy machine may be slower.
#[test]
fn how_long_it_takes_until_an_address_is_out() {
    if !in_a_network() {
        return;
    }
    let pace = Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(3) };
    let (host, witness) = (Host::new(1, None), Host::new(2, None));
    let mut rig = Rig::new(pace, addresses(&[&host, &witness]));
    rig.arm();
    let (v4, _) = host.addresses();
    for (rule, promised) in [("-p tcp -j REJECT --reject-with tcp-reset", 3.5), ("-j DROP", 6.5)] {
        host.run("iptables", &format!("-A INPUT {rule}"));
        let begun = Instant::now();
        assert_eq!(rig.until(down(&v4)).len(), 1);
        let took = begun.elapsed().as_secs_f64();
        println!("{rule}: out after {took:.2} s ({promised} promised)");
        assert!(took < 2.0 * promised, "{took} s");
        host.run("iptables", "-F");
        assert_eq!(rig.until(up(&v4)).len(), 1);
    }
    rig.end();
}

/// Packets are lost both ways. A lost one is sent again within the time of a probe, so few probes fail, and three in a row
/// seldom. `PROBE_LOSS_SECONDS=120` is what the documentation says.
#[test]
fn a_lossy_link_is_not_a_dead_host() {
    if !in_a_network() {
        return;
    }
    let seconds = std::env::var("PROBE_LOSS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let pace = Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(3) };
    let (host, witness) = (Host::new(1, None), Host::new(2, None));
    let mut rig = Rig::new(pace, addresses(&[&host, &witness]));
    rig.arm();
    for percent in [5, 30] {
        let rule = format!("INPUT -m statistic --mode random --probability {} -j DROP", f64::from(percent) / 100.0);
        for tables in ["iptables", "ip6tables"] {
            host.run(tables, &format!("-A {rule}"));
            assert!(run(tables, &format!("-A {rule}")), "our side");
        }
        let (begun, mut turns, mut ended, mut failed) = (Instant::now(), Vec::new(), 0, 0);
        while begun.elapsed().as_secs() < seconds {
            let result = rig.next();
            ended += 1;
            failed += usize::from(matches!(result.outcome, Outcome::Failure(_)));
            turns.extend(rig.probes.result(&result));
        }
        let removals = turns.iter().filter(|turn| matches!(turn, Turn::Down(..))).count();
        println!("{percent} % lost each way: {failed} of {ended} probes failed, {removals} removals in {seconds} s");
        assert!(percent > 5 || removals == 0, "{turns:?}");
        for tables in ["iptables", "ip6tables"] {
            host.run(tables, "-F");
            assert!(run(tables, "-F"));
        }
    }
    rig.end();
}

/// The limits hold, and who answers is probed all the same.
#[test]
fn five_thousand_addresses_that_nobody_answers() {
    if !in_a_network() {
        return;
    }
    let host = Host::new(1, Some("10.0.0.0/8"));
    host.run("iptables", "-A INPUT -d 10.0.0.0/8 -j DROP");
    let (v4, _) = host.addresses();
    let many = (0..5000).map(|number| (format!("10.1.{}.{}", number / 250, number % 250 + 1), "tcp:443"));
    let pace = Pace { interval: Duration::from_secs(1), timeout: Duration::from_secs(3) };
    assert!(crate::dns::descriptors::allow(OPEN, 64) >= 1000);
    let mut rig = Rig::new(pace, many.chain([(v4.clone(), "tcp:80")]));
    let begun = Instant::now();
    let (mut seen, mut good, mut own) = (BTreeSet::new(), 0, 0);
    while good < 3 || seen.len() < 4500 {
        assert!(begun.elapsed() < PATIENCE, "{} {good} {own}", seen.len());
        let result = rig.next();
        match &result.outcome {
            Outcome::Success => good += 1,
            Outcome::Failure(failure) => {
                assert_eq!(*failure, Failure::NoAnswer(pace.timeout), "{}", result.target);
                seen.insert(result.target.address);
            }
            Outcome::Ours(_) => own += 1,
        }
        let turns = rig.probes.result(&result);
        assert!(turns.is_empty(), "{turns:?}");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let started = rig.counters.started();
    println!("{started} probes in {seconds:.1} s, {} open, every {:?}", rig.counters.open(), rig.counters.interval());
    assert!(started as f64 <= (seconds + 1.0) * 1000.0);
    assert!(rig.counters.open() <= OPEN as u64 && rig.counters.interval() >= Duration::from_secs(5));
    rig.end();
}
