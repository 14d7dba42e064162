"""The model file: what is written comes back; what is no model file is refused with one clear error."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import model_files
from changed_files import rewrite, with_metadata
from vitrify.core.errors import VitrifyError
from vitrify.engines.load import load_model
from vitrify.engines.replay import check_reference
from vitrify.export.write import save_model
from vitrify.graphs.neighbours import build_graph
from vitrify.modelfile import archive as modelfile
from vitrify.modelfile.archive import find_model, read_metadata
from vitrify.ogn.torchscript import TorchOGN


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> TorchOGN:
    return model_files.export(tmp_path_factory.mktemp("models") / "good.pt")


@pytest.mark.parametrize("variant", ["pair", "paper"])
@pytest.mark.parametrize("units", ["lj", "metal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_file_computes_what_the_eager_model_does(variant: str, units: str, dtype: str, tmp_path: Path) -> None:
    opened = model_files.export(tmp_path / "model.pt", variant, units, dtype)
    metadata = opened.metadata
    assert metadata.dtype == dtype and metadata.variant == variant and metadata.units == units
    least = {"float32": 1e-5, "float64": 1e-10}[dtype]
    assert check_reference(opened) <= least <= metadata.reference.tolerance <= 10 * least

    eager = model_files.make_model(variant, units).to(getattr(torch, dtype))
    rng = np.random.default_rng(5)
    edge = 4.0 if units == "lj" else 9.0
    cell = edge * np.array([[1.0, 0, 0], [0.2, 0.9, 0], [-0.1, 0.15, 1.1]])
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = (grid + 0.1 * rng.normal(size=grid.shape)) / 4 @ cell
    velocities, types = rng.normal(size=(64, 3)), rng.integers(0, 2, 64)
    with torch.no_grad():
        expected = eager(*build_graph(positions, velocities, cell, types, eager.cutoff, opened.dtype))
    for got, wanted in zip(opened.predict(positions, velocities, cell, types), expected, strict=True):
        reference = wanted.double().numpy()
        assert np.abs(got - reference).max() <= metadata.reference.tolerance * np.sqrt(np.mean(reference**2))


def test_the_reference_case_is_a_real_test(good: TorchOGN, tmp_path: Path) -> None:
    reference = good.metadata.reference
    cell = np.array(reference.cell)
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    assert heights.min() < 2 * good.metadata.cutoff, "several images of an atom must be in range"
    assert np.allclose(np.triu(cell, 1), 0) and abs(cell[1, 0]) > 0.1, "triclinic, as LAMMPS takes it"
    assert set(reference.species) == set(good.metadata.species)
    masses = np.array([good.metadata.masses[good.metadata.species.index(s)] for s in reference.species])
    assert np.abs(masses @ np.array(reference.velocities)).max() < 1e-12
    low, high = good.metadata.validity.number_density
    assert low < len(reference.species) / np.linalg.det(cell) < high

    wrong = json.loads(good.metadata.to_json())["reference"]
    wrong["dv"][3][1] += 1e-3
    path = with_metadata(good.path, tmp_path / "wrong.pt", reference=wrong)
    assert check_reference(load_model(path)) > 1e-5


def test_metadata_round_trip_without_torch_types(good: TorchOGN) -> None:
    again = read_metadata(good.path)
    assert again == good.metadata
    raw = json.loads(again.to_json())
    assert raw["schema"] == 1 and raw["timestep"] == pytest.approx(0.025) and raw["stride"] == 5
    with pytest.raises(ValueError, match="frozen"):
        again.cutoff = 3.0  # type: ignore[misc]


def test_the_file_is_stored_reproducible_and_tells_no_paths(good: TorchOGN, tmp_path: Path) -> None:
    again = model_files.export(tmp_path / "other_name.pt")
    assert again.path.read_bytes() == good.path.read_bytes()
    with zipfile.ZipFile(good.path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        for name in archive.namelist():
            assert str(Path(__file__).parents[2]).encode() not in archive.read(name), name


def test_a_failed_export_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(VitrifyError, match="dtype 'float16' is unknown"):
        model_files.export(tmp_path / "model.pt", dtype="float16")
    assert list(tmp_path.iterdir()) == []


def test_deprecation_warnings_of_torchscript_do_not_reach_users(good: TorchOGN, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(good.path)
        model_files.export(tmp_path / "model.pt")


def test_models_are_found_by_path_potentials_and_name(
    good: TorchOGN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "potentials"
    folder.mkdir()
    (folder / "mine.pt").write_bytes(good.path.read_bytes())
    monkeypatch.setenv("LAMMPS_POTENTIALS", f"/nowhere:{folder}")
    assert find_model("mine.pt") == folder / "mine.pt"
    assert find_model(good.path) == good.path
    monkeypatch.chdir(good.path.parent)
    assert find_model("good.pt") == Path("good.pt")
    monkeypatch.setattr(modelfile, "shipped_models", lambda: {"kalj.ogn.pt": good.path})
    assert find_model("kalj.ogn.pt") == good.path
    with pytest.raises(VitrifyError, match=r"no model file kajl\.ogn\.pt \(did you mean 'kalj\.ogn\.pt'\?\)"):
        find_model("kajl.ogn.pt")
    with pytest.raises(VitrifyError, match="is a directory"):
        find_model(folder)


class Printing(torch.nn.Module):
    """A module with the methods of an OGN, one of which does more than compute."""

    @torch.jit.export
    def start(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def layer(self, x: torch.Tensor) -> torch.Tensor:
        print("hello")
        return x

    @torch.jit.export
    def finish(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_file("/etc/hostname", False, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def stored(source: Path, target: Path) -> None:
    """The same archive without compression, as vitrify writes archives."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name))


