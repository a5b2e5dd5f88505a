//! Messages of ours beside those of another implementation, domain's: transfers of many messages, requests and replies.

use std::str::FromStr;
use std::sync::Arc;

use domain::base::iana::Rtype;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::tsig::Time48;
use domain::tsig::{self, ClientSequence, ServerTransaction};

use super::key::{Algorithm, Key};
use super::keyring::Keyring;
use super::query::{Verdict, check};
use super::request::{self, Unproven};
use crate::dns::clock;
use crate::dns::query::Query;

const NOW: u64 = 1_800_000_000;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn pairs() -> impl Iterator<Item = (Arc<Key>, Arc<tsig::Key>)> {
    let algorithms = [
        (Algorithm::Sha256, tsig::Algorithm::Sha256),
        (Algorithm::Sha384, tsig::Algorithm::Sha384),
        (Algorithm::Sha512, tsig::Algorithm::Sha512),
    ];
    algorithms.into_iter().map(|(ours, theirs)| {
        let ours = Key::new(&Name::from_str("XFR.example").unwrap(), ours, SECRET);
        let theirs = tsig::Key::new(theirs, SECRET, "xfr.EXAMPLE".parse().unwrap(), None, None).unwrap();
        (Arc::new(ours), Arc::new(theirs))
    })
}

fn key(name: &str, secret: &[u8]) -> Arc<Key> {
    Arc::new(Key::new(&Name::from_str(name).unwrap(), Algorithm::Sha256, secret))
}

fn ring(keys: &[&Arc<Key>]) -> Keyring {
    let names = keys.iter().map(|key| Key::new(&Name::from_str(key.name()).unwrap(), key.algorithm(), SECRET));
    Keyring::of_keys(names)
}

/// A message about the zone, with that id.
fn message(id: u16) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message[..2].copy_from_slice(&id.to_be_bytes());
    message.extend(b"\x02lb\x07example\x04test\0\x00\xfc\x00\x01");
    message
}

fn checked<'q>(query: &'q [u8], keys: &Keyring, now: u64) -> super::query::Checked<'q> {
    check(query, Query::parse(query, None).unwrap().tsig.unwrap(), keys, now).unwrap()
}

#[test]
fn each_message_of_a_transfer_is_signed_and_none_may_be_missing() {
    for (ours, theirs) in pairs() {
        let mut builder = MessageBuilder::new_vec().question();
        builder.push((Name::<Vec<u8>>::from_str("lb.example.test").unwrap(), Rtype::AXFR)).unwrap();
        let mut builder = builder.additional();
        let mut sequence = ClientSequence::request(Arc::clone(&theirs), &mut builder, Time48::now()).unwrap();
        let query = builder.finish();
        let now = clock::since_1970().as_secs();
        let keys = ring(&[&ours]);
        let checked = checked(&query, &keys, now);
        assert_eq!((checked.verdict(), checked.key_name()), (Verdict::Verified, Some("xfr.example")));
        let mut signer = checked.signer().unwrap();
        assert_eq!(signer.key_name(), "xfr.example");
        let id = u16::from_be_bytes([query[0], query[1]]);
        let messages: Vec<_> = (0..150)
            .map(|_| {
                let mut part = message(id);
                part[2] = 0x84;

                let unsigned = part.len();
                signer.sign(&mut part);
                assert_eq!(part.len(), unsigned + signer.reserve());
                part
            })
            .collect();
        for part in &messages {
            let mut part = Message::from_octets(part.clone()).unwrap();
            sequence.answer(&mut part, Time48::now()).unwrap();
            assert_eq!(part.header_counts().arcount(), 0);
        }
        sequence.done().unwrap();

        let mut builder = MessageBuilder::new_vec().question().additional();
        let mut sequence = ClientSequence::request(theirs, &mut builder, Time48::now()).unwrap();
        let query = builder.finish();
        let mut signer = super::tests::checked(&query, &keys, now).signer().unwrap();
        let id = u16::from_be_bytes([query[0], query[1]]);
        let mut next = || {
            let mut part = message(id);
            part[2] = 0x84;
            signer.sign(&mut part);
            Message::from_octets(part).unwrap()
        };
        sequence.answer(&mut next(), Time48::now()).unwrap();
        next();
        assert!(sequence.answer(&mut next(), Time48::now()).is_err(), "one is missing");
    }
}

