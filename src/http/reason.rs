//! Why a name is answered as it is: a question and the report in, a sentence and the nodes behind it out.
//!
//! The answer itself is DNS's affair (`question`); here is what led to it, from the same snapshot.

use super::question::Question;
use crate::cluster::{Basis, Load, ServiceName, Snapshot};
use crate::report::Report;
use crate::zone::standing::Standing;
use crate::zone::{Lookup, ZoneConfig};

/// Why a name is answered as it is.
#[derive(Debug)]
pub struct Reason<'a> {
    /// In a sentence.
    pub sentence: String,
    /// The nodes that have to do with it.
    pub standings: Vec<Standing<'a>>,
}

impl<'a> Reason<'a> {
    fn plain(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), standings: Vec::new() }
    }

    /// Finds the reason.
    pub fn of(question: &Question, report: &'a Report, config: &ZoneConfig) -> Self {
        let zone = config.apex.to_string();
        let name = question.name.to_string().to_ascii_lowercase();
        let wire = question.name.as_slice().to_ascii_lowercase();
        if !config.contains(&wire) {
            return Self::plain(format!("It is not in the zone {zone}: this server knows nothing of it."));
        }
        let Some(served) = &report.served else {
            return Self::plain("No zone is published yet: the cluster is not known.");
        };
        if name == zone {
            return Self::plain("It is the zone itself: SOA and NS, from the flags.");
        }
        if config.servers.iter().any(|server| server.name.as_slice() == wire) {
            return Self::plain("It is a name server: its addresses are those of --soa-ns.");
        }
        let relative = name.strip_suffix(&zone).unwrap_or(&name).trim_end_matches('.');
        let labels: Vec<&str> = relative.split('.').collect();
        let cluster = &report.cluster;
        match labels.as_slice() {
            [area] => Self::area(cluster, area, ""),
            ["v4", area] if cluster.area(area).is_some() => Self::area(cluster, area, "IPv4 alone: "),
            ["v6", area] if cluster.area(area).is_some() => Self::area(cluster, area, "IPv6 alone: "),
            [service, namespace] => Self::service(cluster, service, namespace, ""),
            ["v4", service, namespace] => Self::service(cluster, service, namespace, "IPv4 alone: "),
            ["v6", service, namespace] => Self::service(cluster, service, namespace, "IPv6 alone: "),
            _ => None,
        }
        .unwrap_or_else(|| match served.zone.lookup(&wire, None) {
            Lookup::Found(_) | Lookup::Apex(_) => Self::plain("It exists only because of the names below it."),
            Lookup::Unknown => Self::plain(
                "It could be the name of a Service, and Services or EndpointSlices are not known yet: SERVFAIL, since a wrong \
                 NXDOMAIN would be remembered.",
            ),
            Lookup::Missing | Lookup::Outside => Self::plain(missing(cluster, &labels)),
        })
    }

    fn area(cluster: &'a Snapshot, area: &str, family: &str) -> Option<Self> {
        let standing = cluster.area(area)?;
        let members = cluster.nodes.iter().filter(|node| node.areas().contains(&standing.area));
        let basis = Some(&standing.basis);
        let standings: Vec<_> = members.map(|node| Standing { name: node.name(), node: Some(node), basis }).collect();
        let sentence = format!(
            "{family}it is an area, and {} of the {} nodes that list it are in.{}",
            standing.eligible,
            standings.len(),
            answered_with(&standing.basis)
        );
        Some(Self { sentence: capitalised(&sentence), standings })
    }

    fn service(cluster: &'a Snapshot, service: &str, namespace: &str, family: &str) -> Option<Self> {
        let name = ServiceName { namespace: namespace.to_owned(), name: service.to_owned() };
        let standing = cluster.service(&name)?;
        let basis = Some(&standing.basis);
        let standings: Vec<_> =
            standing.hosts.iter().map(|name| Standing { name, node: cluster.node(name), basis }).collect();
        let eligible = standings.iter().filter(|standing| standing.is_in()).count();
        let draining = if standing.draining { " No endpoint is ready; those that end are still serving." } else { "" };
        let answered = answered_with(&standing.basis);
        let sentence = match standings.len() {
            0 => format!("{family}it is a Service, and no endpoint of it is ready on any node."),
            hosts => {
                format!(
                    "{family}it is a Service, and {eligible} of the {hosts} nodes that host it are in.{draining}{answered}"
                )
            }
        };
        Some(Self { sentence: capitalised(&sentence), standings })
    }
}

/// What is answered, where that does not follow from who is in.
fn answered_with(basis: &Basis) -> String {
    if basis.is_makeshift() || basis.priority().is_some_and(|priority| priority != 0) {
        format!(" It is answered with {basis}.")
    } else {
        String::new()
    }
}

/// Why a name of the zone does not exist.
fn missing(cluster: &Snapshot, labels: &[&str]) -> String {
    let refused = cluster.loads.services == Load::Refused || cluster.loads.slices == Load::Refused;
    match labels {
        [area] => format!("No node lists an area {area}, and no Service is in a namespace of that name."),
        _ if cluster.loads.services == Load::Unwatched => {
            "Services are not watched (--service-annotation=).".to_owned()
        }
        _ if refused => "The API server forbids Services or EndpointSlices, so none has a name.".to_owned(),
        [.., service, namespace] => {
            format!("There is no Service {service} in namespace {namespace} whose annotation is exactly \"true\".")
        }
        _ => "Nothing has this name.".to_owned(),
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::report::Served;
    use crate::zone::fixture;

    #[test]
    fn every_answer_has_its_reason() {
        let now = SystemTime::UNIX_EPOCH;
        let served =
            Served { zone: Arc::new(fixture::zone()), since: now, changed: now, build: Duration::ZERO, count: 1 };
        let report = Report { cluster: fixture::cluster().snapshot(), served: Some(served), ..Report::default() };
        let config = fixture::config();
        for (name, sentence, nodes) in [
            ("home", "It is an area, and 2 of the 3 nodes that list it are in.", "pi-1 pi-2 -pi-3"),
            ("v6.home", "IPv6 alone: it is an area, and 2 of the 3", "pi-1 pi-2 -pi-3"),
            ("attic", "0 of the 1 nodes", "-nas"),
            ("git.apps", "It is a Service, and 1 of the 1 nodes that host it are in.", "pi-1"),
            ("web.apps", "no endpoint of it is ready", ""),
            ("apps", "only because of the names below", ""),
            ("office", "No node lists an area office", ""),
            ("mail.apps", "no Service mail in namespace apps", ""),
            ("a.b.c.d", "no Service c in namespace d", ""),
            ("ns1", "It is a name server", ""),
            ("@", "It is the zone itself", ""),
            ("example.org.", "not in the zone", ""),
        ] {
            let question = Question::parse(name, "A", &config.apex).unwrap();
            let reason = Reason::of(&question, &report, &config);
            assert!(reason.sentence.contains(sentence), "{name}: {sentence} is not in {}", reason.sentence);
            let side =
                |standing: &Standing<'_>| format!("{}{}", if standing.is_in() { "" } else { "-" }, standing.name);
            assert_eq!(reason.standings.iter().map(side).collect::<Vec<_>>().join(" "), nodes, "{name}");
            let nothing = Report::default();
            assert!(Reason::of(&question, &nothing, &config).standings.is_empty(), "{name}");
        }
    }
}
