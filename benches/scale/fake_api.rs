//! An API server that costs next to nothing: its pages are rendered before anybody asks, and what happens is written
//! to the watches by whoever makes it happen.
//!
//! It speaks TLS, as API servers do, and sends an object a chunk. It forgets nothing and remembers nothing: an event
//! waits until its kind is watched.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{sleep, spawn};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use tempfile::TempDir;

use crate::Outcome;
use crate::objects::{KINDS, LEASES, Objects};

/// Objects on a page, as the daemon asks for them.
const PAGE: usize = 500;

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// The server.
pub struct FakeApi {
    address: SocketAddr,
    folder: TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    tls: Arc<ServerConfig>,
    /// Whole replies, page by page.
    pages: HashMap<&'static str, Vec<Vec<u8>>>,
    watches: Mutex<HashMap<String, Arc<Mutex<Stream>>>>,
    came: Condvar,
}

impl FakeApi {
    /// Serves these objects on a free port until the process ends.
    pub fn start(objects: &Objects) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the authority of a fake API server");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        std::fs::write(folder.path().join("ca.crt"), authority.pem())?;
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            tls: Arc::new(tls),
            pages: KINDS.iter().chain([&LEASES]).map(|kind| (kind.0, pages(kind, &objects.all(kind.0)))).collect(),
            watches: Mutex::default(),
            came: Condvar::new(),
        });
        spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    // An error is a client that left.
                    spawn(move || drop(serve(stream, &shared)));
                }
            }
        });
        Ok(Self { address, folder, shared })
    }

    /// The certificate of its authority, in PEM.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> Outcome<PathBuf> {
        let cluster = json!({"server": format!("https://{}", self.address), "certificate-authority": "ca.crt"});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "users": [{"name": "someone", "user": {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "someone"}}]
        });
        let path = self.folder.path().join("kubeconfig");
        std::fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// The URLs of all pages, as a client comes to ask for them.
    pub fn urls(&self) -> Vec<String> {
        let paths = ["/api/v1/nodes", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"];
        let mut urls = Vec::new();
        for (path, (resource, ..)) in paths.iter().zip(KINDS) {
            for page in 0..self.shared.pages.get(resource).map_or(0, Vec::len) {
                let rest = if page > 0 { format!("&continue=page-{page}") } else { String::new() };
                urls.push(format!("https://{}{path}?limit={PAGE}{rest}", self.address));
            }
        }
        urls
    }

    /// Waits until all three kinds are watched.
    pub fn wait_for_watches(&self) {
        let mut watches = self.shared.watches.lock();
        while watches.len() < KINDS.len() {
            self.shared.came.wait(&mut watches);
        }
    }

    /// Waits until leases are watched too.
    pub fn wait_for_leases(&self) {
        let mut watches = self.shared.watches.lock();
        while !watches.contains_key(LEASES.0) {
            self.shared.came.wait(&mut watches);
        }
    }

    /// Forgets the watches of a daemon that has ended.
    pub fn forget_watches(&self) {
        self.shared.watches.lock().clear();
    }

    /// Something happens to a node.
    pub fn modify_node(&self, node: &str) -> io::Result<()> {
        self.modify("nodes", node)
    }

    /// A node renews its Lease.
    pub fn renew(&self, lease: &str) -> io::Result<()> {
        self.modify(LEASES.0, lease)
    }

    fn modify(&self, resource: &str, object: &str) -> io::Result<()> {
        let line = format!("{{\"type\":\"MODIFIED\",\"object\":{object}}}\n");
        let mut watches = self.shared.watches.lock();
        let stream = loop {
            match watches.get(resource) {
                Some(stream) => break Arc::clone(stream),
                None => self.shared.came.wait(&mut watches),
            }
        };
        // Both locks: whoever ends a watch takes it out first, and no event may come after its end.
        let mut stream = stream.lock();
        drop(watches);
        stream.write_all(&chunk(&line))?;
        stream.flush()
    }
}

/// The pages of a list, each as a whole reply with an object a chunk.
fn pages((_, kind, api_version): &(&str, &str, &str), objects: &[String]) -> Vec<Vec<u8>> {
    let count = objects.len().div_ceil(PAGE);
    let page = |(number, objects): (usize, &[String])| {
        let mut metadata = json!({"resourceVersion": "1000000"});
        if number + 1 < count {
            metadata["continue"] = format!("page-{}", number + 1).into();
            metadata["remainingItemCount"] = ((count - number - 1) * PAGE).into();
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut reply = head.as_bytes().to_vec();
        let start = format!(r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{metadata},"items":["#);
        reply.extend(chunk(&start));
        for (index, object) in objects.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            reply.extend(chunk(&format!("{comma}{object}")));
        }
        reply.extend(chunk("]}\n"));
        reply.extend(chunk(""));
        reply
    };
    objects.chunks(PAGE).enumerate().map(page).collect()
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

fn serve(socket: TcpStream, shared: &Shared) -> Outcome<()> {
    socket.set_nodelay(true)?;
    let connection = ServerConnection::new(Arc::clone(&shared.tls))?;
    let stream = Arc::new(Mutex::new(StreamOwned::new(connection, socket)));
    loop {
        let Some(target) = request(&mut stream.lock())? else { return Ok(()) };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let resource = path.rsplit('/').next().unwrap_or_default();
        let parameter = |name| query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
        if parameter("watch").is_some() {
            let seconds = parameter("timeoutSeconds").and_then(|(_, seconds)| seconds.parse().ok()).unwrap_or(30);
            watch(&stream, resource, Duration::from_secs(seconds), shared)?;
            continue;
        }
        let page = parameter("continue").and_then(|(_, token)| token.trim_start_matches("page-").parse().ok());
        let reply = shared.pages.get(resource).and_then(|pages| pages.get(page.unwrap_or(0)));
        let mut stream = stream.lock();
        stream.write_all(
            reply.map_or(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".as_slice(), Vec::as_slice),
        )?;
        stream.flush()?;
    }
}

/// Lets others write events for a while.
fn watch(stream: &Arc<Mutex<Stream>>, resource: &str, time: Duration, shared: &Shared) -> io::Result<()> {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.lock().write_all(head)?;
    stream.lock().flush()?;
    shared.watches.lock().insert(resource.to_owned(), Arc::clone(stream));
    shared.came.notify_all();
    sleep(time);
    let mut watches = shared.watches.lock();
    if watches.get(resource).is_some_and(|present| Arc::ptr_eq(present, stream)) {
        watches.remove(resource);
    }
    drop(watches);
    let mut stream = stream.lock();
    stream.write_all(&chunk(""))?;
    stream.flush()
}

/// The target of the next request; none when the client has left.
fn request(stream: &mut Stream) -> io::Result<Option<String>> {
    let mut stream = BufReader::new(Read::by_ref(stream));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
    }
    Ok(String::from_utf8_lossy(&head).split(' ').nth(1).map(str::to_owned))
}
