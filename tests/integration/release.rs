//! What a release is made with, and what only a tag runs on GitHub: its notes, the files that it offers, its image.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::common::process::program;
use super::common::{repository, skip};
use super::packages::is_root;

const CHANGELOG: &str =
    "# Changelog\n\n## Unreleased\n\n- To come.\n\n## 1.2.3 - 2026-11-20\n\n- A flag.\n\n## 1.2.2\n";

/// A copy of a script in a repository of its own, with what it looks at.
fn notes(program: &str, chart: &str, tag: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("CHANGELOG.md", CHANGELOG);
    write("Cargo.toml", &format!("[package]\nname = \"x\"\nversion = \"{program}\"\n\n[dependencies]\na = \"9\"\n"));
    let chart = format!("apiVersion: v2\nname: x\nversion: {chart}\nappVersion: {chart}\n");
    write("deploy/helm/k8s-node-dns/Chart.yaml", &chart);
    write(".ci/release-notes.sh", &fs::read_to_string(repository(".ci/release-notes.sh")).unwrap());
    let output = Command::new("bash").arg(folder.path().join(".ci/release-notes.sh")).arg(tag).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn a_release_has_the_notes_of_its_version() {
    assert_eq!(notes("1.2.3", "1.2.3", "v1.2.3"), Ok("- A flag.".to_owned()));
    for (program, chart, tag, complaint) in [
        ("1.2.3", "1.2.3", "v1.2.4", "Cargo.toml has version 1.2.3"),
        ("1.2.4", "1.2.3", "v1.2.4", "Chart.yaml has version 1.2.3"),
        ("1.2.2", "1.2.2", "v1.2.2", "no section \"## 1.2.2\" with something in it"),
        ("1.2.30", "1.2.30", "v1.2.30", "no section \"## 1.2.30\""),
        ("1.2.3", "1.2.3", "1.2.3", "no version like v1.2.3"),
        ("1.2.3", "1.2.3", "v1.2.3; id", "no version like v1.2.3"),
    ] {
        let said = notes(program, chart, tag).expect_err(tag);
        assert!(said.contains(complaint), "{complaint} is not in: {said}");
    }
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// As `upload-artifact` and `download-artifact` leave it: nothing is executable, and times are today's.
fn built(folder: &Path) {
    for (arch, debian) in [("x86_64", "amd64"), ("aarch64", "arm64")] {
        let one = folder.join(format!("dist-{arch}"));
        fs::create_dir_all(one.join("licenses")).unwrap();
        fs::write(one.join("k8s-node-dns"), format!("#!/bin/sh\necho {arch}\n")).unwrap();
        fs::write(one.join("licenses/LICENSE-MIT"), "MIT\n").unwrap();
        fs::write(one.join("k8s-node-dns.cdx.json"), "{}\n").unwrap();
        fs::write(one.join(format!("k8s-node-dns_1.2.3-1_{debian}.deb")), arch).unwrap();
    }
}

#[test]
fn the_files_of_a_release_have_checksums_and_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let put_together = |name: &str| {
        let (dist, files) = (folder.path().join(format!("{name}-dist")), folder.path().join(name));
        built(&dist);
        succeeds(Command::new("bash").arg(repository(".ci/release-files.sh")).args([&dist, &files]));
        files
    };
    let files = put_together("one");
    let mut names: Vec<_> =
        fs::read_dir(&files).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "SHA256SUMS",
            "k8s-node-dns-aarch64-linux.cdx.json",
            "k8s-node-dns-aarch64-linux.tar.gz",
            "k8s-node-dns-x86_64-linux.cdx.json",
            "k8s-node-dns-x86_64-linux.tar.gz",
            "k8s-node-dns_1.2.3-1_amd64.deb",
            "k8s-node-dns_1.2.3-1_arm64.deb",
        ]
    );
    succeeds(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&files));
    let sums = fs::read_to_string(files.join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), names.len() - 1);
    assert_eq!(sums, fs::read_to_string(put_together("two").join("SHA256SUMS")).unwrap());

    let archive = files.join("k8s-node-dns-aarch64-linux.tar.gz");
    succeeds(Command::new("tar").arg("-xzf").arg(archive).current_dir(&files));
    let output = succeeds(&mut Command::new(files.join("k8s-node-dns")));
    assert_eq!(output.stdout, b"aarch64\n");
    assert!(files.join("licenses/LICENSE-MIT").exists());
}

