//! The whole cluster, as far as DNS is concerned.
use std::collections::BTreeSet;

use super::{Addresses, Area, ServiceName};
use crate::kube::{Kind, WatchEvent};

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Cluster {}

/// What an event did: the names to build again, and the story for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Areas that appeared, went or have other addresses.
    pub areas: BTreeSet<Area>,
    /// Services likewise.
    pub services: BTreeSet<ServiceName>,
    /// A kind became loaded: names that could not be told from missing ones before now can.
    pub loaded: bool,
    /// For the log.
    pub story: Vec<Story>,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Story {}

impl Story {
    /// Its level.
    pub fn level(&self) -> log::Level {
        log::Level::Info
    }
}

impl std::fmt::Display for Story {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl Changes {
    /// Adds later changes.
    pub fn merge(&mut self, more: Self) {
        self.areas.extend(more.areas);
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        true
    }
}

impl Cluster {
    /// Folds one event in.
    pub fn apply(&mut self, event: WatchEvent) -> Changes {
        let _ = event;
        Changes::default()
    }

    /// Whether a kind was listed, or is refused.
    pub fn loaded(&self, kind: Kind) -> bool {
        let _ = kind;
        false
    }

    /// Whether Services and EndpointSlices are both loaded, or not watched.
    pub fn services_known(&self) -> bool {
        false
    }

    /// All areas that a node lists, ready or not.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        [].into_iter()
    }

    /// The addresses of an area's eligible nodes; `None` when no node lists it.
    pub fn area(&self, area: &Area) -> Option<Addresses> {
        let _ = area;
        None
    }

    /// All Services that have a name.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        [].into_iter()
    }

    /// The addresses of the eligible nodes that host a Service; `None` when it has no name.
    pub fn service(&self, service: &ServiceName) -> Option<Addresses> {
        let _ = service;
        None
    }
}
