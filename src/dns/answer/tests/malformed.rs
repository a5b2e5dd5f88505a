//! What must not be answered, and what is answered with an error.

use domain::base::name::ToLabelIter;
use proptest::prelude::*;

use super::*;

fn home() -> Ask {
    ask("home", Rtype::A)
}

#[test]
fn nothing_is_said_to_less_than_a_header_or_to_a_response() {
    let query = home().bytes();
    for length in 0..12 {
        assert_eq!(reply(&query[..length], Some(&fixture::zone()), Transport::Udp, 0, &AnswerConfig::default()), b"");
    }
    assert_eq!(home().flags(0x81, 0).reply(Some(&fixture::zone())), b"");
}

#[test]
fn every_other_opcode_is_notimp() {
    for opcode in 1..16_u8 {
        check(&home().flags(opcode << 3 | 1, 0), &format!("NOTIMP rd opcode={opcode}"));
    }
    check(&home().flags(5 << 3, 0).edns(1232, &[]), "NOTIMP opcode=5\nopt 1232");
    check(&home().flags(4 << 3, 0).opt(&[0], 1232, [0, 9, 0, 0], &[]), "NOTIMP opcode=4\nopt 1232");
}

#[test]
fn rfc_9619_more_than_one_question_is_formerr() {
    let mut two = home();
    two.header[5] = 2;
    two.rest.extend(two.question.clone());
    check(&two, "FORMERR rd no question");
    check(&home().without_question(), "FORMERR rd no question");
}

#[test]
fn malformed_questions_are_formerr() {
    let long_name = [&[63; 64].repeat(4)[..], &[0, 0, 1, 0, 1]].concat();
    let questions: [(&str, &[u8]); 8] = [
        ("nothing behind the header", b""),
        ("a name that does not end", b"\x04home\x02lb"),
        ("no class", b"\x04home\0\0\x01\0"),
        ("a label of 64", b"\x40aaaa"),
        ("a pointer to itself", b"\xC0\x0C\0\x01\0\x01"),
        ("a pointer into the header", b"\x01a\xC0\x00\0\x01\0\x01"),
        ("a pointer cut short", b"\x01a\xC0"),
        ("a name of 257", &long_name),
    ];
    for (what, question) in questions {
        let asked = Ask { question: question.to_vec(), ..home() };
        assert_eq!(text(&asked.reply(Some(&fixture::zone()))), "FORMERR rd no question", "{what}");
    }
}

#[test]
fn malformed_records_are_formerr() {
    let opt: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let a_record: &[u8] = &[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4];
    let tsig: &[u8] = &[0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0];
    let behind: [(&str, [u8; 3], Vec<u8>, &str); 10] = [
        ("trailing bytes", [0, 0, 0], vec![0], "FORMERR rd"),
        ("a record less than announced", [0, 0, 1], Vec::new(), "FORMERR rd"),
        ("OPT twice", [0, 0, 2], [opt, opt].concat(), "FORMERR rd\nopt 1232"),
        ("TSIG before OPT", [0, 0, 2], [tsig, opt].concat(), "FORMERR rd\nopt 1232"),
        ("TSIG before nothing", [0, 0, 2], tsig.to_vec(), "FORMERR rd"),
        ("OPT as an answer", [1, 0, 0], opt.to_vec(), "FORMERR rd"),
        ("OPT as authority", [0, 1, 0], opt.to_vec(), "FORMERR rd"),
        ("RDATA beyond the end", [0, 0, 1], a_record[..14].to_vec(), "FORMERR rd"),
        ("a forward pointer", [0, 0, 1], [&[0xC0, 200], &a_record[2..]].concat(), "FORMERR rd"),
        ("a pointer into the header", [0, 0, 1], [&[0xC0, 4], &a_record[2..]].concat(), "FORMERR rd"),
    ];
    for (what, counts, rest, expect) in behind {
        let mut asked = Ask { rest, ..home() };
        [asked.header[7], asked.header[9], asked.header[11]] = counts;
        assert_eq!(text(&asked.reply(Some(&fixture::zone()))), expect, "{what}");
    }
    check(&home().opt(b"\x01a\0", 1232, [0; 4], &[]), "FORMERR rd\nopt 1232");
    check(&home().opt(&[0], 1232, [0; 4], &[0, 10, 0, 9, 1]), "FORMERR rd\nopt 1232");
    check(&home().opt(&[0], 1232, [0; 4], &[0, 10, 0]), "FORMERR rd\nopt 1232");
    check(&ask("home", Rtype::OPT), "FORMERR rd");
}

#[test]
fn records_that_do_not_matter_are_passed_over() {
    let empty_soa: &[u8] = &[0xC0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0];
    let mut asked = Ask { rest: empty_soa.to_vec(), ..ask("home", Rtype::AAAA) };
    asked.header[9] = 1;
    check(&asked.edns(1232, &[]), "NOERROR aa rd\nan home.lb.example.test 30 IN AAAA 2001:db8::1\nopt 1232");
}

/// What holds of each reply, whatever was asked.
fn is_sound(query: &[u8], reply: &[u8], limit: usize) {
    if query.len() < 12 || query[2] & 0x80 != 0 {
        assert_eq!(reply, b"");
        return;
    }
    assert!((12..=limit).contains(&reply.len()), "{} octets", reply.len());
    assert_eq!(reply[..2], query[..2], "id");
    assert_eq!(reply[2] & 0xF9, query[2] & 0x79 | 0x80, "QR, opcode, RD");
    let _ = text(reply); // another parser reads all of it
    if reply[5] == 1 {
        let question = Message::from_octets(reply).unwrap().sole_question().unwrap();
        let end = 12 + usize::from(question.qname().compose_len()) + 4;
        assert_eq!(reply[12..end], query[12..end], "question");
    }
}

proptest! {
    #[test]
    fn any_bytes_get_a_sound_reply_or_none(query in proptest::collection::vec(any::<u8>(), 0..600)) {
        let config = AnswerConfig { cookie_secrets: vec![[7; 16]], ..AnswerConfig::default() };
        is_sound(&query, &reply(&query, Some(&fixture::zone()), Transport::Udp, 0, &config), 1232);
    }

    #[test]
    fn a_damaged_query_gets_a_sound_reply_or_none(
        name in prop::sample::select(vec!["home", "big", "@", "nowhere", "v4.git.apps", "ns1", "example.com."]),
        rtype in prop::sample::select(vec![1_u16, 2, 6, 28, 41, 252, 255]),
        damage in proptest::collection::vec((0..80_usize, any::<u8>()), 0..4),
        cut in 0..90_usize,
        edns in prop::option::of(any::<u16>()),
        rotation in any::<u32>(),
    ) {
        let asked = ask(name, Rtype::from_int(rtype));
        let asked = match edns {
            Some(size) => asked.edns(size, &[(10, &[1; 8]), (3, &[])]),
            None => asked,
        };
        let mut query = asked.bytes();
        for (at, byte) in damage {
            if let Some(place) = query.get_mut(at) {
                *place = byte;
            }
        }
        query.truncate(if cut < 12 { usize::MAX } else { cut + 12 });
        let zone = fixture::zone();
        let config = AnswerConfig { cookie_secrets: vec![[7; 16]], ..AnswerConfig::default() };
        for zone in [Some(&zone), None] {
            is_sound(&query, &reply(&query, zone, Transport::Udp, rotation, &config), 1232);
            is_sound(&query, &reply(&query, zone, asked.clone().tcp().transport, rotation, &config), 65_535);
        }
    }
}
