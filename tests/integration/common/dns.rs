//! A DNS client that shows replies in words, so that tests compare a whole reply with a string.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use domain::base::iana::{OptRcode, Rtype};
use domain::base::opt::AllOptData;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;

/// How long a reply may take: on loopback it comes at once or, while the socket is not there yet, never.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The id of the next query; any will do, as nobody here forges replies.
static NEXT_ID: AtomicU16 = AtomicU16::new(1);

/// What a reply says. Its `Display` is one of
/// - the addresses, sorted as words, with spaces in between: `192.0.2.1 192.0.2.2`
/// - `SOA` and other record types, if the answer has other records
/// - `NODATA`, for NOERROR without an answer
/// - the RCODE and, if there is one, the extended error: `NXDOMAIN`, `SERVFAIL 14`
///
/// followed by ` TC` when it is truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    answer: BTreeSet<String>,
    rcode: OptRcode,
    extended_error: Option<u16>,
    truncated: bool,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rcode, self.answer.is_empty()) {
            (OptRcode::NOERROR, true) => f.write_str("NODATA")?,
            (OptRcode::NOERROR, false) => f.write_str(&self.answer.iter().cloned().collect::<Vec<_>>().join(" "))?,
            (rcode, _) => write!(f, "{rcode}")?,
        }
        if let Some(code) = self.extended_error {
            write!(f, " {code}")?;
        }
        if self.truncated { f.write_str(" TC") } else { Ok(()) }
    }
}

/// Asks `NAME TYPE` over UDP, with EDNS.
pub(crate) fn ask(server: SocketAddr, question: &str) -> io::Result<Reply> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    let query = query(question);
    socket.send(&query)?;
    let mut buffer = [0; 65_535];
    let length = socket.recv(&mut buffer)?;
    parse(&query, &buffer[..length])
}

/// The serial of a zone's SOA.
pub(crate) fn serial(server: SocketAddr, zone: &str) -> Option<u32> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.connect(server).ok()?;
    socket.set_read_timeout(Some(TIMEOUT)).ok()?;
    socket.send(&query(&format!("{zone} SOA"))).ok()?;
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).ok()?;
    let reply = Message::from_octets(&buffer[..length]).ok()?;
    let record = reply.answer().ok()?.limit_to::<domain::rdata::Soa<_>>().next()?.ok()?;
    Some(record.data().serial().into_int())
}

/// Asks `NAME TYPE` over TCP.
pub(crate) fn ask_tcp(server: SocketAddr, question: &str) -> io::Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let query = query(question);
    stream.write_all(&[&u16::try_from(query.len()).unwrap().to_be_bytes()[..], &query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply)?;
    parse(&query, &reply)
}

/// The query for `NAME TYPE`, with an id of its own and EDNS.
pub(crate) fn query(question: &str) -> Vec<u8> {
    let (name, rtype) = question.split_once(' ').expect("a question is NAME TYPE");
    let mut builder = MessageBuilder::new_vec().question();
    builder.header_mut().set_rd(true); // for resolvers; an authoritative server copies it
    builder.header_mut().set_id(NEXT_ID.fetch_add(1, Ordering::Relaxed));
    builder.push((Name::<Vec<u8>>::from_str(name).unwrap(), Rtype::from_str(rtype).unwrap())).unwrap();
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(1232);
            Ok(())
        })
        .unwrap();
    builder.finish()
}

pub(super) fn parse(query: &[u8], reply: &[u8]) -> io::Result<Reply> {
    let broken = |what: &dyn fmt::Display| io::Error::new(io::ErrorKind::InvalidData, format!("bad reply: {what}"));
    let query = Message::from_octets(query).unwrap();
    let reply = Message::from_octets(reply).map_err(|error| broken(&error))?;
    if !reply.is_answer(&query) {
        return Err(broken(&"it answers another question"));
    }
    let mut answer = BTreeSet::new();
    for record in reply.answer().map_err(|error| broken(&error))? {
        let record = record.map_err(|error| broken(&error))?;
        let rtype = record.rtype();
        let record = record.into_any_record::<AllRecordData<_, _>>().map_err(|error| broken(&error))?;
        answer.insert(match record.data() {
            AllRecordData::A(a) => IpAddr::from(a.addr()).to_string(),
            AllRecordData::Aaaa(aaaa) => IpAddr::from(aaaa.addr()).to_string(),
            _ => rtype.to_string(),
        });
    }
    let opt = reply.opt().ok_or_else(|| broken(&"it has no OPT"))?;
    let extended_error = opt.opt().iter::<AllOptData<_, _>>().find_map(|option| match option {
        Ok(AllOptData::ExtendedError(error)) => Some(error.code().to_int()),
        _ => None,
    });
    Ok(Reply { answer, rcode: opt.rcode(reply.header()), extended_error, truncated: reply.header().tc() })
}
