//! What the log tells of each event, line by line.

use super::*;

#[test]
fn the_story_of_a_node() {
    let mut cluster = home_and_cloud();
    let pi_3 = || node("pi-3", "home", "203.0.113.7");
    let since = "NotReady (unknown) since 2026-11-20T02:13:00Z: Kubelet stopped posting node status.";
    for (event, expect) in [
        (
            applied(out(pi_3())),
            vec![
                format!("INFO node pi-3 is out ({since}): 203.0.113.7 leaves home, git.apps"),
                "WARN git.apps has no address left".into(),
            ],
        ),
        (applied(Object { ready: ready("False"), ..pi_3() }), vec![]),
        (applied(pi_3()), vec!["INFO node pi-3 is ready: 203.0.113.7 joins home, git.apps".into()]),
        (
            applied(node("pi-3", "home", "203.0.113.8")),
            vec![
                "INFO node pi-3 gained address 203.0.113.8, lost address 203.0.113.7: \
             203.0.113.8 joins and 203.0.113.7 leaves home, git.apps"
                    .into(),
            ],
        ),
        // pi-1's address: nothing for home to gain.
        (
            applied(node("pi-3", "home", "203.0.113.8,203.0.113.1")),
            vec!["INFO node pi-3 gained address 203.0.113.1: 203.0.113.1 joins git.apps".into()],
        ),
        (
            applied(node("pi-3", "cloud,attic", "203.0.113.8")),
            vec![
                "INFO node pi-3 entered attic, cloud, left home, lost address 203.0.113.1: \
             203.0.113.1 leaves git.apps; 203.0.113.8 leaves home; 203.0.113.8 joins attic, cloud; new: attic"
                    .into(),
            ],
        ),
        (
            applied(Object { deleting: true, ..node("pi-3", "cloud,attic", "203.0.113.8") }),
            vec![
                "INFO node pi-3 is out (it is being deleted): 203.0.113.8 leaves attic, cloud, git.apps; \
             no longer there: attic"
                    .into(),
                "WARN attic, git.apps have no address left".into(),
            ],
        ),
        (WatchEvent::Nodes(Change::Deleted("pi-3".into())), vec!["INFO node pi-3 is gone: no name changes".into()]),
        (
            applied(out(node("pi-4", "home", "203.0.113.9"))),
            vec![format!("INFO node pi-4 appeared, is out ({since}), entered home: no name changes")],
        ),
        (
            applied(node("pi-5", "a\nb", "203.0.113.9:53")),
            vec![
            "INFO node pi-5 appeared, is ready: no name changes".into(),
            "WARN node pi-5: area \"a\\nb\" is skipped: '\\n' cannot be in an area; use letters a-z, digits, - and _"
                .into(),
            "WARN node pi-5: address \"203.0.113.9:53\" is skipped: it has a port; write 203.0.113.9 without a port"
                .into(),
        ],
        ),
        // Not told again while its annotations stay.
        (
            applied(out(node("pi-5", "a\nb", "203.0.113.9:53"))),
            vec![format!("INFO node pi-5 is out ({since}): no name changes")],
        ),
        (
            applied(node("evil\nERROR", "", "")),
            vec!["INFO node evil\\nERROR appeared, is ready: no name changes".into()],
        ),
    ] {
        assert_eq!(lines(&cluster.apply(event.clone(), Moment::now())), expect, "{event:?}");
    }
}

