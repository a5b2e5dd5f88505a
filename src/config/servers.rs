//! `--soa-ns` in, name servers and their glue out.
//!
//! Manifests of the original hold all sorts of it, so what has no effect is accepted with a warning; only what might
//! send resolvers to a wrong place is refused.

use std::net::IpAddr;

use crate::zone::NameServer;

use super::name::{WireName, zone_name};

/// The servers, in their order, no name twice.
///
/// # Errors
/// What is wrong with which part.
pub(super) fn parse(text: &str, apex: &WireName, warnings: &mut Vec<String>) -> Result<Vec<NameServer>, String> {
    let mut servers: Vec<NameServer> = Vec::new();
    let mut empty_parts = false;
    for part in text.split(';').map(str::trim) {
        if part.is_empty() {
            empty_parts = true;
            continue;
        }
        let server = parse_part(part, warnings).map_err(|reason| format!("{reason} (in {part:?})"))?;
        match servers.iter_mut().find(|known| known.name == server.name) {
            Some(known) => {
                warnings.push(format!("--soa-ns names {} more than once: its addresses are put together", server.name));
                for address in server.glue {
                    add(&mut known.glue, address, &known.name, warnings);
                }
            }
            None => servers.push(server),
        }
    }
    if servers.is_empty() {
        return Err("has no name in it".to_owned());
    }
    if empty_parts {
        warnings.push(format!("--soa-ns {text:?} has an empty part, which has no effect"));
    }
    for server in &mut servers {
        match (server.name.ends_with(apex), server.glue.is_empty()) {
            (true, true) => warnings.push(format!(
                "--soa-ns: nobody can reach {name}, since it is in the zone and has no address; write {name}:ADDRESS",
                name = server.name
            )),
            (false, false) => {
                warnings.push(format!(
                    "--soa-ns: the addresses of {} have no effect, since it is outside the zone {apex}",
                    server.name
                ));
                server.glue.clear();
            }
            (true, false) | (false, true) => {}
        }
    }
    Ok(servers)
}

/// `name` or `name:addr,addr`. IPv6 addresses have colons as well: the first one ends the name.
fn parse_part(part: &str, warnings: &mut Vec<String>) -> Result<NameServer, String> {
    if part.parse::<IpAddr>().is_ok() {
        return Err("is an address without a name, but NS records hold names; write NAME:ADDRESS".to_owned());
    }
    let (name, addresses) = match part.split_once(':') {
        Some((name, addresses)) => (name.trim_end(), Some(addresses)),
        None => (part, None),
    };
    let name = zone_name(name).map_err(|reason| format!("the name {name:?} {reason}"))?;
    let mut glue = Vec::new();
    for address in addresses.into_iter().flat_map(|addresses| addresses.split(',')).map(str::trim) {
        if address.is_empty() {
            warnings.push(format!("--soa-ns {part:?} has an empty address, which has no effect"));
            continue;
        }
        add(&mut glue, parse_glue(address)?, &name, warnings);
    }
    Ok(NameServer { name, glue })
}

fn add(glue: &mut Vec<IpAddr>, address: IpAddr, name: &WireName, warnings: &mut Vec<String>) {
    if glue.contains(&address) {
        warnings.push(format!("--soa-ns gives {name} the address {address} more than once"));
    } else {
        glue.push(address);
    }
}

fn parse_glue(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| {
        let bare = text.trim_start_matches('[').split(']').next().unwrap_or_default();
        if text.starts_with('[') && bare.parse::<IpAddr>().is_ok() {
            return format!("the address {text:?} has brackets or a port; write {bare}");
        }
        format!("{text:?} is not an address")
    })?;
    // An IPv4-mapped address is IPv4, and its records are A (answers.md).
    let address = address.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || broadcast {
        return Err(format!("nobody can send queries to the address {text:?}"));
    }
    Ok(address)
}