/// All that makes and pushes the image, with a folder for the registry.
#[test]
fn the_image_of_a_release_is_for_both_architectures() {
    let Some(buildah) = program("buildah") else {
        skip("release: image", "buildah, from Debian's package buildah");
        return;
    };
    if !is_root("release: image") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    built(&at("dist"));
    // A buildah with storage of its own, that needs no login, and has a folder where the registry would be.
    let storage = folder.path().display();
    let script = format!(
        "#!/bin/bash
         set -eu
         [ \"$1\" != login ] || {{ cat > {storage}/login; exit 0; }}
         [ \"$1\" != build ] || {{ shift; set -- build --isolation chroot \"$@\"; }}
         for argument; do
           case $argument in docker://*) echo \"$argument\" > {storage}/to; argument=oci:{storage}/pushed ;; esac
           set -- \"${{@:2}}\" \"$argument\"
         done
         exec {} --root {storage}/root --runroot {storage}/run --storage-driver vfs \"$@\"",
        buildah.display()
    );
    fs::create_dir(at("bin")).unwrap();
    fs::write(at("bin/buildah"), script).unwrap();
    succeeds(Command::new("chmod").arg("755").arg(at("bin/buildah")));
    let mut command = Command::new("bash");
    command.arg(repository(".ci/push-image.sh")).args(["somebody/k8s-node-dns", "1.2.3"]).arg(at("dist"));
    let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("GITHUB_ACTOR", "somebody").env("TOKEN", "secret").env("TMPDIR", folder.path());
    let said = String::from_utf8(succeeds(&mut command).stdout).unwrap();

    let json = |path: &Path| -> serde_json::Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let blob =
        |digest: &serde_json::Value| at("pushed/blobs/sha256").join(&digest.as_str().unwrap()["sha256:".len()..]);
    let list = json(&at("pushed/index.json"))["manifests"][0]["digest"].clone();
    assert_eq!(said, format!("name=ghcr.io/somebody/k8s-node-dns\ndigest={}\n", list.as_str().unwrap()));
    assert_eq!(fs::read_to_string(at("to")).unwrap().trim(), "docker://ghcr.io/somebody/k8s-node-dns:1.2.3");
    assert_eq!(fs::read_to_string(at("login")).unwrap().trim(), "secret");
    let list = json(&blob(&list));
    let images = list["manifests"].as_array().unwrap();
    let mut architectures: Vec<_> = images.iter().map(|image| image["platform"]["architecture"].clone()).collect();
    architectures.sort_by_key(ToString::to_string);
    assert_eq!(architectures, ["amd64", "arm64"]);
    for image in images {
        let manifest = json(&blob(&image["digest"]));
        let config = json(&blob(&manifest["config"]["digest"]));
        assert_eq!(config["architecture"], image["platform"]["architecture"]);
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], "1.2.3");
        let binary = manifest["layers"].as_array().unwrap().iter().find_map(|layer| {
            let output = Command::new("tar").arg("-xzOf").arg(blob(&layer["digest"])).arg("opt/k8s-node-dns").output();
            output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
        });
        let built_for = if config["architecture"] == "amd64" { "x86_64" } else { "aarch64" };
        assert!(String::from_utf8(binary.unwrap()).unwrap().contains(&format!("echo {built_for}")));
        let source = &config["config"]["Labels"]["org.opencontainers.image.source"];
        assert_eq!(source, "https://github.com/somebody/k8s-node-dns");
    }
}
