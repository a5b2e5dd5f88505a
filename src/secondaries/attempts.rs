//! When one secondary is told, and what comes of it: a pure machine, one for each, without clock, socket or log.
//!
//! In: serials, replies, failures, and the time with each. Out: when to send which serial, how the secondary stands, and
//! when there is something to say about it.
//!
//! | what happens | what comes of it |
//! |---|---|
//! | a serial is announced | it is sent at once, whatever is waited for: only the newest counts |
//! | no reply, or one with an error | it is sent again after 1, 2, 4, … 60 s, until it is acknowledged |
//! | [`FAILURES_TOLD`] failures in a row | this is told, once; and that it is over, once; both at most once a [`QUIET`] |
//! | a reply with NOERROR | acknowledged: nothing is sent until the next serial, but for reminders |
//! | it was acknowledged, and there are other replicas | it is sent again after [`SOON`], and once they know of it too |
//! | somebody else announces from now on | nothing is sent |
//!
//! The steps are RFC 1996's (section 3.6) but for their end: it allows to give up, and a secondary that was away for a day
//! would then wait for its own timer. A new serial does not begin the steps anew, so a secondary that is gone gets one
//! datagram for each version, and one a minute.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use domain::base::Serial;
use domain::base::iana::Rcode;

use crate::dns::tsig::request::Unproven;

/// The first wait for a reply.
const FIRST: Duration = Duration::from_secs(1);

/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// So many failures in a row are told: one or two are a datagram that was lost, or a server that starts.
const FAILURES_TOLD: u32 = 3;

/// The first reminder, for who asked another replica at once: most of those know of a version by then. Knot (3.2) takes
/// the first primary's word for it that there is nothing new, and would look again when its timer says so.
const SOON: Duration = Duration::from_millis(500);

/// Trouble is told of a secondary at most so often, if it comes and goes.
const QUIET: Duration = Duration::from_secs(60);

/// Why a secondary does not know of a serial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing came back.
    Silent,
    /// Something came back, which was no reply to what was sent.
    Strange,
    /// Its machine says that nobody listens there.
    Closed,
    /// The system could not send it, with this number.
    Unsent(i32),
    /// It answered with an error.
    Refused(Rcode),
    /// What came back is not signed as it should be, or says that ours is not.
    Unproven(Unproven),
    /// The key that it is told with is not there any more.
    NoKey,
}

impl Trouble {
    /// What the system says about sending or receiving.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Closed,
            _ => Self::Unsent(error.raw_os_error().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("does not answer: is it up, and do UDP datagrams reach it and come back?"),
            Self::Strange => f.write_str(
                "does not answer what is asked, and something else comes back: is it a name server, or a proxy or NAT \
                 in between?",
            ),
            Self::Closed => f.write_str("is not there: nobody listens on that port of that machine"),
            Self::Unsent(number) => {
                write!(f, "cannot be sent anything: {}", io::Error::from_raw_os_error(*number))
            }
            Self::Refused(Rcode::NOTAUTH) => {
                f.write_str("answers NOTAUTH: it does not serve the zone, or wants a key that it is not told with")
            }
            Self::Refused(rcode) => write!(
                f,
                "answers {rcode}: does it serve the zone as a secondary, and allow NOTIFY from this server's address \
                 and with this key?"
            ),
            Self::Unproven(Unproven::Rejected(18)) => f.write_str("answers BADTIME: its clock or ours is wrong"),
            Self::Unproven(unproven) => write!(
                f,
                "does not share the key: {unproven}. Name, algorithm and secret must be the same there and in \
                 --tsig-key-file"
            ),
            Self::NoKey => f.write_str("is to be told with a key that is in no --tsig-key-file any more"),
        }
    }
}

/// What there is to say about a secondary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It cannot be told of new serials, and why.
    Troubled(Trouble),
    /// It acknowledged again, this serial.
    Well(Serial),
}

