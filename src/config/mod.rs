//! The text of the flags in, a [`Config`] that is right in every part out.
//!
//! Each value is parsed here, once, into the type that its consumer declares; nobody looks at it again. What is odd but
//! harmless becomes a warning, what cannot work an error that names flag, value, what is allowed and an example.

mod annotation;
mod cookies;
mod duration;
mod http;
mod lease;
mod limits;
mod listen;
mod name;
mod notify;
mod policy;
mod probes;
mod replicas;
mod servers;
mod state;
#[cfg(test)]
mod tests;
mod transfers;

pub use cookies::Error as CookieFileError;
pub use probes::ProbeConfig;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::base::Ttl;

use crate::cli::flags::{self, Flag};
use crate::cli::{Arguments, Origin, Value, WrongValue};
use crate::cluster::Policy;
use crate::dns::ListenConfig;
use crate::dns::context::AnswerConfig;
use crate::dns::limits::RateLimitConfig;
use crate::dns::tcp;
use crate::dns::tsig;
use crate::dns::tsig::keyring::Keyring;
use crate::election::ElectionConfig;
use crate::kube::Source;
use crate::kube::objects::AnnotationKeys;
use crate::logger::{self, LogConfig};
use crate::secondaries::Secondary;
use crate::state::StateConfig;
use crate::zone::{SoaConfig, ZoneConfig};

/// Everything the operator says, one part for each consumer.
#[derive(Clone, Debug)]
pub struct Config {
    /// The zone without its nodes.
    pub zone: ZoneConfig,
    /// How queries are answered.
    pub answer: AnswerConfig,
    /// Where.
    pub listen: ListenConfig,
    /// Where the status page and the probes are; `None`: nowhere.
    pub http: Option<SocketAddr>,
    /// How many replies over UDP whom.
    pub rate_limit: RateLimitConfig,
    /// How many connections.
    pub tcp: tcp::Limits,
    /// Where the objects come from.
    pub source: Source,
    /// Which annotations of theirs are read.
    pub annotations: AnnotationKeys,
    /// What is answered when nodes are not well.
    pub policy: Policy,
    /// How long a node's Lease may stay unrenewed, if it is looked at.
    pub lease_timeout: Option<Duration>,
    /// How nodes' addresses are probed, if they are.
    pub probe: Option<ProbeConfig>,
    /// Which Lease says who leads the replicas, if there is one.
    pub election: Option<ElectionConfig>,
    /// Where the last good cluster is kept, if it is.
    pub state: Option<StateConfig>,
    /// Who is told of new versions.
    pub notify: Vec<Secondary>,
    /// How far apart those are at least.
    pub notify_interval: Duration,
    /// Whether they have a digest.
    pub zonemd: bool,
    /// How long DNS is answered on after SIGTERM.
    pub lame_duck: Duration,
    /// The resolver that is asked whether it finds the zone.
    pub check_resolver: Option<SocketAddr>,
    /// The log.
    pub log: LogConfig,
    /// What is odd about the flags; for the log, once there is one.
    pub warnings: Vec<String>,
}

impl Config {
    /// Validates every flag.
    ///
    /// # Errors
    /// The first that is wrong or missing.
    pub fn new(mut arguments: Arguments) -> Result<Self, Error> {
        let mut warnings = std::mem::take(&mut arguments.warnings);
        let zone = zone_config(&arguments, &mut warnings)?;
        let listen = listen::parse(&arguments)?;
        let http = http::parse(&arguments)?;
        let rate_limit = limits::rate_limit(&arguments, &mut warnings)?;
        let tcp = limits::tcp(&arguments)?;
        let source = source(&arguments, &mut warnings)?;
        let annotations = annotation::parse(&arguments, &mut warnings)?;
        let policy = policy::parse(&arguments, &mut warnings)?;
        let keys = Arc::new(keys(&arguments, &mut warnings)?);
        let answer = AnswerConfig {
            server_id: short_text(&arguments, &flags::SERVER_ID)?,
            version_bind: short_text(&arguments, &flags::VERSION_BIND)?,
            cookie_secrets: cookies::secrets(arguments.value(&flags::COOKIE_SECRET_FILE))?,
            max_answers: limits::max_answers(&arguments)?,
            transfers: Arc::new(transfers::parse(&arguments, &keys)?),
            keys,
        };
        let lease_timeout = lease::parse(&arguments, &source, &mut warnings)?;
        let probe = probes::parse(&arguments, &mut warnings)?;
        let election = replicas::parse(&arguments, &source, &zone, &mut warnings)?;
        let state = state::parse(&arguments, &mut warnings)?;
        let notify = notify::secondaries(&arguments, &answer.keys)?;
        let notify_interval = notify::interval(&arguments)?;
        let zonemd = required(&arguments, &flags::ZONEMD)?.switched_on()?;
        let lame_duck = lame_duck(&arguments, is_pod())?;
        let check_resolver = check_resolver(&arguments)?;
        let log = log_config(&arguments)?;
        Ok(Self {
            zone,
            answer,
            listen,
            http,
            rate_limit,
            tcp,
            source,
            annotations,
            policy,
            lease_timeout,
            probe,
            election,
            state,
            notify,
            notify_interval,
            zonemd,
            lame_duck,
            check_resolver,
            log,
            warnings,
        })
    }
}

