//! README and docs: links lead somewhere, quoted messages are said, configurations of resolvers are understood by them.
//!
//! Commands below a mark like `<!-- install: helm -->` are run by the tests of what they install, which take them from
//! the page by [`commands`]. The table of flags is compared in `src/cli/tests.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::daemon::free_port;
use super::common::process::program;
use super::common::{repository, skip};

/// Files below a folder that end so.
fn files(folder: &Path, end: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, into);
        } else if path.to_str().unwrap().ends_with(end) {
            into.push(path);
        }
    }
}

/// Everything that people read: of the repository itself, and of the parts that have a README.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(repository).to_vec();
    for folder in ["docs", "deploy", "benches"] {
        files(&repository(folder), ".md", &mut paths);
    }
    let pages: Vec<_> = paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(pages.len() >= 17, "{}", pages.len());
    pages
}

/// The text without blocks of code, where brackets are no links.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What a heading is called in a link, as GitHub does it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for (path, page) in pages() {
        let page = prose(&page);
        let links = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        let pictures = page.split("src=\"").chain(page.split("srcset=\"")).skip(1);
        let pictures = pictures.filter_map(|rest| rest.split_once('"')).map(|(link, _)| link);
        for link in links.chain(pictures).filter(|link| !link.contains("://") && !link.contains(' ')) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            followed += 1;
            let found = if heading.is_empty() {
                target.exists()
            } else {
                let text = fs::read_to_string(&target).unwrap_or_default();
                prose(&text).lines().any(|line| line.starts_with('#') && anchor(line) == heading)
            };
            if !found {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 40, "{followed}");
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let mut paths = Vec::new();
    files(&repository("docs"), ".md", &mut paths);
    for path in paths {
        let link = format!("](docs/{})", path.file_name().unwrap().to_str().unwrap());
        assert!(readme.contains(&link), "README.md does not have {link}");
    }
}

/// Source as it is said: without what continues a string on the next line, and with `…` for what is put in.
fn said(source: &str) -> String {
    let mut text = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("\\\n") {
        text += before;
        rest = after.trim_start();
    }
    let text = (text + rest).replace("\\\"", "\"").replace("\\n", "\n");
    let mut said = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        said += before;
        match after.split_once('}') {
            Some((inside, after)) if inside.len() < 40 && !inside.contains(['\n', '{', ';']) => {
                said.push('…');
                rest = after;
            }
            _ => {
                said.push('{');
                rest = after;
            }
        }
    }
    said + rest
}

#[test]
fn quoted_messages_are_in_the_source() {
    let mut paths = Vec::new();
    files(&repository("src"), ".rs", &mut paths);
    // Tests quote messages too, and would keep one alive that nobody says any more.
    paths.retain(|path| !path.to_str().unwrap().contains("tests"));
    let sources: Vec<_> = paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .map(|text| said(text.split("#[cfg(test)]\nmod tests {").next().unwrap()))
        .collect();
    let page = fs::read_to_string(repository("docs/troubleshooting.md")).unwrap();
    let quoted: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| line.split_once("` |").unwrap_or_else(|| panic!("a row without an end: {line}")).0)
        .collect();
    assert!(quoted.len() > 30, "{quoted:?}");
    let is_said = |message: &str| sources.iter().any(|source| source.contains(message));
    let unsaid: Vec<_> = quoted.into_iter().filter(|message| !is_said(message)).collect();
    assert!(unsaid.is_empty(), "docs/troubleshooting.md quotes what no source says: {unsaid:#?}");
    assert!(!is_said("the API server is on holiday"));
}

/// Flags of other programs, and of the original, that pages name.
const FOREIGN: [&str; 8] = [
    "--zap-",
    "--glue",
    "--kube-controller-manager-arg",
    "--kubelet-arg",
    "--reuse-values",
    "--set",
    "--overwrite",
    "--flatten",
];

