//! The part of `/status.json` about the other replicas: who leads, and which version of the zone is published.
//!
//! In: how this replica stands. Out: a struct that is the format. A file of its own since most daemons are alone.

use serde::Serialize;

use crate::leader::{Standing, Trouble};

#[derive(Serialize)]
pub(super) struct Replicas<'a> {
    leads: bool,
    holder: Option<&'a str>,
    transitions: Option<u32>,
    lease_age_seconds: Option<f64>,
    recorded_serial: Option<u32>,
    shown_serial: u32,
    transferable: bool,
    alone: bool,
    trouble: Option<&'static str>,
}

impl<'a> From<&'a Standing> for Replicas<'a> {
    fn from(standing: &'a Standing) -> Self {
        let Standing { leads, record, read, published, shown, trouble, alone } = standing;
        let holder = record.as_ref().map(|record| &*record.holder).filter(|holder| !holder.is_empty());
        Self {
            leads: *leads,
            holder,
            transitions: record.as_ref().map(|record| record.transitions),
            lease_age_seconds: read.map(|read| read.elapsed().as_secs_f64()),
            recorded_serial: published.map(|version| version.serial.into_int()),
            shown_serial: shown.serial.into_int(),
            transferable: shown.version.is_some(),
            alone: *alone,
            trouble: trouble.as_ref().map(|trouble| match trouble {
                Trouble::Forbidden => "forbidden",
                Trouble::OtherZone(_) => "other-zone",
            }),
        }
    }
}
