//! `--probe` and its companions.

use super::*;

#[test]
fn nothing_is_probed_unless_it_is_wanted() {
    assert_eq!(config(&[]).probe, None);
    let idle = config(&["--probe=", "--probe-interval=2s", "--probe-reference=tcp:192.0.2.1:53"]);
    assert_eq!(idle.probe, None);
    assert_eq!(
        idle.warnings,
        [
            "--probe-interval has no effect without --probe: nothing is probed",
            "--probe-reference has no effect without --probe: nothing is probed",
        ]
    );
}

#[test]
fn probes_are_as_the_flags_say() {
    let by_default = config(&["--probe=tcp:443"]).probe.unwrap();
    assert_eq!(by_default.policy.spec.to_string(), "tcp:443");
    assert_eq!((by_default.policy.down.get(), by_default.policy.up.get()), (3, 3));
    assert_eq!((by_default.pace.interval.as_secs(), by_default.pace.timeout.as_secs()), (1, 3));
    let given = config(&[
        "--probe=https:6443/livez,host=api.example.com",
        "--probe-interval=500ms",
        "--probe-timeout=1m",
        "--probe-down=2",
        "--probe-up=100",
        "--probe-reference=tcp:192.0.2.1:53, tcp:[2001:db8::1]:53",
        "--probe-reference=tcp:[::ffff:192.0.2.2]:53",
    ]);
    assert_eq!(given.warnings, [""; 0]);
    let given = given.probe.unwrap();
    assert_eq!(given.policy.spec.to_string(), "https:6443/livez,host=api.example.com");
    assert_eq!((given.policy.down.get(), given.policy.up.get()), (2, 100));
    assert_eq!((given.pace.interval.as_millis(), given.pace.timeout.as_secs()), (500, 60));
    let references: Vec<_> = given.policy.references.iter().map(ToString::to_string).collect();
    assert_eq!(references, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]);
}
