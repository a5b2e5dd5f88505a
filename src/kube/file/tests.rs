use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use crossbeam_channel::{bounded, unbounded};

use super::*;
use crate::kube::objects::{NamespacedName, Node, Service};
use crate::thread::Threads;

fn keys() -> AnnotationKeys {
    AnnotationKeys {
        areas: "areas".into(),
        addresses: "ips".into(),
        service: Some("dns".into()),
        ..AnnotationKeys::default()
    }
}

fn ages() -> Staleness {
    Staleness::new(["nodes"], Instant::now())
}

fn decode(content: &str) -> Result<Objects, ContentError> {
    Objects::decode(content.as_bytes(), &keys())
}

fn nodes(names: &str) -> String {
    names.split(' ').map(|name| format!("---\nkind: Node\napiVersion: v1\nmetadata: {{name: {name}}}\n")).collect()
}

fn names(objects: &Objects) -> Vec<&str> {
    objects.nodes.iter().map(|node| node.name.as_str()).collect()
}

#[test]
fn all_the_forms_that_a_file_may_have() {
    let node = r#"{"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}}"#;
    let bare = r#"{"metadata":{"name":"a"}}"#;
    for content in [
        node.to_owned(),
        format!("\u{feff}\n  {node}\n"),
        format!("{node}\n{node}"),
        format!(r#"{{"items":[{node}],"kind":"List","apiVersion":"v1"}}"#),
        format!(r#"{{"items":[{bare}],"kind":"NodeList","apiVersion":"v1","metadata":{{"resourceVersion":"7"}}}}"#),
        format!("# a comment\n---\n---\n{node}\n...\n"),
        "metadata:\n  name: a\napiVersion: v1\nkind: Node\n".to_owned(),
        "apiVersion: v1\nitems:\n- kind: Node\n  metadata: {name: a}\n- kind: Pod\n  status: x\nkind: List\n"
            .to_owned(),
        "kind: Node\nmetadata: {name: a}\n".to_owned(),
    ] {
        assert_eq!(names(&decode(&content).unwrap()), ["a"], "{content}");
    }
}

#[test]
fn a_mixed_list_as_kubectl_writes_it() {
    let json = format!(
        r#"{{"apiVersion":"v1","items":[{},{},{}],"kind":"List","metadata":{{"resourceVersion":""}}}}"#,
        include_str!("../../../tests/fixtures/node.json"),
        include_str!("../../../tests/fixtures/service.json"),
        include_str!("../../../tests/fixtures/endpointslice.json")
    );
    let value: serde_yaml::Value = serde_json::from_str(&json).unwrap();
    for content in [json, serde_yaml::to_string(&value).unwrap()] {
        let objects = decode(&content).unwrap();
        assert_eq!(objects.summary(), "1 nodes, 1 Services, 1 EndpointSlices");
        assert_eq!((objects.bad, objects.ignored), (vec![], BTreeMap::new()));
    }
}

#[test]
fn objects_of_kinds_that_do_not_count_are_counted() {
    let content = nodes("a")
        + "---\nkind: Pod\n---\nkind: Pod\n---\nkind: Service\napiVersion: serving.knative.dev/v1\n---\nfoo: bar\nmetadata: {name: x}\n";
    let ignored = decode(&content).unwrap().ignored;
    let expect = [("Pod", 2), ("Service of serving.knative.dev/v1", 1), ("without a kind", 1)];
    assert_eq!(ignored, expect.map(|(kind, count)| (kind.to_owned(), count)).into());
}

#[test]
fn bad_objects_are_left_out_and_named() {
    let content = nodes("a b a") + "---\nkind: Service\nmetadata: {name: s, annotations: {dns: true}}\n";
    let objects = decode(&content).unwrap();
    assert_eq!(names(&objects), ["a", "b"]);
    let bad: Vec<_> = objects.bad.iter().map(ToString::to_string).collect();
    assert_eq!(bad[0], "Node a: it is in the file twice; the last one counts");
    assert!(bad[1].starts_with("Service default/s: metadata.annotations"), "{}", bad[1]);
    assert!(bad[1].ends_with("is true or false without quotes where a string is expected"), "{}", bad[1]);
}

#[test]
fn a_namespace_that_is_left_out_is_the_default_one() {
    let services = decode("kind: Service\nmetadata: {name: s, annotations: {dns: 'true'}}\n").unwrap().services;
    let key = NamespacedName { namespace: "default".into(), name: "s".into() };
    assert_eq!(services, [Service { key, deleting: false, annotation: Some("true".into()) }]);
}

#[test]
fn a_content_that_is_broken_is_refused_with_the_reason_and_the_line() {
    for (content, reason) in [
        ("", "there is no Node, Service or EndpointSlice in it"),
        ("# nothing\n", "there is no Node, Service"),
        ("kind: Pod\n", "there is no Node, Service"),
        ("just words", "there is no Node, Service"),
        ("kind: Node\nmetadata:\n  name: a\n bad: indent\n", "line 4"),
        ("kind: Node\nmetadata:\n\tname: a\n", "line 3"),
        ("kind: Node\nmetadata: {name: a\n", "line 3"),
        ("kind: Node\nmetadata: {name: a, labels: *x}\n", "line 2"),
        ("kind: Node\nmetadata:\n  name: \u{1}\n", "line 3"),
        ("{\"kind\": \"Node\",\n \"metadata\": {\"name\": \"a\",\n}}", "line 3"),
        ("{\"kind\": \"Node\",\n \"metadata\": {\"name\": \"a\"", "line 2"),
        ("{\"kind\": \"Node\", \"metadata\": {\"name\": \"a\"}}\n]", "line 2"),
        ("apiVersion: v1\nitems:\n- kind: Node\n  metadata: {name: a}\n", "perhaps its end is missing"),
        ("kind: Node\nmetadata: {name: [a]}\n", "a Node without a name: metadata.name is a list where a string"),
    ] {
        let error = decode(content).unwrap_err().to_string();
        assert!(error.contains(reason), "{content:?}: {error}");
    }
    let error = Objects::decode(b"kind: Node\nmetadata: {name: \xff}\n", &keys()).unwrap_err().to_string();
    assert_eq!(error, "line 2 is not text: it has control characters or is not UTF-8");
}

/// Looks as often as it takes to see a change and read it.
fn look(file: &mut ClusterFile) -> Result<Option<Objects>, FileError> {
    assert_eq!(file.look().unwrap(), None, "the first look at a changed file does not read it");
    file.look()
}

#[test]
fn a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, nodes("a")).unwrap();
    let (mut file, first) = ClusterFile::open(path.clone(), keys()).unwrap();
    assert_eq!(names(&first), ["a"]);
    assert_eq!(file.look().unwrap(), None);

    fs::write(&path, nodes("a b")).unwrap();
    assert_eq!(names(&look(&mut file).unwrap().unwrap()), ["a", "b"]);
    assert_eq!(file.look().unwrap(), None);

    let other = folder.path().join("other");
    fs::write(&other, nodes("b c")).unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(names(&look(&mut file).unwrap().unwrap()), ["b", "c"], "replaced by rename");

    fs::write(&other, nodes("b c")).unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(look(&mut file).unwrap(), None, "another file of the same content is no change");
}

