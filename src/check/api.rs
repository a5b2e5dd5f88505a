//! Whether the API server can be reached, knows us, and allows each rule that is needed.

use super::Config;
use crate::election::{ElectionConfig, Trial as LeaseTrial, try_lease};
use crate::kube::trial::{self, Outcome, Trial, try_server};
use crate::kube::{Kind, Source};
use crate::thread::Threads;

type Say<'a> = &'a mut dyn FnMut(&'static str, Result<String, String>);

/// Says how it is; whether there is something to be served from it. A cluster file is not looked at here.
pub(super) fn check(config: &Config, line: Say<'_>) -> bool {
    let Source::Api { kubeconfig, context } = &config.source else { return true };
    let mut kinds = if config.annotations.service.is_some() { Kind::ALL.to_vec() } else { vec![Kind::Node] };
    kinds.extend(config.lease_timeout.map(|_| Kind::Lease));
    match try_server(kubeconfig.as_deref(), context.as_deref(), &config.annotations, &kinds) {
        Err(error) => {
            line("kubeconfig", Err(error.to_string()));
            false
        }
        Ok(trial) => {
            line("kubeconfig", Ok(format!("{} names {}", trial.described, trial.server)));
            let goes_on = tell(&trial, line);
            if let Some(election) = config.election.as_ref().filter(|_| goes_on) {
                let threads = Threads::default();
                match trial::client(kubeconfig.as_deref(), context.as_deref(), &threads) {
                    Ok(client) => tell_lease(election, try_lease(election, client), line),
                    Err(error) => line("Lease", Err(error.to_string())),
                }
            }
            goes_on
        }
    }
}

/// Says whether the Lease of the replicas may be used.
fn tell_lease(election: &ElectionConfig, trials: Vec<LeaseTrial>, line: Say<'_>) {
    for (verb, result) in trials {
        let what = format!("{verb} the {}", election.lease);
        line("RBAC", result.map(|()| what.clone()).map_err(|why| format!("{what}: {why}")));
    }
}

/// Says what became of the requests; whether nodes can be listed.
fn tell(trial: &Trial, line: Say<'_>) -> bool {
    let server = &trial.server;
    let answered =
        |outcome: &Outcome| matches!(outcome, Outcome::Allowed | Outcome::Forbidden(_) | Outcome::Refused(_));
    if !trial.outcomes.iter().any(|(.., outcome)| answered(outcome)) {
        let error = match trial.outcomes.first() {
            Some((.., Outcome::Unauthorized(message))) => format!(
                "{server} does not know us: {message}. Renew the token or client certificate that {} names",
                trial.described
            ),
            Some((.., Outcome::NoAnswer(message))) => {
                format!("{server} cannot be asked: {message}. See whether 'kubectl get nodes' works from this host")
            }
            _ => format!("{server} was not asked"),
        };
        line("API", Err(error));
        return false;
    }
    line("API", Ok(format!("{server} answers and knows us")));
    for (kind, verb, outcome) in &trial.outcomes {
        let resource = kind.resource();
        let result = match outcome {
            Outcome::Allowed => Ok(format!("{verb} {resource}")),
            Outcome::Forbidden(message) => Err(format!(
                "{verb} {resource}: {message}. The {} needs {}{}",
                kind.role(),
                kind.rule(),
                match kind {
                    Kind::Node => "",
                    Kind::Service | Kind::EndpointSlice => {
                        "; without it, or with --service-annotation=, areas are served alone"
                    }
                    Kind::Lease => "; without it, or with --lease-timeout off, nobody goes out by leases",
                }
            )),
            Outcome::Unauthorized(message) | Outcome::Refused(message) | Outcome::NoAnswer(message) => {
                Err(format!("{verb} {resource}: {message}"))
            }
        };
        line("RBAC", result);
    }
    trial
        .outcomes
        .iter()
        .any(|(kind, verb, outcome)| (*kind, *verb, outcome) == (Kind::Node, "list", &Outcome::Allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Vec<(&'static str, Result<String, String>)>;

    fn told(outcomes: &[(Kind, &'static str, Outcome)]) -> (bool, Lines) {
        let mut lines = Vec::new();
        let trial = Trial {
            server: "https://10.0.0.1:6443".to_owned(),
            described: "kubeconfig /etc/kube".to_owned(),
            outcomes: outcomes.to_vec(),
        };
        let goes_on = tell(&trial, &mut |about, result| lines.push((about, result)));
        (goes_on, lines)
    }

    #[test]
    fn a_server_that_nobody_reaches_is_one_line() {
        let silent = Outcome::NoAnswer("no connection within 5 s".to_owned());
        let (goes_on, lines) = told(&[(Kind::Node, "list", silent.clone()), (Kind::Service, "list", silent)]);
        let text = "https://10.0.0.1:6443 cannot be asked: no connection within 5 s. See whether 'kubectl get nodes' \
            works from this host";
        assert_eq!((goes_on, lines), (false, vec![("API", Err(text.to_owned()))]));
    }

    #[test]
    fn each_rule_is_a_line_and_a_missing_one_is_written_out() {
        let forbidden = Outcome::Forbidden("it answered 403".to_owned());
        let (goes_on, lines) = told(&[
            (Kind::Node, "list", Outcome::Allowed),
            (Kind::Node, "watch", forbidden.clone()),
            (Kind::EndpointSlice, "list", forbidden.clone()),
            (Kind::Lease, "get", forbidden),
        ]);
        assert!(goes_on);
        let rule = "The ClusterRole needs {apiGroups: [\"\"], resources: [\"nodes\"], verbs: [\"list\", \"watch\"]}";
        assert_eq!(lines[1], ("RBAC", Ok("list nodes".to_owned())));
        assert_eq!(lines[2], ("RBAC", Err(format!("watch nodes: it answered 403. {rule}"))));
        let Err(slices) = &lines[3].1 else { panic!("{lines:?}") };
        assert!(slices.contains("discovery.k8s.io") && slices.contains("areas are served alone"), "{slices}");
        let Err(leases) = &lines[4].1 else { panic!("{lines:?}") };
        let rule = "The Role in the namespace kube-node-lease needs {apiGroups: [\"coordination.k8s.io\"], resources: \
            [\"leases\"], verbs: [\"get\", \"list\", \"watch\"]}";
        assert!(leases.contains(rule) && leases.contains("nobody goes out by leases"), "{leases}");
        assert_eq!(lines.len(), 5);
    }
}
