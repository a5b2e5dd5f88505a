//! What systemd is told (`sd_notify(3)`): in, how the daemon is; out, datagrams on the socket that `NOTIFY_SOCKET` names.
//!
//! Without that variable, which only `Type=notify` and `Type=notify-reload` set, nothing happens. A file of its own
//! instead of a library, since it is one datagram a message. Nothing waits for systemd: what it does not take is lost.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::ClockId;

/// Somebody who wants to know how the daemon is.
#[derive(Debug)]
struct Listener {
    socket: UnixDatagram,
    address: SocketAddr,
}

/// The daemon's side of the socket; without one, everything here does nothing.
#[derive(Debug, Default)]
pub struct Notify {
    listener: Option<Listener>,
    /// How long the daemon may be silent before it is restarted.
    watchdog: Option<Duration>,
    /// The status that was told last.
    status: String,
}

impl Notify {
    /// As the environment of this process says.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var_os(name), std::process::id())
    }

    /// As this environment says, to the process of this number.
    pub(crate) fn new(environment: impl Fn(&str) -> Option<OsString>, process: u32) -> Self {
        let Some(name) = environment("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Self::default() };
        let listener = match listener(&name) {
            Ok(listener) => listener,
            Err(error) => {
                log::warn!("NOTIFY_SOCKET {name:?} cannot be used: {error}; systemd is told nothing");
                return Self::default();
            }
        };
        let number = |name| environment(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
        let is_ours = environment("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(u64::from(process));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| is_ours && *usec > 0).map(Duration::from_micros);
        Self { listener: Some(listener), watchdog, status: String::new() }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.listener.is_some()
    }

    /// How long the daemon may be silent, if systemd watches it.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The start, or reading files again, is over.
    pub fn ready(&mut self, status: &str) {
        self.send("READY=1", Some(status));
    }

    /// How things are, in a line; told when it is new.
    pub fn status(&mut self, status: &str) {
        if status != self.status {
            self.send("", Some(status));
        }
    }

    /// Files are read again.
    pub fn reloading(&mut self) {
        // `Type=notify-reload` wants to know that this is about the signal that it sent.
        let now = ClockId::CLOCK_MONOTONIC.now().map(Duration::from).unwrap_or_default();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()), None);
    }

    /// The end begins.
    pub fn stopping(&mut self, status: &str) {
        self.send("STOPPING=1", Some(status));
    }

    /// The daemon is alive.
    pub fn alive(&mut self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1", None);
        }
    }

    fn send(&mut self, state: &str, status: Option<&str>) {
        let Some(Listener { socket, address }) = &self.listener else { return };
        let mut message = state.to_owned();
        if let Some(status) = status {
            self.status = status.to_owned();
            // Lines are assignments: a status is one.
            let line: String = status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            message += if state.is_empty() { "" } else { "\n" };
            message += &format!("STATUS={line}");
        }
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
            log::debug!("systemd is not told {message:?}: {error}");
        }
    }
}

fn listener(name: &OsStr) -> std::io::Result<Listener> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(Listener { socket, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A daemon that is told of this socket, and the watchdog's variables.
    fn told(name: &str, variables: &[(&str, &str)]) -> Notify {
        let all = [&[("NOTIFY_SOCKET", name)], variables].concat();
        Notify::new(|name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()), 42)
    }

    fn next(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 1000];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_message_is_a_datagram_to_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("k8s-node-dns-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, name) in [
            (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned()),
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{name}")),
        ] {
            let mut notify = told(&name, &[("WATCHDOG_USEC", "30000000")]);
            assert!(notify.is_heard());
            notify.ready("starts\nWATCHDOG=trigger");
            assert_eq!(next(&socket), "READY=1\nSTATUS=starts WATCHDOG=trigger");
            notify.status("starts\nWATCHDOG=trigger"); // as before: nothing
            notify.status("serves");
            assert_eq!(next(&socket), "STATUS=serves");
            notify.reloading();
            let said = next(&socket);
            let usec = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|usec| usec.parse::<u64>().ok());
            assert!(usec.is_some_and(|usec| usec > 0), "{said}");
            notify.alive();
            assert_eq!(next(&socket), "WATCHDOG=1");
            notify.stopping("ends");
            assert_eq!(next(&socket), "STOPPING=1\nSTATUS=ends");
        }
    }

    #[test]
    fn the_watchdog_is_only_for_the_process_that_is_meant() {
        for (variables, expect) in [
            (&[][..], None),
            (&[("WATCHDOG_USEC", "3000000")], Some(3)),
            (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "42")], Some(3)),
            (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "43")], None),
            (&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "me")], None),
            (&[("WATCHDOG_USEC", "0")], None),
            (&[("WATCHDOG_USEC", "soon")], None),
        ] {
            assert_eq!(told("@nobody", variables).watchdog(), expect.map(Duration::from_secs), "{variables:?}");
        }
    }

    #[test]
    fn without_a_socket_nothing_happens() {
        for name in ["", "\0", &"long".repeat(100)] {
            let mut notify = told(name, &[("WATCHDOG_USEC", "1")]);
            assert!(!notify.is_heard() && notify.watchdog().is_none());
            notify.ready("unheard");
        }
        told("/nonexistent/notify", &[]).ready("unheard");
    }
}
