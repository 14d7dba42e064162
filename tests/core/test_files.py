"""Files that are written whole or not at all: every writer on a full disk, and what errors say."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from ase.build import bulk

import toy_labels
import toy_trajectories
from vitrify.core.errors import VitrifyError
from vitrify.core.files import append, atomic_path, cannot_write, keeps_from_writing, make_folder, writing
from vitrify.core.lmp_process import follow_lmp
from vitrify.data.structure_writer import StructureWriter
from vitrify.lammps_library.commands import potential_from_text
from vitrify.report.html import Report
from vitrify.report.metrics_file import write_metrics
from vitrify.report.plots import new_figure, save
from vitrify.symgnn.explain.store import save_arrays
from vitrify.training.checkpoint import Progress, save_checkpoint
from vitrify.training.config import load_config
from written.disks import files_of_at_most

Writer = Callable[[Path], Any]


def structures(path: Path) -> None:
    count = 1 if path.suffix == ".data" else 2
    with StructureWriter(path, count) as writer:
        for _ in range(count):
            writer.write(bulk("Si", cubic=True).repeat((4, 4, 4)))


def report(path: Path) -> None:
    page = Report("title", "")
    page.text("word " * 2000)
    page.write(path)


def figure(path: Path) -> None:
    drawn = new_figure(3.0, 2.0)
    drawn.subplots().plot(np.random.default_rng(0).random(300))
    save(drawn, path)


def checkpoint(path: Path) -> None:
    save_checkpoint(path, Progress(), {"w": torch.rand(3000)}, "{}")


def trajectories(path: Path) -> None:
    toy_trajectories.write(path, range(1))


WRITERS: dict[str, Writer] = {
    "a.extxyz": structures,
    "a.data": structures,
    "report.html": report,
    "figure.png": figure,
    "figure.svg": figure,
    "last.ckpt": checkpoint,
    "labels.h5": lambda path: toy_labels.fill(path, [(a, k) for a in range(20) for k in range(9)]),
    "metrics.json": lambda path: write_metrics(path.parent, {"x": list(range(4000))}),
    "a.npz": lambda path: save_arrays(path, {"x": np.random.default_rng(0).random(4000)}),
    "t.h5": trajectories,
}


@pytest.mark.parametrize("room", [0, 200, 7000])
@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_on_a_full_disk(name: str, room: int, tmp_path: Path) -> None:
    """Where the disk is full at once, after the lock, and in the middle of the file: one line; and then it works."""
    path = tmp_path / name
    if name == "labels.h5":
        toy_labels.fill(path, [])
    elif name != "t.h5":  # those two go on with what is there
        path.write_text("old")
    before = path.read_bytes() if path.exists() else None
    with files_of_at_most(room), pytest.raises(VitrifyError, match=rf"^cannot write \S*{name}\S*: File too large$"):
        WRITERS[name](path)
    assert (path.read_bytes() if path.exists() else None) == before
    assert {found.name for found in tmp_path.iterdir()} <= {name, f"{name}.part", f"{name}.parts"}
    WRITERS[name](path)
    assert path.stat().st_size > 7000


@pytest.mark.parametrize("name", ["labels.h5", "a.data"])
def test_a_small_file_system(name: str, tmp_path: Path) -> None:
    """One that is really full."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        with pytest.raises(VitrifyError, match=rf"^cannot write \S*{name}\S*: No space left on device$"):
            WRITERS[name](place / name)
        assert {found.name for found in place.iterdir()} <= {"labels.h5.part"}
        if name == "labels.h5":
            subprocess.run(["mount", "-o", "remount,size=4m", place], check=True)
            WRITERS[name](place / name)
            assert [found.name for found in place.iterdir()] == [name]
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_line_is_added_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with open(path, "a+b") as file:
        append(file.fileno(), b"x" * 100, path)
        with files_of_at_most(150), pytest.raises(VitrifyError, match="journal: File too large"):
            append(file.fileno(), b"y" * 100, path)
        assert path.read_bytes() == b"x" * 100
        append(file.fileno(), b"z", path)
    assert path.read_bytes() == b"x" * 100 + b"z"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere/input.h5"),
        OSError("Unable to open file (unable to open file: name = '/elsewhere/in.h5', errno = 2, flags = 0)"),
        OSError("Can't read data (file read failed: time = x, errno = 5, error message = 'Input/output error')"),
        RuntimeError("Unable to get group info (unable to open file: name = '/elsewhere/in.h5', errno = 13)"),
        gzip.BadGzipFile("Not a gzipped file (b'ab')"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        ChildProcessError(errno.ECHILD, "No child processes"),
    ],
)
def test_what_is_wrong_with_an_input_is_not_blamed_on_the_output(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as raised, atomic_path(tmp_path / "a") as work:
        work.write_text("half")
        raise error
    assert raised.value is error and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("Unable to create file (unable to open file: name = 'a', errno = 28)"), "No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "Disk quota exceeded"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("Can't write data (file write failed: time = x, errno = 28, error message = 'No')"), "No space left"),
        (RuntimeError("Unable to flush file (errno = 122, error message = 'Disk quota')"), "Disk quota exceeded"),
        (OSError("100 requested and 0 written"), "100 requested and 0 written"),
    ],
)
def test_what_goes_wrong_is_named(error: Exception, reason: str, tmp_path: Path) -> None:
    with (
        pytest.raises(VitrifyError, match=f"^cannot write {tmp_path}/a: {reason}"),
        atomic_path(tmp_path / "a") as work,
    ):
        work.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/other.h5"),
        PermissionError(errno.EACCES, "Permission denied", "/data/other.h5"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        RuntimeError("shapes do not match"),
        KeyboardInterrupt(),
    ],
)
def test_what_has_nothing_to_do_with_the_file_stays_what_it_is(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "a"):
        raise error
    assert caught.value is error and list(tmp_path.iterdir()) == []


