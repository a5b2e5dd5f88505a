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
    let Loaded { cluster, .. } = load(config.source, config.annotations, config.policy)?;
    let zone = Zone::build(&config.zone, &cluster);
    let versions = Versions::first(zone.digest(), None, serial::clock(), Instant::now());
    let zone = zone.with_serial(versions.serial());
    Ok(ZoneFile { config: &config.zone, zone: &zone, cluster: &cluster.snapshot() }.to_string())
}
