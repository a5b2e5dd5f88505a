//! Queries by what they asked for and what they got, and the sizes of replies.
//!
//! In: one call a reply, from the one thread that owns the set. Out: numbers for the metrics. Everything is counted by
//! small lists that are fixed here: a client that asks for each of 65 536 types fills one place, "other".

use std::net::Ipv6Addr;

use domain::base::iana::{OptRcode, Rtype};

use super::Counter;
use crate::dns::answer::Answered;
use crate::dns::tsig::query::Verdict;

/// A list of labels, each with its place.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$label_doc:meta])* $label:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$label_doc])* $label,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$label,)*];

            /// As the metrics call it.
            pub fn label(self) -> &'static str {
                match self { $(Self::$label => $text,)* }
            }
        }
    };
}

labels! {
    /// The address family that a query came over.
    Family {
        /// IPv4.
        V4 = "ipv4",
        /// IPv6.
        V6 = "ipv6",
    }
}

labels! {
    /// The type that a query asked for.
    QueryType {
        /// A
        A = "A",
        /// AAAA
        Aaaa = "AAAA",
        /// SOA
        Soa = "SOA",
        /// NS
        Ns = "NS",
        /// TXT
        Txt = "TXT",
        /// ANY
        Any = "ANY",
        /// AXFR or IXFR
        Transfer = "XFR",
        /// Every other type, and none at all.
        Other = "other",
    }
}

labels! {
    /// What a query got.
    Outcome {
        /// NOERROR with records.
        NoError = "NOERROR",
        /// NOERROR without records.
        NoData = "NODATA",
        /// NXDOMAIN
        NxDomain = "NXDOMAIN",
        /// FORMERR
        FormErr = "FORMERR",
        /// SERVFAIL
        ServFail = "SERVFAIL",
        /// NOTIMP
        NotImp = "NOTIMP",
        /// REFUSED
        Refused = "REFUSED",
        /// BADVERS
        BadVers = "BADVERS",
        /// NOTAUTH: its TSIG record is not believed.
        NotAuth = "NOTAUTH",
    }
}

/// The upper edges of the buckets of reply sizes, in octets. 512 is what fits without EDNS, 1232 what is sent over UDP at
/// most.
pub const SIZES: [u16; 7] = [64, 128, 256, 512, 1232, 4096, 16_384];

const PLACES: usize = Family::ALL.len() * QueryType::ALL.len() * Outcome::ALL.len();

/// How many buckets of reply sizes there are: the last is for those beyond the last edge.
const BUCKETS: usize = SIZES.len() + 1;

/// The queries of one thread.
#[derive(Debug)]
#[repr(align(64))]
pub struct QueryCounts {
    /// By family, type and outcome, and each of them by the size of the reply: a cache line, and all that is written for
    /// a query.
    replies: [[Counter; BUCKETS]; PLACES],
    /// Octets of all replies. Added by whoever counts the queries, for several at once if it likes.
    pub octets: Counter,
    /// Replies with TC set.
    pub truncated: Counter,
    /// Queries with a TSIG record, in the order of [`Verdict::COUNTED`].
    pub signed: [Counter; Verdict::COUNTED.len()],
}

const _: () = assert!(size_of::<[Counter; BUCKETS]>() == 64);

impl Default for QueryCounts {
    fn default() -> Self {
        Self {
            replies: [const { [const { Counter::new() }; BUCKETS] }; PLACES],
            octets: Counter::new(),
            truncated: Counter::new(),
            signed: Default::default(),
        }
    }
}

impl Family {
    /// The family of a client's address, which is IPv4-mapped if it is IPv4.
    #[inline]
    pub fn of(client: Ipv6Addr) -> Self {
        if client.to_bits() >> 32 == 0xFFFF { Self::V4 } else { Self::V6 }
    }
}

impl QueryType {
    /// The place of a type.
    #[inline]
    pub fn of(rtype: Rtype) -> Self {
        match rtype {
            Rtype::A => Self::A,
            Rtype::AAAA => Self::Aaaa,
            Rtype::SOA => Self::Soa,
            Rtype::NS => Self::Ns,
            Rtype::TXT => Self::Txt,
            Rtype::ANY => Self::Any,
            Rtype::AXFR | Rtype::IXFR => Self::Transfer,
            _ => Self::Other,
        }
    }
}

impl Outcome {
    /// The place of an RCODE; `answers` says whether the answer section has a record.
    #[inline]
    pub fn of(rcode: OptRcode, answers: bool) -> Self {
        match rcode {
            OptRcode::NOERROR if answers => Self::NoError,
            OptRcode::NOERROR => Self::NoData,
            OptRcode::NXDOMAIN => Self::NxDomain,
            OptRcode::FORMERR => Self::FormErr,
            OptRcode::NOTIMP => Self::NotImp,
            OptRcode::REFUSED => Self::Refused,
            OptRcode::BADVERS => Self::BadVers,
            OptRcode::NOTAUTH => Self::NotAuth,
            _ => Self::ServFail, // no other RCODE is ever sent
        }
    }
}

