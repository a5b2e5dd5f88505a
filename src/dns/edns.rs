//! EDNS(0): what the OPT record of a query asks for, and the OPT record of the reply (RFC 6891).

use std::net::IpAddr;

use domain::base::Serial;
use domain::base::iana::{ExtendedErrorCode, OptRcode, OptionCode, Rtype};
use domain::base::opt::cookie::{ClientCookie, ServerCookie, StandardServerCookie};

use super::context::{Context, MAX_UDP, Transport};
use super::message::Record;
use super::reply::Reply;

/// The length of an OPT record without options: root, type, class, TTL and RDLENGTH.
pub const OPT: usize = 11;

/// The length of a cookie option in a reply: code, length, client cookie, and a server cookie of RFC 9018.
const COOKIE: usize = 4 + 8 + 16;

/// The length of an extended error in a reply: code, length and INFO-CODE.
const EXTENDED_ERROR: usize = 4 + 2;

/// Up to which age in seconds a server cookie is believed (RFC 9018, section 4.3).
const COOKIE_AGE: i32 = 3600;

/// How many seconds a server cookie may be of the future (the same): replicas' clocks differ.
const COOKIE_AHEAD: i32 = 300;

/// What the OPT record without options at the end of a query says, which is `octets`: the size of the largest reply, and
/// the OPT record of that. None if there is anything more to it.
#[inline]
pub fn plain_opt(octets: &[u8]) -> Option<(u16, [u8; OPT])> {
    const TYPE: u8 = Rtype::OPT.to_int() as u8;
    let [0, 0, TYPE, size_high, size_low, _, 0, flags, _, 0, 0] = *octets else { return None };
    let [our_high, our_low] = (MAX_UDP as u16).to_be_bytes();
    Some((u16::from_be_bytes([size_high, size_low]), [0, 0, TYPE, our_high, our_low, 0, 0, flags & 0x80, 0, 0, 0]))
}

/// What the OPT record of a query says. Options that this server does not know (Client Subnet among them) are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns<'q> {
    /// The largest reply over UDP that the client takes.
    pub size: u16,
    /// The version; this server knows 0.
    pub version: u8,
    /// DNSSEC OK: echoed, without other effect.
    pub dnssec_ok: bool,
    /// The client's half of the COOKIE option (RFC 7873), well-formed.
    pub client_cookie: Option<&'q [u8; 8]>,
    /// The server's half, if it is as long as one of RFC 9018; it may be anybody's.
    pub server_cookie: Option<&'q [u8; 16]>,
    /// Asks for NSID (RFC 5001).
    pub nsid: bool,
    /// Asks for the TCP idle time (RFC 7828).
    pub keepalive: bool,
}

impl<'q> Edns<'q> {
    /// Parses an OPT record, and says whether all of it is well-formed.
    #[inline(always)]
    pub fn parse(record: &Record<'q>) -> (Self, bool) {
        let [size_high, size_low, _, version, flags, _] = record.class_and_ttl;
        let mut edns = Self {
            size: u16::from_be_bytes([size_high, size_low]),
            version,
            dnssec_ok: flags & 0x80 != 0,
            client_cookie: None,
            server_cookie: None,
            nsid: false,
            keepalive: false,
        };
        let well_formed = edns.parse_options(record.rdata).is_some() && record.at_root;
        (edns, well_formed)
    }

