//! The part of `/status.json` about secondaries.

use std::net::SocketAddr;

use serde::Serialize;

use crate::secondaries::Standing;

#[derive(Serialize)]
pub(super) struct Secondary {
    address: SocketAddr,
    key: Option<String>,
    acknowledged_serial: Option<u32>,
    waiting_seconds: Option<f64>,
    trouble: Option<String>,
    sent: u64,
}

impl From<&Standing> for Secondary {
    fn from(standing: &Standing) -> Self {
        let Standing { secondary, acknowledged, behind, trouble, sent } = standing;
        Self {
            address: secondary.address,
            key: secondary.key.clone(),
            acknowledged_serial: acknowledged.map(|serial| serial.into_int()),
            waiting_seconds: behind.map(|since| since.elapsed().as_secs_f64()),
            trouble: trouble.as_ref().map(ToString::to_string),
            sent: *sent,
        }
    }
}