#[test]
fn the_story_of_a_service() {
    let mut cluster = home_and_cloud();
    let draining = |node: &str| Endpoint { node: Some(node.into()), ready: false, serving: true, terminating: true };
    let service_is = |annotation: &str| WatchEvent::Services(Change::Applied(service("git", annotation)));
    let slice_is = |slice| WatchEvent::EndpointSlices(Change::Applied(slice));
    for (event, expect) in [
        (
            slice_is(slice("git-x", &["pi-3", "pi-1"])),
            vec!["INFO service apps/git runs on pi-1 now: 203.0.113.1 joins git.apps"],
        ),
        (
            slice_is(EndpointSlice { endpoints: vec![draining("pi-1")], ..slice("git-x", &[]) }),
            vec![
                "INFO service apps/git runs no longer on pi-3, is served by terminating endpoints alone: \
             203.0.113.7 leaves git.apps",
            ],
        ),
        (
            WatchEvent::EndpointSlices(Change::Deleted(key("apps", "git-x"))),
            vec![
                "INFO service apps/git runs no longer on pi-1: 203.0.113.1 leaves git.apps",
                "WARN git.apps has no address left",
            ],
        ),
        (slice_is(slice("git-x", &["no\nbody"])), vec!["INFO service apps/git runs on no\\nbody now: no name changes"]),
        (
            slice_is(slice("git-x", &["pi-3"])),
            vec!["INFO service apps/git runs on pi-3 now, runs no longer on no\\nbody: 203.0.113.7 joins git.apps"],
        ),
        (
            service_is("false"),
            vec!["INFO service apps/git lost its name: 203.0.113.7 leaves git.apps; no longer there: git.apps"],
        ),
        (slice_is(slice("git-x", &["pi-1"])), vec![]),
        (service_is("true"), vec!["INFO service apps/git has a name now: 203.0.113.1 joins git.apps; new: git.apps"]),
    ] {
        assert_eq!(lines(&cluster.apply(event.clone(), Moment::now())), expect, "{event:?}");
    }
}

#[test]
fn a_first_list_is_one_line_and_its_faults() {
    let nodes: Vec<Object> = (0..5_000)
        .map(|i| {
            node(
                &format!("n{i:04}"),
                if i % 2 == 0 { "home" } else { "attic" },
                &format!("10.0.{}.{}", i / 250, i % 250),
            )
        })
        .map(|node| if node.areas.as_deref() == Some("home") { out(node) } else { node })
        .chain([node("pi-5", &"a!,".repeat(5_000), "x")])
        .collect();
    let mut cluster = Cluster::default();
    let story = lines(&cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.clone())), Moment::now()));
    assert_eq!(story.len(), 7, "{story:#?}");
    assert_eq!(story[0], "INFO 5001 nodes listed, 2501 ready; ready nodes by area: home 0 of 2500, attic 2500 of 2500");
    assert!(story[1..6].iter().all(|line| line.starts_with("WARN node pi-5: area \"a!\" is skipped: ")), "{story:#?}");
    assert_eq!(story[6], "WARN node pi-5: 4996 more bad values skipped");
    assert_eq!(cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes)), Moment::now()), Changes::default());

    // Services that were listed before the nodes are told with them, once.
    let mut cluster = Cluster::default();
    let services = WatchEvent::Services(Change::Replaced(vec![service("git", "true"), service("www", "true")]));
    assert_eq!(lines(&cluster.apply(services, Moment::now())), [""; 0]);
    let slices = WatchEvent::EndpointSlices(Change::Replaced(vec![slice("git-x", &["pi-3"])]));
    assert_eq!(lines(&cluster.apply(slices, Moment::now())), [""; 0]);
    let nodes = WatchEvent::Nodes(Change::Replaced(vec![node("pi-3", "", "203.0.113.7")]));
    assert_eq!(
        lines(&cluster.apply(nodes, Moment::now())),
        [
            "INFO 1 node listed, 1 ready; none is in an area: annotate the nodes with their areas",
            "INFO 2 Services have a name; no address yet: www.apps",
        ]
    );
}

#[test]
fn a_relist_that_changes_everything_is_a_page() {
    let all: Vec<Object> = (0..100).map(|i| node(&format!("n{i:02}"), &format!("a{i:02}"), "192.0.2.1")).collect();
    let mut cluster = listed(&all, &[], &[]);
    let bad = |node: Object| out(Object { addresses: Some("192.0.2.1,x".into()), ..node });
    let changes = cluster.apply(WatchEvent::Nodes(Change::Replaced(all.into_iter().map(bad).collect())), Moment::now());
    let story = lines(&changes);
    assert_eq!((changes.areas.len(), story.len()), (100, 43), "{story:#?}");
    assert_eq!(story[20], "INFO and 80 more changes");
    assert_eq!(story[21], "WARN a00, a01, a02, a03, a04 and 95 more have no address left");
    assert_eq!(story[42], "WARN 80 bad values of other nodes skipped");
}
