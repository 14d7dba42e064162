"""Checks that folders of cpp/ include only what lies below them. Run it from anywhere; --count prints numbers, too.

Kernels (.inl) are held to the same rules as headers. Headers of other projects are not looked at.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "cpp"
SYSTEMS = re.findall(r"^VITRIFY_SYSTEM\((\w+)\)", (ROOT / "base/systems.def").read_text(), re.MULTILINE)
# From the top down. A folder may include itself and all folders of lower lines, but no other folder of its own line.
LAYERS = [
    ["lammps", "python", "torch"],
    ["generation"],  # amshortcut and glassvae both make structures
    SYSTEMS,
    ["engines"],
    ["rules"],
    ["modelfile"],
    ["neighbours"],
    ["simd"],
    ["base"],
]
ALLOWED = {("glassvae/kind.cpp", "amshortcut/flow_network_engine.h")}  # its decoder is a flow network
MAX_FILES = 20  # in one folder


def circles(includes: dict[str, set[str]]) -> list[list[str]]:
    """Files that include themselves by way of others: one list of names for each such circle that a search meets."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(includes.get(name, ())):
                visit(other, [*path, name])
            done.add(name)

    for name in sorted(includes):
        visit(name, [])
    return found


def main() -> int:
    files = sorted(path for path in ROOT.rglob("*") if path.suffix in {".h", ".cpp", ".inl", ".def"})
    names = {str(path.relative_to(ROOT)) for path in files}
    quoted = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
    includes = {str(path.relative_to(ROOT)): names & set(quoted.findall(path.read_text())) for path in files}
    level = {folder: depth for depth, folders in enumerate(reversed(LAYERS)) for folder in folders}

    errors = [f"{name}: its folder is not in LAYERS" for name in includes if name.split("/")[0] not in level]
    for name, others in includes.items():
        for other in sorted(others):
            here, there = name.split("/")[0], other.split("/")[0]
            below = here == there or level.get(there, 0) < level.get(here, 0)
            if not below and (name, other) not in ALLOWED:
                errors.append(f"{name} includes {other}, which does not lie below it")
    errors += [" -> ".join(circle) for circle in circles(includes)]
    for folder in sorted({path.parent for path in files}):
        count = sum(path.parent == folder for path in files)
        if count > MAX_FILES:
            errors.append(f"{folder.relative_to(ROOT)} holds {count} files, more than {MAX_FILES}")

    if "--count" in sys.argv:
        pairs = {(name.split("/")[0], other.split("/")[0]) for name in includes for other in includes[name]}
        arrows = {(here, there) for here, there in pairs if here != there}
        print(f"{len(level)} folders, {len(files)} files, {sum(map(len, includes.values()))} includes between them")
        print(f"{len(arrows)} arrows between folders, {len(circles(includes))} circles of files")
    print(*errors, sep="\n", end="\n" if errors else "")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
