//! One connection to the fake API server: requests in, replies or faults out.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;

use super::fault::{Fault, event, http, status};
use super::{Shared, Verb};

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Whether it lists, watches, gets one or writes one.
    pub(crate) verb: Verb,
    /// What it lists or watches.
    pub(crate) resource: String,
    /// Its path without the query.
    pub(crate) path: String,
    /// The query's parameters.
    pub(crate) query: BTreeMap<String, String>,
    /// The value of its Authorization header.
    pub(crate) authorization: Option<String>,
    /// What is to be written.
    pub(crate) object: Value,
    /// When it came.
    pub(crate) at: Instant,
}

impl Request {
    /// `namespace/name` of a single object.
    pub(super) fn key(&self) -> String {
        let parts: Vec<_> = self.path.rsplit('/').collect();
        format!("{}/{}", parts.get(2).unwrap_or(&""), parts.first().unwrap_or(&""))
    }
}

/// Serves a connection until either side has enough.
pub(super) fn serve(stream: TcpStream, shared: &Shared) {
    // The server keeps a handle of the stream, so dropping ours would not close it.
    let _closing = Closing(stream.try_clone().unwrap());
    // An error is a client that left, or a connection that the test cut: neither is of interest here.
    let _ = match &shared.tls {
        None => requests(stream, shared),
        Some(config) => match ServerConnection::new(Arc::clone(config)) {
            Ok(connection) => requests(StreamOwned::new(connection, stream), shared),
            Err(error) => Err(io::Error::other(error)),
        },
    };
}

/// Closes a connection in whatever way its thread ends.
struct Closing(TcpStream);

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn requests<S: Read + Write>(stream: S, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let mut state = shared.lock();
        state.requests.push(request.clone());
        let wanted = state.token.as_ref().map(|token| format!("Bearer {token}"));
        let refused = wanted.is_some() && wanted != request.authorization;
        let planned = |planned: &&mut super::Planned| {
            planned.times > 0 && planned.verb == request.verb && planned.resource == request.resource
        };
        let fault = state.faults.iter_mut().find(planned).map(|planned| {
            planned.times -= 1;
            planned.fault.clone()
        });
        drop(state);
        shared.changed.notify_all();
        let stream = stream.get_mut();
        if refused {
            stream.write_all(&http(401, "", &status(401, "Unauthorized").to_string()))?;
            continue;
        }
        match (fault, request.verb) {
            (None, Verb::Watch) => watch(stream, shared, &request, false)?,
            (None, Verb::Get) => stream.write_all(&one(shared, &request))?,
            (None, Verb::Create | Verb::Replace) => stream.write_all(&write(shared, &request))?,
            (None, _) => stream.write_all(&list(shared, &request))?,
            (Some(Fault::Reply(reply)), _) => stream.write_all(&reply)?,
            (Some(Fault::Lost), _) => {
                let _ = write(shared, &request);
                return stream.flush();
            }
            (Some(Fault::Bytes(bytes)), _) => {
                stream.write_all(&bytes)?;
                return stream.flush();
            }
            (Some(Fault::Stalls(bytes)), _) => {
                stream.write_all(&bytes)?;
                stream.flush()?;
                return stall(shared);
            }
            (Some(Fault::CutAfter(bytes)), _) => {
                let reply = list(shared, &request);
                let head = reply.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
                stream.write_all(&reply[..(head + bytes).min(reply.len() - 1)])?;
                return stream.flush();
            }
            (Some(Fault::CutInEvent), _) => return watch(stream, shared, &request, true),
            (Some(Fault::LongLine(length)), _) => {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes())?;
                stream.write_all(br#"{"type":"ADDED","object":{"kind":"Node","metadata":{"name":""#)?;
                let block = [b'x'; 65_536];
                for _ in 0..length / block.len() {
                    stream.write_all(&block)?;
                }
                return stream.flush();
            }
        }
        stream.flush()?;
    }
    Ok(())
}

/// Keeps the connection open until the test cuts it, or the faults end.
fn stall(shared: &Shared) -> io::Result<()> {
    let mut state = shared.lock();
    while state.listening && !state.faults.is_empty() {
        state = shared.wait(state, Duration::from_secs(1));
    }
    Ok(())
}

fn one(shared: &Shared, request: &Request) -> Vec<u8> {
    let object = shared.lock().store.one(&request.resource, &request.key());
    match object {
        Some(object) => http(200, "", &object),
        None => {
            let message = format!("{}.coordination.k8s.io \"{}\" not found", request.resource, request.key());
            http(404, "", &status(404, &message).to_string())
        }
    }
}

