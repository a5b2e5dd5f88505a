//! Arguments in, exit status out: 0 for an end in order, 2 for a wrong command line, 1 for everything else.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use k8s_node_dns::cli::{self, Arguments, Command};
use k8s_node_dns::config::{self, Config};
use k8s_node_dns::{check, daemon, load, logger, print_zone};

/// musl's own makes threads wait for each other, at several times the cost.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let status = status();
    logger::flush();
    status
}

fn status() -> ExitCode {
    let failure = match run() {
        Ok(status) => return status,
        Err(failure) => failure,
    };
    // Exhaustive on purpose: who adds an error says here how it ends.
    let (status, hint) = match &failure {
        Failure::Arguments(_) => (2, true),
        Failure::Config(config::Error::Random(_)) => (1, false),
        Failure::Config(
            config::Error::Missing(_)
            | config::Error::WrongValue(_)
            | config::Error::TwoSources
            | config::Error::Cookies(_)
            | config::Error::Keys(_)
            | config::Error::NoNamespace,
        ) => (2, true),
        Failure::Logger(_) | Failure::Daemon(_) | Failure::Load(_) => (1, false),
    };
    match &failure {
        // The log is running: a reader of its lines, JSON perhaps, should find the last word there too.
        Failure::Daemon(error) => log::error!("{error}"),
        Failure::Load(error) => log::error!("{error}"),
        _ => logger::last_word(&format!("k8s-node-dns: {failure}")),
    }
    if hint {
        logger::last_word("k8s-node-dns --help lists all flags");
    }
    ExitCode::from(status)
}

fn run() -> Result<ExitCode, Failure> {
    let command = cli::parse(std::env::args_os().skip(1), |name| std::env::var_os(name)).map_err(Failure::Arguments)?;
    match command {
        Command::Summary => print(&cli::summary()),
        Command::Help => print(&cli::help()),
        Command::Version => print(&cli::version()),
        Command::Run(arguments) => {
            let config = Config::new(arguments).map_err(Failure::Config)?;
            logger::start(config.log).map_err(Failure::Logger)?;
            for warning in &config.warnings {
                log::warn!("{warning}");
            }
            daemon::run(config).map_err(Failure::Daemon)?;
        }
        Command::Check(arguments) => return check(arguments),
        Command::PrintZone(arguments) => {
            let config = Config::new(arguments).map_err(Failure::Config)?;
            logger::start(config.log.quiet()).map_err(Failure::Logger)?;
            print(&print_zone::zone_file(config).map_err(Failure::Load)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `--check`: a line for each thing that was looked at, as soon as it is known.
fn check(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = Config::new(arguments);
    if let Ok(config) = &config {
        logger::start(config.log.silent()).map_err(Failure::Logger)?;
    }
    let is_well = check::check(config, &mut |line| print(&format!("{line}\n")));
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Unlike `print!`, does not mind a reader that has gone, as `--help | head -1` has.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Why the process ends.
enum Failure {
    Arguments(cli::Error),
    Config(config::Error),
    Logger(log::SetLoggerError),
    Daemon(daemon::Error),
    Load(load::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::Logger(error) => error.fmt(f),
            Self::Daemon(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
        }
    }
}
