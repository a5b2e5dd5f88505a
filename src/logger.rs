//! Log records in, lines on stderr out: one line an event, whatever is in its message.
//!
//! Lines are written by a thread of their own, and whoever logs does not wait for it: a reader of the log that stalls (a
//! terminal that was stopped with Ctrl-S, a full pipe) must hold up neither the zone nor the end of the daemon. Lines
//! that find no place are counted, and the count is told.
//!
//! Messages hold names and reasons from the cluster, which whoever may annotate a node can choose: control characters in
//! them are escaped, so that nobody forges a line or drives a terminal.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{Level, LevelFilter, Record, SetLoggerError};

use crate::utc;

/// What the operator says about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least that is logged.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

impl LogConfig {
    /// The same for a command that says itself what is wrong.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { level: if self.level == Level::Info { Level::Error } else { self.level }, ..self }
    }

    /// The same for a command that prints and ends: how things go is no news there, unless it was asked for.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { level: if self.level == Level::Info { Level::Warn } else { self.level }, ..self }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-23T03:40:44.123Z INFO  message`
    Text,
    /// `{"time":"2026-11-23T03:40:44.123Z","level":"info","message":"message"}`: these keys, in this order, always
    /// strings.
    Json,
}

/// How many lines wait for stderr. At 200 bytes each they are a megabyte.
const WAITING: usize = 5_000;

/// How long the end of the daemon waits until what was logged is written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Our own target: the crate's name, as `module_path!()` begins with.
const OURS: &str = "k8s_node_dns";

/// Sends the log to stderr from now on, panics included.
///
/// # Errors
/// There is a logger already.
pub fn start(config: LogConfig) -> Result<(), SetLoggerError> {
    let mut logger = logger(config);
    let (sender, lines) = bounded(WAITING);
    // A system that refuses this thread will refuse the next one too, and that must be in the log.
    if Builder::new().name("log".to_owned()).spawn(move || write_lines(&lines, io::stderr(), config.format)).is_ok() {
        logger.target(env_logger::Target::Pipe(Box::new(Waiting(WRITER.get_or_init(|| sender).clone()))));
    }
    logger.try_init()?;
    // The default hook writes several lines, and not in this format.
    std::panic::set_hook(Box::new(|panic| {
        let name = std::thread::current().name().unwrap_or("without a name").to_owned();
        // "panicked at src/x.rs:1:2:", and the message in the next line.
        log::error!(target: OURS, "thread {name} {}", panic.to_string().replacen(":\n", ": ", 1));
        flush();
    }));
    Ok(())
}

/// Waits until everything that was logged is written, or a second when nobody reads it. For the end of the process.
pub fn flush() {
    let Some(writer) = WRITER.get() else { return };
    let (sender, written) = bounded(1);
    if writer.send_timeout(Line::Flush(sender), LAST_LINES).is_ok() {
        let _ = written.recv_timeout(LAST_LINES);
    }
}

/// To the thread that writes.
static WRITER: OnceLock<Sender<Line>> = OnceLock::new();

/// Lines that found no place since this was last told.
static LOST: AtomicU64 = AtomicU64::new(0);

/// What the thread that writes is told.
enum Line {
    /// Write this.
    Text(Vec<u8>),
    /// Say when everything before this is written.
    Flush(Sender<()>),
}

/// Where lines wait to be written.
struct Waiting(Sender<Line>);

impl io::Write for Waiting {
    /// Takes a whole line, as the logger hands them over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Line::Text(line.to_vec())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines until nobody can send any more. A stderr that is gone is no error: the daemon serves on.
fn write_lines(lines: &Receiver<Line>, mut out: impl io::Write, format: Format) {
    for line in lines {
        match line {
            Line::Text(text) => drop(out.write_all(&text)),
            Line::Flush(written) => drop(written.send(())),
        }
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let message = format_args!("{lost} lines of the log are lost: whoever reads it was too slow");
            let record = Record::builder().level(Level::Warn).target(OURS).args(message).build();
            let _ = writeln!(out, "{}", format_line(format, SystemTime::now(), &record));
        }
    }
}