/// How one secondary stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    /// The newest serial, while it is ours to announce.
    wanted: Option<Serial>,
    acknowledged: Option<Serial>,
    /// Since when the newest serial waits to be acknowledged.
    behind: Option<Instant>,
    /// How long it takes until other replicas know of a version too, if there are others.
    lag: Option<Duration>,
    /// How many reminders of the newest serial were planned.
    reminders: u8,
    /// What was sent and is not answered, and when that was.
    open: Option<(Serial, Instant)>,
    due: Option<Instant>,
    /// How many attempts failed in a row.
    failures: u32,
    /// Why the last one did.
    trouble: Option<Trouble>,
    /// What else came since the last was sent, which is no reply but may say why there is none.
    hint: Option<Trouble>,
    /// Trouble is told and its end is not.
    told: bool,
    told_at: Option<Instant>,
}

impl Attempts {
    /// Of one that may ask other replicas, which know of a version so much later.
    pub(super) fn beside(lag: Option<Duration>) -> Self {
        Self { lag, ..Self::default() }
    }

    /// `serial` is the zone's now.
    pub(super) fn announce(&mut self, serial: Serial, now: Instant) {
        (self.wanted, self.reminders) = (Some(serial), 0);
        self.behind.get_or_insert(now);
        self.due = Some(now);
    }

    /// It is another's to announce.
    pub(super) fn hush(&mut self) {
        let Self { acknowledged, lag, told, told_at, .. } = *self;
        *self = Self { acknowledged, lag, told, told_at, ..Self::default() };
    }

    /// When something is to be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The last serial that it acknowledged.
    pub(super) fn acknowledged(&self) -> Option<Serial> {
        self.acknowledged
    }

    /// Since when the newest serial waits to be acknowledged, if it does.
    pub(super) fn behind(&self) -> Option<Instant> {
        self.behind
    }

    /// Why the last attempt failed, if it did.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// What is to be sent now, if it is time; and what there is to say of what was sent before.
    pub(super) fn begin(&mut self, now: Instant) -> (Option<Serial>, Option<Told>) {
        let (Some(serial), true) = (self.wanted, self.due.is_some_and(|due| due <= now)) else { return (None, None) };
        // What was sent a moment ago may still be answered: it makes room for something newer, and did not fail.
        let late = self.open.take().is_some_and(|(_, sent)| now >= sent + FIRST);
        let trouble = self.hint.take().unwrap_or(Trouble::Silent);
        let told = if late { self.failed(trouble, now) } else { None };
        self.open = Some((serial, now));
        self.due = Some(now + step(self.failures));
        (Some(serial), told)
    }

    /// What came back was no reply, and may be anybody's: this is why, should none come.
    pub(super) fn hint(&mut self, trouble: Trouble) {
        self.hint = Some(trouble);
    }

    /// It answered with an error, or could not be asked.
    pub(super) fn failed(&mut self, trouble: Trouble, now: Instant) -> Option<Told> {
        self.open = None;
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(trouble.clone());
        let may = !self.told && self.told_at.is_none_or(|at| now >= at + QUIET);
        (may && self.failures >= FAILURES_TOLD).then(|| {
            (self.told, self.told_at) = (true, Some(now));
            Told::Troubled(trouble)
        })
    }

    /// It answered that it knows what was sent last.
    pub(super) fn answered(&mut self) -> Option<Told> {
        let (serial, sent) = self.open.take()?;
        self.acknowledged = Some(serial);
        (self.failures, self.trouble) = (0, None);
        // Something newer may be due already.
        if self.wanted == Some(serial) {
            (self.due, self.behind) = (self.reminder().map(|pause| sent + pause), None);
        }
        std::mem::take(&mut self.told).then_some(Told::Well(serial))
    }

    /// After what pause the secondary is to be reminded.
    fn reminder(&mut self) -> Option<Duration> {
        let pause = match (self.lag, self.reminders) {
            (Some(_), 0) => SOON,
            (lag, 1) => lag?,
            _ => return None,
        };
        self.reminders += 1;
        Some(pause)
    }
}

/// How long an answer is waited for after so many failures.
fn step(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(6)).min(LONGEST)
}

#[cfg(test)]
mod tests;
