#!/usr/bin/env python3
"""What is linked into the program for a target.

parts.py licences TARGET    prints the licence texts of all of it. A library without a licence file of its own stands under
                            a licence whose text another one has, or this fails.
parts.py sbom TARGET FILE   takes out of cargo-cyclonedx's list what is not linked: it knows of features only what
                            Cargo.lock may need.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)[^/]*", re.IGNORECASE)
OURS = "k8s-node-dns"
# Linked too, though cargo does not know of them.
OTHERS = [("musl (libc)", "musl.txt"), ("Rust's standard library, LLVM's libunwind", "rust.txt")]


def cargo(*arguments):
    """What cargo prints, of the dependencies that are locked."""
    command = ["cargo", *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def linked(target):
    """The packages that the program consists of, as cargo's metadata has them."""
    words = cargo("tree", "--edges", "normal", "--target", target, "--prefix", "none", "--format", "{p}").splitlines()
    names = {tuple(line.split()[:2]) for line in words if line}
    packages = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))["packages"]
    chosen = [package for package in packages if (package["name"], f"v{package['version']}") in names]
    if len(chosen) != len(names):
        sys.exit(f"cargo tree has {len(names)} packages, and its metadata {len(chosen)} of them")
    return sorted((one for one in chosen if one["name"] != OURS), key=lambda one: (one["name"], one["version"]))


def texts(package):
    """The licence files of a package, also of the C sources in it."""
    folder = Path(package["manifest_path"]).parent
    files = (path for path in folder.rglob("*") if TEXT.fullmatch(path.name) and path.suffix not in {".rs", ".c", ".h"})
    return [path.read_text(errors="replace").strip("\n") for path in sorted(files) if path.is_file()]


def sbom(target, file):
    """Writes the parts list again with what is linked alone."""
    names = {(package["name"], package["version"]) for package in linked(target)}
    parts = json.loads(Path(file).read_text())
    parts["components"] = [one for one in parts["components"] if (one["name"], one["version"]) in names]
    if missing := names - {(one["name"], one["version"]) for one in parts["components"]}:
        sys.exit(f"{file} lacks {sorted(missing)}")
    kept = {one["bom-ref"] for one in parts["components"]} | {parts["metadata"]["component"]["bom-ref"]}
    parts["dependencies"] = [one for one in parts["dependencies"] if one["ref"] in kept]
    for one in parts["dependencies"]:
        if "dependsOn" in one:
            one["dependsOn"] = [ref for ref in one["dependsOn"] if ref in kept]
    text = json.dumps(parts, indent=2).replace(f"file://{ROOT}", "file:///k8s-node-dns")
    Path(file).write_text(text + "\n")


def licences(target):
    """Prints each text once, with those that it belongs to."""
    packages = linked(target)
    owners, wording, missing = {}, {}, []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        found = texts(package)
        if not found:
            missing.append((name, package["license"] or ""))
        for text in found:
            key = " ".join(text.split())
            wording.setdefault(key, text)
            owners.setdefault(key, {})[name] = None
    apache = next((key for key in owners if key.startswith("Apache License Version 2.0")), None)
    for name, licence in missing:
        if "Apache-2.0" not in licence or not apache:
            sys.exit(f"{name} ({licence}) has no licence file, and no other text stands for it")
        owners[apache][name] = None
    print(f"{OURS} is linked with these libraries; their licences follow.\n")
    for package in packages:
        print(f"  {package['name']} {package['version']}: {package['license'] or 'see below'}")
    for name, _ in OTHERS:
        print(f"  {name}")
    parts = [(list(names), wording[key]) for key, names in owners.items()]
    parts += [([name], (ROOT / "deploy/licenses" / file).read_text().strip("\n")) for name, file in OTHERS]
    for names, text in parts:
        print(f"\n{'=' * 100}\n{', '.join(names)}\n{'=' * 100}\n\n{text}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["licences", for_target]:
            licences(for_target)
        case ["sbom", for_target, path]:
            sbom(for_target, path)
        case _:
            sys.exit(__doc__)