#[test]
fn a_file_that_is_still_being_written_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, nodes("a")).unwrap();
    let (mut file, _) = ClusterFile::open(path.clone(), keys()).unwrap();
    for names in ["b", "b c", "b c d"] {
        fs::write(&path, nodes(names)).unwrap();
        assert_eq!(file.look().unwrap(), None);
    }
    assert_eq!(names(&file.look().unwrap().unwrap()), ["b", "c", "d"]);
}

#[test]
fn a_config_map_is_swapped_by_its_symlink() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, content) in [("1", "a"), ("2", "b")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("cluster.yaml"), nodes(content)).unwrap();
    }
    symlink("1", at("..data")).unwrap();
    symlink("..data/cluster.yaml", at("cluster.yaml")).unwrap();
    let (mut file, first) = ClusterFile::open(at("cluster.yaml"), keys()).unwrap();
    assert_eq!(names(&first), ["a"]);
    symlink("2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    assert_eq!(names(&look(&mut file).unwrap().unwrap()), ["b"]);
}

#[test]
fn a_broken_file_is_complained_about_once_and_read_when_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, nodes("a")).unwrap();
    let (mut file, _) = ClusterFile::open(path.clone(), keys()).unwrap();
    fs::write(&path, "kind: Node\nmetadata: {").unwrap();
    assert!(matches!(look(&mut file), Err(FileError::Content(_, ContentError::Yaml(_)))));
    assert_eq!(file.look().unwrap(), None);
    fs::remove_file(&path).unwrap();
    assert!(matches!(look(&mut file), Err(FileError::Read(_, _))));
    assert_eq!(file.look().unwrap(), None);
    fs::write(&path, nodes("a")).unwrap();
    assert_eq!(names(&look(&mut file).unwrap().unwrap()), ["a"]);
}

