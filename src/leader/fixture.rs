//! A replica's terms, as the flags have them by default: for the tests here and those of the publisher.

use std::time::Duration;

use super::{Terms, Timing};

/// Those of replica `dns-a`.
pub fn terms() -> Terms {
    let seconds = Duration::from_secs;
    Terms {
        identity: "dns-a".to_owned(),
        lease: "dns/k8s-node-dns-leader".to_owned(),
        zone: "lb.example.test.".to_owned(),
        timing: Timing {
            lease_duration: seconds(15),
            renew_deadline: seconds(10),
            retry_period: seconds(2),
            between_versions: seconds(1),
        },
    }
}
