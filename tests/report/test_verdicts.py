"""The table of verdicts: readable in 80 columns, whatever the texts are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vitrify.report.verdicts import WIDTH, Verdict, below, verdict_table
from vitrify.training.summary import summarise


def test_a_table_as_people_see_it() -> None:
    rows = [Verdict("RMSE (eV)", "0.21", "mean of each species: 0.4", "better"), Verdict("atoms", "3", "none", "miss")]
    assert verdict_table(rows).splitlines() == [
        "quantity   value  compared with              verdict",
        "---------  -----  -------------------------  -------",
        "RMSE (eV)  0.21   mean of each species: 0.4  better",
        "atoms      3      none                       miss",
    ]
    assert verdict_table([]) == ""


@pytest.mark.parametrize("seed", range(20))
def test_it_fits_and_loses_nothing(seed: int) -> None:
    rng = random.Random(seed)

    def text() -> str:
        return " ".join("abcdefghijklmnopqrst"[: rng.randint(1, 20)] for _ in range(rng.randint(1, 12)))

    rows = [Verdict(text(), text(), text(), text()) for _ in range(5)]
    table = verdict_table(rows)
    assert max(map(len, table.splitlines())) <= WIDTH
    letters = "".join(table.split("\n", 2)[2].split())
    assert sorted(letters.replace("-", "")) == sorted("".join("".join(row) for row in rows).replace(" ", ""))


def test_verdicts_on_numbers() -> None:
    assert (below(1, 2), below(2, 1), below(1, 1)) == ("better", "not better", "not better")
    assert below(None, 1) == below(1, None) == below(float("nan"), 1) == "no verdict"


def test_a_training_is_compared_with_its_first_validation(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,seconds,lr,loss,val_loss,rmse\n10,1,1e-3,5,4.0,2.0\n20,2,1e-3,3,1.0,2.5\n30,3,1e-3,3,2.0,1\n")
    assert summarise(tmp_path) == [
        ("val_loss", "1", "first validation: 4", "lower; best of 3"),
        ("rmse", "2.5", "first validation: 2", "higher"),
    ]
    log.write_text("step,val_loss\n10,1.0\n20,3.0\n")
    assert summarise(tmp_path)[0].verdict == "nothing learned since"
    log.write_text("step,pearson\n0,0.5\n")
    assert summarise(tmp_path) == []
