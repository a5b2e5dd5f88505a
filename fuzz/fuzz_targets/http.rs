//! Any bytes as a request over HTTP: it is refused, or a form in it becomes a question that DNS answers. However the bytes
//! are cut, what has come so far is either part of a request or decided.

#![no_main]

mod zone_config;

use k8s_node_dns::dns::context::AnswerConfig;
use k8s_node_dns::http::question::Question;
use k8s_node_dns::http::request::{Parsed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = parse(bytes);
    if parsed == Parsed::Part {
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), Parsed::Part, "refused when less of it was there");
        }
    }
    let Parsed::Whole(request) = parsed else { return };
    let (name, rtype) = (request.parameter("name"), request.parameter("type"));
    let apex = zone_config::config().apex;
    if let Ok(question) = Question::parse(name.unwrap_or_default(), rtype.unwrap_or_default(), &apex) {
        let reply = question.ask(None, &AnswerConfig::default()).expect("a question that can be asked is answered");
        assert!(!reply.rcode.is_empty());
    }
});
