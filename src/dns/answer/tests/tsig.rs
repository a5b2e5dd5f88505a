//! Signed queries (RFC 8945): domain signs them and checks the replies, as far as it is right.

use std::sync::Arc;

use domain::base::MessageBuilder;
use domain::base::iana::Opcode;
use domain::rdata::tsig::Time48;
use domain::tsig::{self, ClientTransaction, ValidationError};

use super::*;
use crate::dns::tsig::key::{Algorithm, Key};
use crate::dns::tsig::keyring::Keyring;
use crate::dns::tsig::query::Verdict;

/// When [`reply`] answers.
const NOW: u64 = 1_559_731_985;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

const ALGORITHMS: [(Algorithm, tsig::Algorithm); 3] = [
    (Algorithm::Sha256, tsig::Algorithm::Sha256),
    (Algorithm::Sha384, tsig::Algorithm::Sha384),
    (Algorithm::Sha512, tsig::Algorithm::Sha512),
];

fn key_name(name: &str) -> tsig::KeyName {
    name.parse().unwrap()
}

/// A server that knows the keys `sha256`, `sha384` and `sha512`.
fn knows_keys() -> AnswerConfig {
    let key = |(ours, theirs): (Algorithm, tsig::Algorithm)| {
        Key::new(&Name::from_str(&format!("{}.Key", &theirs.to_string()[5..])).unwrap(), ours, SECRET)
    };
    AnswerConfig { keys: Arc::new(Keyring::of_keys(ALGORITHMS.map(key))), ..AnswerConfig::default() }
}

/// A key of the client, whose MACs are whole or `len` octets long.
fn key(name: &str, algorithm: tsig::Algorithm, secret: &[u8], len: Option<usize>) -> Arc<tsig::Key> {
    Arc::new(tsig::Key::new(algorithm, secret, key_name(name), len, len).unwrap())
}

fn good_key() -> Arc<tsig::Key> {
    key("sha256.key", tsig::Algorithm::Sha256, SECRET, None)
}

/// The same query with a signature of that time.
fn sign(ask: &Ask, key: &Arc<tsig::Key>, time: u64) -> (Vec<u8>, ClientTransaction<Arc<tsig::Key>>) {
    let unsigned = ask.bytes();
    let message = Message::from_octets(unsigned.as_slice()).unwrap();
    let mut builder = MessageBuilder::new_vec();
    *builder.header_mut() = message.header();
    let mut builder = builder.question();
    message.question().for_each(|question| builder.push(question.unwrap()).unwrap());
    let mut builder = builder.additional();
    if let Some(opt) = message.opt() {
        builder.push(opt.as_record()).unwrap();
    }
    assert_eq!(builder.as_slice(), unsigned);
    let transaction = ClientTransaction::request(Arc::clone(key), &mut builder, Time48::from_u64(time)).unwrap();
    (builder.finish(), transaction)
}

fn answer_to(query: &[u8], ask: &Ask, config: &AnswerConfig) -> Vec<u8> {
    reply(query, Some(&fixture::zone()), ask.transport, ask.rotation, config)
}

/// What the server thinks of the record, and counts.
fn verdict(query: &[u8], now: u32, config: &AnswerConfig) -> Verdict {
    let client = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let context = Context { transport: Transport::Udp, client, now, rotation: 0, config, hint: None };
    answer(query, None, &context, &mut [0; 1232]).tsig
}

/// The reply as text, with MACs left out.
fn text_without_macs(reply: &[u8]) -> String {
    let line = |line: &str| {
        let mut words: Vec<_> = line.split(' ').collect();
        if words.get(4) == Some(&"TSIG") {
            words[8] = if words[8].is_empty() { "-" } else { "MAC" };
        }
        words.join(" ")
    };
    text(reply).lines().map(line).collect::<Vec<_>>().join("\n")
}

fn queries() -> Vec<Ask> {
    let edns = |ask: Ask| ask.edns(1232, &[(10, &[7; 8])]);
    let asks = [
        ask("HOME", Rtype::A),
        ask("home", Rtype::TXT),
        ask("missing", Rtype::A),
        ask("@", Rtype::SOA),
        ask("@", Rtype::NS),
        ask("example.org.", Rtype::A),
        ask("home", Rtype::A).class(3),
        ask("home", Rtype::A).flags(0x28, 0),
        ask("home", Rtype::A).opt(&[0], 1232, [0, 1, 0, 0], &[]),
        ask("home", Rtype::OPT),
        ask("home", Rtype::A).without_question(),
        ask("big", Rtype::A).tcp(),
    ];
    let with_edns = asks.iter().filter(|ask| ask.rest.is_empty()).cloned().map(edns);
    asks.iter().cloned().chain(with_edns.collect::<Vec<_>>()).collect()
}

