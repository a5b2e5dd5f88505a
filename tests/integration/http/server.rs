//! Who gets which response, and that nobody is kept waiting by anybody.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::super::common::{Fault, PATIENCE, PAUSE, Verb, skip};
use super::*;

#[test]
fn ready_only_once_a_zone_is_served() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    api.refuse_connections();
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    let http = daemon.http();
    let reply = web::get(http, "/readyz");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.contains("[-]zone failed: no zone is published yet"), "{}", reply.body);
    assert_eq!(web::get(http, "/livez").body, "ok", "a restart would not bring the API server back");
    api.listen();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    let reply = web::get(http, "/readyz");
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    let reply = web::get(http, "/livez?verbose");
    assert_eq!(reply.status, 200);
    for line in ["[+]ping ok", "[+]udp-0 ok", "[+]tcp ok", "[+]watch-nodes ok", "[+]publisher ok", "livez check passed"]
    {
        assert!(reply.body.lines().any(|found| found == line), "{line} is not in {}", reply.body);
    }
    assert_eq!(web::get(http, "/readyz?verbose").body.lines().last(), Some("readyz check passed"));
    api.refuse_connections();
    daemon.wait_for_log(&["lost"]);
    assert_eq!(web::get(http, "/readyz").status, 200, "what was known last is served on");
    daemon.stop();
}

#[test]
fn an_api_server_that_says_nothing_is_no_reason_for_a_restart() {
    let api = FakeApi::start();
    for resource in ["nodes", "services", "endpointslices"] {
        api.always(Verb::List, resource, Fault::silence());
    }
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    // The thread waits for half a minute, as long as a watch may be silent.
    let begun = Instant::now();
    while daemon.lines_with(&["cannot reach the API"]).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the silence is never noticed; the log:\n{}", daemon.log().join("\n"));
        let reply = web::get(daemon.http(), "/livez?verbose");
        assert_eq!(reply.status, 200, "{}", reply.body);
        std::thread::sleep(10 * PAUSE);
    }
    assert_eq!(web::get(daemon.http(), "/readyz").status, 503);
    daemon.stop();
}

#[test]
fn a_hundred_slow_clients_keep_no_probe_waiting() {
    let daemon = example();
    let http = daemon.http();
    let mut slow = Vec::new();
    for round in 0..3 {
        slow.extend((0..100).map(|_| web::connect(http)));
        for client in &mut slow {
            let _ = client.write(b"G"); // those that were closed meanwhile don't matter
        }
        let asked = Instant::now();
        assert_eq!(web::get(http, "/livez").status, 200, "round {round}");
        assert_eq!(web::get(http, "/readyz").status, 200, "round {round}");
        // Far less than their five seconds: the probes waited for none of them.
        assert!(asked.elapsed() < PATIENCE / 20, "{:?}", asked.elapsed());
    }
    daemon.stop(); // also while they hang on
}

#[test]
fn a_client_that_says_nothing_is_closed_after_five_seconds() {
    let daemon = example();
    let mut silent = web::connect(daemon.http());
    let mut byte = [0];
    assert_eq!(std::io::Read::read(&mut silent, &mut byte).unwrap(), 0, "closed without a word");
    daemon.stop();
}

/// Runs the rest of its arguments where there is no IPv6: `socket(AF_INET6, …)` fails with `EAFNOSUPPORT`, as on a kernel
/// without it, or under `RestrictAddressFamilies=AF_INET` of systemd, which does the same.
const WITHOUT_IPV6: &str = "
import ctypes, os, platform, struct, sys
socket = {'x86_64': 41, 'aarch64': 198}[platform.machine()]
load, equal, give = 0x20, 0x15, 0x06
program = [(load, 0, 0, 0), (equal, 0, 3, socket), (load, 0, 0, 16), (equal, 0, 1, 10),
           (give, 0, 0, 0x50000 | 97), (give, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *step) for step in program))
filter = ctypes.create_string_buffer(struct.pack('@HP', len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter, 0, 0):
    sys.exit('no seccomp')
os.execvp(sys.argv[1], sys.argv[1:])
";

#[test]
fn without_ipv6_every_address_is_every_address_of_ipv4() {
    let wrap = ["python3", "-c", WITHOUT_IPV6];
    if !Command::new(wrap[0]).args(&wrap[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        return skip("http::server::without_ipv6_every_address_is_every_address_of_ipv4", "python3 and seccomp");
    }
    let launch = Launch::new().flag("--cluster-file", repository(EXAMPLE)).flag("--http-listen", "[::]:0");
    let daemon = launch.clone().start();
    assert!(daemon.http().is_ipv6(), "{}", daemon.http());
    daemon.stop();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemon = launch.env("PATH", path).through(wrap).start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    let http = daemon.http();
    assert!(http.is_ipv4() && http.ip().is_unspecified(), "{http}");
    assert_eq!(web::get((Ipv4Addr::LOCALHOST, http.port()).into(), "/livez").body, "ok");
    daemon.stop();
}

#[test]
fn only_reading_is_answered() {
    let daemon = example();
    let http = daemon.http();
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "x".repeat(100_000));
    for (request, status) in [
        ("GET /livez HTTP/1.0\r\n\r\n", 200),
        ("GET /nowhere HTTP/1.0\r\n\r\n", 404),
        ("GET /../../etc/passwd HTTP/1.0\r\n\r\n", 404),
        ("POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b", 405),
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("\u{1}\u{2}\u{3}\r\n\r\n", 400),
        (long.as_str(), 431),
    ] {
        let reply = web::send(http, request.as_bytes());
        assert_eq!(reply.status, status, "{request:.60}: {}", reply.head);
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(reply.header("allow").is_some(), status == 405);
    }
    daemon.stop();
}

#[test]
fn head_is_get_without_the_body() {
    let daemon = example();
    for path in ["/livez", "/nowhere"] {
        let get = web::get(daemon.http(), path);
        let head = web::send(daemon.http(), format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!(head.head, get.head, "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
    daemon.stop();
}

#[test]
fn of_several_requests_the_first_is_answered() {
    let daemon = example();
    let two = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    let reply = web::send(daemon.http(), two.as_bytes());
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    daemon.stop();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let daemon = example();
    let mut stream = web::connect(daemon.http());
    for byte in b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(PAUSE);
    }
    assert_eq!(web::read(&mut stream).body, "ok");
    daemon.stop();
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let launch = Launch::new().flag("--cluster-file", repository(EXAMPLE)).flag("--http-listen", &address);
    let (status, log) = launch.fails();
    assert_eq!(status, Some(1), "{log}");
    for word in ["--http-listen", "address in use", &address] {
        assert!(log.contains(word), "{word} is not in {log}");
    }
}

#[test]
fn all_addresses_of_both_families() {
    let path = repository(EXAMPLE);
    let daemon = Launch::new().flag("--cluster-file", &path).flag("--http-listen", "[::]:0").start();
    let port = daemon.http().port();
    assert_eq!(web::get(([127, 0, 0, 1], port).into(), "/livez").body, "ok");
    daemon.stop();
}
