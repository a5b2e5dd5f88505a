//! `--tsig-key-file` in, keys out: the `key` statements of BIND's configuration, as `tsig-keygen` writes them. No message
//! shows a secret.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::base::Name;

use super::key::{Algorithm, Key};

/// Some five hundred keys, and little enough to be read from `/dev/zero` by mistake.
const MAX_FILE: usize = 65_536;

/// Secrets that are shorter are guessed (RFC 8945, section 8, wants as many octets as the MAC has).
const SHORT_SECRET: usize = 16;

/// A key file cannot be used.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Unreadable(io::Error),
    /// Everybody may read it; its mode.
    Open(u32),
    /// A line, and what is wrong there.
    Wrong(usize, String),
}

/// The keys of all files, in order.
pub(super) fn read_all(files: &[PathBuf], warnings: &mut Vec<String>) -> Result<Vec<Arc<Key>>, Error> {
    let mut keys = Vec::new();
    for path in files {
        let failed = |what| Error { path: path.clone(), what };
        let content = read(path, warnings).map_err(failed)?;
        parse(&content, path, &mut keys, warnings).map_err(|(line, what)| failed(What::Wrong(line, what)))?;
    }
    Ok(keys.into_iter().map(Arc::new).collect())
}

fn read(path: &Path, warnings: &mut Vec<String>) -> Result<String, What> {
    let file = File::open(path).map_err(What::Unreadable)?;
    let mode = file.metadata().map_err(What::Unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o004 != 0 {
        // A volume of Kubernetes has this link. Its files are 0644 unless somebody says otherwise, and who can read them
        // in a container is who runs in it.
        if !path.with_file_name("..data").is_symlink() {
            return Err(What::Open(mode));
        }
        warnings.push(format!(
            "--tsig-key-file {path:?} can be read by everybody in the container (mode {mode:04o}); 'defaultMode: 0440' \
             in the Secret's volume ends that"
        ));
    }
    let mut content = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut content).map_err(What::Unreadable)?;
    if content.len() > MAX_FILE {
        return Err(What::Wrong(1, format!("the file has more than {MAX_FILE} bytes: it is no key file")));
    }
    String::from_utf8(content).map_err(|error| {
        let before = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(before).filter(|byte| **byte == b'\n').count();
        What::Wrong(line, "a byte that is no text".to_owned())
    })
}

/// A line, and what is wrong there.
type Wrong = (usize, String);

/// Adds the keys of a file. It may have none: whoever takes the last key away leaves an empty file.
fn parse(content: &str, path: &Path, keys: &mut Vec<Key>, warnings: &mut Vec<String>) -> Result<(), Wrong> {
    let mut tokens = Tokens { rest: content, line: 1 };
    while let Some(token) = tokens.next()? {
        if !token.is("key") {
            return Err((
                token.line,
                format!("{} where a 'key' should begin; only keys may be in the file", token.shown()),
            ));
        }
        let name = tokens.word("the name of a key")?;
        let wire = Name::<Vec<u8>>::from_str(name.text)
            .map_err(|error| (name.line, format!("{:?} is no name of a key: {error}", name.text)))?;
        let (mut algorithm, mut secret) = (None, None);
        tokens.expect("{")?;
        loop {
            let statement = tokens.word("'algorithm', 'secret' or '}'")?;
            match statement.text {
                "}" if !statement.quoted => break,
                "algorithm" => algorithm = Some(parse_algorithm(tokens.word("an algorithm")?)?),
                "secret" => secret = Some(parse_secret(tokens.word("a secret")?)?),
                _ => {
                    let shown = statement.shown();
                    return Err((statement.line, format!("{shown} where 'algorithm' or 'secret' should be")));
                }
            }
            tokens.expect(";")?;
        }
        tokens.expect(";")?;
        let lacks = |what| (name.line, format!("the key {:?} has no {what}; {REMEDY}", name.text));
        let (algorithm, secret) =
            (algorithm.ok_or_else(|| lacks("algorithm"))?, secret.ok_or_else(|| lacks("secret"))?);
        if secret.len() < SHORT_SECRET {
            let (line, bits) = (name.line, secret.len() * 8);
            warnings.push(format!(
                "--tsig-key-file {path:?}, line {line}: the secret of {:?} has only {bits} bits; {REMEDY}",
                name.text
            ));
        }
        let key = Key::new(&wire, algorithm, &secret);
        if keys.iter().any(|other| other.name() == key.name()) {
            return Err((name.line, format!("a second key {:?}; a name can have one secret only", name.text)));
        }
        keys.push(key);
    }
    Ok(())
}

