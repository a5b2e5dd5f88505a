//! Files that are no state, or not the right one: never served, never fatal, always told.

use super::*;

/// Starts without an API on this file: nothing is served, and the log has `words`. Then the API comes, and all is well.
#[track_caller]
fn is_not_served(rig: &Rig, launch: &Launch, words: &[&str]) -> u32 {
    rig.api.refuse_connections();
    let daemon = launch.start();
    daemon.wait_for_log(&[&["warn"], words].concat());
    // Longer than `--state-after`: by now a good state would be served.
    daemon.wait_for_log(&["cannot reach the API"]);
    sleep(std::time::Duration::from_millis(500));
    assert_eq!(daemon.ask(HOME), "SERVFAIL 14", "{words:?}");
    rig.api.listen();
    serving(&daemon);
    let serial = serial(&daemon);
    daemon.stop();
    wait_for_state(&rig.file(), "attic");
    serial
}

#[test]
fn damaged_truncated_foreign_and_newer_files() {
    let (rig, _) = Rig::with_state();
    let good = std::fs::read(rig.file()).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    for (bad, words) in [
        (Vec::new(), &["damaged", "empty"][..]),
        (good[..good.len() / 2].to_vec(), &["damaged", "checksum"]),
        (good[..10].to_vec(), &["damaged", "cut off"]),
        (flipped, &["damaged", "checksum"]),
        (vec![0; 5000], &["not a state of k8s-node-dns"]),
        (b"apiVersion: v1\nkind: List\n".to_vec(), &["not a state of k8s-node-dns"]),
        (text.replacen("state 1", "state 2", 1).into_bytes(), &["format 2", "newer"]),
    ] {
        std::fs::write(rig.file(), &bad).unwrap();
        is_not_served(&rig, &rig.launch(), &[words, &["state.rejected"]].concat());
        assert_eq!(std::fs::read(rig.path().join("state.rejected")).unwrap(), bad);
    }
    assert_eq!(std::fs::read_dir(rig.path()).unwrap().count(), 2, "one of them is kept");
}

#[test]
fn a_state_of_another_zone() {
    let (rig, before) = Rig::with_state();
    forge(&rig.file(), |state| state["zone"] = "lb.example.net".into());
    let serial = is_not_served(&rig, &rig.launch(), &["zone lb.example.net", "state.rejected"]);
    assert!(serial > before, "it is unknown which serials this zone had");
}

#[test]
fn a_state_that_is_too_old_still_knows_the_serial() {
    let (rig, before) = Rig::with_state();
    forge(&rig.file(), |state| state["current"] = (since_1970() - 25 * 3600).into());
    assert_eq!(is_not_served(&rig, &rig.launch(), &["1d 1h old", "--state-max-age", "1d"]), before);
    forge(&rig.file(), |state| state["current"] = (since_1970() - 100).into());
    let launch = rig.launch().flag("--state-max-age", "90s");
    assert_eq!(is_not_served(&rig, &launch, &["1m 4", "--state-max-age", "1m 30s"]), before);
}

#[test]
fn a_state_of_other_annotations_still_knows_the_serial() {
    let (rig, before) = Rig::with_state();
    forge(&rig.file(), |state| state["annotations"]["areas"] = "example.com/areas".into());
    assert_eq!(is_not_served(&rig, &rig.launch(), &["other annotations"]), before);
}

#[test]
fn a_state_of_the_future_or_of_a_wrong_clock_is_fresh() {
    let (rig, before) = Rig::with_state();
    rig.api.refuse_connections();
    for (current, words) in [((since_1970() + 10 * 31_557_600).into(), "future"), (Value::Null, "clock was wrong")] {
        forge(&rig.file(), |state| state["current"] = current);
        let daemon = rig.launch().start();
        serving(&daemon);
        daemon.wait_for_log(&["not listed", words]);
        assert_eq!(serial(&daemon), before);
        daemon.stop();
    }
}

#[test]
fn no_secret_is_in_it() {
    let rig = Rig::new();
    rig.api.require_token("very-secret-token");
    let user = json!({"token": "very-secret-token"});
    let daemon =
        Launch::new().flag("--kubeconfig", rig.api.kubeconfig(json!({}), user)).flag("--state-dir", rig.path()).start();
    serving(&daemon);
    daemon.stop();
    wait_for_state(&rig.file(), "attic");
    let text = std::fs::read_to_string(rig.file()).unwrap();
    for word in ["secret", "token", "managedFields", "machineID", "images"] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}