#[test]
fn a_signed_query_gets_the_same_reply_signed() {
    let config = knows_keys();
    for (number, (_, algorithm)) in ALGORITHMS.into_iter().enumerate() {
        let name = ["SHA256.KEY", "sha384.key", "Sha512.Key"][number];
        let key = key(name, algorithm, SECRET, None);
        for ask in queries() {
            let (query, transaction) = sign(&ask, &key, NOW);
            let signed = answer_to(&query, &ask, &config);
            let mut message = Message::from_octets(signed).unwrap();
            transaction.answer(&mut message, Time48::from_u64(NOW)).unwrap_or_else(|error| panic!("{ask:?}: {error}"));
            let plain = answer_to(&ask.bytes(), &ask, &config);
            assert_eq!(message.header_counts(), Message::from_octets(plain.as_slice()).unwrap().header_counts());
            assert_eq!(message.as_slice()[..plain.len()], plain);
            assert_eq!(verdict(&query, NOW as u32, &config), Verdict::Verified);
        }
    }
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.bytes())
    }
}

#[test]
fn before_anything_is_loaded_servfail_is_signed_too() {
    let (config, ask) = (knows_keys(), ask("home", Rtype::A));
    let (query, transaction) = sign(&ask, &good_key(), NOW);
    let reply = reply(&query, None, Transport::Udp, 0, &config);
    let mut message = Message::from_octets(reply).unwrap();
    transaction.answer(&mut message, Time48::from_u64(NOW)).unwrap();
    assert_eq!(message.opt_rcode().to_string(), "SERVFAIL");
}

#[test]
fn a_signature_that_is_not_believed_is_notauth() {
    use tsig::Algorithm::{Sha1, Sha256, Sha384};
    let good = "sha256.key";
    let other = b"another secret, as long as others";
    for (name, algorithm, secret, len, time, expect, verdict_expected) in [
        // Errors that concern key and MAC are not signed; those of time and truncation are (RFC 8945, section 5.3.2).
        ("none.key", Sha256, SECRET, None, NOW, "hmac-sha256. 1559731985 300 - BADKEY(17) \"\"", Verdict::BadKey),
        (good, Sha384, SECRET, None, NOW, "hmac-sha384. 1559731985 300 - BADKEY(17) \"\"", Verdict::BadKey),
        (good, Sha1, SECRET, None, NOW, "hmac-sha1. 1559731985 300 - BADKEY(17) \"\"", Verdict::BadKey),
        (good, Sha256, other, None, NOW, "hmac-sha256. 1559731985 300 - BADSIG(16) \"\"", Verdict::BadSig),
        (good, Sha256, other, Some(16), 0, "hmac-sha256. 1559731985 300 - BADSIG(16) \"\"", Verdict::BadSig),
        (
            good,
            Sha256,
            SECRET,
            None,
            NOW - 301,
            "hmac-sha256. 1559731684 300 MAC BADTIME(18) \"AABc958R\"",
            Verdict::BadTime,
        ),
        (
            good,
            Sha256,
            SECRET,
            None,
            NOW + 301,
            "hmac-sha256. 1559732286 300 MAC BADTIME(18) \"AABc958R\"",
            Verdict::BadTime,
        ),
        (
            good,
            Sha256,
            SECRET,
            None,
            1 << 32 | NOW,
            "hmac-sha256. 5854699281 300 MAC BADTIME(18) \"AABc958R\"",
            Verdict::BadTime,
        ),
        (good, Sha256, SECRET, Some(16), 0, "hmac-sha256. 0 300 MAC BADTIME(18) \"AABc958R\"", Verdict::BadTime),
        (good, Sha256, SECRET, Some(16), NOW, "hmac-sha256. 1559731985 300 MAC BADTRUNC(22) \"\"", Verdict::BadTrunc),
        (good, Sha256, SECRET, Some(31), NOW, "hmac-sha256. 1559731985 300 MAC BADTRUNC(22) \"\"", Verdict::BadTrunc),
    ] {
        let (config, key) = (knows_keys(), key(name, algorithm, secret, len));
        for ask in queries() {
            let (query, transaction) = sign(&ask, &key, time);
            let reply = answer_to(&query, &ask, &config);
            let text = text_without_macs(&reply);
            let id = "48879";
            let expect = expect.replacen(" BAD", &format!(" {id} BAD"), 1);
            assert!(text.starts_with("NOTAUTH"), "{text}");
            assert!(text.ends_with(&format!("\nar {name} 0 * TSIG {expect}")), "{text}\nnot {expect}");
            assert_eq!(text.lines().filter(|line| !line.starts_with("opt ")).count(), 2, "{text}");
            assert_eq!(verdict(&query, NOW as u32, &config), verdict_expected);
            let result = transaction.answer(&mut Message::from_octets(reply.clone()).unwrap(), Time48::from_u64(NOW));
            let is_so = match verdict_expected {
                Verdict::BadKey => matches!(result, Err(ValidationError::ServerBadKey)),
                Verdict::BadSig => matches!(result, Err(ValidationError::ServerBadSig)),
                // domain takes eight octets of the server's time into this MAC, of six that there are.
                Verdict::BadTime if len.is_none() => {
                    assert!(ring_verifies(&reply, &query, time), "{text}");
                    matches!(result, Err(ValidationError::BadSig))
                }
                _ => true,
            };
            assert!(is_so, "{verdict_expected:?}: {result:?}");
        }
    }
}

