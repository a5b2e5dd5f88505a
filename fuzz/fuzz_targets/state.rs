//! Any bytes as a state file, as they are and with a checksum that is right: refused with a reason, or what is read of it is
//! what is written again.

#![no_main]

use k8s_node_dns::cluster::{Cluster, Moment};
use k8s_node_dns::state::Identity;
use k8s_node_dns::state::format::{State, decode, encode, header};
use libfuzzer_sys::fuzz_target;

const ZONE: &str = "lb.example.test";

fuzz_target!(|content: &[u8]| {
    look(content);
    look(&[header(content).as_bytes(), content].concat());
});

fn look(bytes: &[u8]) {
    let state = match decode(bytes, ZONE) {
        Ok(state) => state,
        Err(flaw) => {
            assert!(!flaw.to_string().is_empty());
            return;
        }
    };
    let once = written(state);
    let again = written(decode(&once, ZONE).expect("what is written can be read"));
    assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&again));
}

/// The state as it is written when its objects make the cluster.
fn written(state: State) -> Vec<u8> {
    let State { keys, source, current, version, objects, memories } = state;
    let mut cluster = Cluster::new(true);
    for list in objects {
        cluster.apply(list, Moment::now());
    }
    let identity = Identity { zone: ZONE.to_owned(), keys };
    encode(&identity, &source, current, version, &cluster, memories).expect("JSON can say it")
}
