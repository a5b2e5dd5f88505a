//! What is read of objects: the keys of annotations and labels, by the rules of Kubernetes, so that a slip shows at the
//! start and not as a zone without nodes.

use std::sync::Arc;

use crate::cli::flags::{self, Flag};
use crate::cli::{Arguments, Value};
use crate::kube::objects::{AddressSource, AnnotationKeys, Exclusion};

use super::{Error, required};

pub(super) fn parse(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<AnnotationKeys, Error> {
    let key = |flag: &'static Flag| {
        let value = required(arguments, flag)?;
        check(value.text).map_err(|reason| value.wrong(reason))?;
        Ok::<_, Error>(value.text.to_owned())
    };
    let optional = |flag: &'static Flag| match required(arguments, flag)?.text {
        "" => Ok(None),
        _ => key(flag).map(Some),
    };
    let keys = AnnotationKeys {
        areas: key(&flags::AREAS_ANNOTATION)?,
        addresses: key(&flags::IPS_ANNOTATION)?,
        service: optional(&flags::SERVICE_ANNOTATION)?,
        maintenance: optional(&flags::MAINTENANCE_ANNOTATION)?,
        priority: optional(&flags::PRIORITY_ANNOTATION)?,
        probe: optional(&flags::PROBE_ANNOTATION)?,
        area_labels: each(arguments, &flags::AREAS_LABEL, area_label)?,
        exclusions: [
            each(arguments, &flags::EXCLUDE_LABEL, excluding_label)?,
            each(arguments, &flags::EXCLUDE_TAINT, excluding_taint)?,
        ]
        .concat(),
        addresses_from: addresses_from(required(arguments, &flags::ADDRESSES_FROM)?)?,
    };
    warn_of_twins(&keys, warnings);
    Ok(keys)
}

/// Two annotations of the same key: only one of them is read.
fn warn_of_twins(keys: &AnnotationKeys, warnings: &mut Vec<String>) {
    let all = [
        (&flags::AREAS_ANNOTATION, Some(&keys.areas)),
        (&flags::IPS_ANNOTATION, Some(&keys.addresses)),
        (&flags::SERVICE_ANNOTATION, keys.service.as_ref()),
        (&flags::MAINTENANCE_ANNOTATION, keys.maintenance.as_ref()),
        (&flags::PRIORITY_ANNOTATION, keys.priority.as_ref()),
        (&flags::PROBE_ANNOTATION, keys.probe.as_ref()),
    ];
    for (index, (flag, key)) in all.iter().enumerate() {
        for (other, same) in all.iter().skip(index + 1) {
            if let (Some(key), Some(same)) = (key, same)
                && key == same
            {
                warnings.push(format!("--{} and --{} are the same key, {key}", flag.name, other.name));
            }
        }
    }
}

/// What a flag says that may be given several times; the same once.
fn each<T: PartialEq>(
    arguments: &Arguments,
    flag: &'static Flag,
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    let Some(value) = arguments.value(flag) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for part in parts(value.text) {
        let one = read(part).map_err(|reason| value.wrong(format!("{part:?} {reason}")))?;
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Ok(all)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn area_label(key: &str) -> Result<Arc<str>, &'static str> {
    if key.contains('=') {
        return Err("has a value; the values of nodes become areas, so write the key alone");
    }
    check_label(key).map(|()| key.into())
}

fn excluding_label(text: &str) -> Result<Arc<Exclusion>, &'static str> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    check_label(key)?;
    let is_value = |value: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        value.is_empty() || value.len() <= 63 && value.bytes().all(allowed) && framed(value)
    };
    if !value.is_none_or(is_value) {
        return Err("has a value that no label can have");
    }
    Ok(Arc::new(Exclusion::Label { key: key.to_owned(), value: value.map(ToOwned::to_owned) }))
}

fn excluding_taint(text: &str) -> Result<Arc<Exclusion>, &'static str> {
    if text.contains('=') {
        return Err("has a value, which does not matter here; write the key, or KEY:EFFECT");
    }
    let (key, effect) = match text.split_once(':') {
        Some((key, effect)) => (key, Some(effect)),
        None => (text, None),
    };
    check_label(key)?;
    if effect.is_some_and(|effect| !matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute")) {
        return Err("has an effect that Kubernetes does not know; upper and lower case matter");
    }
    Ok(Arc::new(Exclusion::Taint { key: key.to_owned(), effect: effect.map(ToOwned::to_owned) }))
}

/// Empty for the annotation alone, which needs nothing else to be read.
fn addresses_from(value: Value<'_>) -> Result<Vec<AddressSource>, Error> {
    let mut sources = Vec::new();
    for part in parts(value.text) {
        let source = AddressSource::ALL.into_iter().find(|source| source.word() == part);
        let source = source.ok_or_else(|| value.wrong(format!("{part:?} is no such place")))?;
        if sources.contains(&source) {
            return Err(value.wrong(format!("{part:?} is there twice")).into());
        }
        sources.push(source);
    }
    match &*sources {
        [] => Err(value.wrong("is empty").into()),
        [AddressSource::Annotation] => Ok(Vec::new()),
        _ => Ok(sources),
    }
}

/// A key of labels or taints, whose prefix has to be in lower case.
fn check_label(key: &str) -> Result<(), &'static str> {
    check(key)?;
    match key.split_once('/') {
        Some((prefix, _)) if prefix.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Err("has upper case before the slash, which no label or taint has")
        }
        _ => Ok(()),
    }
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
