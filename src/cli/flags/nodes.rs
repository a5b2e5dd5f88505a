//! The flags that say what is read of nodes besides their areas and addresses.

use super::{Default, Flag, PLAIN, Section, flags};

const OPTIONAL_ANNOTATION: &str = "an annotation key, NAME or PREFIX/NAME, as Kubernetes allows it, or nothing";

flags! {
    NODES:

    /// `--areas-label`
    AREAS_LABEL {
        name: "areas-label",
        value: Some("KEY"),
        separator: Some(','),
        section: Section::Kubernetes,
        summary: "Label of nodes whose value is an area too; may be given several times, or comma-separated",
        details: "The areas of the annotation stay. A value that is no area is skipped, and logged with the node.",
        allowed: "a label key, NAME or PREFIX/NAME, as Kubernetes allows it, or several separated by commas",
        example: "topology.kubernetes.io/zone",
    }
    /// `--addresses-from`
    ADDRESSES_FROM {
        name: "addresses-from",
        value: Some("SOURCES"),
        default: Default::Text("annotation"),
        section: Section::Kubernetes,
        summary: "Where the addresses of nodes come from, comma-separated: the first that has a valid one counts",
        details: "'annotation' is that of --ips-annotation, 'external' and 'internal' are status.addresses of type \
            ExternalIP and InternalIP. Each node is looked at by itself.",
        allowed: "one or more of annotation, external and internal, separated by commas, each once",
        example: "annotation,external",
    }
    /// `--exclude-label`
    EXCLUDE_LABEL {
        name: "exclude-label",
        value: Some("KEY[=VALUE]"),
        separator: Some(','),
        section: Section::Kubernetes,
        summary: "Nodes with this label are in no answer; may be given several times, or comma-separated",
        details: "Without =VALUE whatever its value is. kubeadm sets \
            node.kubernetes.io/exclude-from-external-load-balancers on control planes.",
        allowed: "KEY or KEY=VALUE as Kubernetes allows labels, or several separated by commas",
        example: "node.kubernetes.io/exclude-from-external-load-balancers",
    }
    /// `--exclude-taint`
    EXCLUDE_TAINT {
        name: "exclude-taint",
        value: Some("KEY[:EFFECT]"),
        separator: Some(','),
        section: Section::Kubernetes,
        summary: "Nodes with this taint are in no answer; may be given several times, or comma-separated",
        details: "Without :EFFECT whatever its effect is; its value does not matter. 'kubectl cordon' sets the taint of \
            the example.",
        allowed: "KEY or KEY:EFFECT, where EFFECT is NoSchedule, PreferNoSchedule or NoExecute, or several separated by \
            commas",
        example: "node.kubernetes.io/unschedulable:NoSchedule",
    }
    /// `--maintenance-annotation`
    MAINTENANCE_ANNOTATION {
        name: "maintenance-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-maintenance"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: 'true', or a time as 2026-11-24T06:00:00Z until which the node is in no answer",
        details: "With an empty value (--maintenance-annotation=) it is not read.",
        allowed: OPTIONAL_ANNOTATION,
        example: "example.com/node-maintenance",
    }
    /// `--priority-annotation`
    PRIORITY_ANNOTATION {
        name: "priority-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-priority"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: a whole number, 0 without one; of a name's nodes that can be answered, those with \
            the lowest are",
        details: "With an empty value (--priority-annotation=) it is not read.",
        allowed: OPTIONAL_ANNOTATION,
        example: "example.com/node-priority",
    }
    /// `--probe-annotation`
    PROBE_ANNOTATION {
        name: "probe-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-probe"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: how this one is probed instead of by --probe, or 'none'",
        details: "Without --probe nothing is probed. With an empty value (--probe-annotation=) it is not read.",
        allowed: OPTIONAL_ANNOTATION,
        example: "example.com/node-probe",
    }
}
