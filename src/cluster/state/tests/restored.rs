//! What an earlier run knew, until it is listed.

use super::*;

fn events(nodes: &[Object], services: &[Service], slices: &[EndpointSlice]) -> [WatchEvent; 3] {
    [
        WatchEvent::Nodes(Change::Replaced(nodes.to_vec())),
        WatchEvent::Services(Change::Replaced(services.to_vec())),
        WatchEvent::EndpointSlices(Change::Replaced(slices.to_vec())),
    ]
}

fn before() -> [WatchEvent; 3] {
    events(
        &[node("pi-1", "home", "203.0.113.1"), node("pi-3", "home", "203.0.113.7")],
        &[service("git", "true"), service("wiki", "true")],
        &[slice("git-x", &["pi-3"])],
    )
}

fn git(cluster: &Cluster) -> Option<Vec<String>> {
    Some(cluster.service(&key("apps", "git"))?.iter().map(|address| address.to_string()).collect())
}

#[test]
fn each_kind_stays_as_it_was_until_it_is_listed() {
    let mut cluster = Cluster::default();
    for event in before() {
        let kind = event.kind();
        assert_eq!(cluster.restore(event, Moment::now()).story, []);
        assert!(cluster.loaded(kind) && cluster.restored(kind) && !cluster.listed(kind));
    }
    assert_eq!(git(&cluster), Some(vec!["203.0.113.7".to_owned()]));

    // Nodes come, Services not yet.
    let changes = cluster.apply(
        WatchEvent::Nodes(Change::Replaced(vec![
            node("pi-3", "home", "203.0.113.7"),
            node("vm-1", "cloud", "198.51.100.1"),
        ])),
        Moment::now(),
    );
    assert!(cluster.listed(Kind::Node) && !cluster.restored(Kind::Node));
    assert_eq!(area(&cluster, "home"), Some(vec!["203.0.113.7".to_owned()]));
    assert_eq!(git(&cluster), Some(vec!["203.0.113.7".to_owned()]));
    let areas: Vec<_> = changes.areas.iter().map(Area::as_str).collect();
    assert_eq!(areas, ["cloud", "home"]);
    let story: Vec<_> = changes.story.iter().map(ToString::to_string).collect();
    assert!(story.iter().any(|line| line.starts_with("node pi-1 is gone")), "what differs is told: {story:?}");

    cluster.apply(WatchEvent::EndpointSlices(Change::Replaced(vec![slice("git-x", &["vm-1"])])), Moment::now());
    assert_eq!(git(&cluster), Some(vec!["198.51.100.1".to_owned()]));
    cluster.apply(WatchEvent::Services(Change::Replaced(vec![service("git", "false")])), Moment::now());
    assert_eq!(git(&cluster), None);
}

#[test]
fn what_was_listed_is_not_restored() {
    let mut cluster = listed(&[node("vm-1", "cloud", "198.51.100.1")], &[], &[]);
    for event in before() {
        assert_eq!(cluster.restore(event, Moment::now()), Changes::default());
    }
    assert_eq!((area(&cluster, "home"), git(&cluster)), (None, None));
}

#[test]
fn a_kind_that_is_refused_stays_as_it_was() {
    let [nodes, services, slices] = before();
    let mut cluster = Cluster::default();
    cluster.apply(nodes, Moment::now());
    cluster.apply(WatchEvent::Refused(Kind::Service), Moment::now());
    assert!(cluster.refused(Kind::Service));
    cluster.restore(services, Moment::now());
    let changes = cluster.restore(slices, Moment::now());
    assert!(changes.services.contains(&key("apps", "git")));
    cluster.apply(WatchEvent::Refused(Kind::EndpointSlice), Moment::now());
    assert!(cluster.restored(Kind::Service) && cluster.restored(Kind::EndpointSlice));
    assert_eq!(git(&cluster), Some(vec!["203.0.113.7".to_owned()]));
}

#[test]
fn where_services_are_not_watched_they_are_not_restored() {
    let mut cluster = Cluster::new(false);
    for event in before() {
        cluster.restore(event, Moment::now());
    }
    assert_eq!((area(&cluster, "home").map(|home| home.len()), git(&cluster)), (Some(2), None));
}

#[test]
fn read_back_are_the_objects_that_count() {
    let mut draining = slice("git-y", &[]);
    draining.endpoints.push(Endpoint { node: Some("pi-1".into()), ready: false, serving: true, terminating: true });
    let mut cluster =
        listed(&[], &[service("git", "true"), service("wiki", "no")], &[slice("git-x", &["pi-3"]), draining]);
    let slices = |cluster: &Cluster| {
        let line = |slice: Slice<'_>| {
            (slice.name.to_owned(), slice.service.to_owned(), format!("{:?}", slice.hosts().collect::<Vec<_>>()))
        };
        cluster.slices().map(line).collect::<Vec<_>>()
    };
    let (x, y) = ("[(\"pi-3\", true)]".to_owned(), "[(\"pi-1\", false)]".to_owned());
    assert_eq!(slices(&cluster), [("git-x".into(), "git".into(), x), ("git-y".into(), "git".into(), y)]);
    assert_eq!(cluster.annotated().collect::<Vec<_>>(), [&key("apps", "git")]);
    cluster.apply(WatchEvent::EndpointSlices(Change::Deleted(key("apps", "git-x"))), Moment::now());
    assert_eq!(slices(&cluster).len(), 1);
}