    #[inline(always)]
    fn parse_options(&mut self, mut rdata: &'q [u8]) -> Option<()> {
        while !rdata.is_empty() {
            let ([c0, c1, l0, l1], rest) = rdata.split_first_chunk::<4>()?;
            let (option, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
            match OptionCode::from_int(u16::from_be_bytes([*c0, *c1])) {
                // Only the first COOKIE option counts (RFC 7873, section 5.2).
                OptionCode::COOKIE if self.client_cookie.is_none() => {
                    if !matches!(option.len(), 8 | 16..=40) {
                        return None;
                    }
                    self.client_cookie = option.first_chunk();
                    self.server_cookie = option.get(8..).and_then(|server| server.try_into().ok());
                }
                OptionCode::NSID => self.nsid = true,
                OptionCode::TCP_KEEPALIVE => self.keepalive = true,
                _ => {}
            }
            rdata = rest;
        }
        Some(())
    }

    /// Whether the server cookie is one that we, or another server with one of our secrets, gave to this very client a
    /// short time ago. Whoever has it has received a reply at its address.
    pub fn proves_address(&self, context: &Context<'_>) -> bool {
        let Some((client, server)) = self.client_cookie.zip(self.server_cookie) else { return false };
        let Some(server) = ServerCookie::from_octets(server).try_to_standard() else { return false };
        let age = context.now.wrapping_sub(server.timestamp().into_int()) as i32;
        let client = ClientCookie::from_octets(*client);
        let address = context.client.to_canonical();
        (-COOKIE_AHEAD..=COOKIE_AGE).contains(&age)
            && context.config.cookie_secrets.iter().any(|secret| server.check_hash(client, address, secret))
    }
}

/// The OPT record of a reply.
#[derive(Debug)]
pub struct OptReply<'a> {
    dnssec_ok: bool,
    cookie: Option<(&'a [u8; 8], ServerCookie)>,
    nsid: Option<&'a [u8]>,
    /// In units of 100 ms.
    keepalive: Option<u16>,
}

impl<'a> OptReply<'a> {
    /// What to say to a query with EDNS: only what it asked for.
    #[inline(never)]
    pub fn new(query: &Edns<'a>, context: &Context<'a>) -> Self {
        let cookie = query.client_cookie.zip(context.config.cookie_secrets.first());
        Self {
            dnssec_ok: query.dnssec_ok,
            cookie: cookie.map(|(client, secret)| {
                (client, server_cookie(*client, context.client.to_canonical(), context.now, secret))
            }),
            nsid: context.config.server_id.as_deref().map(str::as_bytes).filter(|_| query.nsid),
            keepalive: match context.transport {
                Transport::Tcp { idle } if query.keepalive => {
                    Some((idle.as_millis() / 100).try_into().unwrap_or(u16::MAX))
                }
                _ => None, // over UDP the option must be ignored (RFC 7828, section 3.2.1)
            },
        }
    }

    /// The record's length in octets, without an extended error: a reply with one has no records that need the room.
    pub fn len(&self) -> usize {
        OPT + self.options_len()
    }

    fn options_len(&self) -> usize {
        self.cookie.as_ref().map_or(0, |_| COOKIE)
            + self.nsid.map_or(0, |id| 4 + id.len())
            + self.keepalive.map_or(0, |_| 6)
    }

    /// Appends the record, with the reply's RCODE and the extended error (RFC 8914) if there is one.
    #[inline(never)]
    pub fn write(&self, reply: &mut Reply<'_>, rcode: OptRcode, error: Option<ExtendedErrorCode>) {
        let [type_high, type_low] = Rtype::OPT.to_int().to_be_bytes();
        let [size_high, size_low] = (MAX_UDP as u16).to_be_bytes();
        let flags = u8::from(self.dnssec_ok) << 7;
        let length = self.options_len() + error.map_or(0, |_| EXTENDED_ERROR);
        let [length_high, length_low] = (length as u16).to_be_bytes();
        reply.put(&[0, type_high, type_low, size_high, size_low, rcode.ext(), 0, flags, 0, length_high, length_low]);
        if let Some(error) = error {
            put_option(reply, OptionCode::EXTENDED_ERROR, &error.to_int().to_be_bytes(), &[]);
        }
        if let Some((client, server)) = &self.cookie {
            put_option(reply, OptionCode::COOKIE, *client, server.as_ref());
        }
        if let Some(id) = self.nsid {
            put_option(reply, OptionCode::NSID, id, &[]);
        }
        if let Some(tenths) = self.keepalive {
            put_option(reply, OptionCode::TCP_KEEPALIVE, &tenths.to_be_bytes(), &[]);
        }
    }
}

/// An option whose content is `first` and then `second`.
fn put_option(reply: &mut Reply<'_>, code: OptionCode, first: &[u8], second: &[u8]) {
    let [c0, c1] = code.to_int().to_be_bytes();
    let [l0, l1] = ((first.len() + second.len()) as u16).to_be_bytes();
    reply.put(&[c0, c1, l0, l1]);
    reply.put(first);
    reply.put(second);
}

/// A server cookie that every server with the same secret makes and believes (RFC 9018). A fresh one is made for each
/// reply: clients keep the newest.
fn server_cookie(client: [u8; 8], address: IpAddr, now: u32, secret: &[u8; 16]) -> ServerCookie {
    StandardServerCookie::calculate(ClientCookie::from_octets(client), Serial(now), address, secret).into()
}
