"""Seeded damage to files of every form: each ends in frames or in one line that names the file, and at once."""

from __future__ import annotations

import gzip
import random
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from structure_files.by_hand import BY_HAND
from vitrify.core.errors import VitrifyError
from vitrify.data.frames import load_frames
from vitrify.data.label_files import Structure, write_label_file
from vitrify.data.samples import load_samples
from vitrify.data.structures import load_structures

DUMP = (
    b"ITEM: UNITS\nmetal\nITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS xy xz yz pp pp pp\n"
    b"0 9 1\n0 9 0.5\n0 9 0\nITEM: ATOMS id type x y z barrier\n1 1 1 2 3 0.5\n2 2 4 5 6 0.25\n"
)
XYZ = (
    b'2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 stress="1 0 0 0 1 0 0 0 1" '
    b'sample=1 temperature=300 pbc="T T T"\nSi 1 2 3 0 0 0\nO 4 5 6 0 0 0\n'
)
ODD = [
    b"-1", b"0", b"1e400", b"nan", b"-inf", b"99999999999", b"1" + b"0" * 30, b"\xc2\xb2", b"", b"ITEM:", b"Atoms",
    b"1_0", b"0x10", b"[" * 5000, b'"', b"=", b"\x00", b"\xff\xfe", b"Si", b"1.0", b"9223372036854775808", b"\n\n",
    b"_JSON " + b"[" * 20000, b"#", b":R:3", b"xlo xhi", b"\xef\xbb\xbf", b"\r",
]  # fmt: skip


def originals(folder: Path) -> dict[str, bytes]:
    """Content by name of small files of every format."""
    np.savez(folder / "a.npz", positions=np.eye(3), cell=np.eye(3) * 9, types=np.ones(3, int), barrier=np.ones(3))
    np.savez_compressed(folder / "b.npz", positions=np.eye(3), box=np.ones(3), types=np.array(["Si", "O", "O"]))
    structure = Structure(np.eye(3), np.eye(3) * 9, np.array([0, 1, 1]), ("Si", "O"))
    write_label_file(folder / "labels.h5", {}, structure, [])
    with h5py.File(folder / "md.h5", "w") as file:
        group = file.create_group("particles/all")
        group.create_group("box").attrs["boundary"] = ["periodic"] * 3
        group["box/edges"], group["species"] = np.eye(3) * 9, np.ones(3, int)
        group["position/value"] = np.random.default_rng(0).random((2, 3, 3))
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    texts = {name: text if isinstance(text, bytes) else text.encode() for name, (_, text) in BY_HAND.items()}
    found |= {f"{name}.data": text for name, text in texts.items()}
    return found | {"a.dump": DUMP * 2, "b.dump.gz": DUMP, "a.extxyz": XYZ * 2, "b.xyz.gz": XYZ}


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content with one to four changes of bytes, words, or lines."""
    for _ in range(draw.choice([1, 1, 2, 4])):
        if not content:
            return content
        place = draw.randrange(len(content))
        lines = content.split(b"\n")
        line = draw.randrange(len(lines))
        words = lines[line].split(b" ")
        words[draw.randrange(len(words))] = draw.choice(ODD)
        content = draw.choice([
            content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :],
            content[:place],
            content[:place] + draw.choice(ODD) + content[place:],
            b"\n".join(lines[:line] + lines[line + 1 :]),
            b"\n".join([*lines[:line], lines[draw.randrange(len(lines))], *lines[line:]]),
            *[b"\n".join([*lines[:line], b" ".join(words), *lines[line + 1 :]])] * 3,
        ])  # fmt: skip
    return content


@pytest.mark.filterwarnings("ignore::vitrify.core.errors.VitrifyWarning")
@pytest.mark.parametrize("seed", range(6))
def test_damage_is_told_in_one_line(seed: int, tmp_path: Path) -> None:
    files = originals(tmp_path)
    refused = 0
    for number in range(100):
        draw = random.Random(1000 * seed + number)
        name = draw.choice(sorted(files))
        content = damaged(files[name], draw)
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        began = time.perf_counter()
        for read in (
            lambda path: load_structures(path, ("Si", "O"), "barrier", allow_missing=True),
            lambda path: load_samples(path, ("Si", "O")),
            lambda path: load_frames(path, ("Si", "O")),
        ):
            try:
                read(path)
            except VitrifyError as error:
                refused += 1
                text = str(error)
                assert str(tmp_path) in text and "\n" not in text and "than it seems" not in text, (seed, number, text)
        assert time.perf_counter() - began < 30, (seed, number)
    assert refused > 50
