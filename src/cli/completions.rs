//! The declarations of the flags in, completions for bash, zsh and fish out.
//!
//! Each shell has a function of its own, since each has its own rules of quoting. Values are completed where they are
//! files, directories or a few words.

use std::fmt::Write as _;

use super::flags::{FLAGS, Flag};

/// What a flag's value is, as far as a shell can help with it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The flag is a switch.
    Switch,
    File,
    Directory,
    /// One of these.
    Word(Vec<&'static str>),
    /// Something that only the operator knows.
    Other,
}

impl Kind {
    fn of(flag: &Flag) -> Self {
        // `error, warn, info`: nothing but words.
        let words: Vec<_> = flag.allowed.split(", ").collect();
        let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        match flag.value {
            None => Self::Switch,
            Some("FILE") => Self::File,
            Some("DIRECTORY") => Self::Directory,
            Some(_) if words.len() > 1 && words.iter().all(is_word) => Self::Word(words),
            Some(_) => Self::Other,
        }
    }
}

/// `--name`, or `-n`, for all flags.
fn spellings() -> impl Iterator<Item = String> {
    FLAGS
        .iter()
        .flat_map(|flag| [Some(format!("--{}", flag.name)), flag.short.map(|short| format!("-{short}"))])
        .flatten()
}

/// For bash: `/usr/share/bash-completion/completions/k8s-node-dns`.
pub fn bash() -> String {
    let mut values = String::new();
    let mut others = Vec::new();
    for flag in FLAGS.iter() {
        let name = flag.name;
        let _ = match Kind::of(flag) {
            Kind::Switch => Ok(()),
            Kind::File => writeln!(values, "    --{name}) _k8s_node_dns_from -f ;;"),
            Kind::Directory => writeln!(values, "    --{name}) _k8s_node_dns_from -d ;;"),
            Kind::Word(words) => writeln!(values, "    --{name}) _k8s_node_dns_from -W '{}' ;;", words.join(" ")),
            Kind::Other => {
                others.push(format!("--{name}"));
                Ok(())
            }
        };
    }
    let all = spellings().collect::<Vec<_>>().join(" ");
    format!(
        "\
# Completions of k8s-node-dns for bash, made of its flags.
_k8s_node_dns_from() {{
  [ \"$1\" = -W ] || compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen \"$@\" -- \"$current\")
}}
_k8s_node_dns() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  # bash takes --flag=value for three words.
  if [ \"$current\" = = ]; then
    current=
  elif [ \"$before\" = = ]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  COMPREPLY=()
  case $before in
{values}    {}) ;;
    *) _k8s_node_dns_from -W '{all}' ;;
  esac
}}
complete -F _k8s_node_dns k8s-node-dns
",
        others.join(" | ")
    )
}

/// For zsh: `_k8s-node-dns` in a folder of `fpath`.
pub fn zsh() -> String {
    let mut text =
        String::from("#compdef k8s-node-dns\n# Completions of k8s-node-dns for zsh, made of its flags.\n_arguments -S");
    for flag in FLAGS.iter() {
        let name = flag.name;
        let summary = zsh_quoted(flag.summary);
        let repeated = if flag.separator.is_some() { "*" } else { "" };
        let value = flag.value.unwrap_or_default();
        let action = match Kind::of(flag) {
            Kind::Switch => None,
            Kind::File => Some("_files".to_owned()),
            Kind::Directory => Some("_files -/".to_owned()),
            Kind::Word(words) => Some(format!("({})", words.join(" "))),
            Kind::Other => Some(String::new()),
        };
        text.push_str(" \\\n  ");
        let _ = match (action, flag.short) {
            (Some(action), _) => write!(text, "'{repeated}--{name}=[{summary}]:{}:{action}'", zsh_quoted(value)),
            (None, Some(short)) => write!(text, "'(- *)'{{-{short},--{name}}}'[{summary}]'"),
            (None, None) => write!(text, "'--{name}[{summary}]'"),
        };
    }
    text.push('\n');
    text
}

/// Inside single quotes and the brackets of `_arguments`, where a colon would end a part.
fn zsh_quoted(text: &str) -> String {
    let mut quoted = String::new();
    for letter in text.chars() {
        match letter {
            '\'' => quoted.push_str("'\\''"),
            '[' | ']' | ':' | '\\' => quoted.extend(['\\', letter]),
            _ => quoted.push(letter),
        }
    }
    quoted
}

/// For fish: `k8s-node-dns.fish` in a folder of `fish_complete_path`.
pub fn fish() -> String {
    let mut text = String::from(
        "# Completions of k8s-node-dns for fish, made of its flags.\ncomplete -c k8s-node-dns -f # no argument but flags\n",
    );
    for flag in FLAGS.iter() {
        let summary = flag.summary.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = write!(text, "complete -c k8s-node-dns -l {}", flag.name);
        if let Some(short) = flag.short {
            let _ = write!(text, " -s {short}");
        }
        let _ = match Kind::of(flag) {
            Kind::Switch => Ok(()),
            Kind::File => write!(text, " -r -F"),
            Kind::Directory => write!(text, " -x -a '(__fish_complete_directories)'"),
            Kind::Word(words) => write!(text, " -x -a '{}'", words.join(" ")),
            Kind::Other => write!(text, " -x"),
        };
        let _ = writeln!(text, " -d '{summary}'");
    }
    text
}
