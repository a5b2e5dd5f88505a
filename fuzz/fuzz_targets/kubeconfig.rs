//! Any bytes as a kubeconfig: it says where the API is and who we are there, or is refused with a reason.
//!
//! Certificates and keys within the text are used, files that it names are not: nothing outside is touched.

#![no_main]

use std::path::Path;

use k8s_node_dns::kube::credentials::{Credentials, Kubeconfig, Location, Material};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(kubeconfig) = Kubeconfig::parse(text, Path::new("/fuzz/config")) else { return };
    let files = [kubeconfig];
    for context in [None, Some("home")] {
        match Kubeconfig::locate(&files, context, "the file") {
            Ok(location) if is_inline(&location) => drop(Credentials::new(location)),
            // A scheme has no case (RFC 3986, section 3.1).
            Ok(location) => {
                assert!(location.server().to_ascii_lowercase().starts_with("http"), "{}", location.server())
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});

fn is_inline(location: &Location) -> bool {
    let identity = location.user.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
    let mut materials = identity.chain(&location.ca);
    location.user.token_file.is_none() && materials.all(|material| matches!(material, Material::Inline(..)))
}
