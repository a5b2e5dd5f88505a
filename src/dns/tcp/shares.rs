//! Who has how much of what all connections share: places, and memory for what is not answered or not taken yet.
//!
//! A file of its own because it is the fairness of the server in one place: each address is accounted for, and when
//! something runs out, whoever has the most of it gives way.

use std::net::IpAddr;

use hashbrown::HashMap;

/// What an address has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Connections.
    pub(super) connections: usize,
    /// Bytes that they hold.
    pub(super) held: usize,
}

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scarce {
    /// Places for connections.
    Places,
    /// Memory.
    Memory,
}

impl Share {
    fn of(self, scarce: Scarce) -> usize {
        match scarce {
            Scarce::Places => self.connections,
            Scarce::Memory => self.held,
        }
    }
}

/// The shares of all addresses that have one. Each connection takes part from [`Shares::open`] to [`Shares::close`].
#[derive(Debug, Default)]
pub(super) struct Shares {
    shares: HashMap<IpAddr, Share>,
    held: usize,
}

impl Shares {
    /// Bytes that all of them hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// A connection more; it holds nothing.
    pub(super) fn open(&mut self, address: IpAddr) {
        self.shares.entry(address).or_default().connections += 1;
    }

    /// A connection less, which held so many bytes.
    pub(super) fn close(&mut self, address: IpAddr, held: usize) {
        self.hold(address, held, 0);
        if let Some(share) = self.shares.get_mut(&address) {
            share.connections = share.connections.saturating_sub(1);
            if share.connections == 0 {
                self.shares.remove(&address);
            }
        }
    }

    /// A connection held `before` bytes and holds `now`.
    pub(super) fn hold(&mut self, address: IpAddr, before: usize, now: usize) {
        if before == now {
            return;
        }
        self.held = (self.held + now).saturating_sub(before);
        if let Some(share) = self.shares.get_mut(&address) {
            share.held = (share.held + now).saturating_sub(before);
        }
    }

    /// The addresses that have the most of it: more than one if they have the same.
    pub(super) fn with_most(&self, scarce: Scarce) -> impl Fn(IpAddr) -> bool {
        let most = self.shares.values().map(|share| share.of(scarce)).max().unwrap_or(0);
        move |address| self.shares.get(&address).is_some_and(|share| share.of(scarce) == most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn with_most(shares: &Shares, scarce: Scarce) -> [bool; 2] {
        let with_most = shares.with_most(scarce);
        [A, B].map(with_most)
    }

    #[test]
    fn who_has_the_most_of_what() {
        let mut shares = Shares::default();
        assert_eq!(with_most(&shares, Scarce::Places), [false, false]);
        shares.open(A);
        shares.open(B);
        assert_eq!(with_most(&shares, Scarce::Places), [true, true]);
        shares.open(A);
        shares.hold(B, 0, 100);
        assert_eq!(with_most(&shares, Scarce::Places), [true, false]);
        assert_eq!(with_most(&shares, Scarce::Memory), [false, true]);
        shares.hold(A, 0, 60);
        shares.hold(A, 0, 50);
        shares.hold(B, 100, 20);
        assert_eq!(with_most(&shares, Scarce::Memory), [true, false]);
        assert_eq!(shares.held(), 130);
        shares.close(A, 60);
        assert_eq!(shares.held(), 70);
        assert_eq!(with_most(&shares, Scarce::Places), [true, true]);
        shares.close(A, 50);
        assert_eq!(with_most(&shares, Scarce::Places), [false, true]);
        shares.close(B, 20);
        assert_eq!((shares.held(), shares.shares.len()), (0, 0));
    }
}