fn logger(config: LogConfig) -> env_logger::Builder {
    let ours = config.level.to_level_filter();
    // TLS and HTTP libraries tell at debug what nobody asked for; at trace everybody may speak.
    let others = if ours == LevelFilter::Trace { ours } else { ours.min(LevelFilter::Warn) };
    let in_colour = is_for_people(config) && may_have_colours(|name| std::env::var_os(name));
    let mut logger = env_logger::Builder::new();
    logger.filter_level(others).filter_module(OURS, ours).format(move |line, record| {
        let text = format_line(config.format, SystemTime::now(), record);
        writeln!(line, "{}", if in_colour { painted(&text, record.level()) } else { text })
    });
    logger
}

/// Whether somebody reads the log as it comes, in the form for people.
pub fn is_for_people(config: LogConfig) -> bool {
    config.format == Format::Text && io::stderr().is_terminal()
}

/// Whether a terminal is to have colours (<https://no-color.org>).
fn may_have_colours(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let refuses = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refuses && variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// The line of a message with its level in colour.
fn painted(line: &str, level: Level) -> String {
    let colour = match level {
        Level::Error => 31,
        Level::Warn => 33,
        Level::Info => 32,
        Level::Debug | Level::Trace => 2,
    };
    // Before the level is the time, which has no such word.
    line.replacen(level.as_str(), &format!("\u{1b}[{colour}m{level}\u{1b}[0m"), 1)
}

/// The line of a record, without its end.
fn format_line(format: Format, now: SystemTime, record: &Record<'_>) -> String {
    let time = utc::timestamp(now.duration_since(UNIX_EPOCH).unwrap_or_default());
    // Whose message it is matters where it is not ours.
    let target = record.target();
    let message = match target.split("::").next() {
        Some(OURS) => record.args().to_string(),
        _ => format!("{target}: {}", record.args()),
    };
    match format {
        Format::Text => format!("{time} {:<5} {}", record.level(), escaped(&message)),
        Format::Json => {
            let level = record.level().as_str().to_ascii_lowercase();
            // Times and levels need no escapes; strings cannot fail to be written as JSON.
            let message = serde_json::to_string(&message).unwrap_or_default();
            format!(r#"{{"time":"{time}","level":"{level}","message":{message}}}"#)
        }
    }
}

/// Control characters, line separators and what turns the direction of writing, as escapes.
fn escaped(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for c in message.chars() {
        let disguises = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || disguises {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// Writes a last word to stderr where there may be no logger; a stderr that is gone is no reason to fail.
pub fn last_word(text: &str) {
    let _ = writeln!(io::stderr(), "{}", escaped(text));
}

#[cfg(test)]
mod tests {
    use log::{Log as _, Metadata};

    use super::*;

    /// The line of a message at `level` from `target`, a moment after 1970 began.
    fn line(format: Format, level: Level, target: &str, message: &str) -> String {
        let arguments = format_args!("{message}");
        let record = Record::builder().level(level).target(target).args(arguments).build();
        format_line(format, UNIX_EPOCH + Duration::from_millis(1500), &record)
    }

    #[test]
    fn an_event_is_a_line_of_text() {
        let line = |level, target, message| line(Format::Text, level, target, message);
        assert_eq!(line(Level::Info, "k8s_node_dns::daemon", "ready"), "1970-01-01T00:00:01.500Z INFO  ready");
        assert_eq!(line(Level::Error, "k8s_node_dns", "gone"), "1970-01-01T00:00:01.500Z ERROR gone");
        assert_eq!(line(Level::Warn, "rustls::conn", "odd"), "1970-01-01T00:00:01.500Z WARN  rustls::conn: odd");
    }

    #[test]
    fn an_event_is_a_line_of_json() {
        let message = "a \"quoted\" \\ word,\na line, \u{1b}[31m and ü";
        let line = line(Format::Json, Level::Warn, "k8s_node_dns", message);
        assert_eq!(line.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expect = serde_json::json!({"time": "1970-01-01T00:00:01.500Z", "level": "warn", "message": message});
        assert_eq!(value, expect);
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        for (no_color, term, expect) in [
            (None, Some("xterm-256color"), true),
            (Some(""), Some("linux"), true),
            (Some("1"), Some("xterm"), false),
            (None, Some("dumb"), false),
            (None, None, false),
        ] {
            let variable = |name: &str| if name == "NO_COLOR" { no_color } else { term }.map(OsString::from);
            assert_eq!(may_have_colours(variable), expect, "NO_COLOR {no_color:?} TERM {term:?}");
        }
        let line = "1970-01-01T00:00:01.500Z WARN  a WARN in a message";
        assert_eq!(painted(line, Level::Warn), "1970-01-01T00:00:01.500Z \u{1b}[33mWARN\u{1b}[0m  a WARN in a message");
    }

    #[test]
    fn nobody_forges_a_line() {
        let name = "n1\n1970-01-01T00:00:01.500Z INFO  all is well\r\t\u{1b}[2J\u{85}\u{2028}\u{202e}";
        let line = line(Format::Text, Level::Info, "k8s_node_dns", name);
        let expect = "1970-01-01T00:00:01.500Z INFO  \
            n1\\n1970-01-01T00:00:01.500Z INFO  all is well\\r\\t\\u{1b}[2J\\u{85}\\u{2028}\\u{202e}";
        assert_eq!(line, expect);
    }

    #[test]
    fn libraries_speak_up_to_warnings_unless_everybody_may() {
        // Our level; the least of ours and of others that is logged.
        for (level, ours, others) in [
            (Level::Error, Level::Error, Level::Error),
            (Level::Info, Level::Info, Level::Warn),
            (Level::Debug, Level::Debug, Level::Warn),
            (Level::Trace, Level::Trace, Level::Trace),
        ] {
            let logger = logger(LogConfig { level, format: Format::Text }).build();
            let least = |target: &str| {
                let enabled = |level: &Level| logger.enabled(&Metadata::builder().level(*level).target(target).build());
                Level::iter().filter(enabled).last()
            };
            assert_eq!((least("k8s_node_dns::kube"), least("ureq::unit")), (Some(ours), Some(others)), "{level}");
        }
    }

    #[test]
    fn lines_that_find_no_place_are_counted_and_told() {
        let (sender, lines) = bounded(2);
        let mut waiting = Waiting(sender);
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            waiting.write_all(line.as_bytes()).unwrap();
        }
        drop(waiting);
        let mut out = Vec::new();
        write_lines(&lines, &mut out, Format::Text);
        let out = String::from_utf8(out).unwrap();
        let [one, lost, two] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
        assert_eq!((one, two), ("one", "two"));
        assert!(lost.ends_with("WARN  2 lines of the log are lost: whoever reads it was too slow"), "{lost}");
    }

    #[test]
    fn a_panic_is_a_line_of_the_log() {
        // In a process of its own, since hook and logger are a whole process's.
        const CHILD: &str = "K8S_NODE_DNS_TEST_CHILD";
        if std::env::var_os(CHILD).is_some() {
            start(LogConfig { level: Level::Info, format: Format::Json }).unwrap();
            let thread = Builder::new().name("udp-0".to_owned());
            let _ = thread.spawn(|| panic!("a panic that this test wants,\nin two lines")).unwrap().join();
            return;
        }
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["logger::tests::a_panic_is_a_line_of_the_log", "--exact", "--quiet"]).env(CHILD, "1");
        let log = String::from_utf8(command.output().unwrap().stderr).unwrap();
        let event: serde_json::Value = serde_json::from_str(&log).unwrap();
        let message = event["message"].as_str().unwrap();
        assert!(message.starts_with("thread udp-0 panicked at src/logger.rs:"), "{log}");
        assert!(message.ends_with(": a panic that this test wants,\nin two lines"), "{log}");
        assert_eq!((event["level"].as_str(), log.lines().count()), (Some("error"), 1));
    }
}