#[test]
fn the_first_content_must_be_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    let error = ClusterFile::open(path.clone(), keys()).unwrap_err().to_string();
    assert!(error.contains("cluster.yaml: No such file"), "{error}");
    fs::write(&path, "kind: Node\n\tx").unwrap();
    assert!(ClusterFile::open(path, keys()).unwrap_err().to_string().contains("line 2"));
}

#[test]
fn the_thread_tells_all_kinds_and_stops_even_when_nobody_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, nodes("a")).unwrap();
    for (service, kinds) in [(Some("dns".to_owned()), 3), (None, 1)] {
        let keys = AnnotationKeys { service, ..keys() };
        let (file, first) = ClusterFile::open(path.clone(), keys).unwrap();
        let (sender, events) = unbounded();
        let mut threads = Threads::default();
        let stop = threads.stop();
        threads.spawn("watch-file", move || file.run(first, &sender, &ages(), &stop)).unwrap();
        let node = Node { name: "a".into(), ..Node::default() };
        let all = [
            WatchEvent::Nodes(Change::Replaced(vec![node])),
            WatchEvent::Services(Change::Replaced(vec![])),
            WatchEvent::EndpointSlices(Change::Replaced(vec![])),
        ];
        for expect in &all[..kinds] {
            assert_eq!(&events.recv().unwrap(), expect);
        }
        threads.stop_and_join();
        assert!(events.is_empty());
    }

    let (file, first) = ClusterFile::open(path, keys()).unwrap();
    let (sender, events) = bounded(0); // full from the start
    let mut threads = Threads::default();
    let stop = threads.stop();
    threads.spawn("watch-file", move || file.run(first, &sender, &ages(), &stop)).unwrap();
    threads.stop_and_join();
    drop(events);
}

#[test]
fn what_is_known_is_current_while_the_file_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::write(&path, nodes("a")).unwrap();
    let (mut file, _) = ClusterFile::open(path.clone(), keys()).unwrap();
    let mut look = || {
        let read = file.look().map(|objects| objects.is_some());
        (read.ok(), file.is_good())
    };
    assert_eq!(look(), (Some(false), true));
    fs::write(&path, "kind: Node\n\tx").unwrap();
    assert_eq!(look(), (Some(false), false), "perhaps it is still being written");
    assert_eq!(look(), (None, false), "broken");
    assert_eq!(look(), (Some(false), false));
    fs::remove_file(&path).unwrap();
    assert_eq!((look(), look()), ((Some(false), false), (None, false)), "gone");
    fs::write(&path, nodes("a")).unwrap();
    assert_eq!((look(), look()), ((Some(false), false), (Some(true), true)));
}
