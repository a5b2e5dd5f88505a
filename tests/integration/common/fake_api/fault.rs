//! What an API server, or what stands in front of it, does wrong.

use serde_json::{Value, json};

/// A reply that is not the right one.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Another reply, which is good HTTP; the connection stays.
    Reply(Vec<u8>),
    /// These bytes, whatever they are, and the end of the connection.
    Bytes(Vec<u8>),
    /// What is asked for is done, and the connection ends without a word of it.
    Lost,
    /// These bytes, and then nothing while the connection stays open.
    Stalls(Vec<u8>),
    /// The right reply, broken off after so many bytes of its body: in the middle of an object.
    CutAfter(usize),
    /// A watch that begins well and is cut in the middle of the first event.
    CutInEvent,
    /// One line of so many bytes.
    LongLine(usize),
}

impl Fault {
    /// A reply with this status, and a `Status` object that says the same.
    pub(crate) fn status(code: u16) -> Self {
        Self::Reply(http(code, "", &status(code, "the fake API server does not feel like it").to_string()))
    }

    /// Likewise, with a Retry-After of so many seconds.
    pub(crate) fn retry_after(code: u16, seconds: u32) -> Self {
        let object = status(code, "please try again later").to_string();
        Self::Reply(http(code, &format!("Retry-After: {seconds}\r\n"), &object))
    }

    /// 403, in the words of a real API server.
    pub(crate) fn forbidden(resource: &str, group: &str) -> Self {
        let message = format!(
            "{resource} is forbidden: User \"system:serviceaccount:k8s-node-dns:k8s-node-dns\" cannot list resource \
             \"{resource}\" in API group \"{group}\" at the cluster scope"
        );
        Self::Reply(http(403, "", &status(403, &message).to_string()))
    }

    /// A good status with this body.
    pub(crate) fn body(body: &str) -> Self {
        Self::Reply(http(200, "", body))
    }

    /// A watch that has one ERROR event.
    pub(crate) fn error_event(code: u16) -> Self {
        Self::event("ERROR", &status(code, "too old resource version: 1 (48000)"))
    }

    /// A watch that has one event, and ends.
    pub(crate) fn event(verb: &str, object: &Value) -> Self {
        Self::body(&event(verb, object))
    }

    /// Accepts and says nothing.
    pub(crate) fn silence() -> Self {
        Self::Stalls(Vec::new())
    }

    /// A list that begins well and stops in the middle of its first object.
    pub(crate) fn stalls_in_list() -> Self {
        let begin =
            r#"{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"48010"},"items":[{"metadata":{"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
        Self::Stalls(format!("{head}{begin}").into_bytes())
    }

    /// A watch that stops in the middle of its first event, of which `bytes` came.
    pub(crate) fn stalls_in_event(object: &Value, bytes: usize) -> Self {
        let line = event("MODIFIED", object);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        Self::Stalls(format!("{head}{:x}\r\n{}", line.len(), &line[..bytes]).into_bytes())
    }

    /// Says that the reply is good, and stops there.
    pub(crate) fn stalls_after_headers() -> Self {
        Self::Stalls(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        )
    }
}

/// A whole HTTP/1.1 reply.
pub(super) fn http(code: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = "Content-Type: application/json\r\nAudit-Id: 7c1b1d0e-0f60-4b7a-9d0c-55d5d9d1a9a4\r\n";
    format!("HTTP/1.1 {code} {}\r\n{head}{headers}Content-Length: {length}\r\n\r\n{body}", reason(code)).into_bytes()
}

/// The line of an event, with its type first, as API servers write it.
pub(super) fn event(verb: &str, object: &Value) -> String {
    format!("{{\"type\":\"{verb}\",\"object\":{object}}}\n")
}

/// A `Status` object.
pub(super) fn status(code: u16, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason(code), "code": code
    })
}

fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        201 => "Created",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        _ => "Unknown",
    }
}
