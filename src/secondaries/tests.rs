//! Secondaries of every kind, over loopback.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use super::*;
use crate::dns::message::Header;
use crate::dns::tsig;
use crate::dns::tsig::key::{Algorithm, Key};
use crate::dns::tsig::query::Verdict;
use crate::dns::tsig::request::Unproven;
use crate::zone::fixture;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const SERIAL: Serial = Serial(1_800_000_000);

/// A socket that a test answers from by hand.
fn secondary() -> (UdpSocket, Secondary) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, Secondary { address, key: None })
}

fn zone(serial: Serial) -> Zone {
    fixture::zone().with_serial(serial)
}

/// The next request, its serial, and who sent it.
fn request(socket: &UdpSocket) -> (Vec<u8>, Serial, SocketAddr) {
    let mut buffer = [0; 512];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    let request = buffer[..length].to_vec();
    // The SOA is the last record; behind its serial stand four more numbers.
    let at = request.len() - 20;
    let serial = u32::from_be_bytes(request[at..at + 4].try_into().unwrap());
    (request, Serial(serial), from)
}

/// The reply to a request, with an RCODE.
fn reply(request: &[u8], rcode: u8) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[2] |= (Header::QR >> 8) as u8;
    reply[3] |= rcode;
    reply
}

/// Waits until that is so of the secondaries.
fn until(standings: &Standings, what: &str, is_so: impl Fn(&[Standing]) -> bool) {
    let start = Instant::now();
    while !is_so(&standings.look()) {
        assert!(start.elapsed() < PATIENCE, "{what}: {:?}", standings.look());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn started(secondaries: Vec<Secondary>, from: Vec<IpAddr>) -> (Threads, Announcer, Arc<Standings>) {
    let mut threads = Threads::default();
    let (announcer, standings) =
        spawn(Config { secondaries, from, lag: None, keys: Arc::default() }, &mut threads).unwrap();
    (threads, announcer, standings)
}

#[test]
fn who_hangs_or_is_gone_holds_nobody_up() {
    let (silent, hangs) = secondary();
    let (closed, gone) = secondary();
    drop(closed);
    let unreachable = Secondary { address: "255.255.255.255:53".parse().unwrap(), key: None };
    let (socket, well) = secondary();
    let (threads, announcer, standings) = started(vec![hangs, gone, unreachable, well], Vec::new());
    for step in 1..=3 {
        announcer.announce(&zone(SERIAL.add(step)));
        let (question, serial, from) = request(&socket);
        assert_eq!(serial, SERIAL.add(step));
        socket.send_to(&reply(&question, 0), from).unwrap();
        until(&standings, "acknowledged", |all| all[3].acknowledged == Some(SERIAL.add(step)));
    }
    until(&standings, "seen", |all| all[1].trouble == Some(Trouble::Closed) && all[0].sent >= 1);
    let all = standings.look();
    assert_eq!((all[3].behind, &all[3].trouble), (None, &None));
    assert!(all[..3].iter().all(|standing| standing.behind.is_some() && standing.acknowledged.is_none()), "{all:?}");
    assert!(matches!(all[2].trouble, Some(Trouble::Unsent(_))), "{all:?}");
    assert_eq!(request(&silent).1, SERIAL.add(1));
    threads.stop_and_join();
}

#[test]
fn a_lost_request_is_sent_again_and_only_a_reply_to_it_counts() {
    let (socket, well) = secondary();
    let (threads, announcer, standings) = started(vec![well], Vec::new());
    announcer.announce(&zone(SERIAL));
    let (first, _, from) = request(&socket);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    stranger.send_to(&reply(&first, 0), from).unwrap();
    let mut wrong = [reply(&first, 0), reply(&first, 0), first.clone(), vec![0; 5]];
    wrong[0][0] ^= 1; // another id
    wrong[1][2] &= 0x87; // a query's
    for wrong in &wrong {
        socket.send_to(wrong, from).unwrap();
    }
    let (second, serial, again) = request(&socket);
    assert_eq!((serial, standings.look()[0].acknowledged), (SERIAL, None));
    assert!(first[..2] != second[..2] || from != again, "the same id from the same port");
    until(&standings, "strange", |all| all[0].trouble == Some(Trouble::Strange));
    socket.send_to(&reply(&second, 0), again).unwrap();
    until(&standings, "acknowledged", |all| all[0].acknowledged == Some(SERIAL) && all[0].behind.is_none());
    assert_eq!(standings.look()[0].sent, 2);
    threads.stop_and_join();
}

#[test]
fn a_secondary_that_refuses_is_asked_again_until_it_does_not() {
    let (socket, well) = secondary();
    let (threads, announcer, standings) = started(vec![well], Vec::new());
    announcer.announce(&zone(SERIAL));
    let (question, _, from) = request(&socket);
    socket.send_to(&reply(&question, 5), from).unwrap();
    until(&standings, "refused", |all| {
        all[0].trouble.as_ref().is_some_and(|trouble| trouble.to_string().contains("REFUSED"))
    });
    assert!(standings.look()[0].behind.is_some());
    let (question, _, from) = request(&socket);
    socket.send_to(&reply(&question, 0), from).unwrap();
    until(&standings, "acknowledged", |all| all[0].acknowledged == Some(SERIAL) && all[0].trouble.is_none());
    threads.stop_and_join();
}

#[test]
fn requests_come_from_the_address_that_is_served_where_that_can_be() {
    let (socket, well) = secondary();
    let bound = ["2001:db8::1", "192.0.2.77", "127.0.0.9"].map(|address| address.parse().unwrap()).to_vec();
    let (threads, announcer, _) = started(vec![well], bound);
    announcer.announce(&zone(SERIAL));
    assert_eq!(request(&socket).2.ip(), IpAddr::from([127, 0, 0, 9]), "the others are not this machine's");
    threads.stop_and_join();
    let (socket, well) = secondary();
    let (threads, announcer, _) = started(vec![well], vec!["192.0.2.77".parse().unwrap()]);
    announcer.announce(&zone(SERIAL));
    assert_eq!(request(&socket).2.ip(), IpAddr::from(Ipv4Addr::LOCALHOST), "better from elsewhere than not at all");
    threads.stop_and_join();
}

#[test]
fn only_the_last_word_counts() {
    let announcer = Announcer::new().unwrap();
    for step in 0..1000 {
        announcer.announce(&zone(SERIAL.add(step)));
    }
    assert!(matches!(announcer.take(), Some(Word::Announce(announcement)) if announcement.serial == SERIAL.add(999)));
    assert!(announcer.take().is_none());
    announcer.announce(&zone(SERIAL));
    announcer.hush();
    assert!(matches!(announcer.take(), Some(Word::Hush)));
}

#[test]
fn a_secondary_with_a_key_is_believed_when_it_signs() {
    let key = |secret: &[u8]| Key::new(&fixture::name("nd.example"), Algorithm::Sha256, secret);
    let (right, wrong) = (Keyring::of_keys([key(b"right")]), Keyring::of_keys([key(b"wrong")]));
    let (socket, mut well) = secondary();
    well.key = Some("nd.example".to_owned());
    let mut gone = well.clone();
    gone.key = Some("gone.example".to_owned());
    let mut threads = Threads::default();
    let keys = Arc::new(Keyring::of_keys([key(b"right")]));
    let config = Config { secondaries: vec![well, gone], from: Vec::new(), lag: None, keys };
    let (announcer, standings) = spawn(config, &mut threads).unwrap();
    announcer.announce(&zone(SERIAL));
    let mut buffer = [0; 512];
    // What the other side makes of it, and what comes of its reply here. The first two are asked for once more.
    for (keys, verdict, believed) in [
        (None, Verdict::Verified, false),
        (Some(&wrong), Verdict::BadSig, false),
        (Some(&right), Verdict::Verified, true),
    ] {
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let request = buffer[..length].to_vec();
        let at = Announcement::of(&zone(SERIAL)).request(0).len();
        let now = crate::dns::clock::since_1970().as_secs();
        let checked = tsig::query::check(&request, at, keys.unwrap_or(&right), now).unwrap();
        assert_eq!(checked.verdict(), verdict);
        let mut reply = reply(&request[..at], if verdict == Verdict::Verified { 0 } else { 9 });
        reply[11] = 0; // without the TSIG record
        if keys.is_some() {
            let length = reply.len();
            reply.resize(length + 200, 0);
            let length = checked.sign(&mut reply, length, 512);
            reply.truncate(length);
        }
        socket.send_to(&reply, from).unwrap();
        until(&standings, "judged", |all| match keys {
            _ if believed => all[0].acknowledged == Some(SERIAL) && all[0].trouble.is_none(),
            None => all[0].sent == 2 && all[0].trouble == Some(Trouble::Unproven(Unproven::Unsigned)),
            Some(_) => all[0].trouble == Some(Trouble::Unproven(Unproven::Rejected(16))),
        });
    }
    assert_eq!((standings.look()[1].sent, &standings.look()[1].trouble), (0, &Some(Trouble::NoKey)));
    threads.stop_and_join();
}
