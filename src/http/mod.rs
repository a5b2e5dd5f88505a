//! What people and programs see of the daemon besides its answers: probes, metrics, the status page.
//!
//! In: what the other modules count and publish, each from where it lies ([`Sources`]). Out: responses over HTTP. Nothing
//! can be changed through it, nothing here waits for another thread, and no DNS thread does anything for it.
//!
//! ```text
//! server -> connection -> request -> site -> probes                          at once
//!                                     |  \-> metrics, page, status.json, zone  when the publisher's report has come
//!                                     \--Ask--> publisher --Report--> site
//! ```

mod connection;
mod exposition;
mod history;
mod html;
pub mod listen;
mod overall;
mod page;
mod probes;
mod process;
pub mod question;
mod reason;
pub mod request;
mod response;
pub mod server;
pub mod site;
pub mod sources;
mod status;

pub use sources::{Origin, Sources, WatchHealth};
