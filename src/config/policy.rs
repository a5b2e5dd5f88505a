//! `--up-after`, `--fallback` and `--when-none` in, a [`Policy`] out.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::Arguments;
use crate::cli::flags;
use crate::cluster::{Area, Policy, WhenNone};

use super::{Error, duration, required};

/// Nobody waits longer, however often it went out.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

pub(super) fn parse(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<Policy, Error> {
    let up_after = required(arguments, &flags::UP_AFTER)?;
    let given = up_after.text;
    let up_after = duration::parse(up_after)?;
    if up_after > LONGEST_WAIT {
        warnings.push(format!("--up-after {given} is longer than anybody waits: 5m is used"));
    }
    let when_none = required(arguments, &flags::WHEN_NONE)?;
    let when_none = match when_none.text {
        "empty" => WhenNone::Empty,
        "all" => WhenNone::All,
        _ => return Err(when_none.wrong("is neither").into()),
    };
    let fallback = match arguments.value(&flags::FALLBACK) {
        Some(value) => fallback(value.text).map_err(|reason| value.wrong(reason))?,
        None => BTreeMap::new(),
    };
    Ok(Policy { when_none, fallback, up_after: up_after.min(LONGEST_WAIT) })
}

/// `home=cloud,rack;attic=home`; empty is what templates write for "not set".
fn fallback(text: &str) -> Result<BTreeMap<Area, Vec<Area>>, String> {
    let mut all = BTreeMap::new();
    for rule in text.split(';').map(str::trim).filter(|rule| !rule.is_empty()) {
        let (left, right) = rule.split_once('=').ok_or_else(|| format!("has no '=' in {rule:?}"))?;
        let area = area(left)?;
        let mut others = Vec::new();
        for other in right.split(',').map(str::trim).filter(|other| !other.is_empty()) {
            let other = self::area(other)?;
            if other == area {
                return Err(format!("lets area {area} stand in for itself"));
            }
            if !others.contains(&other) {
                others.push(other);
            }
        }
        if others.is_empty() {
            return Err(format!("names no area behind the '=' in {rule:?}"));
        }
        if all.contains_key(&area) {
            return Err(format!(
                "has area {area} twice on the left; write all that stand in for it once, in their order"
            ));
        }
        all.insert(area, others);
    }
    Ok(all)
}

fn area(text: &str) -> Result<Area, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("has no area before the '='".to_owned());
    }
    Area::parse(text).map_err(|problem| format!("has an area {text:?} that cannot be one: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let show = |areas: &Vec<Area>| areas.iter().map(Area::as_str).collect::<Vec<_>>().join(" ");
        fallback(text).unwrap().iter().map(|(area, areas)| (area.to_string(), show(areas))).collect()
    }

    #[test]
    fn fallbacks_as_people_write_them() {
        for (text, expect) in [
            ("", vec![]),
            (" ; ", vec![]),
            ("home=cloud", vec![("home", "cloud")]),
            ("home=rack,cloud", vec![("home", "rack cloud")]),
            (" Home = Cloud , rack,, cloud ;attic=home;", vec![("attic", "home"), ("home", "cloud rack")]),
            ("home=cloud;cloud=home", vec![("cloud", "home"), ("home", "cloud")]),
        ] {
            let expect: Vec<_> = expect.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            assert_eq!(read(text), expect, "{text:?}");
        }
    }
}
