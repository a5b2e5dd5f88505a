//! NOTIFY on the wire (RFC 1996, section 3): the request that tells of a serial, and whether something is the reply to it.
//!
//! In: a zone; datagrams. Out: a request; an RCODE. The new SOA is in the answer section, as the RFC allows: a secondary
//! that has it already need not ask.

use domain::base::Serial;
use domain::base::iana::{Class, Rcode, Rtype};

use crate::dns::message::{self, Header};
use crate::zone::Zone;
use crate::zone::wire::QUESTION;

/// The opcode of NOTIFY, where it stands in the flags.
const NOTIFY: u16 = 4 << 11;

/// The RCODE's bits of the flags.
const RCODE: u16 = 0x000F;

/// A version of a zone, as it is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its serial.
    pub(super) serial: Serial,
    /// The request, with 0 for its id.
    request: Vec<u8>,
}

impl Announcement {
    /// Of this zone.
    pub fn of(zone: &Zone) -> Self {
        let header = Header { id: 0, flags: NOTIFY | Header::AA, qdcount: 1, ancount: 1, nscount: 0, arcount: 0 };
        let mut request = vec![0; Header::LEN];
        header.write(&mut request);
        request.extend(zone.apex());
        request.extend(Rtype::SOA.to_int().to_be_bytes());
        request.extend(Class::IN.to_int().to_be_bytes());
        let behind = request.len();
        request.resize(behind + zone.soa().octets(), 0);
        zone.soa().write(request.get_mut(behind..).unwrap_or_default(), QUESTION);
        Self { serial: zone.serial(), request }
    }

    /// The request.
    pub(super) fn request(&self, id: u16) -> Vec<u8> {
        let mut request = self.request.clone();
        if let Some(place) = request.first_chunk_mut() {
            *place = id.to_be_bytes();
        }
        request
    }

    /// What `reply` says to the request with this id; `None` if it is not a reply to it. Where it came from was looked at
    /// by the kernel, since sockets are connected.
    pub(super) fn judge(&self, id: u16, reply: &[u8]) -> Option<Rcode> {
        let header = Header::parse(reply)?;
        let is_reply = header.id == id && header.flags & (Header::QR | Header::OPCODE) == Header::QR | NOTIFY;
        // Servers copy the question, and some leave it away with an error. Another one is another zone's reply.
        let asked = |message| message::question(message, Header::LEN).map(|question| question.wire);
        let is_ours = match header.qdcount {
            0 => true,
            1 => asked(reply).zip(asked(&self.request)).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other)),
            _ => false,
        };
        (is_reply && is_ours).then(|| Rcode::masked_from_int((header.flags & RCODE) as u8))
    }
}

#[cfg(test)]
mod tests {
    use domain::base::Message;
    use domain::base::iana::Opcode;
    use domain::rdata::Soa;

    use super::*;
    use crate::zone::fixture;

    fn announcement() -> Announcement {
        Announcement::of(&fixture::zone().with_serial(Serial(1_800_000_007)))
    }

    /// The request with other flags and as many questions.
    fn reply(id: u16, flags: u16, qdcount: u16) -> Vec<u8> {
        let mut reply = announcement().request(id);
        Header { id, flags, qdcount, ancount: 0, nscount: 0, arcount: 0 }.write(&mut reply);
        reply
    }

    #[test]
    fn a_request_is_as_rfc_1996_says() {
        let request = announcement().request(0xBEEF);
        let message = Message::from_octets(&request).unwrap();
        let header = message.header();
        assert_eq!((header.id(), header.opcode(), header.qr(), header.aa()), (0xBEEF, Opcode::NOTIFY, false, true));
        let question = message.sole_question().unwrap();
        assert_eq!((question.qtype(), question.qclass()), (Rtype::SOA, Class::IN));
        let soa = message.answer().unwrap().limit_to::<Soa<_>>().next().unwrap().unwrap();
        assert_eq!((soa.owner(), soa.data().serial()), (question.qname(), Serial(1_800_000_007)));
        assert_eq!(message.answer().unwrap().count(), 1);
    }

    #[test]
    fn what_comes_back_is_a_reply_or_it_is_not() {
        let (id, flags) = (7, Header::QR | NOTIFY);
        let upper = reply(id, flags, 1).to_ascii_uppercase(); // of the header only its octets that are no letters
        for (reply, expect) in [
            (reply(id, flags, 1), Some(Rcode::NOERROR)),
            (reply(id, flags | Header::AA, 1), Some(Rcode::NOERROR)),
            (upper, Some(Rcode::NOERROR)),
            (reply(id, flags | 5, 1), Some(Rcode::REFUSED)),
            (reply(id, flags | 9, 1), Some(Rcode::NOTAUTH)),
            (reply(id, flags | 4, 0)[..Header::LEN].to_vec(), Some(Rcode::NOTIMP)),
            (reply(id + 1, flags, 1), None),            // of another request
            (reply(id, NOTIFY, 1), None),               // a request
            (reply(id, Header::QR, 1), None),           // of a query
            (reply(id, flags, 2), None),                // two questions
            (reply(id, flags, 1)[..20].to_vec(), None), // cut short
            (reply(id, flags, 1)[..11].to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(announcement().judge(id, &reply), expect, "{reply:?}");
        }
        let mut other = reply(id, flags, 1);
        other[Header::LEN + 1] = b'x';
        assert_eq!(announcement().judge(id, &other), None, "of another zone");
    }
}
