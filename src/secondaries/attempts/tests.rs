use proptest::prelude::*;

use super::*;

const SERIAL: Serial = Serial(1_800_000_000);

/// A secondary of a zone with that serial, and the time.
fn announced() -> (Attempts, Instant) {
    let (mut attempts, now) = (Attempts::default(), Instant::now());
    attempts.announce(SERIAL, now);
    (attempts, now)
}

/// Lets everything fail until so many datagrams were sent; returns when each was, and what was said.
fn sent_in_vain(attempts: &mut Attempts, start: Instant, count: usize) -> (Vec<u64>, Vec<(u64, Told)>) {
    let (mut sent, mut said) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let now = attempts.due().unwrap();
        let (serial, told) = attempts.begin(now);
        assert_eq!(serial, attempts.wanted);
        sent.push((now - start).as_secs());
        said.extend(told.map(|told| ((now - start).as_secs(), told)));
    }
    (sent, said)
}

#[test]
fn an_acknowledged_serial_is_sent_once() {
    let (mut attempts, now) = announced();
    assert_eq!((attempts.due(), attempts.behind()), (Some(now), Some(now)));
    assert_eq!(attempts.begin(now), (Some(SERIAL), None));
    assert_eq!(attempts.begin(now), (None, None), "it waits for the reply");
    assert_eq!(attempts.answered(), None);
    assert_eq!((attempts.due(), attempts.behind(), attempts.acknowledged()), (None, None, Some(SERIAL)));
    assert_eq!(attempts.answered(), None, "a second reply to it says nothing");
}

/// It may have asked a replica that did not know yet.
#[test]
fn beside_other_replicas_it_is_reminded_twice() {
    let (start, lag) = (Instant::now(), Duration::from_secs(2));
    let mut attempts = Attempts::beside(Some(lag));
    for serial in [SERIAL, SERIAL.add(1)] {
        attempts.announce(serial, start);
        for due in [start, start + SOON, start + SOON + lag] {
            assert_eq!(attempts.due(), Some(due));
            assert_eq!(attempts.begin(due), (Some(serial), None));
            assert_eq!(attempts.answered(), None);
            assert_eq!((attempts.acknowledged(), attempts.behind()), (Some(serial), None));
        }
        assert_eq!(attempts.due(), None);
    }
    // What is new is told at once, in the place of a reminder; and who announces no more reminds nobody.
    attempts.announce(SERIAL.add(2), start);
    assert_eq!((attempts.begin(start).0, attempts.answered()), (Some(SERIAL.add(2)), None));
    attempts.announce(SERIAL.add(3), start);
    assert_eq!((attempts.begin(start).0, attempts.answered()), (Some(SERIAL.add(3)), None));
    assert_eq!(attempts.due(), Some(start + SOON));
    attempts.hush();
    assert_eq!(attempts.due(), None);
}

#[test]
fn a_secondary_that_is_away_is_told_on_and_this_is_said_once() {
    let (mut attempts, start) = announced();
    let (sent, said) = sent_in_vain(&mut attempts, start, 10);
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    assert_eq!(said, [(7, Told::Troubled(Trouble::Silent))]);
    assert_eq!((attempts.trouble(), attempts.behind()), (Some(&Trouble::Silent), Some(start)));
    assert_eq!(attempts.answered(), Some(Told::Well(SERIAL)));
    assert_eq!((attempts.trouble(), attempts.due()), (None, None));
}

#[test]
fn only_the_newest_serial_is_sent() {
    let (mut attempts, start) = announced();
    attempts.announce(SERIAL.add(1), start);
    let (mut now, next) = (start, Duration::from_millis(100));
    assert_eq!(attempts.begin(now).0, Some(SERIAL.add(1)));
    now += next;
    attempts.announce(SERIAL.add(2), now);
    assert_eq!(attempts.answered(), None, "of what was sent before");
    assert_eq!(
        (attempts.acknowledged(), attempts.due()),
        (Some(SERIAL.add(1)), Some(now)),
        "and that goes out at once"
    );
    assert_eq!(attempts.begin(now), (Some(SERIAL.add(2)), None));
    now += next;
    attempts.announce(SERIAL.add(3), now);
    assert_eq!(attempts.begin(now), (Some(SERIAL.add(3)), None));
    assert_eq!(attempts.failures, 0, "nobody waited long enough to call it a failure");
    attempts.answered();
    assert_eq!((attempts.due(), attempts.acknowledged()), (None, Some(SERIAL.add(3))));
}

#[test]
fn a_zone_that_changes_all_the_time_does_not_begin_the_steps_anew() {
    let (mut attempts, start) = announced();
    for second in 0..10 {
        let now = start + Duration::from_secs(second);
        attempts.announce(SERIAL.add(second as u32), now);
        assert_eq!(attempts.begin(now).0, Some(SERIAL.add(second as u32)));
        assert_eq!(attempts.begin(now), (None, None), "one datagram a version");
    }
    assert_eq!(attempts.due(), Some(start + Duration::from_secs(9 + 60)));
}

