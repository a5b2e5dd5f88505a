//! Writes what packages have of the flags' declarations: the manual page, completions, the service's environment file.
//!
//! `just generate` runs it after a flag was added or said otherwise; a test (src/cli/tests/packaged.rs) fails until then.

use std::{fs, io};

use k8s_node_dns::cli::{completions, environment, manual};

fn main() -> io::Result<()> {
    for (path, text) in [
        ("deploy/man/k8s-node-dns.8", manual::page()),
        ("deploy/completions/k8s-node-dns.bash", completions::bash()),
        ("deploy/completions/_k8s-node-dns", completions::zsh()),
        ("deploy/completions/k8s-node-dns.fish", completions::fish()),
        ("deploy/systemd/k8s-node-dns.env", environment::file()),
    ] {
        fs::write(path, text)?;
    }
    Ok(())
}
