//! The real daemon against the fake API server: a random script runs through random faults, and at every quiet moment
//! each name is answered as a fresh list would have it. `nothing_missed` does the same without sockets, for thousands of
//! changes; `soak` does it for an hour.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::common::load::is;
use super::common::random::Random;
use super::common::script::{ALWAYS, Cluster, Notes, Script};
use super::common::{Daemon, FakeApi, Fault, Launch, Load, Verb};

const RESOURCES: [&str; 3] = ["nodes", "services", "endpointslices"];

impl Cluster for &FakeApi {
    fn put(&mut self, object: Value, _known: bool) {
        FakeApi::put(self, object);
    }

    fn delete(&mut self, resource: &'static str, key: &str) {
        FakeApi::delete(self, resource, key);
    }
}

/// A fake server, a daemon that watches it, a script, and a load on the names that are there all along.
pub(crate) struct Rig {
    pub(crate) api: FakeApi,
    pub(crate) daemon: Daemon,
    pub(crate) script: Script,
    pub(crate) load: Load,
    backup: Notes,
    /// Faults so far.
    pub(crate) faults: u64,
}

impl Rig {
    pub(crate) fn start(seed: u64) -> Self {
        let api = FakeApi::start();
        api.page(4);
        let script = Script::begin(seed, &mut &api);
        let daemon = Launch::new().flag("--kubeconfig", api.kubeconfig(json!({}), json!({}))).start();
        script.is_answered(&daemon);
        let backup = script.notes.clone();
        let load = load(&daemon);
        Self { api, daemon, script, load, backup, faults: 0 }
    }

    /// Some changes and faults, and then a quiet moment.
    pub(crate) fn round(&mut self, steps: u32) {
        for _ in 0..steps {
            self.script.change(&mut &self.api);
            if self.script.random.one_in(4) {
                self.faults += 1;
                self.fault();
            }
            sleep(Duration::from_millis(self.script.random.below(20)));
        }
        self.api.behave();
        self.script.is_answered(&self.daemon);
    }

    fn fault(&mut self) {
        let (api, random) = (&self.api, &mut self.script.random);
        let resource = random.pick(&RESOURCES);
        match random.below(14) {
            0 => api.cut_connections(),
            1 => api.compact(),
            2 => api.bookmark(),
            3 => api.end_watches(),
            4 => self.backup = self.script.notes.clone(),
            5 => {
                // While it is restored it is away, longer than a watch that ended by itself rests; and it does not send
                // what was planned for the server that it was.
                api.behave();
                api.refuse_connections();
                sleep(Duration::from_millis(1100));
                self.script.notes = self.backup.clone();
                api.restore(self.script.notes.objects());
                api.listen();
            }
            6 => {
                api.refuse_connections();
                sleep(Duration::from_millis(random.below(300)));
                api.listen();
            }
            7 => {
                // An object as it was, or is, told twice; with a version that is too old to go on from, since events
                // of one kind come in order from every server.
                if let Some(mut node) = self.script.notes.some_node(random) {
                    node["metadata"]["resourceVersion"] = "1".into();
                    api.next(Verb::Watch, "nodes", Fault::event("MODIFIED", &node));
                    api.end_watches();
                }
            }
            _ => {
                let (verb, fault) = some_fault(random, resource);
                api.next(verb, resource, fault);
                if random.one_in(2) { api.cut_connections() } else { api.end_watches() }
            }
        }
    }
}

/// The names that are there all along.
pub(crate) fn load(daemon: &Daemon) -> Load {
    Load::over(daemon.address, ALWAYS.map(|(question, answer)| (question.to_owned(), is(answer))).into())
}

fn some_fault(random: &mut Random, resource: &str) -> (Verb, Fault) {
    let group = if resource == "endpointslices" { "discovery.k8s.io" } else { "" };
    let verb = random.pick(&[Verb::List, Verb::Page, Verb::Watch]);
    let fault = match random.below(9) {
        0 => Fault::status(410),
        1 => Fault::status(500),
        2 => Fault::status(401),
        3 => Fault::retry_after(429, 1),
        4 => Fault::forbidden(resource, group),
        5 => Fault::Bytes(Vec::new()),
        6 => Fault::body("{}"),
        7 if verb == Verb::Watch => Fault::CutInEvent,
        8 if verb == Verb::Watch => Fault::error_event(410),
        _ if verb == Verb::Watch => Fault::error_event(500),
        _ => Fault::CutAfter(usize::try_from(random.below(12_000)).unwrap()),
    };
    (verb, fault)
}

#[test]
fn a_random_script_through_random_faults() {
    let seed = std::env::var("RANDOM_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("RANDOM_SEED={seed}");
    let mut rig = Rig::start(seed);
    for _ in 0..5 {
        rig.round(60);
    }
    let Rig { daemon, script, load, faults, .. } = rig;
    println!("{} changes, {faults} faults; {}", script.changes, load.was_served());
    assert!(daemon.lines_with(&["is left out"]).is_empty());
    daemon.stop();
}
