//! The words of the command line and the variables of the environment, put to the flags they belong to.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lexopt::{Arg, Parser};

use super::flags::{self, FLAGS, Flag};
use super::original::{self, Original, parse_bool};
use super::suggest::nearest;
use super::{Arguments, Command, Error, Origin, WrongValue};

/// Understands the arguments (without the program's name) and the environment.
///
/// # Errors
/// A flag that does not exist or lacks its value, something that is no flag, a value that is not UTF-8.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let mut parsed = Arguments::default();
    let mut original = Original::default();
    let mut command: fn(Arguments) -> Command = Command::Run;
    while let Some(word) = next_flag(&mut parser)? {
        if let Some(flag) = word.flag() {
            if flag.value.is_some() {
                let text = word.value(&mut parser, flag)?;
                parsed.set(flag, text);
            } else if flag.variable().is_some() {
                parsed.set(flag, word.switched_on()?.to_string());
            } else if word.switched_on()? {
                // Those that need no other flag are followed at once.
                match flag {
                    flag if flag == &flags::VERSION => return Ok(Command::Version),
                    flag if flag == &flags::CHECK => command = Command::Check,
                    flag if flag == &flags::PRINT_ZONE => command = Command::PrintZone,
                    _ if word.name.chars().count() == 1 => return Ok(Command::Summary),
                    _ => return Ok(Command::Help),
                }
            }
        } else if original::knows(&word.name) {
            let text = word.original_value(&mut parser)?;
            original.set(word.name, text);
        } else {
            let known = FLAGS.iter().map(|flag| flag.name).chain(original::NAMES);
            let meant = nearest(&word.name, known);
            return Err(Error::UnknownFlag(word.spelling, meant));
        }
    }
    read_environment(&mut parsed, environment)?;
    original.translate(&mut parsed)?;
    Ok(command(parsed))
}

/// The variables of all flags that were not given. An empty one counts as unset: it is what a manifest writes for
/// "nothing".
fn read_environment(parsed: &mut Arguments, environment: impl Fn(&str) -> Option<OsString>) -> Result<(), Error> {
    for &flag in FLAGS.iter() {
        let Some(variable) = flag.variable().filter(|_| !parsed.contains(flag)) else { continue };
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else { continue };
        let text = value.into_string().map_err(|_| Error::NotUnicode(variable))?;
        if flag == &flags::PORT && is_service_link(&text) {
            continue;
        }
        parsed.given.insert(flag.name, (text, Origin::Environment));
    }
    Ok(())
}

/// The kubelet tells every pod of a namespace about a Service called k8s-node-dns: `K8S_NODE_DNS_PORT=udp://10.96.0.7:53`.
fn is_service_link(text: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme))
}

/// A flag as it was written.
struct Word {
    /// With its dashes.
    spelling: String,
    /// Without.
    name: String,
    /// What follows it after `=`.
    joined: Option<OsString>,
}

impl Word {
    /// The declaration it stands for.
    fn flag(&self) -> Option<&'static Flag> {
        let mut letters = self.name.chars();
        let letter = letters.next().filter(|_| letters.next().is_none() && !self.spelling.starts_with("--"));
        FLAGS.iter().copied().find(|flag| flag.name == self.name || (letter.is_some() && flag.short == letter))
    }

    /// The value, joined or the next argument.
    fn value(&self, parser: &mut Parser, flag: &Flag) -> Result<String, Error> {
        let missing = || Error::MissingValue(format!("--{}", flag.name), flag.example);
        let value = match self.joined.clone() {
            Some(joined) => joined,
            None => {
                let next = parser.value().map_err(|_| missing())?;
                // Go would take it. But no value looks like a flag of ours, and a forgotten one is better named than
                // blamed on the flag after it.
                if next.to_str().is_some_and(is_a_flag) {
                    return Err(missing());
                }
                next
            }
        };
        value.into_string().map_err(|_| Error::NotUnicode(format!("--{}", flag.name)))
    }

    /// The value of a flag of the original. Of those that nobody declares it is only a guess whether the next argument
    /// belongs to them: it does unless it is a flag, since nothing else could be meant by it.
    fn original_value(&self, parser: &mut Parser) -> Result<String, Error> {
        let value = match self.joined.clone() {
            Some(joined) => Some(joined),
            None if original::is_switch(&self.name) => Some("true".into()),
            None => parser.try_raw_args().and_then(|mut raw| raw.next_if(|next| !next.as_bytes().starts_with(b"-"))),
        };
        let spelling = || self.spelling.clone();
        match value {
            Some(value) => value.into_string().map_err(|_| Error::NotUnicode(spelling())),
            None if self.name == "zap-log-level" => Err(Error::MissingValue(spelling(), "debug")),
            None if self.name == "zap-encoder" => Err(Error::MissingValue(spelling(), "json")),
            None => Ok(String::new()),
        }
    }

    /// Whether a switch is on: alone, or with what Go takes for a bool.
    fn switched_on(&self) -> Result<bool, Error> {
        let Some(joined) = &self.joined else { return Ok(true) };
        let text = joined.to_str().ok_or_else(|| Error::NotUnicode(self.spelling.clone()))?;
        parse_bool(text).ok_or_else(|| {
            Error::WrongValue(WrongValue {
                given: format!("{}={text:?}", self.spelling),
                reason: "is neither true nor false".to_owned(),
                allowed: "true, false",
                example: self.spelling.clone(),
            })
        })
    }
}

/// The next flag of the line; anything else is refused.
fn next_flag(parser: &mut Parser) -> Result<Option<Word>, Error> {
    // Go's flag library takes one dash for two; lexopt would take `-zone` for five letters. Only where a flag may stand:
    // a value such as `-1` never comes by here.
    let single = parser.try_raw_args().and_then(|mut raw| raw.next_if(has_one_dash));
    if let Some(argument) = single {
        let mut halves = argument.as_bytes().splitn(2, |&byte| byte == b'=');
        let spelling = String::from_utf8_lossy(halves.next().unwrap_or_default()).into_owned();
        let joined = halves.next().map(|joined| OsString::from_vec(joined.to_owned()));
        return Ok(Some(Word { name: spelling.trim_start_matches('-').to_owned(), spelling, joined }));
    }
    let name = match parser.next() {
        Ok(Some(Arg::Long(name))) => name.to_owned(),
        Ok(Some(Arg::Value(value))) => return Err(Error::Positional(value.to_string_lossy().into_owned())),
        Ok(Some(Arg::Short(letter))) => return Err(Error::UnknownFlag(format!("-{letter}"), None)),
        Ok(None) => return Ok(None),
        Err(error) => return Err(Error::Positional(error.to_string())),
    };
    Ok(Some(Word { spelling: format!("--{name}"), name, joined: parser.optional_value() }))
}

fn has_one_dash(argument: &OsStr) -> bool {
    matches!(argument.as_bytes(), [b'-', second, ..] if *second != b'-')
}

/// Whether a word is one of our flags, as opposed to something that merely begins with a dash.
fn is_a_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").map(|name| name.split_once('=').map_or(name, |(name, _)| name));
    name.is_some_and(|name| FLAGS.iter().any(|flag| flag.name == name))
}
