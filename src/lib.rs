//! DNS that follows the nodes of a Kubernetes cluster: the map of the house.
//!
//! The API server's nodes, Services and EndpointSlices come in on one side; DNS replies go out on the other. Data flows
//! one way, and each stage knows only what comes into it:
//!
//! ```text
//! API server --HTTP--> kube --WatchEvent--> cluster --Cluster--> zone --Arc<Zone>--> RwLock --> dns --> replies
//! (or a file)          a thread a kind      \_____ publisher: one thread, the only writer ____/  a thread a core for
//!                                                      |  ^                                     UDP, one for TCP
//!                                               Report |  | Ask                                    | counters
//!                                                      v  |                                        v
//!                                                      http: one thread ---> page, metrics, probes
//! ```
//!
//! - [`kube`] finds the API and its credentials, lists and watches, and decodes the few fields that count. It alone
//!   knows HTTP, TLS and the objects' JSON. A file can stand in for the API.
//! - [`cluster`] folds events into areas, Services and their addresses. Whether a node counts is decided in one pure
//!   function, whose verdict carries its reason.
//! - [`zone`] is a pure function of configuration and cluster: the complete records of each name, encoded, and a lookup.
//! - [`probe`] probes addresses of nodes, where the operator wants it; what comes of it is decided in [`cluster`]. The
//!   publisher tells it what to probe, and takes the results.
//! - [`leader`] is the protocol by which replicas agree on serials, a pure state machine; [`election`] does at the API
//!   server what it asks for, on a thread of its own.
//! - [`publisher`] owns the cluster, builds zones from it and publishes them.
//! - [`state`] keeps the last good cluster on disk, between one run and the next: the publisher hands it what to write,
//!   and takes from it what cannot be listed. A thread of its own waits for the disk.
//! - [`dns`] answers: one pure function from query, zone and context to reply, and two ways to carry packets.
//! - [`secondaries`] tells name servers elsewhere of new versions (NOTIFY), on a thread of its own.
//! - [`http`] shows: probes, metrics, the status page. What it shows of the cluster it asks the publisher for
//!   ([`report`]), which answers between events; DNS threads do nothing for it but count.
//! - [`daemon`] is the composition root: it alone knows everybody. [`config`] makes each consumer's part of the
//!   configuration from what [`cli`] has parsed.
//! - [`print_zone`] and [`check`] look once and end, instead of serving; [`load`] lists the cluster for them.
//! - [`thread`], [`signals`], [`notify`], [`logger`], [`staleness`], [`metrics`], [`duration`] and [`utc`] are leaves: they import
//!   nothing of ours (the log writes the time).
//!
//! `tests/layers.rs` holds the arrows to this.
//!
//! # What always holds
//!
//! - DNS threads never wait for Kubernetes, for a lock held during a build, for a line of the log or for another client.
//!   They take the zone's lock when there is a new zone, for as long as it takes to copy a pointer.
//! - A published zone is immutable. An update is a new `Arc<Zone>`, built off the lock, that shares with the old one all
//!   names but those that changed and a few beside them. The old one is freed by the publisher, not by a DNS thread.
//! - The daemon is ready exactly when a zone has been published; there is no second flag that could disagree. One is
//!   published once nodes are listed, and Services and EndpointSlices are listed, refused, or have failed for 5 s; or
//!   from the state directory.
//! - Nothing is answered NXDOMAIN for want of knowledge: before that, and for names that only a kind which is not listed
//!   yet could tell, the answer is SERVFAIL.
//! - Losing the API never empties the zone: the last good one is served until there is a newer one. Nor does a restart,
//!   where there is a state directory.
//! - Nothing that is wrong with the disk ends the daemon or delays an answer: only the thread `state` waits for it, once
//!   the start is over.
//! - A list replaces a kind's state in one step; nobody sees half a list.
//! - A probe is answered whatever other clients of the HTTP server do, and says of this process alone how it is.
//! - A query allocates nothing, formats nothing and logs nothing, and its cost does not depend on the number of nodes.
//!
//! # What is absent on purpose
//!
//! - An asynchronous runtime, a Kubernetes client library and generated API types: three streams and a handful of fields
//!   need threads that block, and structs of a page.
//! - A message builder on the way of a reply: records are encoded when the zone changes and copied when they are asked
//!   for. The `domain` crate checks every reply in the tests.
//! - Timers that collect changes: the first event of a quiet period is published at once, and those that come during a
//!   build, or within half a millisecond of it, go into the next one.
//! - Anything written to the cluster but one Lease, where there are replicas that are to agree (`--leader-elect`).

pub mod check;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod dns;
pub mod duration;
pub mod election;
pub mod http;
pub mod kube;
pub mod leader;
pub mod load;
pub mod logger;
pub mod metrics;
pub mod notify;
pub mod print_zone;
pub mod probe;
pub mod publisher;
pub mod report;
pub mod secondaries;
pub mod signals;
pub mod staleness;
pub mod state;
pub mod thread;
pub mod utc;
pub mod zone;
