//! Key files, good and bad.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// What tsig-keygen wrote, of BIND 9.18.
const WRITTEN: &str =
    "key \"ns2.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"y7/pu02nflsTSZfFz+QXZu9gvCAmYDvsd93FO8cKpBk=\";\n};\n";

/// Names and algorithms of the keys, and the warnings.
type Keys = (Vec<(String, Algorithm)>, Vec<String>);

fn keys(content: &str) -> Result<Keys, String> {
    let (mut keys, mut warnings) = (Vec::new(), Vec::new());
    let parsed = parse(content, Path::new("k"), &mut keys, &mut warnings);
    parsed.map_err(|(line, what)| format!("{line}: {what}"))?;
    Ok((keys.iter().map(|key| (key.name().to_owned(), key.algorithm())).collect(), warnings))
}

#[test]
fn what_bind_reads_is_read() {
    use Algorithm::{Sha256, Sha384, Sha512};
    let secret = "c2VjcmV0c2VjcmV0c2VjcmV0"; // 18 octets
    for (content, expect) in [
        (String::new(), &[][..]),
        ("# the last one left\\n".replace("\\n", "\n"), &[]),
        (WRITTEN.to_owned(), &[("ns2.example", Sha256)]),
        (WRITTEN.replace('\n', "\r\n"), &[("ns2.example", Sha256)]),
        (WRITTEN.replace('"', ""), &[("ns2.example", Sha256)]),
        (format!("key NS2.Example.{{secret {secret};algorithm HMAC-SHA384.;}};"), &[("ns2.example", Sha384)]),
        (
            format!(
                "/* two\n keys */ {WRITTEN} // one\n# two\nkey b # {{\n{{ algorithm \"hmac-sha512\"; /* ; */ secret\n\n{secret} ; }} ;"
            ),
            &[("ns2.example", Sha256), ("b", Sha512)],
        ),
    ] {
        let expect: Vec<_> = expect.iter().map(|(name, algorithm)| ((*name).to_owned(), *algorithm)).collect();
        assert_eq!(keys(&content), Ok((expect, Vec::new())), "{content}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let secret = "y7/pu02nflsTSZfFz+QXZu9gvCAmYDvsd93FO8cKpBk=";
    for (from, to, expect) in [
        (
            "y7/",
            "y7.",
            "3: the secret, of 44 characters, is not base64; 'tsig-keygen -a hmac-sha256 NAME' writes a key",
        ),
        ("k=", "k", "3: the secret, of 43 characters, is not base64"),
        ("y7/", " y7/", "3: the secret, of 45 characters, is not base64"),
        (secret, "", "3: the secret, of 0 characters, is not base64"),
        (
            "sha256",
            "md5",
            "2: the algorithm \"hmac-md5\" is not one of hmac-sha256, hmac-sha384, hmac-sha512; 'tsig-keygen",
        ),
        ("sha256", "sha256-128", "2: the algorithm \"hmac-sha256-128\" is not one of"),
        ("sha256", "sha1", "2: the algorithm \"hmac-sha1\" is not one of"),
        ("\talgorithm hmac-sha256;\n", "", "1: the key \"ns2.example\" has no algorithm"),
        ("secret", "// secret", "1: the key \"ns2.example\" has no secret"),
        ("sha256;", "sha256", "2: \";\" is missing"),
        ("};", "}", "4: \";\" is missing"),
        ("{", "", "1: \"{\" is missing"),
        ("};\n", "", "3: the file ends where 'algorithm', 'secret' or '}' should be"),
        ("=\";", "=;", "3: a quotation mark without the second one"),
        ("key", "/* key", "1: a comment without its end"),
        ("secret", "password", "3: \"password\" where 'algorithm' or 'secret' should be"),
        ("key", "zone", "1: \"zone\" where a 'key' should begin; only keys may be in the file"),
        ("key", "\n\n\"key\"", "3: \"key\" where a 'key' should begin"),
        ("ns2.example", "ns2..example", "1: \"ns2..example\" is no name of a key: "),
        ("ns2.example", "", "1: \"\" is no name of a key: "),
        (
            "};\n",
            "};\nkey NS2.example. { algorithm hmac-sha512; secret cw==; };",
            "5: a second key \"NS2.example.\"; a name can have",
        ),
    ] {
        assert!(WRITTEN.contains(from), "{from}");
        let message = keys(&WRITTEN.replacen(from, to, 1)).expect_err(to);
        assert!(message.starts_with(expect), "{to}: {message}\n not: {expect}");
        assert!(!message.contains("pu02nfls"), "{message}");
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    let secret = "y7/pu02nflsTSZfFz+QXZu9gvCAmYDvsd93FO8cKpBk=";
    for content in [
        secret.to_owned(),
        format!("hmac-sha256:ns2.example:{secret}"),
        format!("key k {{ secret={secret}; }};"),
        format!("key k {{ algorithm {secret}; secret hmac-sha256; }};"),
    ] {
        let message = keys(&content).unwrap_err();
        assert!(message.starts_with("1: ") && !message.contains("pu02nfls"), "{message}");
    }
}

#[test]
fn a_short_secret_is_warned_of() {
    let (keys, warnings) = keys("\nkey short { algorithm hmac-sha256; secret \"c2hvcnQ=\"; };").unwrap();
    assert_eq!(keys.len(), 1);
    assert!(warnings[0].contains("\"k\", line 2: the secret of \"short\" has only 40 bits"), "{warnings:?}");
}

/// What a file with that mode says, as text: how many keys, or the error; and the warnings.
fn read_with(path: &Path, mode: u32) -> (String, Vec<String>) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mut warnings = Vec::new();
    let keys = read_all(&[path.to_owned()], &mut warnings);
    (keys.map_or_else(|error| error.to_string(), |keys| keys.len().to_string()), warnings)
}

#[test]
fn a_file_for_everybody_is_refused_unless_kubernetes_made_it_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tsig.key");
    fs::write(&path, WRITTEN).unwrap();
    for mode in [0o400, 0o600, 0o640] {
        assert_eq!(read_with(&path, mode), ("1".to_owned(), Vec::new()));
    }
    let text = path.display().to_string();
    for (mode, shown) in [(0o644, "mode 0644"), (0o604, "mode 0604"), (0o777, "mode 0777")] {
        let (refused, _) = read_with(&path, mode);
        assert!(refused.contains(shown) && refused.ends_with(&format!("chmod o-r {text}")), "{refused}");
    }
    // As the kubelet mounts a Secret.
    let mount = folder.path().join("mount");
    fs::create_dir_all(mount.join("..2026_11_23")).unwrap();
    let file = mount.join("..2026_11_23/tsig.key");
    fs::write(&file, WRITTEN).unwrap();
    symlink("..2026_11_23", mount.join("..data")).unwrap();
    symlink("..data/tsig.key", mount.join("tsig.key")).unwrap();
    let (keys, warnings) = read_with(&mount.join("tsig.key"), 0o644);
    assert_eq!((keys.as_str(), warnings.len()), ("1", 1));
    assert!(warnings[0].contains("mode 0644") && warnings[0].contains("defaultMode: 0440"), "{warnings:?}");
    assert_eq!(read_with(&mount.join("tsig.key"), 0o440), ("1".to_owned(), Vec::new()));
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = |path: &str| read_all(&[PathBuf::from(path)], &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(
        error("/nonexistent/k"),
        "--tsig-key-file \"/nonexistent/k\" cannot be read: No such file or directory (os error 2)"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    fs::write(&path, [&[b'\n'; 3][..], &[0xFF]].concat()).unwrap();
    assert!(read_with(&path, 0o600).0.ends_with("line 4: a byte that is no text"));
    fs::write(&path, vec![b'#'; 70_000]).unwrap();
    assert!(read_with(&path, 0o600).0.contains("more than 65536 bytes"));
}

#[test]
fn a_name_is_once_in_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    for path in &paths {
        fs::write(path, WRITTEN).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let error = read_all(&paths, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("/b\", line 1: a second key \"ns2.example\""), "{error}");
}
