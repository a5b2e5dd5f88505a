//! The keys of annotations, by the rule of Kubernetes, so that a slip shows at the start and not as a zone without nodes.

use crate::cli::Arguments;
use crate::cli::flags::{self, Flag};
use crate::kube::objects::AnnotationKeys;

use super::{Error, required};

pub(super) fn parse(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<AnnotationKeys, Error> {
    let key = |flag: &'static Flag| {
        let value = required(arguments, flag)?;
        check(value.text).map_err(|reason| value.wrong(reason))?;
        Ok::<_, Error>(value.text.to_owned())
    };
    let services_are_watched = !required(arguments, &flags::SERVICE_ANNOTATION)?.text.is_empty();
    let keys = AnnotationKeys {
        areas: key(&flags::AREAS_ANNOTATION)?,
        addresses: key(&flags::IPS_ANNOTATION)?,
        service: services_are_watched.then(|| key(&flags::SERVICE_ANNOTATION)).transpose()?,
        ..AnnotationKeys::default()
    };
    if keys.areas == keys.addresses {
        warnings.push(format!("--areas-annotation and --ips-annotation are the same key, {}", keys.areas));
    }
    Ok(keys)
}

/// `IsQualifiedName` of apimachinery. Upper case is fine in the prefix as well: of annotations, Kubernetes checks the
/// lower-cased key.
fn check(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        return Err("is empty");
    }
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if name.contains('/') {
        return Err("has more than one slash");
    }
    if prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        return Err("has something before the slash that is no domain name");
    }
    if name.is_empty() {
        return Err("has no name after the slash");
    }
    if name.len() > 63 {
        return Err("has a name of more than 63 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err("has a character that keys do not allow");
    }
    if !framed(name) {
        return Err("begins or ends with a sign");
    }
    Ok(())
}

/// RFC 1123, section 2.1, as Kubernetes reads it: labels of letters, digits and inner dashes.
fn is_subdomain(prefix: &str) -> bool {
    let label = |label: &str| framed(label) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    prefix.len() <= 253 && prefix.split('.').all(label)
}

/// Whether a letter or digit stands at both ends.
fn framed(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}
