//! Files of cookie secrets, good and bad.

use std::fs;
use std::path::Path;

use super::*;

/// Writes a file of cookie secrets and gives its flag.
fn secrets_flag(folder: &Path, content: &[u8]) -> String {
    let path = folder.join("secrets");
    fs::write(&path, content).unwrap();
    format!("--cookie-secret-file={}", path.display())
}

#[test]
fn cookie_secrets_are_read_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = |content: &str| config(&[&secrets_flag(folder.path(), content.as_bytes())]).answer.cookie_secrets;
    let first = 0xe5e9_73e5_a6b2_a43f_48e7_dc84_9e37_bfcf_u128.to_be_bytes();
    let second = 0x4458_3a7f_0000_0000_0000_0000_0000_0001_u128.to_be_bytes();
    assert_eq!(secrets("e5e973e5a6b2a43f48e7dc849e37bfcf"), [first]);
    let both = "# new\n\n  E5E973E5A6B2A43F48E7DC849E37BFCF\r\n\n# old\n44583a7f000000000000000000000001\n\n";
    assert_eq!(secrets(both), [first, second]);
}

#[test]
fn wrong_cookie_secrets_are_named_by_line_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let good = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    for (content, expect) in [
        (String::new(), "no secret in it"),
        ("# only words\n\n".to_owned(), "no secret in it"),
        (format!("\n{good}0\n"), "line 2: 33 characters"),
        (format!("{good}\n{}\n", &good[2..]), "line 2: 30 characters"),
        (format!("{good} {good}"), "line 1: 65 characters"),
        (format!("+{}", &good[1..]), "line 1: 32 characters"),
        (format!("{}g", &good[1..]), "line 1: 32 characters"),
        (format!("{good} # mine"), "line 1: 39 characters"),
        (format!("{good}\n{good}\n\n{good}\n"), "line 4: a third secret"),
    ] {
        let message = message(&[&secrets_flag(folder.path(), content.as_bytes())]);
        assert!(message.contains(expect) && message.contains("secrets\""), "{content:?}: {message}");
        assert!(!message.contains(&good[2..]) && !message.contains(&good[1..20]), "{message}");
    }
    let message = message(&[&secrets_flag(folder.path(), &[0xff; 32])]);
    assert!(message.contains("line 1: 32 characters"), "{message}");
}

#[test]
fn cookie_secrets_that_cannot_be_read_are_named() {
    let missing = message(&["--cookie-secret-file=/nonexistent/secrets"]);
    assert!(missing.contains("\"/nonexistent/secrets\" cannot be read: No such file"), "{missing}");
    let folder = message(&["--cookie-secret-file=/"]);
    assert!(folder.contains("\"/\" cannot be read"), "{folder}");
    assert!(message(&["--cookie-secret-file=/dev/zero"]).contains("65536 characters"));
}

#[test]
fn without_a_file_the_secret_is_random() {
    let secret = || config(&[]).answer.cookie_secrets;
    assert_eq!(secret().len(), 1);
    assert_ne!(secret(), secret());
    assert_ne!(secret(), [[0; 16]]);
}