/// Whether the MAC of a reply with BADTIME is that of RFC 8945, section 5.3.2, over these octets.
fn ring_verifies(reply: &[u8], query: &[u8], time: u64) -> bool {
    let mac = |message: &[u8], behind: usize| message[message.len() - behind - 32..message.len() - behind].to_vec();
    let owner = b"\x06sha256\x03key\0";
    let start = reply.windows(owner.len()).rposition(|octets| octets == owner).unwrap();
    let mut unsigned = reply[..start].to_vec();
    unsigned[11] -= 1;
    let signed = [
        &[0, 32][..],
        &mac(query, 6),
        &unsigned,
        owner,
        &[0, 255, 0, 0, 0, 0],
        b"\x0bhmac-sha256\0",
        &time.to_be_bytes()[2..],
        &[1, 44, 0, 18, 0, 6],
        &NOW.to_be_bytes()[2..],
    ];
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    ring::hmac::verify(&key, &signed.concat(), &mac(reply, 12)).is_ok()
}

#[test]
fn without_keys_each_key_is_unknown() {
    let (query, _) = sign(&ask("home", Rtype::A), &good_key(), NOW);
    assert_eq!(verdict(&query, NOW as u32, &AnswerConfig::default()), Verdict::BadKey);
    assert_eq!(verdict(&ask("home", Rtype::A).bytes(), NOW as u32, &knows_keys()), Verdict::Absent);
}

#[test]
fn a_query_is_good_within_its_fudge_and_a_replay_after_it_is_not() {
    let (config, (query, _)) = (knows_keys(), sign(&ask("home", Rtype::A), &good_key(), NOW));
    for (now, expect) in [
        (NOW - 301, Verdict::BadTime),
        (NOW - 300, Verdict::Verified),
        (NOW, Verdict::Verified),
        (NOW, Verdict::Verified),
        (NOW + 300, Verdict::Verified),
        (NOW + 301, Verdict::BadTime),
        (NOW + 86_400, Verdict::BadTime),
    ] {
        assert_eq!(verdict(&query, now as u32, &config), expect, "{now}");
    }
}

/// Everything is signed but the id, of which the TSIG record keeps the first one, and the case of names in that record.
#[test]
fn no_bit_can_be_changed() {
    let config = knows_keys();
    for name in ["sha256.key", "sha512.key"] {
        let algorithm = if name == "sha256.key" { tsig::Algorithm::Sha256 } else { tsig::Algorithm::Sha512 };
        let ask = ask("home", Rtype::A).edns(1232, &[]);
        let (query, _) = sign(&ask, &key(name, algorithm, SECRET, None), NOW);
        let names = ask.bytes().len()..ask.bytes().len() + 12 + 10 + 13;
        for (at, bit) in (2..query.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = query.clone();
            changed[at] ^= 1 << bit;
            let is_case = bit == 5 && names.contains(&at) && query[at].is_ascii_alphabetic();
            let expect = if is_case { Verdict::Verified } else { Verdict::Absent };
            let verdict = verdict(&changed, NOW as u32, &config);
            assert_eq!(verdict == Verdict::Verified, expect == Verdict::Verified, "octet {at}, bit {bit}: {verdict:?}");
        }
        let mut forwarded = query.clone();
        forwarded[0] ^= 0xFF;
        assert_eq!(verdict(&forwarded, NOW as u32, &config), Verdict::Verified);
    }
}

