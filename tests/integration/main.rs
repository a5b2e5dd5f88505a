//! The real binary, from outside: started with flags, asked over the network, stopped by signals.
//!
//! One test program rather than one a file: it links once, and the tests share `common` without unused parts. Each
//! module is a theme; `cargo test --test integration cluster_file` runs one.
//!
//! What needs programs that not every machine has (an API server, resolvers) is skipped with a line that says how to
//! run it; with `CI_REQUIRE_ALL=1` in the environment such a skip is a failure.

#[cfg(test)]
mod chart;
#[cfg(test)]
mod check;
#[cfg(test)]
mod cluster_file;
#[cfg(test)]
mod common;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod fake_api;
#[cfg(test)]
mod http;
#[cfg(test)]
mod makeshift;
#[cfg(test)]
mod node_flags;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod print_zone;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod random;
#[cfg(test)]
mod real_api;
#[cfg(test)]
mod real_credentials;
#[cfg(test)]
mod real_failover;
#[cfg(test)]
mod real_faults;
#[cfg(test)]
mod real_leases;
#[cfg(test)]
mod release;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod secondaries;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod signed_transfers;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod state;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod tsig;
