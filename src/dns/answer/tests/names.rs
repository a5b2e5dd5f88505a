//! Names and types: the sections "Names" and "Replies" of docs/answers.md.

use super::*;

const SOA: &str = "lb.example.test 20 IN SOA ns1.lb.example.test. admin.example.test. 2026112301 3600 900 604800 20";

fn nodata() -> String {
    format!("NOERROR aa rd\nau {SOA}")
}

fn nxdomain() -> String {
    format!("NXDOMAIN aa rd\nau {SOA}")
}

#[test]
fn an_area_answers_with_its_eligible_nodes() {
    check(
        &ask("home", Rtype::A),
        "NOERROR aa rd
        an home.lb.example.test 30 IN A 192.0.2.1
        an home.lb.example.test 30 IN A 192.0.2.2",
    );
    check(&ask("home", Rtype::AAAA), "NOERROR aa rd\nan home.lb.example.test 30 IN AAAA 2001:db8::1");
    check(&ask("cloud", Rtype::AAAA), &nodata());
    check(&ask("home", Rtype::TXT), &nodata());
    check(&ask("home", Rtype::SOA), &nodata());
    check(&ask("home", Rtype::NS), &nodata());
}

#[test]
fn an_area_without_eligible_node_exists() {
    for rtype in [Rtype::A, Rtype::AAAA, Rtype::ANY] {
        check(&ask("attic", rtype), &nodata());
    }
}

#[test]
fn the_rrset_starts_one_record_further_with_each_reply() {
    check(
        &ask("home", Rtype::A).rotation(7),
        "NOERROR aa rd
        an home.lb.example.test 30 IN A 192.0.2.2
        an home.lb.example.test 30 IN A 192.0.2.1",
    );
}

#[test]
fn a_service_answers_with_the_nodes_that_host_it() {
    check(&ask("git.apps", Rtype::A), "NOERROR aa rd\nan git.apps.lb.example.test 30 IN A 192.0.2.1");
    check(&ask("git.apps", Rtype::AAAA), "NOERROR aa rd\nan git.apps.lb.example.test 30 IN AAAA 2001:db8::1");
    check(&ask("web.apps", Rtype::A), &nodata());
    check(&ask("none.apps", Rtype::A), &nxdomain());
}

#[test]
fn family_names_hold_one_family() {
    check(
        &ask("v4.home", Rtype::A),
        "NOERROR aa rd
        an v4.home.lb.example.test 30 IN A 192.0.2.1
        an v4.home.lb.example.test 30 IN A 192.0.2.2",
    );
    check(&ask("v4.home", Rtype::AAAA), &nodata());
    check(&ask("v6.home", Rtype::AAAA), "NOERROR aa rd\nan v6.home.lb.example.test 30 IN AAAA 2001:db8::1");
    check(&ask("v6.home", Rtype::A), &nodata());
    check(&ask("v6.cloud", Rtype::ANY), &nodata());
    check(&ask("v4.git.apps", Rtype::A), "NOERROR aa rd\nan v4.git.apps.lb.example.test 30 IN A 192.0.2.1");
    check(&ask("v4.none", Rtype::A), &nxdomain());
    check(&ask("v4.v4.home", Rtype::A), &nxdomain());
}

#[test]
fn a_bare_v4_is_an_area_and_a_service_v4_has_family_names_only() {
    check(&ask("v4", Rtype::A), "NOERROR aa rd\nan v4.lb.example.test 30 IN A 203.0.113.1");
    check(&ask("v4.v4", Rtype::A), "NOERROR aa rd\nan v4.v4.lb.example.test 30 IN A 203.0.113.1");
    check(&ask("v4.apps", Rtype::A), &nodata()); // not the Service: something is below it
    check(&ask("v4.v4.apps", Rtype::A), "NOERROR aa rd\nan v4.v4.apps.lb.example.test 30 IN A 198.51.100.1");
    check(&ask("v6.v4.apps", Rtype::AAAA), &nodata());
}

#[test]
fn rfc_8020_a_name_with_something_below_it_exists() {
    for rtype in [Rtype::A, Rtype::ANY, Rtype::TXT] {
        check(&ask("apps", rtype), &nodata());
    }
}

