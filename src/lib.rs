//! The map. To be written when the house stands.

pub mod cli;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod dns;
pub mod kube;
pub mod logger;
pub mod publisher;
pub mod signals;
pub mod thread;
pub mod zone;
