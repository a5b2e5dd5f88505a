use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use crossbeam_channel::{Receiver, unbounded};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::kube::credentials::Material;
use crate::kube::tests::server::{Reply, Server};
use crate::kube::watch::Failure;
use crate::thread::Threads;

const EMPTY: &str = r#"{"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":[]}"#;

fn keys() -> AnnotationKeys {
    AnnotationKeys { areas: "areas".into(), addresses: "ips".into(), service: None, ..AnnotationKeys::default() }
}

fn client(location: Location) -> (Client, Threads) {
    let threads = Threads::default();
    let credentials = Arc::new(Credentials::new(location).unwrap());
    (Client::new(Kind::Node, credentials, keys(), threads.stop()), threads)
}

fn location(url: &str) -> Location {
    Location::new(url, None, None).unwrap()
}

/// A CA and what it signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn material(&self) -> Option<Material> {
        Some(Material::Inline("certificate-authority", self.0.pem().into_bytes()))
    }

    fn sign(&self, name: &str, year: i32) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// A TLS server with a certificate for `name`, which wants one of the client if `mutual`.
    fn serve(&self, name: &str, year: i32, mutual: bool) -> String {
        let provider = crate::kube::credentials::provider();
        let (certificate, key) = self.sign(name, year);
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
                let mut line = String::new();
                // A client that refuses the certificate is what some tests are about.
                while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let reply =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{EMPTY}", EMPTY.len());
                let _ = stream.get_mut().write_all(reply.as_bytes());
                stream.get_mut().conn.send_close_notify();
                let _ = stream.get_mut().flush();
            }
        });
        url
    }
}

#[test]
fn certificates_of_the_server() {
    let (authority, other) = (Authority::new(), Authority::new());
    let by_address = authority.serve("127.0.0.1", 2099, false);
    let by_name = authority.serve("kubernetes.example", 2099, false);
    let expired = authority.serve("127.0.0.1", 2020, false);
    let unknown = "its certificate is not signed by the CA that is expected: check certificate-authority";
    for (url, ca, name, insecure, expect) in [
        (&by_address, authority.material(), None, false, ""),
        (&by_address, other.material(), None, false, unknown),
        (&by_address, None, None, false, unknown),
        (&by_address, None, None, true, ""),
        (&by_name, authority.material(), None, false, "if the server has another name, say so with tls-server-name"),
        (&by_name, authority.material(), Some("kubernetes.example"), false, ""),
        (&by_name, other.material(), Some("kubernetes.example"), false, unknown),
        (
            &expired,
            authority.material(),
            None,
            false,
            "its certificate expired on 2020-01-01: renew it, or set this machine's clock, which says",
        ),
    ] {
        let mut location = Location::new(url, name.map(Into::into), None).unwrap();
        location.ca = ca;
        location.insecure = insecure;
        let (mut client, _threads) = client(location);
        match client.list("", drop) {
            Ok(head) => assert_eq!((&*head.metadata.resource_version, expect), ("7", "")),
            Err(error) => {
                assert!(!expect.is_empty() && error.to_string().contains(expect), "{url} {name:?}: {error}");
                assert_eq!(error.failure(), Failure::Other);
            }
        }
    }
}

#[test]
fn a_certificate_of_ours_is_sent_and_renewed_when_its_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert"), folder.path().join("key"));
    let authority = Authority::new();
    let write = |by: &Authority| {
        let (signed, its_key) = by.sign("us", 2099);
        std::fs::write(&certificate, signed.pem()).unwrap();
        std::fs::write(&key, its_key.serialize_pem()).unwrap();
    };
    write(&Authority::new());
    let mut location = location(&authority.serve("127.0.0.1", 2099, true));
    location.ca = authority.material();
    location.user.identity =
        Some((Material::File("client-certificate", certificate.clone()), Material::File("client-key", key.clone())));
    let (mut client, _threads) = client(location);
    let error = client.list("", drop).unwrap_err();
    assert!(error.to_string().contains("check the client certificate"), "{error}");
    write(&authority);
    client.list("", drop).unwrap();
}

#[test]
fn an_object_that_never_ends_is_not_kept_in_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let good = r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#;
            let start = r#"{"type":"ADDED","object":{"spec":""#;
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{good}\n{start}");
            let chunk = vec![b'x'; 1 << 20];
            for _ in 0..100 {
                if stream.write_all(&chunk).is_err() {
                    break;
                }
            }
        }
    });
    let (mut client, _threads) = client(location(&url));
    let mut events = client.watch("7").unwrap();
    assert_eq!(events.next_event().unwrap().unwrap().object.metadata.name, "a");
    let error = events.next_event().unwrap_err();
    assert_eq!(error.to_string(), "its answer broke off: an object is longer than 16 MiB");
    assert_eq!(error.failure(), Failure::Other);
}