#[test]
fn a_request_is_believed_by_another_implementation_and_its_reply_by_us() {
    for (ours, theirs) in pairs() {
        let mut notify = message(7);
        let request = request::sign(&ours, &mut notify, NOW);
        let mut received = Message::from_octets(notify).unwrap();
        let transaction = ServerTransaction::request(&theirs, &mut received, Time48::from_u64(NOW)).unwrap().unwrap();
        let builder = MessageBuilder::new_vec().start_answer(&received, domain::base::iana::Rcode::NOERROR).unwrap();
        let mut builder = builder.additional();
        transaction.answer(&mut builder, Time48::from_u64(NOW + 9)).unwrap();
        let reply = builder.finish();
        assert_eq!(request.verify(&reply, NOW), Ok(()));
        assert_eq!(request.verify(&reply, NOW + 309), Ok(()));
        assert_eq!(request.verify(&reply, NOW + 310), Err(Unproven::BadTime));
        let mut changed = reply.clone();
        changed[3] ^= 1; // the RCODE
        assert_eq!(request.verify(&changed, NOW), Err(Unproven::BadSig));
        let mut other = request::sign(&ours, &mut message(7), NOW + 1);
        assert_eq!(other.verify(&reply, NOW), Err(Unproven::BadSig), "the reply to another request");
        other = request::sign(&key("other.example", SECRET), &mut message(7), NOW);
        assert_eq!(other.verify(&reply, NOW), Err(Unproven::Unsigned), "a reply of another key");
    }
}

/// Our own server's reply to our own request.
#[test]
fn what_the_other_side_does_not_believe_is_told() {
    let (good, other) = (key("k.example", SECRET), key("k.example", b"another secret"));
    let long_name = "a".repeat(63) + "." + &"b".repeat(63);
    for (ours, known, late, expect) in [
        (&good, &good, 0, Ok(())),
        (&other, &good, 0, Err(Unproven::Rejected(16))),
        (&good, &key("j.example", SECRET), 0, Err(Unproven::Rejected(17))),
        (&good, &good, 301, Err(Unproven::Rejected(18))),
        (&key(&long_name, SECRET), &key(&long_name, SECRET), 0, Ok(())),
    ] {
        let mut query = message(9);
        let request = request::sign(ours, &mut query, NOW);
        let keys = ring(&[known]);
        let checked = checked(&query, &keys, NOW + late);
        let mut reply = message(9);
        reply[2] = 0x80;
        let len = reply.len();
        reply.resize(1232, 0);
        let signed = checked.sign(&mut reply, len, 1232);
        assert_eq!(signed, len + checked.reserve());
        reply.truncate(signed);
        assert_eq!(request.verify(&reply, NOW), expect);
    }
    // The MAC of BADTIME is looked at, since it could be.
    let mut query = message(9);
    let request = request::sign(&good, &mut query, NOW);
    let keys = ring(&[&good]);
    let mut reply = message(9);
    let len = reply.len();
    reply.resize(1232, 0);
    let signed = checked(&query, &keys, NOW + 301).sign(&mut reply, len, 1232);
    reply.truncate(signed);
    let last = reply.len() - 1;
    reply[last] ^= 1;
    assert_eq!(request.verify(&reply, NOW), Err(Unproven::BadSig));
}

#[test]
fn whatever_comes_back_is_no_proof() {
    let mut query = message(9);
    let request = request::sign(&key("k.example", SECRET), &mut query, NOW);
    let mut counts_more = query.clone();
    counts_more[11] = 9;
    for reply in [&[][..], &message(9), &query[..11], &query[..40], &counts_more, &[0xFF; 60]] {
        assert_eq!(request.verify(reply, NOW), Err(Unproven::Unsigned), "{reply:?}");
    }
    // Our own request is signed with the key, but is no reply.
    assert_eq!(request.verify(&query, NOW), Err(Unproven::BadSig));
}
