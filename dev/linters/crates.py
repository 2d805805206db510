"""Each crate that Cargo.lock has: from crates.io, unchanged, and under a licence of licences.txt.

Reads what `cargo metadata` says. cargo-deny does this and more, but has to be compiled for minutes, and its advisories, as
cargo-audit's, come from a repository that CI may not reach.
"""

import json
import re
import sys
from pathlib import Path

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"

allowed = {line for line in (Path(__file__).parent / "licences.txt").read_text().splitlines() if line[:1] not in ("", "#")}
crates = json.load(sys.stdin)["packages"]


def is_allowed(licence):
    """An SPDX expression; some older crates write a slash for OR."""
    for part in re.sub(r"[()]", "", licence).replace("/", " OR ").split(" AND "):
        if not any(choice.strip() in allowed for choice in part.split(" OR ")):
            return False
    return True


faults = []
for crate in crates:
    name = f"{crate['name']} {crate['version']}"
    if crate["source"] not in (CRATES_IO, None):
        faults.append(f"{name} comes from {crate['source']}")
    if not is_allowed(crate["license"] or ""):
        faults.append(f"{name} has the licence {crate['license']!r}")
print(*faults, sep="\n", end="\n" if faults else "")
print(f"{len(crates)} crates, {len(faults)} faults")
sys.exit(bool(faults))
