//! Domain names and mailboxes as people write them in, names as they are on the wire out.
//!
//! `domain` reads names by the rules of zone files, which allow any byte; here are the rules for names of hosts and
//! zones (RFC 1123, section 2.1), and underscores, with messages for those who write something else.

use std::net::IpAddr;

use domain::base::Name;

/// A name in wire format, in lower case.
pub(super) type WireName = Name<Vec<u8>>;

/// RFC 1035, section 2.3.4.
const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;

/// The name of a zone, or of a server: any number of labels above zero, with or without the last dot.
///
/// # Errors
/// Why it is none, to follow the name in a sentence.
pub(super) fn zone_name(text: &str) -> Result<WireName, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text == "." {
        return Err("is the root zone, which is not ours to serve".to_owned());
    }
    if text.contains(char::is_whitespace) {
        return Err("has white space in it".to_owned());
    }
    if text.contains("://") || text.contains('/') {
        return Err("is a URL or a path; the name alone is wanted".to_owned());
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err("is an address; a name is wanted".to_owned());
    }
    if let Some((_, port)) = text.rsplit_once(':') {
        let port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if port { "has a port; the name alone is wanted" } else { "has a colon in it" }.to_owned());
    }
    if !text.is_ascii() {
        return Err("has letters outside ASCII; write it in its xn-- form".to_owned());
    }
    let mut wire = Vec::with_capacity(text.len() + 2);
    for label in text.strip_suffix('.').unwrap_or(text).split('.') {
        check_label(label)?;
        push_label(&mut wire, label.to_ascii_lowercase().as_bytes())?;
    }
    finish(wire)
}

/// A mailbox as the name that an SOA has for it: the part before the @ is one label, with its dots (RFC 1035, section
/// 8).
///
/// # Errors
/// Why it is none, to follow the mailbox in a sentence.
pub(super) fn mailbox(text: &str) -> Result<WireName, String> {
    let Some((local, host)) = text.split_once('@') else {
        let dotted = if text.contains('.') { ", not in the form of a zone file, with a dot for the @" } else { "" };
        return Err(format!("has no @; write it as a mail address{dotted}"));
    };
    if host.contains('@') {
        return Err("has more than one @".to_owned());
    }
    if local.is_empty() {
        return Err("has nothing before the @".to_owned());
    }
    if local.contains('\\') {
        return Err("has a backslash in it; dots are escaped for you".to_owned());
    }
    // The atext of RFC 5322, section 3.2.3, and dots. Quoted local parts exist on paper only.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
    if !local.bytes().all(allowed) || local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("has something before the @ that mail addresses do not allow".to_owned());
    }
    let host = zone_name(host).map_err(|reason| format!("{host:?} after the @ {reason}"))?;
    let mut wire = Vec::with_capacity(MAX_NAME);
    push_label(&mut wire, local.as_bytes()).map_err(|reason| format!("{local:?} before the @ {reason}"))?;
    for label in host.iter().filter(|label| !label.is_root()) {
        push_label(&mut wire, label.as_slice())?;
    }
    finish(wire)
}

/// Letters, digits and `-`, not at the ends; `_` likewise, but it may come first, as in `_acme`.
fn check_label(label: &str) -> Result<(), String> {
    let alphanumeric = |byte: &u8| byte.is_ascii_alphanumeric();
    if label.is_empty() {
        return Err("has an empty label: a dot too many".to_owned());
    }
    if let Some(odd) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_') {
        return Err(format!("has {odd:?} in it"));
    }
    let first = label.as_bytes().first().is_some_and(|byte| alphanumeric(byte) || *byte == b'_');
    let last = label.as_bytes().last().is_some_and(alphanumeric);
    match first && last {
        true => Ok(()),
        false => Err(format!("has the label {label:?}, which begins or ends with a sign")),
    }
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), String> {
    match u8::try_from(label.len()) {
        Ok(length) if label.len() <= MAX_LABEL => wire.push(length),
        _ => return Err(format!("has a label of {} characters, which is more than {MAX_LABEL}", label.len())),
    }
    wire.extend_from_slice(label);
    Ok(())
}

fn finish(mut wire: Vec<u8>) -> Result<WireName, String> {
    wire.push(0);
    let length = wire.len();
    let too_long = |_| format!("takes {length} octets in a packet, which is more than {MAX_NAME}");
    WireName::from_octets(wire).map_err(too_long)
}
