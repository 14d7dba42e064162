"""Messages of errors are one line of characters that any terminal shows, whatever texts they are made of."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from vitrify import VitrifyError, load_structures


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain  words", "plain  words"),
        ("two\nlines\r\n", "two lines"),
        ("a\x1b[31m colour", "a\\x1b[31m colour"),
        ("C1 \x83\x9a controls", "C1 \\x83\\x9a controls"),
        ("Å and µ stay", "Å and µ stay"),
        ("half a character \udcff", "half a character \\udcff"),
    ],
)
def test_a_message_is_one_printable_line(text: str, shown: str) -> None:
    error = VitrifyError(text)
    assert str(error) == shown and str(pickle.loads(pickle.dumps(error))) == shown


@pytest.mark.slow
def test_what_other_libraries_say_of_a_file_is_shown_so(tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    path.write_bytes(b"data_x\n_cell_length_a 5\n\xb0\xc2\x83 \x1b[2J \xc2\x9a 7.0\n")
    with pytest.raises(VitrifyError, match="is in no format that is read here, or damaged") as caught:
        load_structures(path, ["Cu"])
    assert str(caught.value).isprintable()