def _bad_files(good: TorchOGN, folder: Path) -> dict[str, tuple[Path, str]]:
    """Name -> (file, what its error must say)."""
    content = good.path.read_bytes()
    files: dict[str, tuple[Path, str]] = {}

    def add(name: str, message: str, data: bytes | None = None) -> Path:
        path = folder / f"{name}.pt"
        if data is not None:
            path.write_bytes(data)
        files[name] = path, message
        return path

    def change_code(name: str, text: bytes) -> bytes | None:
        return None if "/code/" in name else text

    add("empty", "is empty", b"")
    add("text", "is not a model file", b"ITEM: TIMESTEP\n")
    add("truncated", "truncated or corrupt", content[: len(content) // 2])
    add("cut", "truncated or corrupt", content[:-10])
    add("pickle", "is a Python pickle", pickle.dumps({"weights": [1, 2]}))
    with zipfile.ZipFile(good.path) as archive:
        tensor = max((e for e in archive.infolist() if "/data/" in e.filename), key=lambda e: e.file_size)
    middle = tensor.header_offset + 30 + len(tensor.filename) + tensor.file_size // 2
    damaged = bytearray(content)
    damaged[middle] ^= 0xFF
    add("corrupt", "is truncated or corrupt .CRC of", bytes(damaged))
    torch.save({"state_dict": {}}, folder / "packed.pt")
    stored(folder / "packed.pt", add("checkpoint", "is a torch.save file"))
    with zipfile.ZipFile(add("zip", "zip file of something else"), "w") as archive:
        archive.writestr("hello/hello.txt", "hello")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "packed.pt")
    stored(folder / "packed.pt", add("foreign", "TorchScript without vitrify.json"))
    with_metadata(good.path, add("schema", "schema '2', this vitrify reads schema 1"), schema=2)
    with_metadata(good.path, add("kind", "kind 'mace', this vitrify runs ogn"), kind="mace")
    with_metadata(good.path, add("metadata", "bad metadata, masses"), masses="heavy")
    with_metadata(good.path, add("masses", "one for each of the species"), masses=[1.0])
    with_metadata(good.path, add("timestep", "is not stride 5 x"), timestep=0.5)
    rewrite(good.path, add("json", "is not JSON"), lambda n, c: b"{" if n.endswith(".json") else c)
    rewrite(good.path, add("no_code", "is not the one that this version of vitrify makes"), change_code)
    save_model(Printing(), good.metadata, add("operators", "lacks the weights or the settings to build it again"))
    save_model(torch.nn.Linear(2, 2), good.metadata, add("methods", "the settings of its network make"))
    return files


BAD = [
    *("empty", "text", "truncated", "cut", "pickle", "corrupt", "checkpoint", "zip", "foreign"),
    *(
        "schema",
        "kind",
        "metadata",
        "masses",
        "timestep",
        "json",
        "no_code",
        "operators",
        "methods",
    ),
]


@pytest.fixture(scope="module")
def bad(good: TorchOGN, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    return _bad_files(good, tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_model_file_is_refused(name: str, bad: dict[str, tuple[Path, str]]) -> None:
    path, message = bad[name]
    with pytest.raises(VitrifyError, match=message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


def test_every_bad_file_is_tested(bad: dict[str, tuple[Path, str]]) -> None:
    assert sorted(bad) == sorted(BAD)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99])
def test_files_cut_anywhere_are_refused(fraction: float, good: TorchOGN, tmp_path: Path) -> None:
    content = good.path.read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(content[: int(fraction * len(content))])
    for reader in (read_metadata, load_model):
        with pytest.raises(VitrifyError, match="truncated or corrupt"):
            reader(path)


def test_damage_anywhere_never_passes_unseen(good: TorchOGN, tmp_path: Path) -> None:
    """Any flipped byte is refused, or harmless (a timestamp in the container)."""
    content, rng = good.path.read_bytes(), np.random.default_rng(0)
    path, refused = tmp_path / "damaged.pt", 0
    for at in rng.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[at] ^= 0x55
        path.write_bytes(bytes(damaged))
        try:
            opened = load_model(path)
        except VitrifyError:
            refused += 1
        else:
            assert opened.metadata == good.metadata
            assert check_reference(opened) <= good.metadata.reference.tolerance
    assert refused > 30


@pytest.mark.parametrize(
    ("device", "message"), [("tpu:x", "unknown"), ("meta", "not supported"), ("cuda:99", "sees no such GPU")]
)
def test_devices_are_checked(device: str, message: str, good: TorchOGN) -> None:
    with pytest.raises(VitrifyError, match=message):
        load_model(good.path, device)
