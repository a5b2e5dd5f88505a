//! Completions, as the shells make them of what somebody has typed.

use super::*;

/// What is typed, and what is offered. Where `all` is set, nothing else is.
struct Case {
    typed: &'static str,
    offered: &'static [&'static str],
    all: bool,
}

const CASES: &[Case] = &[
    Case { typed: "--soa-", offered: &["--soa-ns", "--soa-email", "--soa-neg-ttl"], all: false },
    Case { typed: "--print", offered: &["--print-zone"], all: true },
    Case { typed: "--zone a.test --log-f", offered: &["--log-format"], all: true },
    Case { typed: "--log-level ", offered: &["debug", "error", "info", "trace", "warn"], all: true },
    Case { typed: "--log-format j", offered: &["json"], all: true },
    Case { typed: "--log-format=j", offered: &["json"], all: true },
    Case { typed: "--kubeconfig my-", offered: &["my-kubeconfig"], all: false },
    Case { typed: "--port ", offered: &[], all: true },
    Case { typed: "--zone ", offered: &[], all: true },
];

/// Expects of `offers`, from the words typed to what is offered, what the cases say.
fn check(offers: impl Fn(&str) -> Vec<String>) {
    for Case { typed, offered, all } in CASES {
        let mut found = offers(typed);
        found.sort();
        for expect in *offered {
            assert!(found.iter().any(|word| word == expect), "{typed:?}: {expect} is not in {found:?}");
        }
        assert!(!all || found.len() == offered.len(), "{typed:?}: {found:?}");
    }
}

/// A folder to be in, with a file to be found.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my-kubeconfig"), "").unwrap();
    folder
}

#[test]
fn bash() {
    let Some(bash) = find("shells", "bash", "bash") else { return };
    let folder = folder();
    // As readline splits it: = is a word of its own.
    let script = r#"
        . "$1"
        complete -p k8s-node-dns > /dev/null || exit 1
        IFS=' ' read -ra COMP_WORDS <<< "k8s-node-dns ${2//=/ = }"
        case $2 in *' ') COMP_WORDS+=('') ;; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _k8s_node_dns
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    check(|typed| {
        let mut command = Command::new(&bash);
        command.args(["--norc", "-c", script, "bash", &path("deploy/completions/k8s-node-dns.bash"), typed]);
        lines(&output(command.current_dir(folder.path())))
    });
}

#[test]
fn fish() {
    let Some(fish) = find("shells", "fish", "fish") else { return };
    let folder = folder();
    check(|typed| {
        let mut command = Command::new(&fish);
        let script = "source $argv[1]; complete -C \"k8s-node-dns $argv[2]\"";
        command.args(["--no-config", "-c", script, &path("deploy/completions/k8s-node-dns.fish"), typed]);
        command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path().join(".config"));
        // Each with its description behind a tab; a value behind = comes with its flag.
        let word = |line: &str| {
            let word = line.split('\t').next().unwrap_or_default();
            word.split_once('=').map_or(word, |(_, value)| value).to_owned()
        };
        output(command.current_dir(folder.path())).lines().map(word).collect()
    });
}

#[test]
fn zsh() {
    let Some(zsh) = find("shells", "zsh", "zsh") else { return };
    let folder = folder();
    // A zsh on a terminal of its own, where Tab is pressed, with a compadd that tells what it is given. The terminal may
    // echo what is typed, so the words that are looked for are not typed as such.
    let script = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PS1= PS2= RPS1= ZDOTDIR=$PWD; stty -echo; fpath=(${1:h} \$fpath); autoload -U compinit; compinit -u -d $PWD/.dump"
        zpty -w shell 'compadd() { builtin compadd -A offered "$@"; local word; for word in $offered; do print -r -- "OFF""ERED $word"; done; builtin compadd "$@" }'
        zpty -w shell 'told() { zle complete-word; print -r -- "TO""LD"; exit }; zle -C complete-word complete-word _main_complete; zle -N told; bindkey "^I" told; print READ''Y'
        zpty -r shell line '*READY*'
        zpty -w -n shell "k8s-node-dns $2"$'\t'
        while zpty -r shell line; do print -r -- "$line"; case $line in *TOLD*) break ;; esac; done
    "#;
    check(|typed| {
        let mut command = Command::new(&zsh);
        command.args(["-f", "-c", script, "zsh", &path("deploy/completions/_k8s-node-dns"), typed]);
        let text = output(command.current_dir(folder.path()).env("HOME", folder.path()).env("TERM", "dumb"));
        assert!(text.contains("TOLD"), "{text}");
        let offered = text.lines().filter_map(|line| line.trim_end().split_once("OFFERED ").map(|(_, word)| word));
        let mut words: Vec<_> = offered.map(|word| word.trim_end_matches('=').to_owned()).collect();
        words.sort();
        words.dedup();
        words
    });
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
