//! `--print-zone`: the configuration in, the zone that would be served now out, as a zone file.

use std::time::Instant;

use crate::config::Config;
use crate::load::{self, Loaded, load};
use crate::zone::Zone;
use crate::zone::serial::{self, Versions};
use crate::zone::text::ZoneFile;

/// The zone as text. Its serial is that of a daemon which starts now.
///
/// # Errors
/// The cluster could not be listed.
pub fn zone_file(config: Config) -> Result<String, load::Error> {
    let unseen = unseen(&config);
    let Loaded { cluster, .. } = load(config.source, config.annotations, config.policy)?;
    let zone = Zone::build(&config.zone, &cluster);
    let versions = Versions::first(zone.digest(), None, serial::clock(), Instant::now());
    let zone = zone.with_serial(versions.serial());
    let zone = if config.zonemd { zone.with_zonemd() } else { zone };
    let file = ZoneFile { config: &config.zone, zone: &zone, cluster: &cluster.snapshot() };
    Ok(format!("{unseen}{file}"))
}

/// What a list of the cluster cannot show.
fn unseen(config: &Config) -> String {
    let flags = [config.lease_timeout.map(|_| "--lease-timeout"), config.probe.as_ref().map(|_| "--probe")];
    let flags: Vec<_> = flags.into_iter().flatten().collect();
    if flags.is_empty() {
        return String::new();
    }
    format!(
        "; not looked at here: {}. By them the daemon may leave out more; /zone of its status page is what it serves\n",
        flags.join(" and ")
    )
}