#[test]
fn answers_that_say_no() {
    let long = "x".repeat(1000);
    for (status, headers, body, failure, text) in [
        (401, "", "", Failure::Unauthorized, "it answered 401"),
        (
            403,
            "",
            r#"{"kind":"Status","status":"Failure","reason":"Forbidden","message":"nodes is forbidden"}"#,
            Failure::Forbidden,
            "it answered 403: Forbidden: nodes is forbidden",
        ),
        (410, "", r#"{"message":"too old"}"#, Failure::Gone, "it answered 410: too old"),
        (
            429,
            "retry-after: 7\r\n",
            "wait\nplease",
            Failure::Unavailable(Some(Duration::from_secs(7))),
            "it answered 429: wait",
        ),
        (503, "retry-after: soon\r\n", "<html>", Failure::Unavailable(None), "it answered 503: <html>"),
        (500, "", &*long, Failure::Unavailable(None), &*format!("it answered 500: {}", &long[..200])),
        (302, "location: http://127.0.0.1:1/\r\n", "", Failure::Other, "it answered 302"),
    ] {
        let (headers, body) = (headers.to_owned(), body.to_owned());
        let server = Server::start(move |_| Reply { headers: headers.clone(), ..Reply::status(status, &body) });
        let (mut client, _threads) = client(location(&server.url));
        let error = client.list("", drop).unwrap_err();
        assert_eq!((error.failure(), &*error.to_string()), (failure, text));
    }
}

#[test]
fn answers_that_break_off_or_are_garbage() {
    for (reply, failure, text) in [
        (Reply::ok("hello".into()), Failure::Other, "its answer is not the JSON of Kubernetes: expected value at"),
        (Reply::ok(r#"{"items":["#.into()), Failure::Connection, "its answer broke off in the middle of an object"),
        (Reply::cut(r#"{"items":["#.into()), Failure::Connection, "its answer broke off: "),
        (Reply::cut(EMPTY.into()), Failure::Connection, "its answer broke off: "),
        (Reply::ok(format!("{EMPTY}}}")), Failure::Other, "its answer is not the JSON of Kubernetes: trailing"),
    ] {
        let reply = Mutex::new(Some(reply));
        let server = Server::start(move |_| reply.lock().take().unwrap());
        let (mut client, _threads) = client(location(&server.url));
        let error = client.list("", drop).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(error.failure(), failure, "{error}");
    }
}

#[test]
fn a_server_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (mut client, _threads) = client(location(&url));
    let error = client.list("", drop).unwrap_err();
    assert_eq!((error.failure(), &*error.to_string()), (Failure::Connection, "Connection refused (os error 111)"));
}

#[test]
fn an_interrupt_fails_the_read_at_hand_and_a_closed_client_makes_none() {
    let server = Server::start(|_| Reply::held(String::new()));
    let (mut client, _threads) = client(location(&server.url));
    let interrupt = client.interrupt();
    let mut events = client.watch("7").unwrap();
    interrupt.interrupt();
    assert_eq!(events.next_event().unwrap_err().failure(), Failure::Connection);
    let mut events = client.watch("7").unwrap();
    interrupt.close();
    assert_eq!(events.next_event().unwrap_err().failure(), Failure::Connection);
    assert!(matches!(client.list("", drop), Err(RequestError::Stopped)));
}

/// A proxy that refuses every connection, and the first lines of what it was asked.
fn proxy_server() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = unbounded();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            sender.send(line.trim().to_owned()).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (url, asked)
}

#[test]
fn a_proxy_is_asked_for_the_server_and_not_for_the_name_of_its_certificate() {
    let (proxy, asked) = proxy_server();
    for (name, expect) in
        [(None, "CONNECT localhost:6443 HTTP/1.1"), (Some("kubernetes.example".to_owned()), ":6443 HTTP/1.1")]
    {
        let location = Location::new("https://localhost:6443", name, Some(proxy.clone())).unwrap();
        let (mut client, _threads) = client(location);
        assert!(client.list("", drop).is_err());
        let line = asked.recv().unwrap();
        assert!(line.ends_with(expect) && !line.contains("kubernetes"), "{line}");
    }
}

#[test]
fn urls() {
    for (server, name, url_of_nodes, host) in [
        ("https://10.0.0.1:6443", None, "https://10.0.0.1:6443/api/v1/nodes?q", "10.0.0.1:6443"),
        ("https://[fd00::1]:6443", None, "https://[fd00::1]:6443/api/v1/nodes?q", "[fd00::1]:6443"),
        ("https://[fd00::1]", Some("k"), "https://k/api/v1/nodes?q", "[fd00::1]"),
        ("https://rancher/k8s/c-1/", Some("k"), "https://k/k8s/c-1/api/v1/nodes?q", "rancher"),
        ("https://[fd00::1]:6443", Some("k"), "https://k:6443/api/v1/nodes?q", "[fd00::1]:6443"),
    ] {
        let location = Location::new(server, name.map(Into::into), None).unwrap();
        assert_eq!(url(&location, &path(Kind::Node, "", "q")), (url_of_nodes.to_owned(), host.to_owned()));
    }
}

#[test]
fn the_version_is_that_of_a_list_of_one_object() {
    let server = Server::start(|request| {
        assert_eq!(request.path, "/api/v1/nodes?limit=1");
        let metadata = r#"{"resourceVersion":"48012","continue":"more"}"#;
        Reply::ok(format!(r#"{{"kind":"NodeList","metadata":{metadata},"items":[{{"metadata":{{"name":"a"}}}}]}}"#))
    });
    let (mut client, _threads) = client(location(&server.url));
    assert_eq!(client.version().unwrap(), "48012");
    client.reconnect();
    assert_eq!(client.version().unwrap(), "48012");
}