#[test]
fn whatever_comes_back_is_told_as_what_it_is() {
    for trouble in [Trouble::Closed, Trouble::Unsent(libc::ENETUNREACH), Trouble::Refused(Rcode::REFUSED)] {
        let (mut attempts, start) = announced();
        for (failure, seconds) in [0, 1, 3, 7].into_iter().enumerate() {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(
                attempts.begin(now),
                (Some(SERIAL), None),
                "at once it failed, and the next is due all the same"
            );
            let told = attempts.failed(trouble.clone(), now);
            assert_eq!(told, (failure == 2).then(|| Told::Troubled(trouble.clone())), "{failure}");
            assert_eq!(attempts.answered(), None, "a reply that came too late");
        }
    }
    let (mut attempts, start) = announced();
    attempts.begin(start);
    attempts.hint(Trouble::Strange);
    attempts.begin(start + FIRST);
    assert_eq!(attempts.trouble(), Some(&Trouble::Strange));
    attempts.begin(attempts.due().unwrap());
    assert_eq!(attempts.trouble(), Some(&Trouble::Silent), "nothing came the second time");
}

#[test]
fn a_secondary_that_comes_and_goes_does_not_fill_the_log() {
    let (mut attempts, start) = announced();
    let mut said = 0;
    for round in 0..600 {
        let now = start + FIRST * round; // a version a second; three of four fail
        attempts.announce(SERIAL.add(round), now);
        said += usize::from(attempts.begin(now).1.is_some());
        let told = if round % 4 == 3 { attempts.answered() } else { attempts.failed(Trouble::Closed, now) };
        said += usize::from(told.is_some());
    }
    assert_eq!(said, 2 * 600 / 60, "it is in trouble and it is well, once a minute");
}

#[test]
fn who_is_no_leader_any_more_says_nothing() {
    let (mut attempts, start) = announced();
    attempts.begin(start);
    attempts.answered();
    attempts.announce(SERIAL.add(1), start);
    attempts.begin(start);
    attempts.hush();
    assert_eq!((attempts.due(), attempts.behind(), attempts.acknowledged()), (None, None, Some(SERIAL)));
    assert_eq!(attempts.begin(start + LONGEST), (None, None));
    assert_eq!(attempts.answered(), None);
    attempts.announce(SERIAL, start + LONGEST);
    assert_eq!(attempts.begin(start + LONGEST).0, Some(SERIAL), "a leader again tells what was told before, once more");
}

#[test]
fn every_trouble_says_what_to_look_at() {
    for (trouble, words) in [
        (Trouble::Silent, "is it up"),
        (Trouble::Strange, "proxy or NAT"),
        (Trouble::Closed, "nobody listens"),
        (Trouble::of(&io::Error::from_raw_os_error(libc::ECONNREFUSED)), "nobody listens"),
        (Trouble::of(&io::Error::from_raw_os_error(libc::ENETUNREACH)), "Network is unreachable"),
        (Trouble::Refused(Rcode::NOTAUTH), "does not serve the zone"),
        (Trouble::Unproven(Unproven::Rejected(17)), "BADKEY"),
        (Trouble::Unproven(Unproven::Rejected(18)), "clock"),
        (Trouble::Unproven(Unproven::Unsigned), "not signed"),
        (Trouble::NoKey, "--tsig-key-file"),
        (Trouble::Refused(Rcode::REFUSED), "REFUSED: does it serve the zone as a secondary"),
    ] {
        assert!(trouble.to_string().contains(words), "{trouble}");
    }
}

/// What can happen to an [`Attempts`].
#[derive(Clone, Copy, Debug)]
enum Happens {
    Announced,
    Waited(u64),
    Answered,
    Failed,
    Strange,
    Hushed,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => Just(Happens::Announced),
        6 => (0_u64..70_000).prop_map(Happens::Waited),
        2 => Just(Happens::Answered),
        2 => Just(Happens::Failed),
        1 => Just(Happens::Strange),
        1 => Just(Happens::Hushed),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_newest_serial_gets_there_and_nobody_is_flooded(
        history in proptest::collection::vec(happens(), 0..60),
    ) {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let (mut now, mut serial, mut announced, mut sent) = (start, SERIAL, 0_u32, Vec::new());
        for happens in history {
            match happens {
                Happens::Announced => {
                    serial = serial.add(1);
                    announced += 1;
                    attempts.announce(serial, now);
                }
                Happens::Waited(milliseconds) => now += Duration::from_millis(milliseconds),
                Happens::Answered => _ = attempts.answered(),
                Happens::Failed if attempts.open.is_some() => _ = attempts.failed(Trouble::Closed, now),
                Happens::Failed => {}
                Happens::Strange => attempts.hint(Trouble::Strange),
                Happens::Hushed => attempts.hush(),
            }
            if let (Some(told), _) = attempts.begin(now) {
                prop_assert_eq!(told, serial, "never an old one");
                sent.push(now);
            }
            let waits = attempts.wanted.is_some() && attempts.acknowledged != attempts.wanted;
            prop_assert!(!waits || attempts.due().is_some_and(|due| due <= now + LONGEST), "{attempts:?}");
            prop_assert!(!waits || attempts.behind().is_some(), "{attempts:?}");
        }
        // One for each announced serial, and those that are repeated: a second or more apart.
        let repeated = (now - start).as_secs() + 1;
        prop_assert!(sent.len() as u64 <= u64::from(announced) + repeated);
        // From anywhere, whoever answers at last knows the newest.
        if attempts.wanted.is_some() {
            now = attempts.due().unwrap_or(now).max(now);
            attempts.begin(now);
            attempts.answered();
            prop_assert_eq!(attempts.acknowledged(), Some(serial));
            prop_assert_eq!((attempts.due(), attempts.behind()), (None, None));
        }
    }
}
