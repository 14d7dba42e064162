"""Divides a file of samples into FILE_train and FILE_test by the number of the sample: no simulation is in both.

python -m benchmarks.amshortcut.split si_glass_1e13.extxyz.gz 16       # samples 0 to 15 train
"""

from __future__ import annotations

import argparse
import gzip
import re
import shutil
from pathlib import Path

from vitrify.core.files import atomic_path


def frames_of(path: Path) -> list[tuple[int, str]]:
    """The frames of a compressed extended XYZ file as text, each with the number of its sample."""
    with gzip.open(path, "rt") as file:
        lines = file.readlines()
    found, first = [], 0
    while first < len(lines):
        last = first + int(lines[first]) + 2
        number = re.search(r"\bsample=(\d+)", lines[first + 1])
        if number is None:
            raise SystemExit(f"{path}: a frame without sample=NUMBER: vitrify data structures writes it")
        found.append((int(number[1]), "".join(lines[first:last])))
        first = last
    return found


def split(path: Path, train: int) -> tuple[Path, Path]:
    """Writes both files, each with the recipe of the whole."""
    frames = frames_of(path)
    stem = path.name.removesuffix(".extxyz.gz")
    written = []
    for name, chosen in (
        ("train", [text for number, text in frames if number < train]),
        ("test", [text for number, text in frames if number >= train]),
    ):
        out = path.with_name(f"{stem}_{name}.extxyz.gz")
        with atomic_path(out) as work, gzip.open(work, "wt") as file:
            file.writelines(chosen)
        recipe = path.with_name(path.name + ".json")
        if recipe.exists():
            shutil.copy(recipe, out.with_name(out.name + ".json"))
        written.append(out)
        print(f"{out}: {len(chosen)} frames")
    return written[0], written[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("train", type=int, help="samples with a smaller number train")
    arguments = parser.parse_args()
    split(arguments.file, arguments.train)


if __name__ == "__main__":
    main()
