#!/usr/bin/env python3
"""The shipped python3 image beside distroless python3-debian13, package by package, as a Markdown table.

    benches/distroless.py [COMPOSE]        default: target/release/compose

Both are composed from the same mirror on the same day: this one as it is shipped, the other from the list of its packages
(distroless-python3-debian13.txt, which is its package list of November 2026) with nothing omitted, as Bazel unpacks it.
Sizes are those of the files that each package has in each image. Nothing is asserted; the table is for docs/distroless.md.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
compose = str(Path(sys.argv[1] if len(sys.argv) > 1 else here.parent / "target/release/compose").resolve())
names = (here / "distroless-python3-debian13.txt").read_text().split()

# Why a package of distroless is not in ours, where no dependency that was cut says it.
NIS = "for NIS: the module nis, which used it, left Python in 3.13"
KERBEROS = "for libtirpc, which NIS used"
LOADED = "nothing in the image is linked against it; compose adds it for wheels that are"
WHY = {
    "tzdata-legacy": "names of time zones from before 1993, such as US/Pacific",
    "libnsl2": NIS,
    "libtirpc3t64": NIS,
    "libcom-err2": KERBEROS,
    "libgssapi-krb5-2": KERBEROS,
    "libk5crypto3": KERBEROS,
    "libkeyutils1": KERBEROS,
    "libkrb5-3": KERBEROS,
    "libkrb5support0": KERBEROS,
    "libcrypt1": "for the module crypt, which left Python in 3.13",
    "libgomp1": LOADED,
    "libstdc++6": LOADED,
    "python3.13-venv": "virtual environments; an image is one",
}


def run(*args):
    done = subprocess.run([compose, *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def image(manifest):
    """What is in it, by package, and its sizes."""
    build = json.loads(run(str(manifest), "-o", "x.oci.tar", "--format", "json"))
    audit = json.loads(run("audit", str(manifest), "--format", "json"))
    os.remove("x.oci.tar")
    [layer] = build["images"][0]["layers"]
    return {p["name"]: p for p in audit["packages"]}, layer["plain-size"], layer["size"], audit


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    shipped = (here.parent / "manifests/python3.toml").read_text()
    Path("python3.toml").write_text(shipped)
    listed = ", ".join(f'"{name}"' for name in names)
    Path("distroless.toml").write_text(
        f"""name = "distroless"
archs = ["amd64"]
[debian]
suite = "trixie"
[packages]
install = [{listed}]
provided = ["awk", "debconf", "dpkg", "openssl", "openssl-provider-legacy", "readline-common", "krb5-locales", "libpython3-stdlib", "libtirpc-common", "python3", "python3-pip-whl", "python3-setuptools-whl", "python3.13"]
[rootfs]
omit = []
"""
    )
    ours, plain, packed, audit = image("python3.toml")
    theirs, plain_theirs, packed_theirs, _ = image("distroless.toml")

cut = {}
for edge in audit["cut"]:
    cut.setdefault(edge["dependency"], edge["reason"])


def kb(package):
    return f"{package['content']['bytes'] / 1000:,.0f}" if package else ""


def why(name):
    if name in ours and name in theirs:
        return ""
    if name in ours:
        by = ours[name]["required-by"]
        return "needed by " + ", ".join(by) if by else "asked for by the manifest"
    return cut.get(name) or WHY.get(name) or "no package here depends on it"


both, only_ours, only_theirs = [], [], []
for name in sorted({*ours, *theirs}):
    row = (name, kb(ours.get(name)), kb(theirs.get(name)), why(name))
    (both if name in ours and name in theirs else only_ours if name in ours else only_theirs).append(row)

total = lambda image: sum(p["content"]["bytes"] for p in image.values()) / 1e6
print(f"| | python3.toml | distroless python3-debian13 |\n|---|---:|---:|")
print(f"| packages | {len(ours)} | {len(theirs)} |")
print(f"| files of packages | {total(ours):.1f} MB | {total(theirs):.1f} MB |")
print(f"| plain tar | {plain / 1e6:.1f} MB | {plain_theirs / 1e6:.1f} MB |")
print(f"| gzip layer | {packed / 1e6:.1f} MB | {packed_theirs / 1e6:.1f} MB |")
for title, rows in [("In both", both), ("Only in python3.toml", only_ours), ("Only in distroless", only_theirs)]:
    print(f"\n### {title} ({len(rows)})\n\n| package | here, kB | distroless, kB | why |\n|---|---:|---:|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
