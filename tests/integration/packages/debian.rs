//! The Debian package under a systemd that runs: installed, configured, upgraded, removed and purged, in a container.

use super::super::docs::commands;
use super::*;

/// What happens in the container, and what must have come of it.
const SCRIPT: &str = include_str!("debian.sh");

/// The package that `just dist` made; without one the test is skipped.
fn package() -> Option<PathBuf> {
    let mut packages = std::fs::read_dir(dist("debian")?).unwrap().map(|entry| entry.unwrap().path());
    Some(packages.find(|path| path.extension().is_some_and(|end| end == "deb")).expect("a package"))
}

#[test]
fn lintian_has_no_complaint() {
    let (Some(package), Some(lintian)) = (package(), find("debian", "lintian", "lintian")) else { return };
    let mut command = Command::new(lintian);
    // Whoever builds it is the maintainer, and a commit's author may have an address that is none.
    command.args(["--allow-root", "--fail-on", "error,warning", "--suppress-tags", "bogus-mail-host"]);
    assert_eq!(output(command.arg("--no-cfg").arg(package)), "");
}

/// The same package with a higher version, in `folder`.
fn newer(package: &Path, folder: &Path) -> PathBuf {
    let (content, to) = (folder.join("content"), folder.join("newer.deb"));
    output(Command::new("dpkg-deb").arg("--raw-extract").args([package, &content]));
    let control = content.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let newer = text.replace("\nVersion: ", "\nVersion: 9:");
    assert_ne!(text, newer, "a version is in it");
    std::fs::write(control, newer).unwrap();
    // What a new version may bring: another comment in the settings.
    let settings = content.join("etc/default/k8s-node-dns");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(settings, text + "# of the newer version\n").unwrap();
    output(Command::new("dpkg-deb").args(["--root-owner-group", "--build", "-Znone"]).args([&content, &to]));
    to
}

#[test]
fn the_package_is_installed_runs_and_goes() {
    let Some(package) = package() else { return };
    let Some(mmdebstrap) = find("debian", "mmdebstrap", "mmdebstrap") else { return };
    let Some(nspawn) = find("debian", "systemd-nspawn", "systemd-container") else { return };
    if !is_root("packages: debian") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    // The oldest Debian that is meant: its systemd is 252.
    let mut command = Command::new(mmdebstrap);
    output(command.args(["--quiet", "--variant=minbase", "--include=init,procps", "bookworm"]).arg(&root));
    let newer = newer(&package, folder.path());
    let at = |path: &str| root.join(path);
    std::fs::create_dir(at("test")).unwrap();
    std::fs::copy(package, at("test/k8s-node-dns_0_all.deb")).unwrap();
    std::fs::copy(newer, at("test/newer.deb")).unwrap();
    std::fs::copy(repository("deploy/examples/home-and-cloud.yaml"), at("test/cluster.yaml")).unwrap();
    std::fs::write(at("test/run.sh"), SCRIPT).unwrap();
    let readme = commands("README.md", "install: systemd");
    assert_eq!(readme.lines().count(), 4, "debian.sh runs each by its number");
    std::fs::write(at("test/readme.sh"), readme).unwrap();
    let unit = "[Service]\nType=oneshot\nExecStart=/bin/bash /test/run.sh\nExecStopPost=systemctl --force poweroff\n";
    std::fs::write(at("etc/systemd/system/test.service"), unit).unwrap();
    let wants = at("etc/systemd/system/multi-user.target.wants");
    std::fs::create_dir_all(&wants).unwrap();
    std::os::unix::fs::symlink("../test.service", wants.join("test.service")).unwrap();

    // A machine of its own: processes, mounts, and a network in which port 53 is nobody's.
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "120"]).arg(nspawn);
    command.args(["--quiet", "--boot", "--private-network", "--console=pipe", "--directory"]).arg(&root);
    if !Path::new("/run/systemd/system").exists() {
        command.args(["--register=no", "--keep-unit"]); // there is no systemd to tell
    }
    let said = command.stdin(Stdio::null()).output().unwrap();
    let result = std::fs::read_to_string(at("test/result")).unwrap_or_default();
    assert!(
        result.ends_with("\nall is well\n"),
        "{}\n{}{}\nin the container:\n{result}",
        said.status,
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
}
