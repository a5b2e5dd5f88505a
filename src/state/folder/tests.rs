//! One directory, with what may be in its way.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn it_is_made_for_its_owner_alone_and_keeps_what_it_is_given() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("lib/k8s-node-dns");
    let mut folder = Folder::new(path.clone());
    assert_eq!(folder.read().unwrap(), None);
    for content in [&b"first"[..], b"", b"second, and longer"] {
        folder.write(content).unwrap();
        assert_eq!(folder.read().unwrap().unwrap(), content);
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&folder.file())), (0o700, 0o600));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "nothing but the state is left behind");
}

#[test]
fn of_two_daemons_one_writes_and_both_read() {
    let temporary = tempfile::tempdir().unwrap();
    let mut first = Folder::new(temporary.path().to_owned());
    let mut second = Folder::new(temporary.path().to_owned());
    first.write(b"first").unwrap();
    assert!(matches!(second.claim(), Err(Trouble::InUse(_))));
    assert!(matches!(second.write(b"second"), Err(Trouble::InUse(_))));
    assert_eq!(second.read().unwrap().unwrap(), b"first");
    drop(first);
    second.write(b"second").unwrap();
    assert_eq!(second.read().unwrap().unwrap(), b"second");
}

#[test]
fn a_directory_that_is_taken_away_or_replaced_is_made_and_locked_again() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("state-dir");
    let mut folder = Folder::new(path.clone());
    folder.write(b"one").unwrap();
    fs::remove_dir_all(&path).unwrap();
    folder.write(b"two").unwrap();
    assert_eq!(folder.read().unwrap().unwrap(), b"two");
    fs::rename(&path, temporary.path().join("moved")).unwrap();
    folder.write(b"three").unwrap();
    assert_eq!(folder.read().unwrap().unwrap(), b"three");
    assert!(matches!(Folder::new(path).claim(), Err(Trouble::InUse(_))), "the new one is locked");
}

#[test]
fn what_is_in_the_way_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let mut folder = Folder::new(path.clone());
        assert_eq!(folder.read().unwrap(), None);
        let trouble = folder.write(b"x").unwrap_err().to_string();
        assert!(trouble.contains(path.to_str().unwrap()) && trouble.contains("directory"), "{trouble}");
    }
    // A full disk; the old state stays.
    let path = temporary.path().join("full");
    let mut folder = Folder::new(path.clone());
    folder.write(b"old").unwrap();
    symlink("/dev/full", path.join(NEXT)).unwrap();
    let trouble = folder.write(b"new").unwrap_err().to_string();
    assert!(trouble.contains("state.new") && trouble.to_lowercase().contains("no space"), "{trouble}");
    assert_eq!(folder.read().unwrap().unwrap(), b"old");
    folder.write(b"new").unwrap();
    assert_eq!(folder.read().unwrap().unwrap(), b"new");
    // A directory where the state should be.
    let path = temporary.path().join("odd");
    fs::create_dir_all(path.join(FILE)).unwrap();
    let mut folder = Folder::new(path);
    assert!(folder.read().is_err() && folder.write(b"x").is_err());
}

#[test]
fn a_next_state_that_was_never_finished_is_no_state() {
    let temporary = tempfile::tempdir().unwrap();
    let mut folder = Folder::new(temporary.path().to_owned());
    folder.write(b"whole").unwrap();
    fs::write(temporary.path().join(NEXT), b"half of something that is much longer").unwrap();
    assert_eq!(folder.read().unwrap().unwrap(), b"whole");
    folder.write(b"next").unwrap();
    assert_eq!(folder.read().unwrap().unwrap(), b"next");
}

#[test]
fn one_bad_file_is_kept() {
    let temporary = tempfile::tempdir().unwrap();
    let mut folder = Folder::new(temporary.path().to_owned());
    for bad in [&b"first"[..], b"second"] {
        folder.write(bad).unwrap();
        let aside = folder.set_aside().unwrap();
        assert_eq!(fs::read(&aside).unwrap(), bad);
        assert_eq!(folder.read().unwrap(), None);
    }
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
    assert!(folder.set_aside().is_err());
}