#[test]
fn a_name_server_wins_over_an_area_of_its_name() {
    check(&ask("ns1", Rtype::A), "NOERROR aa rd\nan ns1.lb.example.test 30 IN A 192.0.2.53");
    check(&ask("ns1", Rtype::AAAA), "NOERROR aa rd\nan ns1.lb.example.test 30 IN AAAA 2001:db8::53");
    check(&ask("v4.ns1", Rtype::A), "NOERROR aa rd\nan v4.ns1.lb.example.test 30 IN A 203.0.113.1");
}

#[test]
fn a_name_server_may_be_the_zone_itself() {
    let mut config = fixture::config();
    config.servers[0].name = fixture::name("lb.example.test");
    let zone = Zone::build(&config, &fixture::cluster());
    check_zone(&ask("@", Rtype::A), Some(&zone), "NOERROR aa rd\nan lb.example.test 30 IN A 192.0.2.53");
    check_zone(
        &ask("@", Rtype::NS),
        Some(&zone),
        "NOERROR aa rd
        an lb.example.test 30 IN NS lb.example.test.
        an lb.example.test 30 IN NS ns.example.net.
        ar lb.example.test 30 IN A 192.0.2.53
        ar lb.example.test 30 IN AAAA 2001:db8::53",
    );
}

#[test]
fn a_name_server_in_the_zone_exists_also_without_glue() {
    let mut config = fixture::config();
    config.servers[0].glue.clear();
    let zone = Zone::build(&config, &fixture::cluster()).with_serial(domain::base::Serial(2_026_112_301));
    check_zone(&ask("ns1", Rtype::A), Some(&zone), &nodata());
}

#[test]
fn the_apex_has_soa_and_ns_with_glue() {
    check(
        &ask("@", Rtype::SOA),
        "NOERROR aa rd
        an lb.example.test 60 IN SOA ns1.lb.example.test. admin.example.test. 2026112301 3600 900 604800 20",
    );
    check(
        &ask("@", Rtype::NS),
        "NOERROR aa rd
        an lb.example.test 30 IN NS ns1.lb.example.test.
        an lb.example.test 30 IN NS ns.example.net.
        ar ns1.lb.example.test 30 IN A 192.0.2.53
        ar ns1.lb.example.test 30 IN AAAA 2001:db8::53",
    );
    check(
        &ask("@", Rtype::NS).rotation(1),
        "NOERROR aa rd
        an lb.example.test 30 IN NS ns.example.net.
        an lb.example.test 30 IN NS ns1.lb.example.test.
        ar ns1.lb.example.test 30 IN A 192.0.2.53
        ar ns1.lb.example.test 30 IN AAAA 2001:db8::53",
    );
    check(&ask("@", Rtype::A), &nodata());
}

#[test]
fn rfc_8482_type_any_gets_one_hinfo_at_a_name_with_records() {
    for (ask, owner) in
        [(ask("home", Rtype::ANY), "home."), (ask("@", Rtype::ANY), ""), (ask("home", Rtype::ANY).tcp(), "home.")]
    {
        check(&ask, &format!("NOERROR aa rd\nan {owner}lb.example.test 30 IN HINFO \"RFC8482\" \"\""));
    }
}

#[test]
fn a_name_that_does_not_exist() {
    for name in ["nowhere", "a.b.c.d", "x.home", "_acme.nowhere"] {
        check(&ask(name, Rtype::A), &nxdomain());
    }
}

#[test]
fn a_name_outside_the_zone_is_refused() {
    for name in ["example.test.", "example.com.", ".", "notlb.example.test.", "home.lb.example.test.com."] {
        check(&ask(name, Rtype::A), "REFUSED rd");
    }
    check(&ask("example.com.", Rtype::A).edns(1232, &[]), "REFUSED rd\nopt 1232 ede=20");
}

