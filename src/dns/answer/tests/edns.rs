//! EDNS: RFC 6891, 7873, 9018, 5001, 7828, 8914.

use super::*;

const AAAA: &str = "NOERROR aa rd\nan home.lb.example.test 30 IN AAAA 2001:db8::1";
const COOKIE: u16 = 10;

fn home() -> Ask {
    ask("home", Rtype::AAAA)
}

/// The secret of RFC 9018, appendix A.
fn secret() -> AnswerConfig {
    AnswerConfig {
        cookie_secrets: vec![0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf_u128.to_be_bytes()],
        ..AnswerConfig::default()
    }
}

#[test]
fn opt_is_in_the_reply_if_and_only_if_it_was_in_the_query() {
    check(&home(), AAAA);
    check(&home().edns(4096, &[]), &format!("{AAAA}\nopt 1232"));
    check(&home().opt(&[0], 512, [0, 0, 0x80, 0], &[]), &format!("{AAAA}\nopt 1232 do"));
}

#[test]
fn rfc_6891_an_unknown_version_gets_badvers_and_our_version() {
    check(&home().opt(&[0], 1232, [0, 1, 0, 0], &[]), "BADVERS rd\nopt 1232");
    check(&home().opt(&[0], 1232, [0, 255, 0, 0], &[]).without_question(), "BADVERS rd no question\nopt 1232");
}

#[test]
fn options_that_are_not_known_are_ignored() {
    let subnet: &[u8] = &[0, 1, 24, 0, 192, 0, 2];
    check(&home().edns(1232, &[(8, subnet), (65_001, b"x"), (12, &[0; 60])]), &format!("{AAAA}\nopt 1232"));
}

#[test]
fn rfc_9018_a_client_cookie_gets_the_server_cookie_that_every_server_with_the_secret_makes() {
    // Appendix A.1: client 2464c4abcf10c957, time 1559731985, address 198.51.100.100.
    let client = 0x2464_c4ab_cf10_c957_u64.to_be_bytes();
    let expect = format!("{AAAA}\nopt 1232 cookie=2464C4ABCF10C957010000005CF79F111F8130C3EEE29480");
    check(&home().edns(1232, &[(COOKIE, &client)]).config(secret()), &expect);
    let foreign = [&client[..], &[9; 32]].concat();
    check(&home().edns(1232, &[(COOKIE, &foreign)]).config(secret()), &expect);
    check(&home().edns(1232, &[(COOKIE, &client), (COOKIE, &[1; 8])]).config(secret()), &expect);
}

#[test]
fn rfc_7873_a_cookie_of_wrong_length_is_formerr() {
    for length in (0..=7).chain(9..=15).chain(41..=60) {
        let cookie = vec![7; length];
        check(&home().edns(1232, &[(COOKIE, &cookie)]).config(secret()), "FORMERR rd\nopt 1232");
    }
}

#[test]
fn rfc_7873_without_question_a_cookie_is_all_that_is_wanted() {
    let asked = home().edns(1232, &[(COOKIE, &[1; 8])]).config(secret()).without_question();
    let reply = text(&asked.reply(Some(&fixture::zone())));
    assert!(reply.starts_with("NOERROR rd no question\nopt 1232 cookie=0101010101010101"), "{reply}");
    check(&home().edns(1232, &[]).without_question(), "FORMERR rd no question\nopt 1232");
}

#[test]
fn rfc_5001_nsid_when_asked_for_and_set() {
    let named = AnswerConfig { server_id: Some("rack-1".into()), ..AnswerConfig::default() };
    check(&home().edns(1232, &[(3, &[])]), &format!("{AAAA}\nopt 1232"));
    check(&home().edns(1232, &[(3, &[])]).config(named.clone()), &format!("{AAAA}\nopt 1232 nsid=rack-1"));
    check(&home().edns(1232, &[]).config(named), &format!("{AAAA}\nopt 1232"));
}

#[test]
fn rfc_7828_the_idle_time_over_tcp_only() {
    check(&home().edns(1232, &[(11, &[])]), &format!("{AAAA}\nopt 1232"));
    check(&home().edns(1232, &[(11, &[])]).tcp(), &format!("{AAAA}\nopt 1232 keepalive=10s"));
    check(&home().edns(1232, &[]).tcp(), &format!("{AAAA}\nopt 1232"));
}