def test_left_overs_of_dead_processes_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    dead, living = (tmp_path / f".a.{pid}.partial.h5" for pid in (child.pid, os.getppid()))
    other = tmp_path / f".b.{child.pid}.partial.h5"
    for path in (dead, living, other):
        path.write_text("half")
    with atomic_path(tmp_path / "a.h5") as work:
        work.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, other.name, "a.h5"])


@pytest.mark.parametrize("name", ["x" * 250 + ".h5", "é" * 120 + ".extxyz", "x" + "." + "y" * 200])
def test_names_as_long_as_the_file_system_takes(name: str, tmp_path: Path) -> None:
    with atomic_path(tmp_path / name) as work:
        work.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    link = tmp_path / "link.h5"
    link.symlink_to("scratch/there.h5")
    for text in ("new", "again"):
        with atomic_path(link) as work:
            work.write_text(text)
        assert link.is_symlink() and (tmp_path / "scratch/there.h5").read_text() == text
    for device in ("/dev/null", "/dev/full"):
        with pytest.raises(VitrifyError, match=f"cannot write {device}: it is no regular file"), atomic_path(device):
            pass


def test_errors_of_other_programs_are_seen(tmp_path: Path) -> None:
    assert keeps_from_writing(tmp_path) is None and list(tmp_path.iterdir()) == []
    assert keeps_from_writing(tmp_path / "gone") == errno.ENOENT
    with files_of_at_most(1000):
        assert keeps_from_writing(tmp_path) == errno.EFBIG
    (tmp_path / "in.lammps").write_text("print hello\n")
    with pytest.raises(VitrifyError, match=f"cannot write {tmp_path}: File too large"), files_of_at_most(20000):
        follow_lmp(tmp_path / "in.lammps", tmp_path)


def test_folders(tmp_path: Path) -> None:
    assert make_folder(tmp_path) == []
    assert make_folder(tmp_path / "a/b") == [tmp_path / "a", tmp_path / "a/b"]
    with pytest.raises(VitrifyError, match=r"cannot write out.h5: Not a directory"):
        (tmp_path / "file").write_text("")
        make_folder(tmp_path / "file", "out.h5")
    assert str(cannot_write("x", errno.EROFS)) == "cannot write x: Read-only file system"
    with pytest.raises(VitrifyError, match=r"a.h5: .*[Nn]o such file"), writing(tmp_path / "gone" / "a.h5"):
        h5py.File(tmp_path / "gone" / "a.h5", "w")


@pytest.mark.parametrize("name", ["x" * 300 + ".fs", "a\0b.fs", "\udcff.fs"])
def test_names_that_no_file_can_have_are_names_of_no_file(name: str, tmp_path: Path) -> None:
    assert potential_from_text(f"pair_style eam/fs; pair_coeff * * {name}")[1].endswith(name)
    config = tmp_path / "fine.yaml"
    config.write_text(f"kind: symgnn\nstart: {{model: {json.dumps(name)}}}\n")
    with pytest.raises(VitrifyError):
        load_config(config)
