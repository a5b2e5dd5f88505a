//! A small HTTP server that misbehaves on request. One request a connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, unbounded};

/// What was asked.
pub(in crate::kube) struct Request {
    /// How many requests came before.
    pub(in crate::kube) number: usize,
    pub(in crate::kube) path: String,
    pub(in crate::kube) authorization: Option<String>,
}

/// What is answered.
pub(in crate::kube) struct Reply {
    pub(in crate::kube) status: u16,
    pub(in crate::kube) headers: String,
    pub(in crate::kube) body: String,
    pub(in crate::kube) end: End,
}

/// How an answer ends.
#[derive(PartialEq)]
pub(in crate::kube) enum End {
    /// As it should.
    Proper,
    /// In the middle.
    Cut,
    /// Not at all, as long as the client is there.
    Held,
    /// It does not even begin.
    Silent,
}

impl Reply {
    pub(in crate::kube) fn ok(body: String) -> Self {
        Self { status: 200, headers: String::new(), body, end: End::Proper }
    }

    pub(in crate::kube) fn status(status: u16, body: &str) -> Self {
        Self { status, ..Self::ok(body.to_owned()) }
    }

    pub(in crate::kube) fn cut(body: String) -> Self {
        Self { end: End::Cut, ..Self::ok(body) }
    }

    pub(in crate::kube) fn held(body: String) -> Self {
        Self { end: End::Held, ..Self::ok(body) }
    }

    pub(in crate::kube) fn silent() -> Self {
        Self { end: End::Silent, ..Self::ok(String::new()) }
    }
}

pub(in crate::kube) struct Server {
    pub(in crate::kube) url: String,
    requests: Receiver<()>,
}

impl Server {
    pub(in crate::kube) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        let count = Arc::new(AtomicUsize::new(0));
        let (sender, requests) = unbounded();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, count, sender) = (Arc::clone(&answer), Arc::clone(&count), sender.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &*answer, &count, &sender));
            }
        });
        Self { url, requests }
    }

    pub(in crate::kube) fn wait_for_requests(&self, number: usize) {
        for _ in 0..number {
            self.requests.recv().unwrap();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&Request) -> Reply,
    count: &AtomicUsize,
    requests: &crossbeam_channel::Sender<()>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return; // nothing, or the client left
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let authorization = lines.iter().find_map(|line| line.strip_prefix("authorization: ")).map(str::to_owned);
    let reply = answer(&Request { number: count.fetch_add(1, Ordering::SeqCst), path, authorization });
    let _ = requests.send(());
    let Reply { status, headers, body, end } = reply;
    let mut text = String::new();
    if end != End::Silent {
        text = format!("HTTP/1.1 {status} X\r\n{headers}connection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        if !body.is_empty() {
            text += &format!("{:x}\r\n{body}\r\n", body.len());
        }
    }
    if end == End::Proper {
        text += "0\r\n\r\n";
    }
    let _ = stream.write_all(text.as_bytes());
    if matches!(end, End::Held | End::Silent) {
        let _ = reader.read_line(&mut String::new()); // until the client leaves
    }
}
