//! The object in the API and the [`Record`] that it holds, from one to the other.
//!
//! Fields and annotations that are not ours stay as somebody else wrote them. Who holds the Lease is told in `spec`, as
//! client-go's leader election has it; what the zone's version is, in annotations.

use std::time::{Duration, SystemTime};

use domain::base::Serial;
use serde_json::{Map, Value, json};

use super::LeaseName;
use crate::leader::Record;
use crate::utc;
use crate::zone::serial::{Digest, Version};

/// The annotations: the zone that the serial is of, the serial, the hash of the content that has it.
const ZONE: &str = "k8s.pootis.network/leader-zone";
const SERIAL: &str = "k8s.pootis.network/leader-serial";
const CONTENT: &str = "k8s.pootis.network/leader-content";

/// The object's resourceVersion; empty for what has none.
pub(super) fn version(object: &Value) -> &str {
    text(object, "/metadata/resourceVersion")
}

/// What the object says, and its resourceVersion. What is missing, or is nothing that a Lease could say, is as if nobody
/// had said it.
///
/// # Errors
/// It is not that Lease, in words.
pub(super) fn read(object: &Value, lease: &LeaseName) -> Result<(Record, String), String> {
    let (kind, name, version) = (text(object, "/kind"), text(object, "/metadata/name"), version(object));
    if kind != "Lease" || name != lease.name || version.is_empty() {
        return Err(format!("a {kind:?} called {name:?} where {lease} was asked for"));
    }
    let annotation = |key: &str| object.pointer("/metadata/annotations")?.get(key)?.as_str();
    let serial = annotation(SERIAL).and_then(|text| text.parse().ok()).map(Serial);
    let digest = annotation(CONTENT).and_then(|text| u128::from_str_radix(text, 16).ok()).map(Digest);
    let number = |pointer| object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let record = Record {
        holder: text(object, "/spec/holderIdentity").to_owned(),
        lease_duration: Duration::from_secs(number("/spec/leaseDurationSeconds")),
        acquired: text(object, "/spec/acquireTime").to_owned(),
        renewed: text(object, "/spec/renewTime").to_owned(),
        transitions: u32::try_from(number("/spec/leaseTransitions")).unwrap_or_default(),
        zone: annotation(ZONE).map(str::to_owned),
        version: serial.zip(digest).map(|(serial, digest)| Version { serial, digest }),
    };
    Ok((record, version.to_owned()))
}

/// The object with the record in it: the one that is there, or a new one. Times that the record leaves open are `now`.
pub(super) fn write(present: Option<Value>, lease: &LeaseName, record: &Record, now: SystemTime) -> Value {
    let LeaseName { namespace, name } = lease;
    let mut object = present.unwrap_or_else(|| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"namespace": namespace, "name": name}
        })
    });
    let renews = text(&object, "/spec/holderIdentity") == record.holder;
    let mut set = |path: &[&str], fields: Vec<(&str, Value)>| {
        if let Some(map) = map(&mut object, path) {
            map.extend(fields.into_iter().map(|(field, value)| (field.to_owned(), value)));
        }
    };
    let mut annotations = Vec::new();
    annotations.extend(record.zone.as_ref().map(|zone| (ZONE, json!(zone))));
    if let Some(Version { serial, digest }) = record.version {
        annotations.push((SERIAL, json!(serial.into_int().to_string())));
        annotations.push((CONTENT, json!(format!("{:032x}", digest.0))));
    }
    set(&["metadata", "annotations"], annotations);
    let mut spec = vec![
        ("holderIdentity", json!(record.holder)),
        ("leaseDurationSeconds", json!(record.lease_duration.as_secs())),
        ("renewTime", json!(time(&record.renewed, now))),
        ("leaseTransitions", json!(record.transitions)),
    ];
    // Whoever renews a Lease that it holds leaves open since when it does.
    if !renews || !record.acquired.is_empty() {
        spec.push(("acquireTime", json!(time(&record.acquired, now))));
    }
    set(&["spec"], spec);
    object
}

/// A map in the object, or in a map of it; an empty one where there is none.
fn map<'a>(mut value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    for field in path {
        value = value.as_object_mut()?.entry(*field).or_insert(Value::Null);
        if !value.is_object() {
            *value = json!({});
        }
    }
    value.as_object_mut()
}

/// A text in the object, or an empty one where there is none.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The time, or now where it is left open.
fn time(recorded: &str, now: SystemTime) -> String {
    if recorded.is_empty() { microtime(now) } else { recorded.to_owned() }
}

