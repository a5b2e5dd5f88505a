//! What the flags ask for of nodes, and how many of their addresses are answered.

use crate::kube::objects::{AddressSource, Exclusion};

use super::*;

fn shown(more: &[&str]) -> Vec<String> {
    config(more).annotations.exclusions.iter().map(ToString::to_string).collect()
}

#[test]
fn labels_and_taints_that_exclude_in_the_order_of_help() {
    for (flags, expect) in [
        (&[][..], &[][..]),
        (&["--exclude-label="], &[]),
        (&["--exclude-label=spare"], &["label spare"]),
        (&["--exclude-label=spare=", "--exclude-label=a.b/c=D.e_f-1"], &["label spare=", "label a.b/c=D.e_f-1"]),
        (&["--exclude-label= spare , spare,,x=y"], &["label spare", "label x=y"]),
        (
            &["--exclude-taint=dedicated:NoExecute,node.kubernetes.io/unschedulable", "--exclude-label=spare"],
            &["label spare", "taint dedicated:NoExecute", "taint node.kubernetes.io/unschedulable"],
        ),
    ] {
        assert_eq!(shown(flags), expect, "{flags:?}");
    }
    let keys = config(&["--exclude-taint=a:NoSchedule"]).annotations;
    assert!(keys.taints_count());
    assert_eq!(*keys.exclusions[0], Exclusion::Taint { key: "a".into(), effect: Some("NoSchedule".into()) });
    assert!(!config(&["--exclude-label=a"]).annotations.taints_count());
}

#[test]
fn labels_whose_values_are_areas() {
    let labels = |more: &[&str]| config(more).annotations.area_labels.iter().map(|key| (**key).to_owned()).collect();
    let none: Vec<String> = labels(&[]);
    assert_eq!(none, [""; 0]);
    let two: Vec<String> = labels(&["--areas-label=topology.kubernetes.io/zone, rack", "--areas-label=rack"]);
    assert_eq!(two, ["topology.kubernetes.io/zone", "rack"]);
}

#[test]
fn where_addresses_come_from() {
    use AddressSource::{Annotation, External, Internal};
    for (text, expect) in [
        ("annotation", vec![]),
        (" annotation, ", vec![]),
        ("external", vec![External]),
        ("annotation,external,internal", vec![Annotation, External, Internal]),
        ("internal , annotation", vec![Internal, Annotation]),
    ] {
        assert_eq!(config(&[&format!("--addresses-from={text}")]).annotations.addresses_from, expect, "{text:?}");
    }
    assert_eq!(config(&[]).annotations.addresses_from, []);
}

#[test]
fn annotations_that_are_not_read() {
    let keys = config(&["--maintenance-annotation=", "--priority-annotation=", "--probe-annotation="]).annotations;
    assert_eq!((keys.maintenance, keys.priority, keys.probe), (None, None, None));
    let other = config(&["--maintenance-annotation=example.com/down"]).annotations;
    assert_eq!(other.maintenance.as_deref(), Some("example.com/down"));
}

#[test]
fn two_annotations_of_the_same_key_are_told() {
    let config = config(&["--ips-annotation=x", "--areas-annotation=x", "--probe-annotation=x"]);
    let expect = [
        "--areas-annotation and --ips-annotation are the same key, x",
        "--areas-annotation and --probe-annotation are the same key, x",
        "--ips-annotation and --probe-annotation are the same key, x",
    ];
    assert_eq!(config.warnings, expect);
}

#[test]
fn as_many_answers_as_are_said() {
    for (text, expect) in [("0", None), ("1", Some(1)), ("65535", Some(65_535))] {
        let most = config(&[&format!("--max-answers={text}")]).answer.max_answers;
        assert_eq!(most.map(std::num::NonZero::get), expect, "{text}");
    }
    assert_eq!(config(&[]).answer.max_answers, None);
}
