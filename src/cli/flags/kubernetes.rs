//! The flags that say where the objects come from, and where they are kept.

use super::{DURATION, Default, Flag, PLAIN, Section, flags};

const ANNOTATION: &str = "an annotation key, NAME or PREFIX/NAME, as Kubernetes allows it (at most 63 letters, \
    digits, '-', '_' and '.' after the prefix)";

flags! {
    KUBERNETES:

    /// `--kubeconfig`
    KUBECONFIG {
        name: "kubeconfig",
        value: Some("FILE"),
        default: Default::Described("$KUBECONFIG, the service account of the pod, ~/.kube/config"),
        section: Section::Kubernetes,
        summary: "Where the API server is and how to log in",
        allowed: "the path of a kubeconfig",
        example: "/etc/k8s-node-dns/kubeconfig",
    }
    /// `--context`
    CONTEXT {
        name: "context",
        value: Some("NAME"),
        default: Default::Described("the kubeconfig's current-context"),
        section: Section::Kubernetes,
        summary: "Context of the kubeconfig",
        allowed: "the name of a context (kubectl config get-contexts lists them)",
        example: "home",
    }
    /// `--cluster-file`
    CLUSTER_FILE {
        name: "cluster-file",
        value: Some("FILE"),
        section: Section::Kubernetes,
        summary: "Take the objects from a YAML or JSON file instead of an API server; read again when it changes",
        details: "'kubectl get nodes,services,endpointslices -A -o yaml' writes one.",
        allowed: "the path of a YAML or JSON file",
        example: "deploy/examples/home-and-cloud.yaml",
    }
    /// `--areas-annotation`
    AREAS_ANNOTATION {
        name: "areas-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-areas"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: comma-separated areas",
        allowed: ANNOTATION,
        example: "example.com/node-areas",
    }
    /// `--ips-annotation`
    IPS_ANNOTATION {
        name: "ips-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/node-ips"),
        section: Section::Kubernetes,
        summary: "Annotation of nodes: comma-separated addresses",
        allowed: ANNOTATION,
        example: "example.com/node-ips",
    }
    /// `--service-annotation`
    SERVICE_ANNOTATION {
        name: "service-annotation",
        value: Some("KEY"),
        default: Default::Text("k8s.pootis.network/dns"),
        section: Section::Kubernetes,
        summary: "Annotation of Services: 'true' gives them a name",
        details: "With an empty value (--service-annotation=) Services and EndpointSlices are not watched.",
        allowed: "an annotation key, NAME or PREFIX/NAME, as Kubernetes allows it, or nothing",
        example: "example.com/dns",
    }
    /// `--state-dir`
    STATE_DIR {
        name: "state-dir",
        value: Some("DIRECTORY"),
        section: Section::Kubernetes,
        summary: "Keep the last good state of the cluster here, to serve it when the next start finds no API server",
        details: "It is made if it is missing. Each daemon wants one of its own. No credentials are written.",
        allowed: "the path of a directory that the daemon may write to",
        example: "/var/lib/k8s-node-dns",
    }
    /// `--state-after`
    STATE_AFTER {
        name: "state-after",
        value: Some("DURATION"),
        default: Default::Text("5s"),
        section: Section::Kubernetes,
        summary: "How long the first lists may take before what is missing is served from the state",
        allowed: DURATION,
        example: "5s",
    }
    /// `--state-max-age`
    STATE_MAX_AGE {
        name: "state-max-age",
        value: Some("DURATION"),
        default: Default::Text("24h"),
        section: Section::Kubernetes,
        summary: "A state that was last known to be current longer ago than this is not served",
        allowed: DURATION,
        example: "24h",
    }
}
