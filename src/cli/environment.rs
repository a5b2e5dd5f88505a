//! The declarations of the flags in, the environment file of the systemd service out: each flag as a variable, with
//! what it means, commented out.
//!
//! It is what `/etc/default/k8s-node-dns` says until somebody edits it.

use super::flags::{self, Default, FLAGS, Flag, Section};
use super::help::{in_section, meaning};

/// Columns of the comments.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Settings of the service k8s-node-dns: a variable for each flag. Take the # away from what you set, then
#   systemctl restart k8s-node-dns
# An empty variable counts as unset. Lines are as systemd.exec(5) describes them under EnvironmentFile=; the shell reads
# them too: to try them without the service, here with a kubeconfig of yours,
#   (set -a; . /etc/default/k8s-node-dns; k8s-node-dns --check --kubeconfig ~/.kube/config)

# Flags for the command line, separated by spaces. For what no variable can say: that a default is to be empty, as in
# OPTIONS=\"--http-listen= --service-annotation=\"
OPTIONS=\"\"
";

/// The whole file.
pub fn file() -> String {
    let mut text = HEAD.to_owned();
    for section in Section::ALL {
        let flags: Vec<_> = in_section(section).filter(|flag| is_setting(flag)).collect();
        if flags.is_empty() {
            continue;
        }
        text.push_str(&format!("\n#\n# {}\n#\n", section.title()));
        for flag in flags {
            text.push('\n');
            entry(&mut text, flag);
        }
    }
    text
}

/// Whether it is about the daemon that serves, not about what the program does once instead.
pub fn is_setting(flag: &Flag) -> bool {
    flag.variable().is_some() && *flag != flags::CHECK_RESOLVER
}

/// Every setting, with the line that sets it once its `#` is gone.
pub fn settings() -> impl Iterator<Item = (&'static Flag, String)> {
    FLAGS.iter().copied().filter(|flag| is_setting(flag)).filter_map(|flag| Some((flag, line(flag)?)))
}

/// `VARIABLE=value`, as a shell reads it too: the default, or else an example.
fn line(flag: &Flag) -> Option<String> {
    let value = match flag.default {
        Default::Text(text) => text,
        Default::Required | Default::None | Default::Described(_) => flag.example,
    };
    Some(format!("{}={}", flag.variable()?, flags::shell_quoted(value)))
}

fn entry(text: &mut String, flag: &Flag) {
    let default = match flag.default {
        Default::Required => "Required.".to_owned(),
        Default::None => "Default: off.".to_owned(),
        Default::Text(default) => format!("Default: {default}"),
        Default::Described(words) => format!("Default: {words}."),
    };
    comment(text, &format!("--{}: {}", flag.name, meaning(flag)));
    comment(text, &format!("Allowed: {}.", flag.allowed));
    comment(text, service(flag).unwrap_or(&default));
    if let Some(line) = line(flag) {
        text.push_str(&format!("#{line}\n"));
    }
}

/// What the unit makes of the default, or what the sandbox makes of the value.
fn service(flag: &Flag) -> Option<&'static str> {
    match flag {
        flag if *flag == flags::KUBECONFIG => Some(
            "Default of the service: /etc/k8s-node-dns/kubeconfig, which systemd hands to it as a credential: the file \
            may belong to root alone, must have everything in it ('kubectl config view --raw --minify --flatten' writes \
            such a one), and is copied at the start, so that a new one needs a restart.",
        ),
        flag if *flag == flags::STATE_DIR => {
            Some("Default of the service: /var/lib/k8s-node-dns, the only directory that it may write to.")
        }
        flag if *flag == flags::CLUSTER_FILE => Some(
            "Default: off. With it the service still wants its kubeconfig, unless 'systemctl edit k8s-node-dns' says \
            [Service] and below it LoadCredential= with nothing behind it. The file must be readable for everybody, and \
            not below /home.",
        ),
        flag if *flag == flags::COOKIE_SECRET_FILE => Some(
            "Default: a random secret. A file that root alone may read is handed over by 'systemctl edit k8s-node-dns': \
            [Service] and below it LoadCredential=cookie-secrets:/etc/k8s-node-dns/cookie-secrets; then it is \
            /run/credentials/k8s-node-dns.service/cookie-secrets here.",
        ),
        _ => None,
    }
}

/// Appends `words` as comments of [`WIDTH`] columns.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