impl QueryCounts {
    /// A query was answered so, or got no reply.
    #[inline]
    pub fn answered(&self, family: Family, answered: Answered) {
        if answered.is_empty() {
            return;
        }
        let Answered { octets, rtype, outcome, truncated, .. } = answered;
        self.count(family, rtype, outcome, usize::from(octets));
        if truncated {
            self.truncated.add(1);
        }
    }

    /// A query was answered with a reply of `octets`.
    #[inline]
    pub fn count(&self, family: Family, rtype: QueryType, outcome: Outcome, octets: usize) {
        // The first edges are powers of two from 64 on.
        let bucket = match octets {
            0..=64 => 0,
            65..=512 => (octets - 1).ilog2() as usize - 5,
            _ => SIZES.iter().filter(|edge| octets > usize::from(**edge)).count(),
        };
        let sizes = self.replies.get(place(family, rtype, outcome));
        if let Some(counter) = sizes.and_then(|sizes| sizes.get(bucket)) {
            counter.add(1);
        }
    }

    /// A query had a TSIG record.
    pub fn signed(&self, verdict: Verdict) {
        let places = Verdict::COUNTED.iter().zip(&self.signed);
        places.filter(|((counted, _), _)| *counted == verdict).for_each(|(_, counter)| counter.add(1));
    }

    /// How many were so.
    pub fn queries(&self, family: Family, rtype: QueryType, outcome: Outcome) -> u64 {
        self.replies.get(place(family, rtype, outcome)).map_or(0, sum)
    }

    /// How many got this, whatever they asked for.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.replies.iter().skip(outcome as usize).step_by(Outcome::ALL.len()).map(sum).sum()
    }

    /// How many replies fell into each bucket, the one beyond the last edge included.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        (0..BUCKETS).map(|bucket| self.replies.iter().filter_map(|sizes| sizes.get(bucket)).map(Counter::value).sum())
    }
}

/// The replies of one kind.
fn sum(sizes: &[Counter; BUCKETS]) -> u64 {
    sizes.iter().map(Counter::value).sum()
}

fn place(family: Family, rtype: QueryType, outcome: Outcome) -> usize {
    (family as usize * QueryType::ALL.len() + rtype as usize) * Outcome::ALL.len() + outcome as usize
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn every_kind_of_query_has_a_place_of_its_own() {
        let counts = QueryCounts::default();
        let all = || {
            Family::ALL.iter().flat_map(|family| {
                let types = QueryType::ALL.iter();
                types.flat_map(move |rtype| Outcome::ALL.iter().map(move |outcome| (*family, *rtype, *outcome)))
            })
        };
        for (times, (family, rtype, outcome)) in all().enumerate() {
            for _ in 0..times {
                counts.count(family, rtype, outcome, 50);
            }
        }
        for (times, (family, rtype, outcome)) in all().enumerate() {
            assert_eq!(counts.queries(family, rtype, outcome), times as u64, "{family:?} {rtype:?} {outcome:?}");
        }
        assert_eq!(all().count(), PLACES);
        let sum = |outcome| {
            all().enumerate().filter(|(_, kind)| kind.2 == outcome).map(|(times, _)| times as u64).sum::<u64>()
        };
        for outcome in Outcome::ALL {
            assert_eq!(counts.outcome(*outcome), sum(*outcome), "{outcome:?}");
        }
    }

    #[test]
    fn a_reply_is_in_the_bucket_whose_edge_it_does_not_exceed() {
        for (octets, bucket) in
            [(12, 0), (64, 0), (65, 1), (512, 3), (513, 4), (1232, 4), (1233, 5), (16_384, 6), (65_535, 7)]
        {
            let counts = QueryCounts::default();
            counts.count(Family::V4, QueryType::A, Outcome::NoError, octets);
            let sizes: Vec<_> = counts.sizes().collect();
            assert_eq!(sizes.iter().position(|count| *count == 1), Some(bucket), "{octets}");
            assert_eq!(sizes.iter().sum::<u64>(), 1);
        }
    }

    #[test]
    fn what_clients_invent_is_other() {
        assert_eq!(QueryType::of(Rtype::from_int(65_280)), QueryType::Other);
        assert_eq!(QueryType::of(Rtype::IXFR), QueryType::Transfer);
        assert_eq!(Outcome::of(OptRcode::NOERROR, true), Outcome::NoError);
        assert_eq!(Outcome::of(OptRcode::NOERROR, false), Outcome::NoData);
        assert_eq!(Outcome::of(OptRcode::BADVERS, false), Outcome::BadVers);
        assert_eq!(Family::of(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()), Family::V4);
    }
}
