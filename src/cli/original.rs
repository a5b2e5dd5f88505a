//! Flags of the original that are not ours: accepted, so that its manifests go on working, with one warning each.
//!
//! In: `--zap-…` (controller-runtime's logger). Out: `--log-level` and `--log-format` where they say the same, unless
//! those are given themselves.

use super::{Arguments, Error, WrongValue, flags};

/// The names, for those who mistype them.
pub(super) const NAMES: [&str; 5] =
    ["zap-devel", "zap-encoder", "zap-log-level", "zap-stacktrace-level", "zap-time-encoding"];

/// Whether a flag is one of these.
pub(super) fn knows(name: &str) -> bool {
    name.starts_with("zap-")
}

/// Whether it takes no value of its own (`--flag`, `--flag=false`).
pub(super) fn is_switch(name: &str) -> bool {
    name == "zap-devel"
}

/// Those that were given, in order, with the last value of each.
#[derive(Debug, Default)]
pub(super) struct Original(Vec<(String, String)>);

impl Original {
    /// Notes one.
    pub(super) fn set(&mut self, name: String, value: String) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, earlier)) => *earlier = value,
            None => self.0.push((name, value)),
        }
    }

    /// Says in our flags what they say, and warns of each.
    pub(super) fn translate(self, arguments: &mut Arguments) -> Result<(), Error> {
        let ours_level = arguments.contains(&flags::LOG_LEVEL);
        let ours_format = arguments.contains(&flags::LOG_FORMAT);
        let mut level = None;
        let mut format = None;
        let mut preset = None;
        for (name, value) in &self.0 {
            let warning = match name.as_str() {
                "zap-log-level" => {
                    let ours = zap_level(value)?;
                    level = Some(ours);
                    replaced(name, value, &[("log-level", ours, ours_level)])
                }
                "zap-encoder" => {
                    let ours = zap_encoder(value)?;
                    format = Some(ours);
                    replaced(name, value, &[("log-format", ours, ours_format)])
                }
                "zap-devel" => {
                    // zap's presets: console at debug for development, JSON at info for production.
                    let (level, format) = if switched_on(name, value)? { ("debug", "text") } else { ("info", "json") };
                    preset = Some((level, format));
                    replaced(name, value, &[("log-level", level, ours_level), ("log-format", format, ours_format)])
                }
                _ => format!("--{name}, a flag of the original's logger, has no effect; leave it out"),
            };
            arguments.warnings.push(warning);
        }
        // zap's own flags win over its presets, wherever they stand.
        if let Some(level) = level.or(preset.map(|(level, _)| level)).filter(|_| !ours_level) {
            arguments.set(&flags::LOG_LEVEL, level.to_owned());
        }
        if let Some(format) = format.or(preset.map(|(_, format)| format)).filter(|_| !ours_format) {
            arguments.set(&flags::LOG_FORMAT, format.to_owned());
        }
        Ok(())
    }
}

/// The warning of a flag that says what ours say; each of ours with its value and whether it was given itself.
fn replaced(name: &str, value: &str, ours: &[(&str, &str, bool)]) -> String {
    let list = |given: bool| {
        let said = ours.iter().filter(|(.., own)| *own == given);
        said.map(|(flag, value, _)| if given { format!("--{flag}") } else { format!("--{flag} {value}") })
            .collect::<Vec<_>>()
            .join(" ")
    };
    match (list(false), list(true)) {
        (taken, own) if taken.is_empty() => format!("--{name}={value} has no effect beside {own}; leave it out"),
        (taken, _) => format!("--{name}={value} is a flag of the original: taken as {taken}; write that instead"),
    }
}

fn zap_level(value: &str) -> Result<&'static str, Error> {
    match value.to_ascii_lowercase().as_str() {
        "debug" => Ok("debug"),
        "info" => Ok("info"),
        "error" | "panic" => Ok("error"),
        // zap's higher verbosities: all of them are more than info, and our debug is all we have to say.
        number if number.parse::<u64>().is_ok_and(|number| number > 0) => Ok("debug"),
        _ => {
            let allowed = "debug, info, error, panic, or a number above 0";
            Err(wrong("zap-log-level", value, "is no level", allowed, "--log-level debug"))
        }
    }
}

fn zap_encoder(value: &str) -> Result<&'static str, Error> {
    match value.to_ascii_lowercase().as_str() {
        "json" => Ok("json"),
        "console" => Ok("text"),
        _ => Err(wrong("zap-encoder", value, "is no encoder", "json, console", "--log-format json")),
    }
}

fn switched_on(name: &str, value: &str) -> Result<bool, Error> {
    parse_bool(value).ok_or_else(|| {
        let example = format!("--{name}=true");
        wrong(name, value, "is neither true nor false", "true, false", &example)
    })
}

fn wrong(name: &str, value: &str, reason: &str, allowed: &'static str, example: &str) -> Error {
    let given = format!("--{name} {value:?}");
    Error::WrongValue(WrongValue { given, reason: reason.to_owned(), allowed, example: example.to_owned() })
}

/// As Go's `strconv.ParseBool`.
pub(super) fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