/// A TSIG record in pieces.
#[derive(Clone)]
struct Pieces {
    owner: Vec<u8>,
    class: [u8; 2],
    ttl: [u8; 4],
    algorithm: Vec<u8>,
    mac: Vec<u8>,
    mac_len: Option<u16>,
    other: Vec<u8>,
    other_len: Option<u16>,
}

impl Pieces {
    fn new() -> Self {
        Self {
            owner: b"\x06sha256\x03key\0".to_vec(),
            class: [0, 255],
            ttl: [0; 4],
            algorithm: b"\x0bhmac-sha256\0".to_vec(),
            mac: vec![7; 32],
            mac_len: None,
            other: Vec::new(),
            other_len: None,
        }
    }

    fn wire(&self) -> Vec<u8> {
        let len = |given: Option<u16>, of: &[u8]| given.unwrap_or(of.len() as u16).to_be_bytes();
        let mut rdata = self.algorithm.clone();
        rdata.extend(&NOW.to_be_bytes()[2..]);
        rdata.extend([1, 44]);
        rdata.extend(len(self.mac_len, &self.mac));
        rdata.extend(&self.mac);
        rdata.extend([0xBE, 0xEF, 0, 0]);
        rdata.extend(len(self.other_len, &self.other));
        rdata.extend(&self.other);
        let mut record = self.owner.clone();
        record.extend([0, 250]);
        record.extend(self.class);
        record.extend(self.ttl);
        record.extend((rdata.len() as u16).to_be_bytes());
        record.extend(rdata);
        record
    }
}

/// The query with these records in its additional section.
fn with(ask: &Ask, records: &[Vec<u8>]) -> Ask {
    let mut ask = ask.clone();
    ask.header[11] += records.len() as u8;
    ask.rest.extend(records.concat());
    ask
}

#[test]
fn a_record_that_is_malformed_or_in_a_wrong_place_is_formerr() {
    let (config, plain) = (knows_keys(), ask("home", Rtype::A));
    let good = Pieces::new();
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0].to_vec();
    assert_eq!(verdict(&with(&plain, &[good.wire()]).bytes(), NOW as u32, &config), Verdict::BadSig);
    let mut in_answer = plain.clone();
    in_answer.header[7] = 1;
    in_answer.rest = good.wire();
    let mut in_authority = in_answer.clone();
    in_authority.header[7..10].copy_from_slice(&[0, 0, 1]);
    let change = |change: &dyn Fn(&mut Pieces)| {
        let mut pieces = good.clone();
        change(&mut pieces);
        with(&plain, &[pieces.wire()])
    };
    let mut trailing = with(&plain, &[good.wire()]);
    trailing.rest.push(0);
    for (what, ask) in [
        ("in front of the OPT record", with(&plain, &[good.wire(), opt.clone()])),
        ("twice", with(&plain, &[good.wire(), good.wire()])),
        ("in the answer section", in_answer),
        ("in the authority section", in_authority),
        ("octets behind it", trailing),
        ("class IN", change(&|pieces| pieces.class = [0, 1])),
        ("TTL 1", change(&|pieces| pieces.ttl = [0, 0, 0, 1])),
        ("no MAC", change(&|pieces| pieces.mac.clear())),
        ("9 octets of MAC", change(&|pieces| pieces.mac.truncate(9))),
        ("15 octets of MAC, half of which were 16", change(&|pieces| pieces.mac.truncate(15))),
        ("a MAC too long", change(&|pieces| pieces.mac.push(7))),
        ("a MAC of 65 535 octets", change(&|pieces| pieces.mac_len = Some(65_535))),
        ("a MAC that reaches into the id", change(&|pieces| pieces.mac_len = Some(33))),
        ("an algorithm that is a pointer", change(&|pieces| pieces.algorithm = vec![0xC0, 12])),
        ("an algorithm without end", change(&|pieces| pieces.algorithm = vec![63; 20])),
        ("three octets of other data", change(&|pieces| pieces.other = vec![0; 3])),
        ("other data that is not there", change(&|pieces| pieces.other_len = Some(6))),
        ("a key's name that points forwards", change(&|pieces| pieces.owner = vec![0xC0, 0xFF])),
    ] {
        let text = text(&answer_to(&ask.bytes(), &ask, &config));
        assert!(text.starts_with("FORMERR") && !text.contains("TSIG"), "{what}: {text}");
        // Who asks for something that there is not hears that, as without a signature.
        let update = ask.clone().flags(0x28, 0);
        assert!(super::text(&answer_to(&update.bytes(), &update, &config)).starts_with("NOTIMP"), "{what}");
    }
}

