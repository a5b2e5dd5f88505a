use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;
use crate::cluster::{Cluster, Moment};
use crate::dns::context::{AnswerConfig, Context, Transport};
use crate::dns::limits::Network;
use crate::dns::transfer::Transfers;
use crate::dns::transfer::acl::Acl;
use crate::kube::{Change, WatchEvent};
use crate::zone::{Editions, Zone, fixture};

/// A client as its stream shows it.
#[derive(Default)]
struct Script {
    /// What it sends, one read each.
    sends: VecDeque<Vec<u8>>,
    /// Whether it closes its side afterwards.
    ends: bool,
    /// How many bytes it takes before it is asked again.
    takes: usize,
    taken: Vec<u8>,
    writes: usize,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.sends.pop_front() {
            None if self.ends => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(mut bytes) => {
                let len = bytes.len().min(buffer.len());
                buffer[..len].copy_from_slice(&bytes[..len]);
                if len < bytes.len() {
                    self.sends.push_front(bytes.split_off(len));
                }
                Ok(len)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.takes);
        if len == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.takes -= len;
        self.taken.extend_from_slice(&bytes[..len]);
        self.writes += 1;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A query of `len` bytes, with its prefix.
fn query(number: usize, len: usize) -> Vec<u8> {
    let mut bytes = u16::try_from(len).unwrap().to_be_bytes().to_vec();
    bytes.extend((0..len).map(|at| (number + at) as u8));
    bytes
}

fn echo(query: &[u8], reply: &mut [u8]) -> Given {
    reply[..query.len()].copy_from_slice(query);
    Given::Reply(query.len())
}

/// Everything that `client` is sent, with the server asked until nothing moves any more, and how that ended. The client
/// takes `step` bytes each time that the server waits for it.
fn run(client: Script, step: usize, answer: &mut impl Answer) -> (Script, Next) {
    let mut connection = Connection::new(client, Ipv4Addr::LOCALHOST.into(), Duration::ZERO);
    let mut scratch = Scratch::default();
    let mut next = Next::Read;
    loop {
        assert_eq!(next == Next::Write, !connection.output.is_empty() || connection.transfer.is_some());
        assert!(connection.output.len() <= FLUSH + LARGEST);
        assert!(connection.input.len() <= READ.max(LARGEST));
        match next {
            Next::Write => connection.stream.takes = step,
            Next::Read if connection.stream.sends.is_empty() && !connection.stream.ends => break,
            Next::Read => {}
            Next::Close => break,
        }
        next = connection.advance(&mut scratch, Duration::ZERO, answer);
    }
    (connection.stream, next)
}

#[test]
fn queries_split_anywhere_are_answered_in_order() {
    let lens = [12, 300, 13, 4096, 65_535, 12];
    let all: Vec<u8> = lens.iter().enumerate().flat_map(|(number, len)| query(number, *len)).collect();
    for size in [1, 2, 3, 7, 311, 312, 313, 5000, READ, all.len()] {
        let sends = all.chunks(size).map(<[u8]>::to_vec).collect();
        let client = Script { sends, takes: usize::MAX, ..Script::default() };
        let (client, next) = run(client, 0, &mut echo);
        assert_eq!(next, Next::Read);
        assert!(client.taken == all, "in pieces of {size}");
    }
}

#[test]
fn replies_that_are_ready_together_are_written_together() {
    let all: Vec<u8> = (0..100).flat_map(|number| query(number, 40)).collect();
    let client = Script { sends: [all.clone()].into(), takes: usize::MAX, ..Script::default() };
    let (client, _) = run(client, 0, &mut echo);
    assert_eq!(client.taken, all);
    assert_eq!(client.writes, 1);
}

#[test]
fn a_slow_reader_gets_everything_however_little_it_takes() {
    let all: Vec<u8> = (0..3000).flat_map(|number| query(number, 40)).collect();
    for step in [1, 100, 41_000] {
        let client = Script { sends: [all.clone()].into(), ends: true, ..Script::default() };
        let (client, next) = run(client, step, &mut echo);
        assert!(client.taken == all, "{step} at a time");
        assert_eq!(next, Next::Close);
    }
}

#[test]
fn a_slow_reader_is_not_read_from() {
    let sends: VecDeque<_> = (0..50).map(|_| query(0, 10_000)).collect();
    let client = Script { sends, ..Script::default() };
    let mut connection = Connection::new(client, Ipv4Addr::LOCALHOST.into(), Duration::ZERO);
    let mut scratch = Scratch::default();
    for _ in 0..10 {
        assert_eq!(connection.advance(&mut scratch, Duration::ZERO, &mut echo), Next::Write);
    }
    assert_eq!(connection.stream.sends.len(), 49);
}

#[test]
fn the_largest_replies_to_many_queries() {
    let mut large = |_: &[u8], reply: &mut [u8]| {
        assert_eq!(reply.len(), 65_535);
        reply.fill(7);
        Given::Reply(reply.len())
    };
    let all: Vec<u8> = (0..20).flat_map(|number| query(number, 12)).collect();
    let client = Script { sends: [all].into(), ..Script::default() };
    let (client, next) = run(client, 10_000, &mut large);
    assert_eq!(next, Next::Read);
    assert_eq!(client.taken.len(), 20 * 65_537);
}

#[test]
fn after_a_half_close_what_came_before_is_answered() {
    let mut sent = query(1, 40);
    sent.extend(query(2, 40));
    let mut with_part = sent.clone();
    with_part.extend(&query(3, 40)[..20]);
    let client = Script { sends: [with_part].into(), ends: true, ..Script::default() };
    let (client, next) = run(client, 10, &mut echo);
    assert_eq!(next, Next::Close);
    assert_eq!(client.taken, sent);
}

#[test]
fn a_message_without_reply_leaves_the_connection_open() {
    let mut silent = |query: &[u8], reply: &mut [u8]| if query[0] == 2 { Given::Reply(0) } else { echo(query, reply) };
    let all: Vec<u8> = (1..=3).flat_map(|number| query(number, 40)).collect();
    let client = Script { sends: [all].into(), takes: usize::MAX, ..Script::default() };
    let (client, next) = run(client, 0, &mut silent);
    assert_eq!(next, Next::Read);
    assert_eq!(client.taken, [query(1, 40), query(3, 40)].concat());
}

#[test]
fn a_message_without_a_whole_header_ends_the_connection_after_earlier_replies() {
    for len in [0, 1, 11] {
        for size in [1, 1000] {
            let mut all = query(1, 40);
            all.extend(&(len as u16).to_be_bytes());
            all.extend(query(2, 40));
            let sends = all.chunks(size).map(<[u8]>::to_vec).collect();
            let client = Script { sends, takes: usize::MAX, ..Script::default() };
            let (client, next) = run(client, 0, &mut echo);
            assert_eq!(next, Next::Close, "{len}");
            assert_eq!(client.taken, query(1, 40), "{len}");
        }
    }
}

#[test]
fn parts_of_a_query_do_not_count_as_activity() {
    let second = Duration::from_secs;
    let sends = query(1, 40).chunks(1).map(<[u8]>::to_vec).collect();
    let client = Script { sends, takes: usize::MAX, ..Script::default() };
    let mut connection = Connection::new(client, Ipv4Addr::LOCALHOST.into(), second(1));
    let mut scratch = Scratch::default();
    for now in 2..43 {
        connection.advance(&mut scratch, second(now), &mut echo);
        assert_eq!(connection.active, second(1));
    }
    connection.advance(&mut scratch, second(50), &mut echo);
    assert_eq!(connection.active, second(50));
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let sends = query(1, 40).chunks(1).map(<[u8]>::to_vec).collect();
    let client = Script { sends, ..Script::default() };
    let mut connection = Connection::new(client, Ipv4Addr::LOCALHOST.into(), Duration::ZERO);
    let mut scratch = Scratch::default();
    while connection.advance(&mut scratch, Duration::ZERO, &mut echo) == Next::Read {}
    assert_eq!(connection.output.len(), 42);
    connection.stream.takes = 42;
    assert_eq!(connection.advance(&mut scratch, Duration::ZERO, &mut echo), Next::Read);
    assert_eq!((connection.input.capacity(), connection.output.capacity()), (0, 0));
}

#[test]
fn what_was_announced_bounds_what_is_held() {
    let mut begun = Vec::new();
    let all = query(0, 65_535);
    for piece in all[..65_536].chunks(1000) {
        assert!(matches!(complete(&mut begun, piece), Frame::Part));
        assert!(begun.capacity() <= LARGEST, "{}", begun.capacity());
    }
    assert!(matches!(complete(&mut begun, &all[65_536..]), Frame::Whole(message, []) if message == &all[2..]));
}

#[test]
fn a_broken_stream_ends_the_connection() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut connection = Connection::new(Broken, Ipv4Addr::LOCALHOST.into(), Duration::ZERO);
    let mut scratch = Scratch::default();
    assert_eq!(connection.advance(&mut scratch, Duration::ZERO, &mut echo), Next::Close);
    connection.output = vec![0; 10];
    assert_eq!(connection.advance(&mut scratch, Duration::ZERO, &mut echo), Next::Close);
}

/// A transfer of a zone of many messages, for a client that is on loopback.
fn large() -> (AnswerConfig, Zone) {
    let mut cluster = Cluster::new(false);
    let nodes = (0..5000).map(|number| fixture::node(&format!("n{number}"), &format!("area-{number}"), "192.0.2.1"));
    let _ = cluster.apply(WatchEvent::Nodes(Change::Replaced(nodes.collect())), Moment::now());
    let zone = Zone::build(&fixture::config(), &cluster);
    let editions = Arc::new(Editions::default());
    editions.publish(&Arc::new(zone.clone()));
    let acl = Acl::new(&[Network::single(Ipv4Addr::LOCALHOST.into())], vec![]);
    (AnswerConfig { transfers: Arc::new(Transfers::new(acl, editions)), ..AnswerConfig::default() }, zone)
}

fn axfr() -> Vec<u8> {
    let name = fixture::name("lb.example.test");
    let query = [&[1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.as_slice(), &[0, 252, 0, 1]].concat();
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

/// A query that begins a transfer begins one; others are echoed.
fn transferring<'a>(config: &'a AnswerConfig, zone: &'a Zone) -> impl Answer + 'a {
    move |query: &[u8], reply: &mut [u8]| {
        let client = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let transport = Transport::Tcp { idle: Duration::ZERO };
        let context = Context { transport, client, now: 0, rotation: 0, config, hint: None };
        Transfer::begin(query, Some(zone), &context).map_or_else(|| echo(query, reply), Given::Transfer)
    }
}

#[test]
fn a_transfer_comes_whole_and_in_its_place_however_little_the_client_takes() {
    let (config, zone) = large();
    let mut answer = transferring(&config, &zone);
    let mut messages = Vec::new();
    let (Given::Transfer(mut transfer), mut message) = (answer(&axfr()[2..], &mut []), Vec::new()) else { panic!() };
    while transfer.next(&mut message) {
        messages.extend((message.len() as u16).to_be_bytes());
        messages.extend(&message);
    }
    let ask = [query(1, 40), axfr(), query(2, 300), axfr(), query(3, 40)].concat();
    let expect = [query(1, 40), messages.clone(), query(2, 300), messages, query(3, 40)].concat();
    for (size, step) in [(ask.len(), usize::MAX), (ask.len(), 1000), (7, 20_000), (1, usize::MAX)] {
        let sends = ask.chunks(size).map(<[u8]>::to_vec).collect();
        let (client, next) = run(Script { sends, ends: true, ..Script::default() }, step, &mut answer);
        assert!(client.taken == expect, "in pieces of {size}, {step} at a time");
        assert_eq!(next, Next::Close);
    }
    let counters = &config.transfers.counters;
    assert_eq!((counters.axfr.value(), counters.cut.value(), counters.open.value()), (8, 0, 1));
}

#[test]
fn a_transfer_that_moves_is_not_idle_and_one_that_does_not_is() {
    let (config, zone) = large();
    let mut answer = transferring(&config, &zone);
    let client = Script { sends: [axfr()].into(), ..Script::default() };
    let mut connection = Connection::new(client, Ipv4Addr::LOCALHOST.into(), Duration::ZERO);
    let mut scratch = Scratch::default();
    let second = Duration::from_secs;
    connection.advance(&mut scratch, second(1), &mut answer);
    for now in 2..10 {
        connection.stream.takes = 1000; // a message is longer
        assert_eq!(connection.advance(&mut scratch, second(now), &mut answer), Next::Write);
        assert_eq!(connection.active, second(1));
        assert!(connection.held() < 2 * FLUSH, "one message at a time");
    }
    connection.stream.takes = 1 << 14;
    assert_eq!(connection.advance(&mut scratch, second(10), &mut answer), Next::Write);
    assert_eq!(connection.active, second(10));
    drop(connection);
    assert_eq!(config.transfers.counters.cut.value(), 1, "the client went away");
}

#[test]
fn a_transfer_leaves_others_their_turn() {
    let (config, zone) = large();
    let mut answer = transferring(&config, &zone);
    let client = Script { sends: [axfr()].into(), takes: usize::MAX, ..Script::default() };
    let mut connection = Connection::new(client, Ipv4Addr::LOCALHOST.into(), Duration::ZERO);
    let mut scratch = Scratch::default();
    assert_eq!(connection.advance(&mut scratch, Duration::ZERO, &mut answer), Next::Write);
    let taken = connection.stream.taken.len();
    assert!((1..=MESSAGES * (1 << 14)).contains(&taken), "{taken} octets in a turn");
}
