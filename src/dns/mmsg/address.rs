//! A socket address as the kernel writes it.
#![expect(unsafe_code, reason = "a union of the kernel's")]

use std::net::Ipv6Addr;

use libc::{c_int, sockaddr_in, sockaddr_in6};

/// The client's address. Both begin with family and port.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Address {
    /// Of IPv4.
    pub v4: sockaddr_in,
    /// Of IPv6.
    pub v6: sockaddr_in6,
}

impl Address {
    /// The address; one of IPv4 as IPv4-mapped.
    #[inline]
    pub fn ip(&self) -> Ipv6Addr {
        // SAFETY: both begin with the family, which says which of them it is; all bytes are initialised.
        unsafe {
            match c_int::from(self.v4.sin_family) {
                libc::AF_INET6 => Ipv6Addr::from_bits(u128::from_be_bytes(self.v6.sin6_addr.s6_addr)),
                _ => Ipv6Addr::from_bits(0xFFFF << 32 | u128::from(u32::from_be(self.v4.sin_addr.s_addr))),
            }
        }
    }

    /// The port that it came from; 0 if it came from nowhere.
    #[inline]
    pub fn port(&self) -> u16 {
        // SAFETY: the port is in the same place in both.
        u16::from_be(unsafe { self.v4.sin_port })
    }

    /// Whether it is of IPv4, be it IPv4-mapped.
    #[inline]
    pub fn is_ipv4(&self) -> bool {
        const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];
        // SAFETY: as above.
        let (family, ip) = unsafe { (self.v4.sin_family, &self.v6.sin6_addr.s6_addr) };
        c_int::from(family) != libc::AF_INET6 || ip.starts_with(&MAPPED)
    }
}