/// The flags cannot be followed. Trying again is of no use, except for [`Error::Random`].
#[derive(Debug)]
pub enum Error {
    /// A flag that must be given was not.
    Missing(&'static Flag),
    /// A value that is not allowed.
    WrongValue(WrongValue),
    /// Two places to take the objects from.
    TwoSources,
    /// What the file of the cookie secrets says.
    Cookies(CookieFileError),
    /// What a file of TSIG keys says.
    Keys(tsig::file::Error),
    /// The Lease has no namespace.
    NoNamespace,
    /// The system gives no random numbers, for the cookie secret or the name in the Lease.
    Random(getrandom::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(flag) => {
                let variable = flag.variable().unwrap_or_default();
                write!(f, "--{} (or {variable}) must be given: {}. ", flag.name, flag.summary)?;
                write!(f, "Example: {}", flag.usage())
            }
            Self::WrongValue(wrong) => wrong.fmt(f),
            Self::TwoSources => f.write_str(
                "--kubeconfig and --cluster-file exclude each other: the objects come from an API server or from a \
                 file. Leave one of them out",
            ),
            Self::Cookies(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::NoNamespace => f.write_str(
                "--leader-elect-namespace must be given: it is the namespace of the Lease that --leader-elect is about, \
                 and this is no pod that has one of its own. Example: --leader-elect-namespace k8s-node-dns",
            ),
            Self::Random(error) => write!(f, "the system gives no random numbers: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cookies(error) => Some(error),
            Self::Keys(error) => Some(error),
            Self::Random(error) => Some(error),
            Self::Missing(_) | Self::WrongValue(_) | Self::TwoSources | Self::NoNamespace => None,
        }
    }
}

impl From<WrongValue> for Error {
    fn from(wrong: WrongValue) -> Self {
        Self::WrongValue(wrong)
    }
}

fn required<'a>(arguments: &'a Arguments, flag: &'static Flag) -> Result<Value<'a>, Error> {
    arguments.value(flag).ok_or(Error::Missing(flag))
}

fn zone_config(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<ZoneConfig, Error> {
    let zone = required(arguments, &flags::ZONE)?;
    let apex = name::zone_name(zone.text).map_err(|reason| zone.wrong(reason))?;
    let servers = required(arguments, &flags::SOA_NS)?;
    let servers = servers::parse(servers.text, &apex, warnings).map_err(|reason| servers.wrong(reason))?;
    let email = required(arguments, &flags::SOA_EMAIL)?;
    let mailbox = name::mailbox(email.text).map_err(|reason| email.wrong(reason))?;
    let mut seconds = |flag| seconds(required(arguments, flag)?, warnings);
    let soa = SoaConfig {
        mailbox,
        refresh: seconds(&flags::SOA_REFRESH)?,
        retry: seconds(&flags::SOA_RETRY)?,
        expire: seconds(&flags::SOA_EXPIRE)?,
        ttl: seconds(&flags::SOA_TTL)?,
        negative_ttl: seconds(&flags::SOA_NEG_TTL)?,
    };
    Ok(ZoneConfig { apex, servers, soa, ttl: seconds(&flags::TTL)? })
}

/// The largest TTL (RFC 2181, section 8); the original took larger numbers and sent this.
const MAX_SECONDS: u32 = 0x7fff_ffff;

fn seconds(value: Value<'_>, warnings: &mut Vec<String>) -> Result<Ttl, Error> {
    let digits = value.text;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let unit = digits.trim_end_matches(char::is_alphabetic);
        let has_unit = unit.len() < digits.len() && unit.parse::<u64>().is_ok();
        return Err(value.wrong(if has_unit { "seconds have no unit here" } else { "is not a number" }).into());
    }
    // All digits: the one way to fail is to be too large for the type.
    match digits.parse::<u32>() {
        Ok(seconds) if seconds <= MAX_SECONDS => Ok(Ttl::from_secs(seconds)),
        _ => {
            warnings.push(format!("--{} {digits} is more than DNS knows: {MAX_SECONDS} is used", value.flag.name));
            Ok(Ttl::from_secs(MAX_SECONDS))
        }
    }
}

fn source(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<Source, Error> {
    // Empty is what templates write for "not set", and what the original took for that.
    let given = |flag| arguments.value(flag).filter(|value: &Value<'_>| !value.text.is_empty());
    let kubeconfig = given(&flags::KUBECONFIG);
    let context = given(&flags::CONTEXT);
    let Some(file) = arguments.value(&flags::CLUSTER_FILE) else {
        let kubeconfig = kubeconfig.map(|value| PathBuf::from(value.text));
        return Ok(Source::Api { kubeconfig, context: context.map(|value| value.text.to_owned()) });
    };
    if file.text.is_empty() {
        return Err(file.wrong("is empty").into());
    }
    if let Some(kubeconfig) = kubeconfig {
        if file.origin != Origin::CommandLine || kubeconfig.origin != Origin::Environment {
            return Err(Error::TwoSources);
        }
        warnings.push("the kubeconfig of the environment has no effect beside --cluster-file".to_owned());
    }
    if context.is_some() {
        warnings.push("--context has no effect beside --cluster-file".to_owned());
    }
    Ok(Source::File(PathBuf::from(file.text)))
}

/// The keys of all files that are named.
fn keys(arguments: &Arguments, warnings: &mut Vec<String>) -> Result<Keyring, Error> {
    let Some(value) = arguments.value(&flags::TSIG_KEY_FILE) else { return Ok(Keyring::default()) };
    let files: Vec<_> =
        value.text.split(',').map(str::trim).filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    if files.is_empty() {
        return Err(value.wrong("is empty").into());
    }
    Keyring::open(files, warnings).map_err(Error::Keys)
}

/// A text that fits into a character-string of DNS (RFC 1035, section 3.3).
fn short_text(arguments: &Arguments, flag: &'static Flag) -> Result<Option<String>, Error> {
    let Some(value) = arguments.value(flag) else { return Ok(None) };
    match value.text.len() {
        0 => Err(value.wrong("is empty").into()),
        1..=255 => Ok(Some(value.text.to_owned())),
        length => Err(value.wrong(format!("has {length} bytes")).into()),
    }
}

/// As long as endpoints take to follow a pod that goes.
const ENDPOINTS_FOLLOW: Duration = Duration::from_secs(5);

fn lame_duck(arguments: &Arguments, is_pod: bool) -> Result<Duration, Error> {
    match arguments.value(&flags::LAME_DUCK) {
        Some(value) => duration::parse(value),
        None => Ok(if is_pod { ENDPOINTS_FOLLOW } else { Duration::ZERO }),
    }
}

/// Whether the kubelet started this process.
fn is_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty())
}

/// An address and the port of DNS, unless there is another one.
fn check_resolver(arguments: &Arguments) -> Result<Option<SocketAddr>, Error> {
    let Some(value) = arguments.value(&flags::CHECK_RESOLVER) else { return Ok(None) };
    let address = value.text.parse().or_else(|_| value.text.parse().map(|address| SocketAddr::new(address, 53)));
    address.map(Some).map_err(|_| value.wrong("is not an address; names are not looked up").into())
}

fn log_config(arguments: &Arguments) -> Result<LogConfig, Error> {
    let level = required(arguments, &flags::LOG_LEVEL)?;
    let format = required(arguments, &flags::LOG_FORMAT)?;
    Ok(LogConfig {
        level: level.text.parse().map_err(|_| level.wrong("is no level"))?,
        format: match format.text.to_ascii_lowercase().as_str() {
            "text" => logger::Format::Text,
            "json" => logger::Format::Json,
            _ => return Err(format.wrong("is no format").into()),
        },
    })
}
