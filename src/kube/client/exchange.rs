//! Single objects of any kind, whole and as they are: read, created, replaced.
//!
//! In: a path, and an object. Out: the object as the server has it now. Apart from what is watched, of which a few fields
//! count: an object that is written back must have in it all that somebody else wrote there.

use std::io::Read;

use serde_json::Value;
use ureq::Body;
use ureq::http::{Method, Response};

use super::{Client, RequestError, Status};
use crate::kube::decode::json;

/// etcd refuses objects above 1.5 MiB.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// What is done with a single object.
#[derive(Clone, Debug, PartialEq)]
pub enum Exchange {
    /// Read it.
    Get,
    /// Create it; the path is that of its collection.
    Create(Value),
    /// Replace it, if its resourceVersion is still that of the object here.
    Replace(Value),
}

impl Client {
    /// Does that at a path, and returns the object as it is now. Not bound to the client's kind.
    ///
    /// # Errors
    /// See [`RequestError`]: a status of the server says that nothing was done, unless it is one of the server's own
    /// faults (5xx).
    pub fn exchange(&mut self, path: &str, exchange: &Exchange) -> Result<Value, RequestError> {
        let (method, object) = match exchange {
            Exchange::Get => (Method::GET, None),
            Exchange::Create(object) => (Method::POST, Some(object)),
            Exchange::Replace(object) => (Method::PUT, Some(object)),
        };
        let response = self.call(method, path, object.map(|object| object.to_string().into_bytes()))?;
        if !response.status().is_success() {
            return Err(RequestError::Status(Status::read(response, &self.keys)));
        }
        read(response)
    }
}

fn read(response: Response<Body>) -> Result<Value, RequestError> {
    let mut body = Vec::new();
    let read = response.into_body().into_reader().take(MAX_BYTES).read_to_end(&mut body);
    read.map_err(|error| RequestError::Body(json::Error::Io(error)))?;
    serde_json::from_slice(&body)
        .map_err(|error| if error.is_eof() { json::Error::Eof } else { json::Error::Syntax(error.to_string()) })
        .map_err(RequestError::Body)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::kube::Kind;
    use crate::kube::credentials::{Credentials, Location};
    use crate::kube::objects::AnnotationKeys;
    use crate::kube::tests::server::{Reply, Server};
    use crate::thread::Threads;

    const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/dns/leases/lb";

    fn exchange(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Result<Value, RequestError> {
        let server = Server::start(move |request| {
            assert_eq!(request.path, PATH);
            reply()
        });
        let credentials = Arc::new(Credentials::new(Location::new(&server.url, None, None).unwrap()).unwrap());
        let threads = Threads::default();
        let client = Client::new(Kind::Lease, credentials, AnnotationKeys::default(), threads.stop());
        client.with_limit(Duration::from_secs(60)).exchange(PATH, &Exchange::Replace(json!({"kind": "Lease"})))
    }

    #[test]
    fn an_object_comes_back_whole() {
        let object = json!({"kind": "Lease", "metadata": {"name": "lb", "of": ["others"]}, "new": {"in": 1.40}});
        let text = object.to_string();
        assert_eq!(exchange(move || Reply::ok(text.clone())).unwrap(), object);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        let status = r#"{"kind":"Status","reason":"Conflict","message":"the object has been modified","code":409}"#;
        let long = format!("\"{}\"", "x".repeat(3 << 20));
        let deep = "[".repeat(100_000);
        for (reply, expect) in [
            (409, status, "it answered 409: Conflict: the object has been modified"),
            (301, "", "it answered 301"),
            (200, "", "its answer broke off"),
            (200, r#"{"kind":"#, "its answer broke off"),
            (200, "<html>", "its answer is not the JSON of Kubernetes"),
            (200, &long, "its answer broke off"),
            (200, &deep, "its answer is not the JSON of Kubernetes"),
        ]
        .map(|(code, body, expect)| ((code, body.to_owned()), expect))
        {
            let error = exchange(move || Reply::status(reply.0, &reply.1)).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        }
        assert!(exchange(|| Reply::cut(r#"{"kind":"Lease"}"#.to_owned())).is_err(), "it is not known to be all");
    }
}