#[test]
fn rfc_4343_case_does_not_matter_and_is_echoed() {
    check(&ask("HoMe.lB.EXAMPLE.tesT.", Rtype::AAAA), "NOERROR aa rd\nan HoMe.lB.EXAMPLE.tesT 30 IN AAAA 2001:db8::1");
    check(&ask("NOwhere", Rtype::A), &nxdomain());
    let soa = SOA.replace("lb.example.test", "LB.example.test");
    check(&ask("x.LB.example.test.", Rtype::A), &format!("NXDOMAIN aa rd\nau {soa}"));
}

#[test]
fn class_any_is_answered_and_other_classes_are_refused() {
    check(&ask("home", Rtype::AAAA).class(255), "NOERROR aa rd\nan home.lb.example.test 30 IN AAAA 2001:db8::1");
    for class in [0, 2, 3, 4, 254, 65_535] {
        check(&ask("home", Rtype::A).class(class), "REFUSED rd");
    }
}

#[test]
fn chaos_names_answer_when_they_are_set() {
    let config = AnswerConfig {
        server_id: Some("rack-1".into()),
        version_bind: Some("guess".into()),
        ..AnswerConfig::default()
    };
    let id = ask("id.server.", Rtype::TXT).class(3);
    check(&id, "REFUSED rd");
    check(&id.clone().config(config.clone()), "NOERROR aa rd\nan id.server 0 CH TXT \"rack-1\"");
    let version = ask("VERSION.bind.", Rtype::TXT).class(3).config(config.clone());
    check(&version, "NOERROR aa rd\nan VERSION.bind 0 CH TXT \"guess\"");
    check_zone(&version, None, "NOERROR aa rd\nan VERSION.bind 0 CH TXT \"guess\"");
    check(&ask("version.bind.", Rtype::A).class(3).config(config.clone()), "REFUSED rd");
    check(&ask("hostname.bind.", Rtype::TXT).class(3).config(config), "REFUSED rd");
}

#[test]
fn nothing_loaded_yet_is_servfail_never_nxdomain() {
    check_zone(&ask("home", Rtype::A), None, "SERVFAIL rd");
    check_zone(&ask("home", Rtype::A).edns(1232, &[]), None, "SERVFAIL rd\nopt 1232 ede=14");
    check_zone(&ask("example.com.", Rtype::A), None, "SERVFAIL rd");
    check_zone(&ask("home", Rtype::A).class(4), None, "REFUSED rd");
}

#[test]
fn while_services_are_not_known_only_they_could_tell_some_names() {
    let zone = Zone::build(&fixture::config(), &fixture::cluster_without_services())
        .with_serial(domain::base::Serial(2_026_112_301));
    for name in ["git.apps", "apps", "nowhere", "v6.git.apps", "v4.apps"] {
        check_zone(&ask(name, Rtype::A).edns(1232, &[]), Some(&zone), "SERVFAIL rd\nopt 1232 ede=14");
    }
    check_zone(&ask("x.git.apps", Rtype::A), Some(&zone), &nxdomain());
    check_zone(&ask("home", Rtype::AAAA), Some(&zone), "NOERROR aa rd\nan home.lb.example.test 30 IN AAAA 2001:db8::1");
    check_zone(&ask("attic", Rtype::A), Some(&zone), &nodata());
    check_zone(&ask("example.com.", Rtype::A), Some(&zone), "REFUSED rd");
}

#[test]
fn transfers_are_off() {
    check(&ask("@", Rtype::AXFR).tcp().edns(1232, &[]), "REFUSED rd\nopt 1232 ede=18");
    check(&ask("@", Rtype::AXFR).tcp(), "REFUSED rd");
    check(&ask("@", Rtype::IXFR), "REFUSED rd");
    check(&ask("home", Rtype::AXFR).tcp(), "REFUSED rd");
    check(&ask("nowhere", Rtype::AXFR).tcp(), "REFUSED rd");
}

#[test]
fn rd_and_cd_are_copied_and_nothing_else() {
    let aaaa = "an home.lb.example.test 30 IN AAAA 2001:db8::1";
    check(&ask("home", Rtype::AAAA).flags(0x00, 0x00), &format!("NOERROR aa\n{aaaa}"));
    check(&ask("home", Rtype::AAAA).flags(0x07, 0xF0), &format!("NOERROR aa rd cd\n{aaaa}"));
}
