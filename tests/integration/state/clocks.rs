//! Clocks that step, with libfaketime between the daemon and the system's clock.

use std::fs;
use std::time::Duration;

use super::*;
use crate::common::{Vigil, skip};

/// Where Debian and others have it.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];

#[test]
fn steps_of_years_in_both_directions() {
    let Some(library) = LIBRARIES.into_iter().find(|path| Path::new(path).is_file()) else {
        return skip("state::clocks::steps_of_years_in_both_directions", "libfaketime (package faketime)");
    };
    let rig = Rig::new();
    let clock = rig.api.folder().join("clock");
    let step = |offset: &str| {
        let next = clock.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(&next, &clock).unwrap();
    };
    step("+0");
    let launch = rig
        .launch()
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let daemon = launch.start();
    serving(&daemon);
    rig.api.wait_for_watches();
    let vigil = Vigil::over(&daemon, GIT);
    let mut last = serial(&daemon);
    let mut address = 10;
    for offset in ["+20y", "-30y", "+0", "-2h", "+40y", "-40y", "+0"] {
        step(offset);
        address += 1;
        rig.api.put(objects::node("attic", "home", &format!("192.0.2.{address}")));
        daemon.wait_for(HOME, &format!("192.0.2.{address} 192.0.2.2"));
        let deadline = Instant::now() + PATIENCE;
        let next = loop {
            let next = serial(&daemon);
            if next != last {
                break next;
            }
            assert!(Instant::now() < deadline, "{offset}: no new serial after {last}");
            sleep(PAUSE);
        };
        // RFC 1982: later is less than 2^31 ahead.
        assert!(next.wrapping_sub(last) < 1 << 31, "{offset}: {next} after {last}");
        last = next;
    }
    let years: Vec<u64> = daemon.log().iter().filter_map(|line| line.get(..4)?.parse().ok()).collect();
    let year = 1970 + since_1970() / 31_557_600;
    assert!(years.iter().any(|shown| *shown > year + 15), "the clock did step: {years:?}");
    assert!(years.iter().any(|shown| *shown < year - 15), "in both directions: {years:?}");

    // A restart goes on from there, in the past as in the future, and the state is fresh or refused but never in the way.
    wait_for_state(&rig.file(), &format!("\"serial\":{last},"));
    vigil.saw_only(&["192.0.2.2"]);
    daemon.stop();
    for offset in ["-30y", "+0"] {
        step(offset);
        rig.api.refuse_connections();
        let daemon = launch.start();
        daemon.wait_for(GIT, "192.0.2.2");
        assert_eq!(serial(&daemon), last, "{offset}");
        rig.api.listen();
        daemon.wait_for_log(&["endpointslices", "replace what the state said"]);
        assert_eq!(serial(&daemon), last, "{offset}");
        daemon.stop();
        sleep(Duration::from_millis(10));
    }
}