/// Creates an object, or replaces the one that was read.
fn write(shared: &Shared, request: &Request) -> Vec<u8> {
    let mut state = shared.lock();
    let (resource, key) = (&*request.resource, super::store::key(&request.object["metadata"]));
    let present = state.store.one(resource, &key).map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let refuse = |code, why: &str| http(code, "", &status(code, &format!("{resource} {key:?} {why}")).to_string());
    match (request.verb, present) {
        (Verb::Create, Some(_)) => return refuse(409, "already exists"),
        (Verb::Replace, None) => return refuse(404, "not found"),
        (Verb::Replace, Some(present)) if version(&present) != version(&request.object) => {
            return refuse(409, "the object has been modified; please apply your changes to the latest version");
        }
        _ => state.store.put(request.object.clone()),
    }
    let code = if request.verb == Verb::Create { 201 } else { 200 };
    let object = state.store.one(resource, &key).expect("it was just written");
    drop(state);
    shared.changed.notify_all();
    http(code, "", &object)
}

fn list(shared: &Shared, request: &Request) -> Vec<u8> {
    let mut state = shared.lock();
    let limit = request.query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let limit = state.page.map_or(limit, |page| page.min(limit));
    let page = match request.query.get("continue") {
        None => Some(state.store.list(&request.resource, limit)),
        Some(token) => state.store.rest(&request.resource, limit, token),
    };
    drop(state);
    match page {
        Some(page) => http(200, "", &page),
        None => http(410, "", &status(410, "The provided continue parameter is too old").to_string()),
    }
}

/// Writes what happens, as chunks, until the time is over; with `cut` only the first half of the first event.
fn watch<S: Write>(stream: &mut S, shared: &Shared, request: &Request, cut: bool) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    stream.flush()?;
    let mut chunk = |line: &str| {
        let length = line.len();
        stream.write_all(format!("{length:x}\r\n{line}\r\n").as_bytes())?;
        stream.flush()
    };
    let begun = Instant::now();
    let number = |name: &str| request.query.get(name).and_then(|number| number.parse().ok()).unwrap_or(0);
    let mut version: u64 = number("resourceVersion");
    let mut state = shared.lock();
    let (mut bookmarks, ended) = (state.bookmarks, state.ended);
    // As a real server does for a version that it has never reached: it waits for it, and says nothing.
    let from_the_future = version > state.store.version();
    if version < state.store.compacted() {
        drop(state);
        chunk(&event("ERROR", &status(410, "too old resource version")))?;
        return chunk("");
    }
    loop {
        let (mut lines, reached) = state.store.events(&request.resource, version);
        if state.bookmarks > bookmarks {
            bookmarks = state.bookmarks;
            lines.push(state.store.bookmark(&request.resource));
        }
        if lines.is_empty() || from_the_future {
            let seconds = state.watch_seconds.unwrap_or(u64::MAX).min(number("timeoutSeconds"));
            let left = Duration::from_secs(seconds).saturating_sub(begun.elapsed());
            if left.is_zero() || !state.listening || state.ended > ended {
                drop(state);
                return chunk("");
            }
            state = shared.wait(state, left);
            continue;
        }
        version = reached;
        drop(state);
        if cut {
            return chunk(&lines[0][..lines[0].len() / 2]);
        }
        lines.iter().try_for_each(|line| chunk(line))?;
        state = shared.lock();
    }
}

fn read<S: Read>(stream: &mut BufReader<S>) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let target = head.split(' ').nth(1).ok_or(io::ErrorKind::InvalidData)?;
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let object = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<_, _> = query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Of single objects only those of a namespace are asked for.
    let parts: Vec<_> = path.split('/').collect();
    let is_one = parts.iter().position(|part| *part == "namespaces").is_some_and(|at| parts.len() > at + 3);
    let verb = match (query.get("watch").map(String::as_str), query.contains_key("continue")) {
        _ if head.starts_with("POST ") => Verb::Create,
        _ if head.starts_with("PUT ") => Verb::Replace,
        (Some("true" | "1"), _) => Verb::Watch,
        (_, true) => Verb::Page,
        _ if is_one => Verb::Get,
        _ if query.get("limit").is_some_and(|limit| limit == "1") => Verb::Check,
        (_, false) => Verb::List,
    };
    let authorization = header("authorization");
    let resource = parts.iter().rev().nth(usize::from(is_one)).unwrap_or(&"").to_string();
    Ok(Some(Request { verb, resource, path: path.to_owned(), query, authorization, object, at: Instant::now() }))
}
