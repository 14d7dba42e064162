"""LAMMPS data files as people have them, written by hand from LAMMPS's manual: name, atom style for LAMMPS, content."""

from __future__ import annotations

from collections.abc import Sequence

_BOX = "0 10 xlo xhi\n0 11 ylo yhi\n0 12 zlo zhi\n"
_MASSES = "\nMasses\n\n1 28.0855\n2 15.999\n"
_LABELS = "\nAtom Type Labels\n\n1 Si\n2 O\n\nMasses\n\nSi 28.0855\nO 15.999\n"
_COMMENTED = "\nMasses\n\n1 28.0855 # Si\n2 15.999 # O\n"
_XYZ = ("1.0625 2.5 3.75", "4.1 5.2000000000000002 6.3", "7.4 8.5 9.599999999999999")


def _rows(layout: str, ids: Sequence[int] = (1, 2, 3), charges: Sequence[float] = (2.4, -1.2, -1.2)) -> list[str]:
    """Rows of Atoms of a Si and two O. layout: with {i}, {t}, {s}, {q}, {x} for id, type, label, charge, x y z."""
    columns = zip(ids, (1, 2, 2), ("Si", "O", "O"), charges, _XYZ, strict=True)
    return [layout.format(i=i, t=t, s=s, q=q, x=x) for i, t, s, q, x in columns]


def _data(rows: list[str], head: str = "Atoms", box: str = _BOX, masses: str = _MASSES, title: str = "silica") -> str:
    return f"{title}\n\n{len(rows)} atoms\n2 atom types\n{box}{masses}\n{head}\n\n" + "\n".join(rows) + "\n"


_ATOMIC, _CHARGE, _FULL = _rows("{i} {t} {x}"), _rows("{i} {t} {q} {x}"), _rows("{i} 1 {t} {q} {x}")
_OUTSIDE = ["1 1 -3 14 25.5", "2 1 1 1 1"]
_BONDED = _data(_FULL, "Atoms # full").replace("2 atom types", "2 atom types\n1 bonds\n1 bond types")
_BEHIND = "\nVelocities\n\n1 0 0 1\n2 0 1 0\n3 1 0 0\n\nBonds\n\n1 1 1 2\n"

BY_HAND: dict[str, tuple[str, str | bytes]] = {
    "bare_atomic": ("atomic", _data(_ATOMIC)),
    "bare_charge": ("charge", _data(_CHARGE)),
    "bare_full": ("full", _data(_FULL)),
    "bare_molecular": ("molecular", _data(_rows("{i} 7 {t} {x}"))),
    "bare_images": ("charge", _data([f"{row} 0 -1 2" for row in _CHARGE])),
    "bare_sphere": ("sphere", _data(_rows("{i} {t} 1.5 2.2 {x}"), masses="")),
    "integer_charges": ("charge", _data(_rows("{i} {t} {q} {x}", charges=(4, -2, -2)))),
    "no_masses": ("charge", _data(_CHARGE, masses="")),
    "words_behind_atoms": ("full", _data(_FULL, "Atoms # id mol type q x y z")),
    "labels": ("atomic", _data(_rows("{i} {s} {x}"), "Atoms # atomic", masses=_LABELS)),
    "labels_and_ids": ("charge", _data(_CHARGE, "Atoms # charge", masses=_LABELS)),
    "tilted": ("atomic", _data(_ATOMIC, "Atoms # atomic", box=_BOX + "2.5 -1.5 3.25 xy xz yz\n")),
    "negative_bounds": ("atomic", _data(_ATOMIC, box="-5 5 xlo xhi\n-5.5 5.5 ylo yhi\n-1e0 1.1e1 zlo zhi\n")),
    "outside_of_the_box": ("atomic", _data(_OUTSIDE, "Atoms # atomic")),
    "ids_with_gaps": ("atomic", _data(_rows("{i} {t} {x}", ids=(90, 7, 12)), "Atoms # atomic")),
    "carriage_returns": ("charge", _data(_CHARGE, "Atoms # charge").replace("\n", "\r\n").encode()),
    "tabs": ("charge", _data([row.replace(" ", "\t") for row in _CHARGE], "Atoms  # charge")),
    "comments": ("atomic", _data([f"{row} # atom" for row in _ATOMIC], "Atoms # atomic", masses=_COMMENTED)),
    "latin_title": ("atomic", _data(_ATOMIC, "Atoms # atomic", title="Gl\xe4ser, 300 \xb0C").encode("latin-1")),
    "byte_order_mark": ("atomic", b"\xef\xbb\xbf" + _data(_ATOMIC, "Atoms # atomic").encode()),
    "velocities_and_bonds": ("full", _BONDED + _BEHIND),
    "hybrid_by_hand": ("hybrid sphere charge", _data(_rows("{i} {t} {x} 1.0 2.5 {q}"), "Atoms # hybrid", masses="")),
}
