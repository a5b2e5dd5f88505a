//! Transfers of the zone to secondaries: AXFR (RFC 5936) and IXFR (RFC 1995).
//!
//! In: a query of type AXFR or IXFR, and the present [`Edition`]. Out: a [`Decision`]: an error, the SOA record alone, or a
//! stream of messages ([`stream`]), which the TCP server sends as fast as the client takes them. [`answer`] gives the first
//! two of them, as all other replies. Who may have the zone is in [`acl`].
//!
//! [`answer`]: super::answer::answer

pub mod acl;
mod cursor;
mod lines;
mod open;
pub mod stream;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use domain::base::iana::{Class, ExtendedErrorCode, OptRcode, Rtype};
use parking_lot::Mutex;

use self::acl::Acl;
use self::lines::Lines;
use self::open::{Full, Open};
use super::context::{Context, Transport};
use super::counters::Counter;
use super::message::Question;
use super::query::Query;
use crate::zone::{Edition, Editions, Zone};

/// Who may have the zone, of what it is made, and what came of it.
#[derive(Debug, Default)]
pub struct Transfers {
    /// Who may.
    pub acl: Acl,
    /// What they get.
    pub editions: Arc<Editions>,
    /// What there was; written by the TCP server alone.
    pub counters: Counters,
    open: Mutex<Open>,
    /// Lines of the log: each kind has its own, so that what goes well does not hide what does not.
    sent: Mutex<Lines>,
    cut: Mutex<Lines>,
    refusals: Mutex<Lines>,
    busy: Mutex<Lines>,
}

/// Streams of messages. An IXFR that is answered with the SOA alone is none of them.
#[derive(Debug, Default)]
pub struct Counters {
    /// Whole zones that were asked for (AXFR), and sent to the end.
    pub axfr: Counter,
    /// Changes (IXFR).
    pub ixfr: Counter,
    /// Whole zones in answer to IXFR, since the journal does not go back as far.
    pub fallback: Counter,
    /// Those that did not come to their end: the client went away, or was too slow.
    pub cut: Counter,
    /// Those that were not begun, since there were too many already.
    pub busy: Counter,
    /// Octets of all messages.
    pub octets: Counter,
    /// Those that are under way.
    pub open: Counter,
}

/// What to do about a query for a transfer.
#[derive(Debug)]
pub(super) enum Decision {
    /// There is nothing to be had.
    Error(OptRcode, Option<ExtendedErrorCode>),
    /// The SOA record alone: the client has this version or a later one, or is to come by TCP.
    Soa(Arc<Edition>),
    /// The changes from this place of the journal on, or the whole zone.
    Stream(Arc<Edition>, Option<usize>),
}

impl Transfers {
    /// Lets those of `acl` have what is in `editions`.
    pub fn new(acl: Acl, editions: Arc<Editions>) -> Self {
        Self { acl, editions, ..Self::default() }
    }

    /// Decides about a query whose name is in the zone, and whose signature, if there is one, is right.
    #[cold]
    #[inline(never)]
    pub(super) fn decide(&self, query: &Query<'_>, zone: &Zone, context: &Context<'_>) -> Decision {
        let Some(question) = query.question else { return Decision::Error(OptRcode::FORMERR, None) };
        if !self.acl.may(context.client.to_canonical(), query.key) {
            return Decision::Error(OptRcode::REFUSED, Some(ExtendedErrorCode::PROHIBITED));
        }
        if question.class != Class::IN || !question.name().eq_ignore_ascii_case(zone.apex()) {
            return Decision::Error(OptRcode::NOTAUTH, None); // RFC 5936, section 2.2.1
        }
        let is_udp = context.transport == Transport::Udp;
        let from = match (question.rtype, query.soa) {
            (Rtype::AXFR, _) if !is_udp => None,
            (Rtype::IXFR, Some(serial)) => Some(serial),
            // There is no AXFR over UDP (RFC 5936, section 4.2), and no IXFR from nowhere (RFC 1995, section 3).
            _ => return Decision::Error(OptRcode::FORMERR, None),
        };
        let Some(edition) = self.editions.current() else {
            return Decision::Error(OptRcode::SERVFAIL, Some(ExtendedErrorCode::NOT_READY));
        };
        match from {
            Some(from)
                if is_udp || !matches!(from.partial_cmp(&edition.zone.serial()), Some(std::cmp::Ordering::Less)) =>
            {
                Decision::Soa(edition)
            }
            from => {
                let first = from.and_then(|from| edition.journal.place(from));
                Decision::Stream(edition, first)
            }
        }
    }

    /// Says now and then who asked over TCP and may not, where somebody may.
    pub(super) fn refused(&self, client: Ipv6Addr, signed: bool) {
        if self.acl.is_empty() {
            return; // nobody is meant to: some scan the Internet for zones
        }
        if let Some(unsaid) = self.refusals.lock().next(super::clock::monotonic()) {
            let signed = if signed { "signed" } else { "not signed" };
            log::warn!(
                "a transfer was refused to {}: its query is {signed}; --allow-transfer names neither its address nor its \
                 key, or it asks for another zone{unsaid}",
                client.to_canonical()
            );
        }
    }

    /// Gives a stream to `client` a place, to be given back by [`leave`](Self::leave). False: there are too many, which is
    /// said now and then.
    fn enter(&self, client: IpAddr, key: Option<&str>) -> bool {
        let mut open = self.open.lock();
        let entered = open.enter(client);
        self.counters.open.set(open.len());
        drop(open);
        if let Err(full) = &entered {
            self.put_off(client, key, full);
        }
        entered.is_ok()
    }

    /// A stream to `client` has ended.
    fn leave(&self, client: IpAddr) {
        let mut open = self.open.lock();
        open.leave(client);
        self.counters.open.set(open.len());
    }

    fn put_off(&self, client: IpAddr, key: Option<&str>, full: &Full) {
        self.counters.busy.add(1);
        if let Some(unsaid) = self.busy.lock().next(super::clock::monotonic()) {
            log::warn!("a transfer to {} is put off with SERVFAIL: {full}{unsaid}", who(client, key));
        }
    }

    /// Says that a transfer ended, unless there are too many of them that ended so.
    fn ended(&self, line: impl FnOnce() -> String, complete: bool) {
        let (lines, level) = if complete { (&self.sent, log::Level::Info) } else { (&self.cut, log::Level::Warn) };
        if let Some(unsaid) = lines.lock().next(super::clock::monotonic()) {
            log::log!(level, "{}{unsaid}", line());
        }
    }
}

/// Whether a question is one for a transfer.
pub(super) fn is_transfer(question: Question<'_>) -> bool {
    matches!(question.rtype, Rtype::AXFR | Rtype::IXFR)
}

/// An address as the log has it, with the key.
fn who(client: IpAddr, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("{client} (key {key})"),
        None => client.to_string(),
    }
}

#[cfg(test)]
mod tests;
