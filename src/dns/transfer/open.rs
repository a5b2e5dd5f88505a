//! Who is being sent how many transfers.
//!
//! In: clients that begin one, and that end one. Out: whether there is a place for another. A file of its own since it is
//! what keeps one client, who begins many and takes none, from being in the way of all others.

use std::fmt;
use std::net::IpAddr;

/// So many streams at a time. Each may hold an edition that nobody else needs any more, so that they must be bounded;
/// who comes when there are as many gets SERVFAIL, and asks again later.
pub(super) const AT_ONCE: usize = 64;

/// And so many of them to one address, which may be that of a few secondaries behind NAT.
pub(super) const TO_ONE: usize = AT_ONCE / 4;

/// The addresses of streams that are under way; one that has several is in it as often. They are few, so that they are
/// counted where it matters.
#[derive(Debug, Default)]
pub(super) struct Open(Vec<IpAddr>);

/// There is no place: how it is, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// How many the client has.
    own: usize,
    /// How many there are.
    all: usize,
    /// Who has the most of them, and how many.
    most: Option<(IpAddr, usize)>,
}

impl Open {
    /// Gives `client` a place, which is for [`Open::leave`] to give back.
    pub(super) fn enter(&mut self, client: IpAddr) -> Result<(), Full> {
        let (own, all) = (self.of(client), self.len());
        if own >= TO_ONE || all >= AT_ONCE {
            let most = self.0.iter().map(|client| (*client, self.of(*client))).max_by_key(|(_, count)| *count);
            return Err(Full { own, all, most });
        }
        self.0.push(client);
        Ok(())
    }

    /// A stream to `client` has ended.
    pub(super) fn leave(&mut self, client: IpAddr) {
        if let Some(place) = self.0.iter().position(|other| *other == client) {
            self.0.swap_remove(place);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn of(&self, client: IpAddr) -> usize {
        self.0.iter().filter(|other| **other == client).count()
    }
}

/// What is in the way, and what to do.
impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, all, most } = self;
        if *own >= TO_ONE {
            write!(
                f,
                "{own} are being sent to that address, and no more are at a time. It does not take them, or asks again \
                 before it has: look at the secondary there, or take it out of --allow-transfer"
            )
        } else {
            write!(f, "{all} are being sent, and no more are at a time")?;
            if let Some((client, count)) = most {
                write!(f, "; {client} has the most, {count}")?;
            }
            f.write_str(
                ". Who begins many and does not take them does not belong into --allow-transfer; the others ask again",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    #[test]
    fn nobody_has_more_than_a_quarter_and_together_they_are_bounded() {
        let mut open = Open::default();
        for _ in 0..TO_ONE {
            assert_eq!(open.enter(client(1)), Ok(()));
        }
        let full = open.enter(client(1)).unwrap_err();
        assert_eq!(full, Full { own: 16, all: 16, most: Some((client(1), 16)) });
        assert!(full.to_string().starts_with("16 are being sent to that address, and no more"), "{full}");
        for number in 2..50 {
            assert_eq!(open.enter(client(number)), Ok(()), "{number}");
        }
        assert_eq!(open.len(), AT_ONCE);
        let full = open.enter(client(50)).unwrap_err();
        assert_eq!(full, Full { own: 0, all: 64, most: Some((client(1), 16)) });
        assert!(
            full.to_string().starts_with("64 are being sent, and no more are at a time; 192.0.2.1 has the most, 16.")
        );
        open.leave(client(1));
        open.leave(client(50)); // has none
        assert_eq!((open.of(client(1)), open.len()), (15, 63));
        assert_eq!(open.enter(client(50)), Ok(()));
    }
}