/// RFC 3339 with exactly six digits of a second, which is all that Kubernetes' MicroTime reads.
fn microtime(time: SystemTime) -> String {
    let since = utc::since_1970(time);
    let millis = utc::timestamp(since);
    format!("{}{:03}Z", millis.trim_end_matches('Z'), since.subsec_micros() % 1000)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn lease() -> LeaseName {
        LeaseName { namespace: "dns".to_owned(), name: "k8s-node-dns-leader".to_owned() }
    }

    fn record() -> Record {
        Record {
            holder: "k8s-node-dns-6d4cf56db6-x7k2p_00ff".to_owned(),
            lease_duration: Duration::from_secs(15),
            acquired: "2026-11-23T03:40:44.000007Z".to_owned(),
            renewed: "2026-11-23T03:41:40.123456Z".to_owned(),
            transitions: 3,
            zone: Some("lb.example.test.".to_owned()),
            version: Some(Version { serial: Serial(1_795_405_250), digest: Digest(0xabc) }),
        }
    }

    /// A Lease as a cluster has it, with what others wrote into it.
    fn found() -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": "k8s-node-dns-leader", "namespace": "dns", "resourceVersion": "48123",
                "uid": "d2f8b5a0-6c1c-4c86-9f0f-3f6f1b1f2b11", "creationTimestamp": "2026-11-23T03:40:44Z",
                "labels": {"team": "network"}, "annotations": {"example.com/note": "keep"},
                "managedFields": [{"manager": "k8s-node-dns", "operation": "Update"}]
            },
            "spec": {
                "holderIdentity": "other_1", "leaseDurationSeconds": 15, "leaseTransitions": 2, "strategy": "OldestEmulationVersion",
                "acquireTime": "2026-11-23T03:40:44.000007Z", "renewTime": "2026-11-23T03:41:40.123456Z"
            }
        })
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut object = write(None, &lease(), &record(), UNIX_EPOCH);
        assert_eq!(object["spec"]["renewTime"], "2026-11-23T03:41:40.123456Z");
        assert_eq!(object["spec"]["acquireTime"], "2026-11-23T03:40:44.000007Z");
        assert_eq!(object["metadata"]["annotations"][SERIAL], "1795405250");
        assert_eq!(object["metadata"]["annotations"][CONTENT], "00000000000000000000000000000abc");
        object["metadata"]["resourceVersion"] = json!("7");
        assert_eq!(read(&object, &lease()), Ok((record(), "7".to_owned())));
    }

    #[test]
    fn what_others_wrote_stays() {
        let object = write(Some(found()), &lease(), &record(), UNIX_EPOCH);
        let mut expect = found();
        for (key, value) in
            [(ZONE, "lb.example.test."), (SERIAL, "1795405250"), (CONTENT, "00000000000000000000000000000abc")]
        {
            expect["metadata"]["annotations"][key] = json!(value);
        }
        expect["spec"]["holderIdentity"] = json!(record().holder);
        expect["spec"]["leaseTransitions"] = json!(3);
        assert_eq!(object, expect);
        // A replica that has nothing to record takes nothing away.
        let later =
            write(Some(object.clone()), &lease(), &Record { zone: None, version: None, ..record() }, UNIX_EPOCH);
        assert_eq!(later, object);
    }

    #[test]
    fn a_lease_that_says_little_is_one_that_nobody_holds() {
        let bare = json!({"kind": "Lease", "metadata": {"name": "k8s-node-dns-leader", "resourceVersion": "7"}});
        assert_eq!(read(&bare, &lease()), Ok((Record::default(), "7".to_owned())));
        let now = UNIX_EPOCH + Duration::from_micros(1_795_405_300_123_456);
        let taken = write(Some(bare.clone()), &lease(), &Record { holder: "us".to_owned(), ..Record::default() }, now);
        for time in ["acquireTime", "renewTime"] {
            assert_eq!(taken["spec"][time], "2026-11-23T03:41:40.123456Z", "the time of the request");
        }
        let renewal = Record { holder: "us".to_owned(), ..Record::default() };
        let renewed = write(Some(taken), &lease(), &renewal, now + Duration::from_secs(2));
        assert_eq!(renewed["spec"]["acquireTime"], "2026-11-23T03:41:40.123456Z", "held since then");
        assert_eq!(renewed["spec"]["renewTime"], "2026-11-23T03:41:42.123456Z");
        let mut odd = bare.clone();
        odd["spec"] = json!({"holderIdentity": null, "leaseDurationSeconds": -1, "leaseTransitions": 9_999_999_999_u64,
            "renewTime": 7});
        odd["metadata"]["annotations"] = json!({SERIAL: "4294967296", CONTENT: "abc"});
        assert_eq!(read(&odd, &lease()), Ok((Record::default(), "7".to_owned())));
        odd["spec"] = json!("nothing");
        odd["metadata"]["annotations"] = json!([]);
        assert_eq!(read(&odd, &lease()), Ok((Record::default(), "7".to_owned())));
        assert_eq!(write(Some(odd), &lease(), &record(), UNIX_EPOCH)["spec"]["leaseTransitions"], 3);
    }

    #[test]
    fn what_is_another_object_is_refused() {
        for (field, value) in [
            ("kind", json!("Status")),
            ("metadata", json!({"name": "other", "resourceVersion": "7"})),
            ("metadata", json!({"name": "k8s-node-dns-leader"})),
            ("metadata", json!("x")),
        ] {
            let mut object = found();
            object[field] = value;
            let error = read(&object, &lease()).unwrap_err();
            assert!(error.ends_with("where Lease dns/k8s-node-dns-leader was asked for"), "{error}");
        }
        assert!(read(&json!([]), &lease()).is_err());
    }
}
