//! What the operator says about single nodes: maintenance, priority and how they are probed.
//!
//! In: the text of the annotations. Out: [`Wishes`], and a [`Fault`] for each that says something else than it may; the
//! node is judged without it. Whether a maintenance is over depends on the time of day, which comes as an argument:
//! nothing else here does.

use std::sync::Arc;
use std::time::SystemTime;

use super::excerpt::{Excerpt, Few};
use super::fault::{Annotation, Fault, Problem};
use super::listing::{Reading, kept};
use super::probes::Spec;
use crate::kube::objects::Particulars;
use crate::utc;

/// A node is out because somebody works on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    /// Until the annotation is removed.
    Always,
    /// Until then.
    Until(SystemTime),
}

impl Maintenance {
    /// Whether the node is out by it at that time of day.
    pub fn holds(&self, wall: SystemTime) -> bool {
        match self {
            Self::Always => true,
            Self::Until(end) => wall < *end,
        }
    }
}

/// How a node wants to be probed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// As the flag says.
    #[default]
    Flag,
    /// Not at all.
    Nothing,
    /// In its own way.
    Own(Arc<Spec>),
}

/// What the annotations of a node ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) maintenance: Option<Maintenance>,
    pub(super) priority: i32,
    pub(super) probe: Wish,
}

impl Wishes {
    /// Reads the annotations; nothing if there are none, as on most nodes.
    pub(super) fn read(more: Option<&Particulars>) -> Option<Reading<Self>> {
        let more = more.filter(|more| more.maintenance.is_some() || more.priority.is_some() || more.probe.is_some())?;
        let mut faults = Few::default();
        let mut bad = |annotation, text: &str, problem| {
            faults.push(usize::MAX, Fault { annotation, value: Excerpt::new(text), problem });
        };
        let maintenance = more.maintenance.as_deref().and_then(|text| {
            let maintenance = match text.trim() {
                "true" => Some(Maintenance::Always),
                time => utc::parse(time).map(Maintenance::Until),
            };
            if maintenance.is_none() {
                bad(Annotation::Maintenance, text, Problem::NoMaintenance);
            }
            maintenance
        });
        let priority = more.priority.as_deref().map_or(0, |text| {
            text.trim().parse().unwrap_or_else(|_| {
                bad(Annotation::Priority, text, Problem::NoPriority);
                0
            })
        });
        let probe = match more.probe.as_deref().map(|text| (text, Spec::parse(text))) {
            None => Wish::Flag,
            Some((_, Ok(None))) => Wish::Nothing,
            Some((_, Ok(Some(spec)))) => Wish::Own(Arc::new(spec)),
            Some((text, Err(_))) => {
                bad(Annotation::Probe, text, Problem::NoProbe);
                Wish::Flag
            }
        };
        Some(Reading { value: Self { maintenance, priority, probe }, faults: kept(faults) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn read(maintenance: Option<&str>, priority: Option<&str>) -> (Option<Maintenance>, i32, Vec<String>) {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let more = Particulars { maintenance: owned(maintenance), priority: owned(priority), ..Particulars::default() };
        let Some(reading) = Wishes::read(Some(&more)) else { return (None, 0, Vec::new()) };
        let faults = reading.faults.iter().flat_map(|faults| faults.shown()).map(ToString::to_string).collect();
        (reading.value.maintenance, reading.value.priority, faults)
    }

    #[test]
    fn a_probe_that_cannot_be_read_is_named_and_the_flag_holds() {
        for (text, expect, fault) in [
            ("none", Wish::Nothing, None),
            ("tcp:22", Wish::Own(Arc::new(Spec::parse("tcp:22").unwrap().unwrap())), None),
            (
                "22",
                Wish::Flag,
                Some(
                    "probe \"22\" is skipped: it is no probe; write tcp:443, http:80/healthz or \
                https:443/healthz, with ,host=NAME or without, or none",
                ),
            ),
        ] {
            let more = Particulars { probe: Some(text.to_owned()), ..Particulars::default() };
            let reading = Wishes::read(Some(&more)).unwrap();
            let faults: Vec<_> =
                reading.faults.iter().flat_map(|faults| faults.shown()).map(ToString::to_string).collect();
            assert_eq!((reading.value.probe, faults), (expect, fault.map(ToOwned::to_owned).into_iter().collect()));
        }
    }

    #[test]
    fn maintenance_is_always_or_until_a_time() {
        let until = |seconds| Some(Maintenance::Until(UNIX_EPOCH + Duration::from_secs(seconds)));
        for (text, expect) in [
            ("true", Some(Maintenance::Always)),
            (" true\n", Some(Maintenance::Always)),
            ("2026-11-23T03:40:44Z", until(1_795_405_244)),
            (" 2026-11-23T05:40:44+02:00 ", until(1_795_405_244)),
        ] {
            assert_eq!(read(Some(text), None), (expect, 0, Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn a_maintenance_that_cannot_be_read_is_named_and_the_node_stays() {
        for text in ["", "false", "True", "yes", "1", "2026-11-23", "2026-11-23T03:40:44", "2026-02-30T00:00:00Z", "1h"]
        {
            let expect = format!(
                "maintenance {text:?} is skipped: it is neither true nor a time; write true, or until when with a zone, \
                 as 2026-11-24T06:00:00Z, and remove the annotation to end it"
            );
            assert_eq!(read(Some(text), None), (None, 0, vec![expect]), "{text:?}");
        }
    }

    #[test]
    fn a_maintenance_ends_at_its_time_and_not_before() {
        let end = UNIX_EPOCH + Duration::from_secs(1_795_405_244);
        let until = Maintenance::Until(end);
        for (wall, holds) in [
            (UNIX_EPOCH, true),
            (end - Duration::from_nanos(1), true),
            (end, false),
            (end + Duration::from_secs(1), false),
        ] {
            assert_eq!((until.holds(wall), Maintenance::Always.holds(wall)), (holds, true), "{wall:?}");
        }
    }

    #[test]
    fn a_priority_is_a_whole_number_of_32_bits() {
        for (text, expect) in
            [("0", 0), ("10", 10), (" -5 ", -5), ("+7", 7), ("2147483647", i32::MAX), ("-2147483648", i32::MIN)]
        {
            assert_eq!(read(None, Some(text)), (None, expect, Vec::new()), "{text:?}");
        }
        for text in ["", "high", "1.5", "0x10", "2147483648", "-2147483649", "1 0"] {
            let expect = format!(
                "priority {text:?} is skipped: it is no whole number of 32 bits; write one as 10 (0 is the default, the \
                 lowest is answered)"
            );
            assert_eq!(read(None, Some(text)), (None, 0, vec![expect]), "{text:?}");
        }
    }

    #[test]
    fn both_can_be_wrong() {
        let (maintenance, priority, faults) = read(Some("soon"), Some("first"));
        assert_eq!((maintenance, priority, faults.len()), (None, 0, 2));
    }

    #[test]
    fn nothing_is_kept_of_a_node_that_says_nothing() {
        assert!(Wishes::read(None).is_none());
        assert!(Wishes::read(Some(&Particulars::default())).is_none());
    }
}