/// Words up to so long are shown in messages: names of algorithms, and less than a secret of 96 bits in base64.
const WORD: usize = 15;

const REMEDY: &str = "'tsig-keygen -a hmac-sha256 NAME' writes a key";

fn parse_algorithm(word: Token<'_>) -> Result<Algorithm, Wrong> {
    let name = word.text.strip_suffix('.').unwrap_or(word.text);
    let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name));
    known.ok_or_else(|| {
        let known = Algorithm::ALL.map(Algorithm::as_str).join(", ");
        (word.line, format!("the algorithm {} is not one of {known}; {REMEDY}", word.shown()))
    })
}

fn parse_secret(word: Token<'_>) -> Result<Vec<u8>, Wrong> {
    match BASE64_STANDARD.decode(word.text) {
        Ok(secret) if !secret.is_empty() => Ok(secret),
        // Not what it says: that shows octets.
        _ => Err((word.line, format!("the secret, of {} characters, is not base64; {REMEDY}", word.text.len()))),
    }
}

/// A word, a quoted text, or one of `{`, `}` and `;`.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    line: usize,
    quoted: bool,
}

impl Token<'_> {
    fn is(&self, text: &str) -> bool {
        !self.quoted && self.text == text
    }

    /// The text, unless it could be a secret that is in the wrong place.
    fn shown(&self) -> String {
        match self.text.len() {
            ..=WORD => format!("{:?}", self.text),
            len => format!("a word of {len} characters"),
        }
    }
}

/// What is left of a file.
struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Tokens<'a> {
    /// Takes that many bytes.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, Wrong> {
        loop {
            self.take(self.rest.len() - self.rest.trim_start().len());
            let comment = if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.rest.find('\n').unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                self.rest.find("*/").ok_or_else(|| (self.line, "a comment without its end".to_owned()))? + 2
            } else {
                break;
            };
            self.take(comment);
        }
        let line = self.line;
        if self.rest.starts_with('"') {
            let quoted = self.rest.get(1..).and_then(|rest| rest.find(['"', '\n']).map(|end| (rest, end)));
            let Some((rest, end)) =
                quoted.filter(|(rest, end)| rest.get(*end..).is_some_and(|rest| rest.starts_with('"')))
            else {
                return Err((line, "a quotation mark without the second one".to_owned()));
            };
            let text = rest.get(..end).unwrap_or_default();
            self.take(end + 2);
            return Ok(Some(Token { text, line, quoted: true }));
        }
        let len = match self.rest.find(|c: char| c.is_whitespace() || "{};\"#".contains(c)) {
            Some(0) => 1,
            Some(len) => len,
            None => self.rest.len(),
        };
        Ok((len > 0).then(|| Token { text: self.take(len), line, quoted: false }))
    }

    /// The next token, of which `what` says what it should be.
    fn word(&mut self, what: &str) -> Result<Token<'a>, Wrong> {
        let line = self.line;
        self.next()?.ok_or_else(|| (line, format!("the file ends where {what} should be")))
    }

    fn expect(&mut self, text: &str) -> Result<(), Wrong> {
        let line = self.line; // what is missing is missing there, not where the next one is
        match self.next()? {
            Some(token) if token.is(text) => Ok(()),
            _ => Err((line, format!("{text:?} is missing"))),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.what {
            What::Unreadable(error) => write!(f, "--tsig-key-file {path:?} cannot be read: {error}"),
            What::Open(mode) => write!(
                f,
                "--tsig-key-file {path:?} can be read by everybody on this machine (mode {mode:04o}), and so can its \
                 secrets: chmod o-r {}",
                path.display()
            ),
            What::Wrong(line, what) => write!(f, "--tsig-key-file {path:?}, line {line}: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.what {
            What::Unreadable(error) => Some(error),
            What::Open(_) | What::Wrong(..) => None,
        }
    }
}

#[cfg(test)]
mod tests;
