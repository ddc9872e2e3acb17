"""Functionals per turn and per window: a few numbers of each series, ready for statistics."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from cuesense.export.material import Material, names
from cuesense.windows import FUNCTIONALS, Windows, functionals, series, spread

if TYPE_CHECKING:
    import pandas as pd

WINDOW_S: Final = 30.0
STEP_S: Final = 5.0


def write(material: Material, folder: Path) -> None:
    """Write ``windows.csv``, ``turns.csv`` and ``columns.csv``.

    `windows` has a row per window of 30 s, every 5 s, and person; `turns` a row per turn and
    person, so also how the other listened (``speaker`` has the turn). A missing number is empty;
    what share of it was there is in ``*_coverage``.
    """
    wanted = names(material.values("timeline"), "float")
    table = material.session.timeline
    windows = Windows(table, WINDOW_S, STEP_S).agg(columns=wanted)
    _write(windows, folder / "windows.csv")
    _write(_turns(material, wanted), folder / "turns.csv")
    with (folder / "columns.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("name", "unit", "meaning"))
        for c in material.values("timeline"):
            if c.kind == "float":
                for name, f in FUNCTIONALS.items():
                    unit = f.unit.format(c.unit)
                    rows.writerow((f"{c.name}_{name}", unit, f.meaning.format(c.meaning)))


def _turns(material: Material, wanted: list[str]) -> pd.DataFrame:
    import pandas as pd

    turns = [e for e in material.happened if e.kind == "turn"]
    spans = np.array([(e.t, e.t_end) for e in turns]).reshape(-1, 2)
    about = {"speaker": [e.person for e in turns], "t": spans[:, 0], "t_end": spans[:, 1]}
    frames = [
        pd.DataFrame({"person": person} | about | spread(functionals(t, x, spans), wanted))
        for person, t, x in series(material.session.timeline, wanted)
    ]
    return pd.concat(frames, ignore_index=True)


def _write(frame: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow

    from cuesense.export.tables import plain

    arrow.write_csv(plain(pa.Table.from_pandas(frame, preserve_index=False)), str(path))
