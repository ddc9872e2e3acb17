"""Functionals per turn and per window: a few numbers of each series, ready for statistics."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np

from cuesense.export.material import Material, names
from cuesense.export.tables import plain
from cuesense.windows import FUNCTIONALS, Windows, measured

WINDOW_S: Final = 30.0
STEP_S: Final = 5.0


def write(material: Material, folder: Path) -> None:
    """Write ``windows.csv``, ``turns.csv`` and ``columns.csv``.

    `windows` has a row per window of 30 s, every 5 s, and person; `turns` a row per turn and
    person, so also how the other listened (``speaker`` has the turn). A missing number is empty;
    what share of it was there is in ``*_coverage``.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    wanted = names(material.values("timeline"), "float")
    table = material.session.timeline
    turns = [e for e in material.happened if e.kind == "turn"]
    spans = np.array([(e.t, e.t_end) for e in turns]).reshape(-1, 2)
    cuts = {"windows": Windows(table, WINDOW_S, STEP_S).spans, "turns": lambda t: spans}
    found = measured(table, wanted, cuts)
    speakers = [e.person for e in turns] * len(material.meta["people"])
    found["turns"].insert(0, "speaker", speakers)
    for name, frame in found.items():
        rows = plain(pa.Table.from_pandas(frame, preserve_index=False))
        arrow.write_csv(rows, str(folder / f"{name}.csv"))
    with (folder / "columns.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("name", "unit", "meaning"))
        for c in material.values("timeline"):
            if c.kind == "float":
                for name, f in FUNCTIONALS.items():
                    unit = f.unit.format(c.unit)
                    rows.writerow((f"{c.name}_{name}", unit, f.meaning.format(c.meaning)))
