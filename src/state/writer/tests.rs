//! The thread, with a disk that fails.

use std::fs;
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};

use super::*;

fn jobs() -> (Sender<Vec<u8>>, Jobs) {
    let (sender, states) = bounded(1);
    (sender, Jobs { states, end: bounded(0).0 })
}

#[test]
fn the_last_state_is_written_before_it_ends() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = || Folder::new(temporary.path().to_owned());
    let (sender, jobs) = jobs();
    let thread = std::thread::spawn({
        let writer = Writer::new(folder(), jobs, None);
        || writer.run()
    });
    for number in 0..20 {
        sender.send(format!("state {number}").into_bytes()).unwrap();
    }
    drop(sender);
    thread.join().unwrap();
    assert_eq!(folder().read().unwrap().unwrap(), b"state 19");
}

#[test]
fn a_state_that_failed_is_tried_once_more_at_the_end() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("folder");
    fs::write(&path, "in the way").unwrap();
    let (sender, jobs) = jobs();
    let thread = std::thread::spawn({
        let writer = Writer::new(Folder::new(path.clone()), jobs, None);
        || writer.run()
    });
    sender.send(b"first".to_vec()).unwrap();
    sender.send(b"second".to_vec()).unwrap();
    let start = Instant::now();
    while !sender.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
    fs::remove_file(&path).unwrap();
    drop(sender);
    thread.join().unwrap();
    assert_eq!(Folder::new(path).read().unwrap().unwrap(), b"second");
}

#[test]
fn each_trouble_is_told_once_until_it_is_over() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("folder");
    fs::write(&path, "in the way").unwrap();
    let (_sender, jobs) = jobs();
    let mut folder = Folder::new(path.clone());
    let trouble = folder.claim().unwrap_err();
    let mut writer = Writer::new(folder, jobs, Some(&trouble));
    assert!(!writer.write(b"x") && !writer.write(b"y"));
    assert_eq!(writer.told.len(), 1, "what the start told is not told again: {:?}", writer.told);
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("state.new")).unwrap();
    assert!(!writer.write(b"x") && !writer.write(b"y"));
    assert_eq!(writer.told.len(), 2, "{:?}", writer.told);
    fs::remove_dir(path.join("state.new")).unwrap();
    assert!(writer.write(b"x"));
    assert_eq!(writer.told.len(), 0);
}