#[test]
fn a_keys_name_may_be_compressed() {
    // `key` is at the end of the question, for what it is worth.
    let (config, ask) = (knows_keys(), ask("sha256.key.", Rtype::A));
    let (query, transaction) = sign(&ask, &good_key(), NOW);
    let owner = b"\x06sha256\x03key\0";
    let at = query.windows(owner.len()).rposition(|octets| octets == owner).unwrap();
    let compressed = [&query[..at], &[0xC0, 12], &query[at + owner.len()..]].concat();
    let mut message = Message::from_octets(answer_to(&compressed, &ask, &config)).unwrap();
    transaction.answer(&mut message, Time48::from_u64(NOW)).unwrap();
    let partly = [&query[..at], b"\x06SHA256\xC0\x13", &query[at + owner.len()..]].concat();
    assert_eq!(verdict(&partly, NOW as u32, &config), Verdict::Verified);
}

#[test]
fn what_does_not_fit_beside_the_signature_is_truncated_to_nothing() {
    let (config, key) = (knows_keys(), key("sha512.key", tsig::Algorithm::Sha512, SECRET, None));
    for (ask, limit) in [
        (ask("big", Rtype::A), 512),
        (ask("big", Rtype::A).edns(1232, &[]), 1232),
        (ask("big", Rtype::A).edns(700, &[(10, &[7; 8])]), 700),
    ] {
        let (query, transaction) = sign(&ask, &key, NOW);
        let reply = answer_to(&query, &ask, &config);
        assert!(reply.len() <= limit);
        let mut message = Message::from_octets(reply).unwrap();
        transaction.answer(&mut message, Time48::from_u64(NOW)).unwrap();
        let text = text(message.as_slice());
        assert!(text.starts_with("NOERROR aa tc rd") && !text.contains("\nan "), "{text}");
        let (query, transaction) = sign(&ask.clone().tcp(), &key, NOW);
        let mut message = Message::from_octets(answer_to(&query, &ask.clone().tcp(), &config)).unwrap();
        transaction.answer(&mut message, Time48::from_u64(NOW)).unwrap();
        assert_eq!(message.header_counts().ancount(), 100);
    }
}

/// What is longest: names of 255 octets everywhere, over UDP.
#[test]
fn the_longest_reply_fits_or_is_truncated() {
    let long = |first: u8| {
        let label = |len: usize| [&[len as u8][..], &vec![first; len]].concat();
        [label(63), label(63), label(63), label(61), vec![0]].concat()
    };
    let config = AnswerConfig { cookie_secrets: vec![[1; 16]], ..knows_keys() };
    let mut ask = ask(".", Rtype::A);
    ask.question = [long(b'q'), vec![0, 1, 0, 1]].concat();
    let pieces = Pieces { owner: long(b'k'), algorithm: long(b'a'), ..Pieces::new() };
    for (size, fits) in [(1232, true), (512, false)] {
        let query = with(&ask.clone().edns(size, &[(10, &[7; 8]), (3, &[])]), &[pieces.wire()]);
        let config = AnswerConfig { server_id: Some("i".repeat(if fits { 255 } else { 1 })), ..config.clone() };
        let reply = answer_to(&query.bytes(), &query, &config);
        let text = text(&reply);
        assert!(text.starts_with(if fits { "NOTAUTH rd" } else { "NOTAUTH tc rd" }), "{text}");
        assert_eq!(text.contains("BADKEY") && text.contains(&"k".repeat(61)), fits, "{text}");
        assert!(reply.len() <= usize::from(size));
    }
}

#[test]
fn an_update_is_refused_with_a_signature() {
    let (config, ask) = (knows_keys(), ask("@", Rtype::SOA).flags(0x28, 0));
    let (query, transaction) = sign(&ask, &good_key(), NOW);
    let mut message = Message::from_octets(answer_to(&query, &ask, &config)).unwrap();
    assert_eq!(message.header().opcode(), Opcode::UPDATE);
    transaction.answer(&mut message, Time48::from_u64(NOW)).unwrap();
    assert_eq!(text(message.as_slice()), "NOTIMP opcode=5");
}
