//! Arguments and environment in, the text of each flag out.
//!
//! Each flag is declared once, in [`flags`]; the parser, `--help`, the README's table and the names of the environment
//! variables are made of that declaration, and so are the manual page, the completions of shells and the environment file
//! of the service, for packages. What a value means is for [`config`](crate::config) to say; here are only
//! words.

pub mod completions;
pub mod environment;
pub mod flags;
mod help;
pub mod manual;
mod original;
mod parse;
mod suggest;
#[cfg(test)]
mod tests;

pub use help::{help, markdown_table, summary, version};
pub use parse::parse;

use std::collections::BTreeMap;
use std::fmt;

use flags::{Flag, shell_quoted};

/// What the person at the keyboard wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `-h`: a line for each flag.
    Summary,
    /// `--help`: everything about each flag.
    Help,
    /// `--version`
    Version,
    /// `--check`
    Check(Arguments),
    /// `--print-zone`
    PrintZone(Arguments),
    /// The daemon.
    Run(Arguments),
}

/// Where the text of a flag comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    CommandLine,
    /// The flag's environment variable.
    Environment,
    /// The flag's declaration.
    Default,
}

/// The text of every flag that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    given: BTreeMap<&'static str, (String, Origin)>,
    /// What the operator should know; for the log, once there is one.
    pub warnings: Vec<String>,
}

impl Arguments {
    /// The text of `flag`: as given, else its default; `None` for a flag that was not given and has no default.
    /// Several values of a flag that may be repeated are joined with its separator.
    pub fn value(&self, flag: &'static Flag) -> Option<Value<'_>> {
        match self.given.get(flag.name) {
            Some((text, origin)) => Some(Value { flag, text, origin: *origin }),
            None => match flag.default {
                flags::Default::Text(text) => Some(Value { flag, text, origin: Origin::Default }),
                flags::Default::Required | flags::Default::None | flags::Default::Described(_) => None,
            },
        }
    }

    fn contains(&self, flag: &'static Flag) -> bool {
        self.given.contains_key(flag.name)
    }

    /// Notes what the command line says: the last one counts, as in Go, unless the flag may be repeated.
    fn set(&mut self, flag: &'static Flag, text: String) {
        match (self.given.get_mut(flag.name), flag.separator) {
            (Some((earlier, _)), Some(separator)) => {
                earlier.push(separator);
                earlier.push_str(&text);
            }
            _ => {
                self.given.insert(flag.name, (text, Origin::CommandLine));
            }
        }
    }
}

/// The text of a flag, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The flag.
    pub flag: &'static Flag,
    /// Its text.
    pub text: &'a str,
    /// Where the text comes from.
    pub origin: Origin,
}

impl Value<'_> {
    /// Whether a switch is on.
    ///
    /// # Errors
    /// It is neither true nor false, as Go writes them.
    pub fn switched_on(&self) -> Result<bool, WrongValue> {
        original::parse_bool(self.text).ok_or_else(|| self.wrong("is neither true nor false"))
    }

    /// The error that says why this text won't do.
    pub fn wrong(&self, reason: impl Into<String>) -> WrongValue {
        let given = match (self.origin, self.flag.variable()) {
            (Origin::Environment, Some(variable)) => {
                format!("{variable}={:?} (the variable of --{})", self.text, self.flag.name)
            }
            _ => format!("--{} {:?}", self.flag.name, self.text),
        };
        WrongValue { given, reason: reason.into(), allowed: self.flag.allowed, example: self.flag.usage() }
    }
}

/// A value that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongValue {
    given: String,
    reason: String,
    allowed: &'static str,
    example: String,
}

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, reason, allowed, example } = self;
        write!(f, "{given}: {reason}. Allowed: {allowed}. Example: {example}")
    }
}

/// The command line, or a variable, cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A flag that does not exist, as it was written, and the name of the one that is probably meant.
    UnknownFlag(String, Option<&'static str>),
    /// Something that is not a flag.
    Positional(String),
    /// A flag at the end of the line, or before another flag, with the rest of a good example.
    MissingValue(String, &'static str),
    /// A flag or variable whose value is not UTF-8.
    NotUnicode(String),
    /// A value that can be told to be wrong from the word alone.
    WrongValue(WrongValue),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFlag(given, Some(meant)) => write!(f, "unknown flag {given}: did you mean --{meant}?"),
            Self::UnknownFlag(given, None) => write!(f, "unknown flag {given}"),
            Self::Positional(given) => {
                write!(f, "unexpected argument {given:?}: everything is said with flags, as in --zone lb.example.com")
            }
            Self::MissingValue(flag, example) => {
                write!(f, "{flag} needs a value, for example {flag} {}", shell_quoted(example))
            }
            Self::NotUnicode(given) => write!(f, "the value of {given} is not UTF-8"),
            Self::WrongValue(wrong) => wrong.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
