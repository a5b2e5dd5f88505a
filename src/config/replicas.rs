//! `--leader-elect` and its companions in, an [`ElectionConfig`] out; `None` where this daemon is alone.

use std::path::Path;

use crate::cli::flags::{self, Flag};
use crate::cli::{Arguments, Origin, Value};
use crate::election::{ElectionConfig, LeaseName};
use crate::kube::Source;
use crate::kube::credentials::own_namespace;
use crate::leader::{Terms, Timing};
use crate::zone::ZoneConfig;

use super::{Error, duration, notify, required};

/// How long names of Kubernetes may be: a DNS subdomain, and a label of it.
const NAME: usize = 253;
const LABEL: usize = 63;

/// What client-go wants between the renew deadline and the retry period, for its jitter. There is none here, but replicas
/// of different versions, and the Go original, should be able to share what they are told.
const DEADLINE_TO_RETRY: f64 = 1.2;

pub(super) fn parse(
    arguments: &Arguments,
    source: &Source,
    zone: &ZoneConfig,
    warnings: &mut Vec<String>,
) -> Result<Option<ElectionConfig>, Error> {
    let timing = timing(arguments)?;
    let name = required(arguments, &flags::LEADER_ELECT_LEASE_NAME)?;
    if name.text.len() > NAME || !name.text.split('.').all(is_label) {
        return Err(name.wrong("is no name of a Lease").into());
    }
    // Empty is what templates write for "not set".
    let namespace = arguments.value(&flags::LEADER_ELECT_NAMESPACE).filter(|namespace| !namespace.text.is_empty());
    if let Some(namespace) = namespace.filter(|namespace| !is_label(namespace.text)) {
        return Err(namespace.wrong("is no name of a namespace").into());
    }
    if !required(arguments, &flags::LEADER_ELECT)?.switched_on()? {
        let given = |flag: &&&'static Flag| arguments.value(flag).is_some_and(|value| value.origin != Origin::Default);
        let idle = COMPANIONS.iter().filter(given);
        warnings.extend(idle.map(|flag| format!("--{} has no effect without --leader-elect", flag.name)));
        return Ok(None);
    }
    if matches!(source, Source::File(_)) {
        warnings.push("--leader-elect has no effect beside --cluster-file: there is no Lease in a file".to_owned());
        return Ok(None);
    }
    let namespace = namespace.map(|namespace| namespace.text.to_owned()).or_else(own_namespace);
    let namespace = namespace.ok_or(Error::NoNamespace)?;
    let lease = LeaseName { namespace, name: name.text.to_owned() };
    let in_log = format!("{}/{}", lease.namespace, lease.name);
    let terms = Terms { identity: identity()?, lease: in_log, zone: format!("{}.", zone.apex), timing };
    Ok(Some(ElectionConfig { lease, terms }))
}

/// What is nothing without `--leader-elect`.
const COMPANIONS: [&Flag; 5] = [
    &flags::LEADER_ELECT_LEASE_NAME,
    &flags::LEADER_ELECT_NAMESPACE,
    &flags::LEADER_ELECT_LEASE_DURATION,
    &flags::LEADER_ELECT_RENEW_DEADLINE,
    &flags::LEADER_ELECT_RETRY_PERIOD,
];

/// As client-go checks it.
fn timing(arguments: &Arguments) -> Result<Timing, Error> {
    let lease = required(arguments, &flags::LEADER_ELECT_LEASE_DURATION)?;
    let deadline = required(arguments, &flags::LEADER_ELECT_RENEW_DEADLINE)?;
    let retry = required(arguments, &flags::LEADER_ELECT_RETRY_PERIOD)?;
    let timing = Timing {
        lease_duration: duration::parse(lease)?,
        renew_deadline: duration::parse(deadline)?,
        retry_period: duration::parse(retry)?,
        between_versions: notify::interval(arguments)?,
    };
    // The field of a Lease is a number of seconds.
    if timing.lease_duration.subsec_nanos() != 0 || i32::try_from(timing.lease_duration.as_secs()).is_err() {
        return Err(lease.wrong("is not so many whole seconds as a Lease can say").into());
    }
    if timing.retry_period.is_zero() {
        return Err(retry.wrong("is no time at all").into());
    }
    // The one that was given is to blame: a Lease that is made shorter is, if the others are as they were.
    let blame = |one: Value<'_>, reason, other: Value<'_>, other_reason| {
        let value = if one.origin == Origin::Default { other.wrong(other_reason) } else { one.wrong(reason) };
        Err(value.into())
    };
    if timing.lease_duration <= timing.renew_deadline {
        let reason = "is not longer than --leader-elect-renew-deadline";
        return blame(lease, reason, deadline, "is not shorter than --leader-elect-lease-duration");
    }
    if timing.renew_deadline <= timing.retry_period.mul_f64(DEADLINE_TO_RETRY) {
        let reason = "is not longer than 1.2 times --leader-elect-retry-period";
        return blame(deadline, reason, retry, "is not below 1/1.2 of --leader-elect-renew-deadline");
    }
    Ok(timing)
}

fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Who this replica is in the Lease: a name that people know, and what tells it from an earlier run of the same pod.
fn identity() -> Result<String, Error> {
    let text = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let host = || std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok().and_then(text);
    let name = std::env::var("POD_NAME").ok().and_then(text).or_else(host);
    let random = getrandom::u64().map_err(Error::Random)?;
    Ok(format!("{}_{random:016x}", name.as_deref().unwrap_or("k8s-node-dns")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_names() {
        for (text, expect) in [
            ("k8s-node-dns", true),
            ("0", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a.b", false),
            ("a_b", false),
        ] {
            assert_eq!(is_label(text), expect, "{text}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
    }

    #[test]
    fn no_run_has_the_name_of_another() {
        let [one, other] = [(), ()].map(|()| identity().unwrap());
        assert_ne!(one, other);
        let (name, random) = one.rsplit_once('_').unwrap();
        assert!(!name.is_empty() && random.len() == 16, "{one}");
    }
}