#[test]
fn flags_that_pages_name_exist() {
    // A test of the flags compares this table with their declarations.
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let flags: BTreeSet<_> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `--"))
        .filter_map(|row| row.split_once('`'))
        .map(|(name, _)| format!("--{name}"))
        .collect();
    assert!(flags.contains("--zone") && flags.len() > 30, "{flags:?}");
    let (mut named, mut unknown) = (0, Vec::new());
    for (path, page) in pages() {
        // Checkers of the chart and tools of benches have flags of their own.
        if path.ends_with("benches/README.md") {
            continue;
        }
        let text = prose(&page);
        for span in text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("--")) {
            let name = span.split(['=', ' ', ':', '…']).next().unwrap();
            if name == "--" || FOREIGN.iter().any(|foreign| span.starts_with(foreign)) {
                continue;
            }
            named += 1;
            if !flags.contains(name) {
                unknown.push(format!("{}: {span}", path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(named > 60, "{named}");
}

/// What the README says to try first works, as `--check` beside it says.
#[test]
fn the_first_command_of_the_readme_works() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, rest) = readme.split_once("\ncargo run --release -- ").unwrap();
    let arguments = rest.lines().next().unwrap();
    assert!(arguments.ends_with(" --port 5300"), "{arguments}");
    let output = Command::new(env!("CARGO_BIN_EXE_k8s-node-dns"))
        .args(arguments.split(' '))
        .args(["--port", &free_port().to_string(), "--bind", "127.0.0.1", "--http-listen=", "--check"])
        .current_dir(repository(""))
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the zone is lb.example.test") && said.contains("names of 3 areas"), "{said}");
}

/// The commands of a page below a mark.
#[track_caller]
pub(super) fn commands(path: &str, mark: &str) -> String {
    let page = fs::read_to_string(repository(path)).unwrap();
    let (_, rest) = page.split_once(&format!("<!-- {mark} -->\n```sh\n")).unwrap_or_else(|| panic!("{mark} in {path}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// What a page says to type has been typed: each mark is one that a test asks for, and what installs has a mark.
#[test]
fn what_installs_is_run_by_a_test() {
    let mut sources = Vec::new();
    files(&repository("tests/integration"), ".rs", &mut sources);
    let sources: Vec<_> = sources.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut marked = BTreeSet::new();
    for (path, page) in pages() {
        let name = path.strip_prefix(repository("")).unwrap().to_str().unwrap();
        let mut before = "";
        for (number, part) in page.split("```").enumerate() {
            let mark = before.trim_end().rsplit_once("<!-- ").and_then(|(_, mark)| mark.strip_suffix(" -->"));
            if let (1, Some(commands)) = (number % 2, part.strip_prefix("sh\n")) {
                let installs = ["helm install", "helm upgrade", "kubectl apply", "podman ", "dpkg ", "cargo build"];
                assert!(mark.is_some() || !installs.iter().any(|words| commands.contains(words)), "{name}: {commands}");
                marked.extend(mark.map(|mark| (name.to_owned(), mark.to_owned())));
            }
            before = part;
        }
    }
    for (name, mark) in &marked {
        let is_asked_for = |source: &String| source.contains(&format!("{mark:?}"));
        assert!(sources.iter().any(is_asked_for), "{name}: no test runs what is below {mark}");
    }
    assert!(marked.len() > 10, "{marked:?}");
}

/// The sums in docs/failover.md: grace period, the controller's look at the beginning and at the end, and the TTL.
#[test]
fn failover_adds_up() {
    let page = fs::read_to_string(repository("docs/failover.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ")).map(|line| {
        let number = |cell: &str| cell.trim().trim_end_matches([' ', 's']).parse::<u32>().ok();
        line.trim_matches('|').split('|').map(number).collect::<Option<Vec<_>>>()
    });
    let rows: Vec<_> = rows.flatten().collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), [90, 60, 30]);
    for row in rows {
        let [worst, ttl, grace, period, lease, renewal] = row[..] else { panic!("{row:?}") };
        assert_eq!(worst, grace + 2 * period + ttl, "{row:?}");
        assert_eq!(lease, 4 * renewal, "a kubelet renews after a quarter");
        assert!(4 * renewal < grace, "{row:?}: four renewals fit into the grace period");
    }
}

/// The sets of values that docs/failover.md names have the TTL and the flags that it says.
#[test]
fn failover_sets_are_what_the_page_says() {
    let page = fs::read_to_string(repository("docs/failover.md")).unwrap();
    let mut sets = 0;
    for line in page.lines().filter(|line| line.contains("](../deploy/examples/failover-")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (_, link) = cells[5].split_once("](../").unwrap();
        let values = fs::read_to_string(repository(link.trim_end_matches(')'))).unwrap();
        let values: serde_json::Value = serde_yaml::from_str(&values).unwrap();
        let config = values["config"].as_object().unwrap();
        assert_eq!(config["ttl"].to_string(), cells[2], "{line}");
        for (flag, value) in
            [("--lease-timeout", "leaseTimeout"), ("--up-after", "upAfter"), ("--when-none", "whenNone")]
        {
            // The last set has "those of 30 s".
            if let Some((_, rest)) = cells[3].split_once(flag) {
                assert!(rest.trim().starts_with(config[value].as_str().unwrap()), "{flag}: {line}");
            }
        }
        assert_eq!(cells[3].contains("--probe "), config.contains_key("probe"), "{line}");
        sets += 1;
    }
    assert_eq!(sets, 3);
}

/// A configuration in docs/forwarders.md.
pub(super) fn configuration(name: &str) -> String {
    let page = fs::read_to_string(repository("docs/forwarders.md")).unwrap();
    let (_, rest) = page.split_once(&format!("<!-- config: {name} -->\n```\n")).unwrap_or_else(|| panic!("{name}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// Lets a resolver's own checker read the configuration that the page has for it.
#[test]
fn resolvers_understand_their_configuration() {
    let folder = tempfile::tempdir().unwrap();
    for (name, checker, arguments, package) in [
        ("unbound", "unbound-checkconf", &[][..], "unbound"),
        ("bind", "named-checkconf", &[][..], "bind9-utils"),
        ("dnsmasq", "dnsmasq", &["--test", "-C"][..], "dnsmasq-base"),
    ] {
        let Some(program) = program(checker) else {
            skip(&format!("docs: {name}"), &format!("{checker}, from Debian's package {package}"));
            continue;
        };
        let path = folder.path().join(name);
        let checked = |text: &str| {
            fs::write(&path, text).unwrap();
            let output = Command::new(&program).args(arguments).arg(&path).output().unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let text = configuration(name);
        let (is_well, complaint) = checked(&text);
        assert!(is_well, "{name}: {complaint}\n{text}");
        let (is_well, _) = checked(&text.replace("10.96.0.7", "10.96.0.700"));
        assert!(!is_well, "{checker} looks at nothing");
    }
}
