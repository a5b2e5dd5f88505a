//! `--cookie-secret-file` in, the secrets of DNS cookies out. No message shows what is in the file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use crate::cli::Value;

/// The secrets of the file; a random one without it, which is fine for a single replica: a client whose cookie is not
/// believed after a restart is simply given another.
pub(super) fn secrets(file: Option<Value<'_>>) -> Result<Vec<[u8; 16]>, super::Error> {
    let Some(file) = file else {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(super::Error::Random)?;
        return Ok(vec![secret]);
    };
    if file.text.is_empty() {
        return Err(file.wrong("is empty").into());
    }
    let failed = |what| super::Error::Cookies(Error { path: file.text.to_owned(), what });
    let content = read(file.text).map_err(|error| failed(What::Unreadable(error)))?;
    parse(&content).map_err(failed)
}

/// Far more than two lines and their comments need, and little enough to be read from `/dev/zero` by mistake.
const MAX_FILE: u64 = 65_536;

fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

fn parse(content: &[u8]) -> Result<Vec<[u8; 16]>, What> {
    let mut secrets = Vec::new();
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if secrets.len() == 2 {
            return Err(What::TooMany(index + 1));
        }
        secrets.push(hexadecimal(line).ok_or(What::NotHexadecimal(index + 1, line.len()))?);
    }
    if secrets.is_empty() { Err(What::Empty) } else { Ok(secrets) }
}

/// 16 bytes in 32 digits of either case.
fn hexadecimal(line: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(line).ok()?;
    // `from_str_radix` alone would take a sign.
    (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
        .map(u128::to_be_bytes)
}

/// The file of the cookie secrets cannot be used.
#[derive(Debug)]
pub struct Error {
    path: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Unreadable(io::Error),
    /// The line, and how long it is.
    NotHexadecimal(usize, usize),
    /// The line of the third secret.
    TooMany(usize),
    Empty,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.what {
            What::Unreadable(error) => write!(f, "--cookie-secret-file {path:?} cannot be read: {error}"),
            What::NotHexadecimal(line, length) => write!(
                f,
                "--cookie-secret-file {path:?}, line {line}: {length} characters, which are not 32 hexadecimal digits; \
                 'openssl rand -hex 16' writes such a line"
            ),
            What::TooMany(line) => write!(
                f,
                "--cookie-secret-file {path:?}, line {line}: a third secret; the current one and one other are allowed"
            ),
            What::Empty => {
                write!(f, "--cookie-secret-file {path:?} has no secret in it; 'openssl rand -hex 16' writes one")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.what {
            What::Unreadable(error) => Some(error),
            What::NotHexadecimal(..) | What::TooMany(_) | What::Empty => None,
        }
    }
}
