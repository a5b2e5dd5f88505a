//! `/livez` and `/readyz`: how things are in, the text that Kubernetes components answer out.
//!
//! Alive is a question about this process alone: whether its threads move on. Ready is whether it has a zone to answer
//! from. Neither depends on the API server: when that is away, a restart would only lose what is known.

use std::fmt::Write;

use super::response::Response;
use crate::thread::Health;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: String,
    /// What is wrong with it.
    pub failure: Option<String>,
}

impl Check {
    /// A thing that is well unless there is a `failure`.
    pub fn new(name: impl Into<String>, failure: Option<String>) -> Self {
        Self { name: name.into(), failure }
    }

    /// Whether it is well.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// The checks of `/livez`: one for each thread.
pub fn liveness(threads: Vec<Health>) -> Vec<Check> {
    let thread = |Health { thread, late }| {
        let failure = late.map(|late| {
            format!("it should have moved on {} s ago; the process needs a restart", late.as_secs_f32().ceil())
        });
        Check::new(thread, failure)
    };
    std::iter::once(Check::new("ping", None)).chain(threads.into_iter().map(thread)).collect()
}

/// The checks of `/readyz`.
pub fn readiness(stopping: bool, published: bool) -> Vec<Check> {
    let not_published = "no zone is published yet: the log says what is waited for, usually the API server";
    vec![
        Check::new("ping", None),
        Check::new("zone", (!published).then(|| not_published.to_owned())),
        Check::new("shutdown", stopping.then(|| "the daemon is stopping".to_owned())),
    ]
}

/// What a probe is answered. The checks are listed when they are asked for, and whenever one fails, for the event that
/// `kubectl describe pod` shows.
pub fn respond(probe: &str, checks: &[Check], verbose: bool) -> Response {
    let well = checks.iter().all(Check::passed);
    if well && !verbose {
        return Response::text(200, "ok");
    }
    let mut text = String::new();
    for Check { name, failure } in checks {
        let _ = match failure {
            None => writeln!(text, "[+]{name} ok"),
            Some(failure) => writeln!(text, "[-]{name} failed: {failure}"),
        };
    }
    let _ = writeln!(text, "{probe} check {}", if well { "passed" } else { "failed" });
    Response::text(if well { 200 } else { 503 }, text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn body(response: Response) -> (u16, String) {
        (response.status, String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn what_is_well_is_said_in_a_word_unless_more_is_asked_for() {
        let threads = || vec![Health { thread: "udp-0".into(), late: None }];
        assert_eq!(body(respond("livez", &liveness(threads()), false)), (200, "ok".into()));
        assert_eq!(
            body(respond("livez", &liveness(threads()), true)),
            (200, "[+]ping ok\n[+]udp-0 ok\nlivez check passed\n".into())
        );
    }

    #[test]
    fn a_thread_that_hangs_fails_the_probe_by_name() {
        let threads = vec![
            Health { thread: "udp-0".into(), late: None },
            Health { thread: "publisher".into(), late: Some(Duration::from_millis(2500)) },
        ];
        assert_eq!(
            body(respond("livez", &liveness(threads), false)),
            (
                503,
                "[+]ping ok\n[+]udp-0 ok\n[-]publisher failed: it should have moved on 3 s ago; the process needs a \
                 restart\nlivez check failed\n"
                    .into()
            )
        );
    }

    #[test]
    fn ready_is_published_and_not_stopping() {
        for (stopping, published, status, words) in [
            (false, false, 503, "[-]zone failed: no zone is published yet"),
            (false, true, 200, "ok"),
            (true, true, 503, "[+]zone ok\n[-]shutdown failed: the daemon is stopping\n"),
            (true, false, 503, "[-]zone failed"),
        ] {
            let (got, text) = body(respond("readyz", &readiness(stopping, published), false));
            assert_eq!(got, status, "{text}");
            assert!(text.contains(words), "{text}");
        }
    }
}
