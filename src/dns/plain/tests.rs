use super::*;
use crate::zone::fixture;
use crate::zone::names::AHEAD;

const QUERY: &[u8] = &[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const WITH_OPT: &[u8] = &[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
const OPT_512: &[u8] = &[0, 0, 41, 2, 0, 0, 0, 0x80, 0, 0, 0];
const A_IN: &[u8] = &[0, 1, 0, 1];
const AAAA_IN: &[u8] = &[0, 28, 0, 1];
const SOA_IN: &[u8] = &[0, 6, 0, 1];
const HTTPS_IN: &[u8] = &[0, 65, 0, 1];

/// A name below the zone.
fn name(labels: &str) -> Vec<u8> {
    fixture::name(&format!("{labels}lb.example.test")).as_slice().to_vec()
}

/// What is counted of the reply to these parts of a query, if it is plain. That it is the general one, the tests of
/// `answer` see to.
fn ask(zone: &Zone, parts: &[&[u8]]) -> Option<Answered> {
    let (query, mut message) = (parts.concat(), [0xFF; MAX_QUERY]);
    message[..query.len()].copy_from_slice(&query);
    let mut ahead = [None; AHEAD];
    let asked = parts.get(1).filter(|name| name.last() == Some(&0));
    zone.look_ahead([asked.copied()].into_iter(), &mut ahead);
    let answered = answer(&mut message, query.len(), zone, ahead[0], 1, All);
    assert!(answered.is_some() || message.starts_with(&query), "a query without reply stays as it is");
    answered
}

#[test]
fn plain_questions_are_answered_here() {
    use Outcome::{NoData, NoError, NxDomain};
    let zone = fixture::zone();
    let question = |labels: &str| Header::LEN + name(labels).len() + 4;
    let (soa, negative) = (zone.soa().octets(), zone.negative_soa().octets());
    let upper = name("home.").to_ascii_uppercase();
    for (parts, octets, rtype, outcome) in [
        ([QUERY, &name("home."), A_IN, &[]], question("home.") + 2 * 16, QueryType::A, NoError),
        ([QUERY, &upper, A_IN, &[]], question("home.") + 2 * 16, QueryType::A, NoError),
        ([QUERY, &name("home."), AAAA_IN, &[]], question("home.") + 28, QueryType::Aaaa, NoError),
        ([WITH_OPT, &name("home."), A_IN, OPT_512], question("home.") + 2 * 16 + OPT, QueryType::A, NoError),
        ([QUERY, &name("cloud."), AAAA_IN, &[]], question("cloud.") + negative, QueryType::Aaaa, NoData),
        ([QUERY, &name("home."), HTTPS_IN, &[]], question("home.") + negative, QueryType::Other, NoData),
        ([QUERY, &name("home."), SOA_IN, &[]], question("home.") + negative, QueryType::Soa, NoData),
        ([QUERY, &name("apps."), A_IN, &[]], question("apps.") + negative, QueryType::A, NoData),
        ([QUERY, &name(""), SOA_IN, &[]], question("") + soa, QueryType::Soa, NoError),
        ([WITH_OPT, &name("gone."), A_IN, OPT_512], question("gone.") + negative + OPT, QueryType::A, NxDomain),
        ([QUERY, &name("x.y.gone."), HTTPS_IN, &[]], question("x.y.gone.") + negative, QueryType::Other, NxDomain),
    ] {
        let expect = Answered { octets: octets as u16, rtype, outcome, truncated: false, tsig: Verdict::Absent };
        assert_eq!(ask(&zone, &parts), Some(expect), "{parts:?}");
    }
}

#[test]
fn everything_else_is_left_to_the_general_way() {
    let (zone, home) = (fixture::zone(), &*name("home."));
    let label = |length: u8| [&[length], &[b'x'; 80][..usize::from(length).min(80)], &name("")].concat();
    for parts in [
        &[QUERY, &*name("big."), A_IN][..],                                       // too long
        &[WITH_OPT, &name("big."), A_IN, OPT_512],                                // likewise
        &[QUERY, home, &[0, 1, 0, 3]],                                            // CHAOS
        &[QUERY, home, &[0, 1, 0, 255]],                                          // class ANY
        &[QUERY, home, &[0, 255, 0, 1]],                                          // type ANY
        &[QUERY, home, &[0, 252, 0, 1]],                                          // AXFR
        &[QUERY, &name("gone."), &[0, 41, 0, 1]],                                 // OPT
        &[QUERY, b"\x07example\x04test\0", A_IN],                                 // outside
        &[QUERY, &label(64), A_IN],                                               // a long label
        &[QUERY, &label(0), A_IN],                                                // an empty one
        &[QUERY, b"\xC0\x0C", A_IN],                                              // a pointer
        &[QUERY, home, A_IN, &[0]],                                               // octets behind it
        &[QUERY, home, A_IN, OPT_512],                                            // a record that is not counted
        &[WITH_OPT, home, A_IN],                                                  // one that is not there
        &[WITH_OPT, home, A_IN, &[0, 0, 41, 2, 0, 0, 1, 0, 0, 0, 0]],             // EDNS 1
        &[WITH_OPT, home, A_IN, &[0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0]], // NSID
        &[WITH_OPT, home, A_IN, &[0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0]],             // TXT
        &[&[1, 2, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0], home, A_IN],                  // a response
        &[&[1, 2, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0], home, A_IN],                  // UPDATE
        &[&[1, 2, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0], home, A_IN],                     // two questions
        &[&[1, 2, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0], home, A_IN],                     // an answer
        &[QUERY],
        &[&QUERY[..11]],
        &[WITH_OPT, &OPT_512[..3]],
        &[],
    ] {
        assert_eq!(ask(&zone, parts), None, "{parts:?}");
    }
}

#[test]
fn what_only_services_could_tell_is_no_plain_question() {
    let zone = Zone::build(&fixture::config(), &fixture::cluster_without_services());
    assert_eq!(ask(&zone, &[QUERY, &name("git.apps."), A_IN]), None);
    assert!(ask(&zone, &[QUERY, &name("home."), A_IN]).is_some());
}
