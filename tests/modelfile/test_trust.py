"""Files whose programs may be run: shipped ones, those on the user's list, and no others."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

import model_files
from changed_files import with_entry, with_metadata
from lammps_inputs.fix_ogn import lj_liquid, script
from lammps_runner import run_lammps
from vitrify import _core
from vitrify.cli.main import app
from vitrify.core.errors import VitrifyError
from vitrify.modelfile.archive import open_archive, shipped_models
from vitrify.modelfile.trust import is_trusted, remember, trusted_list

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("length", [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 100_003])
def test_sha256_is_that_of_the_standard_library(length: int) -> None:
    content = random.Random(length).randbytes(length)
    assert _core.sha256(content) == hashlib.sha256(content).hexdigest()


def test_the_list_of_shipped_models_is_up_to_date() -> None:
    lines = (ROOT / "potentials" / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)  # type: ignore[arg-type]
    files = {path.name: path for path in (ROOT / "potentials").glob("*.pt")}
    remedy = "run `make sums`, and build again"
    assert listed == {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in files.items()}, remedy
    assert all(_core.is_trusted(digest) for digest in listed.values()), remedy


@pytest.mark.parametrize("name", shipped_models())
def test_a_changed_copy_of_a_shipped_file_is_unknown(name: str, tmp_path: Path) -> None:
    path = shipped_models()[name]
    assert is_trusted(open_archive(path))
    copy = tmp_path / name
    copy.write_bytes(path.read_bytes())
    assert is_trusted(open_archive(copy)), "the same bytes elsewhere are the same file"
    flipped = with_entry(path, tmp_path / "flipped.pt", "data/0", lambda data: bytes([data[0] ^ 1]) + data[1:])
    plain = with_entry(path, tmp_path / "plain.pt", ".safetensors", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    told = with_metadata(path, tmp_path / "told.pt", citation="me")
    assert not any(is_trusted(open_archive(changed)) for changed in (flipped, plain, told))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small archive that nobody knows."""
    path = tmp_path / "some.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/x", random.randbytes(16))
    return path


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "vitrify" / "trusted"


def test_what_is_remembered_is_trusted(file: Path, config: Path) -> None:
    archive = open_archive(file)
    assert trusted_list() == config and not is_trusted(archive)
    remember(archive)
    remember(archive)
    assert is_trusted(archive) and config.read_text() == f"{archive.sha256} some.pt\n"
    assert config.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("line", ["{} some.pt", "{}", "x\n\n{} a b", "  torn{}\n{} z"])
def test_lines_that_count(line: str, file: Path, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(line.replace("{}", open_archive(file).sha256))
    assert is_trusted(open_archive(file))


@pytest.mark.parametrize("line", ["", " {}", "{}x", "#{}", "{:.63}", "\0{}", "0{}", "{}\t"])
def test_lines_that_do_not_count(line: str, file: Path, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(line.format(open_archive(file).sha256))
    assert not is_trusted(open_archive(file))
    assert not _core.is_trusted("") and not _core.is_trusted(" " * 64)


def test_a_torn_last_line_harms_nobody(file: Path, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("0123")
    remember(open_archive(file))
    assert is_trusted(open_archive(file))


def test_the_folder_is_found_as_others_find_it(file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in ("", "here", "./here"):
        monkeypatch.setenv("XDG_CONFIG_HOME", relative)
        assert trusted_list() == tmp_path / ".config" / "vitrify" / "trusted"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert trusted_list() == tmp_path / ".config" / "vitrify" / "trusted"
    for home in ("", "relative"):
        monkeypatch.setenv("HOME", home)
        assert trusted_list() is None and not is_trusted(open_archive(file))
    monkeypatch.delenv("HOME")
    with pytest.raises(VitrifyError, match="set HOME or XDG_CONFIG_HOME"):
        remember(open_archive(file))
    # An export goes on without.
    assert not is_trusted(open_archive(model_files.export(tmp_path / "m.ogn.pt", citation=str(tmp_path)).path))


def test_lists_that_cannot_be_kept(file: Path, config: Path, tmp_path: Path) -> None:
    config.parent.parent.write_text("a file where the folder should be")
    with pytest.raises(VitrifyError, match=r"cannot write .*: Not a directory"):
        remember(open_archive(file))
    config.parent.parent.unlink()
    config.mkdir(parents=True)
    with pytest.raises(VitrifyError, match=r"cannot write .*: Is a directory"):
        remember(open_archive(file))
    assert not is_trusted(open_archive(file))
    config.rmdir()
    config.write_text(open_archive(file).sha256)
    for mode in (0o666, 0o660, 0o602):
        config.chmod(mode)
        assert not is_trusted(open_archive(file)), "others may have written that"
        with pytest.raises(VitrifyError, match="others may write it"):
            remember(open_archive(file))


def test_many_write_at_once(config: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vitrify.modelfile.archive import open_archive\n"
        "from vitrify.modelfile.trust import remember\n"
        "for name in sys.argv[1:]: remember(open_archive(Path(name)))"
    )
    files = []
    for number in range(60):
        path = tmp_path / f"{number}.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/x", str(number))
        files.append(path)

    def run(part: list[Path]) -> None:
        subprocess.run([sys.executable, "-c", code, *map(str, part)], check=True, env={**os.environ})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, (files[::3], files[1::3], files[2::3])))
    lines = sorted(config.read_text().splitlines())
    assert lines == sorted(f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.name}" for p in files)


def _unknown(path: Path) -> Path:
    """An own export whose file nobody knows."""
    own = model_files.export(path.with_name("own.ogn.pt"))
    return with_metadata(own.path, path, citation=str(path))


def _in_lammps(folder: Path, words: str) -> str:
    lj_liquid((3, 3, 3)).write_data(folder / "data.test")
    result = run_lammps(script(words, timestep=0.025, after="run 0"), folder)
    return "" if result.status == 0 else result.error()


def test_the_command_checks_and_remembers(config: Path, tmp_path: Path) -> None:
    path = _unknown(tmp_path / "mine.ogn.pt")
    words = f"{path} A B engine torch"
    assert f"the program in model file {path} is unknown here, so it is not loaded" in _in_lammps(tmp_path, words)
    assert _in_lammps(tmp_path, f"{words} trust yes") == ""
    assert "not loaded" in _in_lammps(tmp_path, f"{words} trust no")
    done = CliRunner().invoke(app, ["trust", str(path)])
    assert done.exit_code == 0 and f"{path} is trusted now: its program is the one" in done.output
    assert _in_lammps(tmp_path, words) == ""
    assert "trusted already" in CliRunner().invoke(app, ["trust", str(path)]).output


def test_the_command_refuses_other_programs(config: Path, tmp_path: Path) -> None:
    path = _unknown(tmp_path / "mine.ogn.pt")
    other = with_entry(
        path, tmp_path / "other.ogn.pt", "pair.py", lambda text: text.replace(b"torch.mul(", b"torch.add(", 1)
    )
    done = CliRunner().invoke(app, ["trust", str(other)])
    assert done.exit_code == 1 and "is not the one that this version of vitrify makes" in done.output
    assert not is_trusted(open_archive(other))
    done = CliRunner().invoke(app, ["trust", str(other), "--anyway"])
    assert done.exit_code == 0 and "without a check" in done.output
    assert is_trusted(open_archive(other)) and not is_trusted(open_archive(path))
