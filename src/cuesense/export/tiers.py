"""Stretches of time as rows that do not overlap: what annotation programs call tiers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cuesense import schema
from cuesense.export.material import Material, Name, names
from cuesense.types import F64, Event


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that lasts from `t` to `t_end` (s), in words."""

    t: float
    t_end: float
    text: str


def tiers(material: Material) -> dict[str, list[Stretch]]:
    """Return everything with a beginning and an end, as rows without overlaps, by name.

    Per person each kind of event (turns, nods, looks away, …), of both together labels and their
    reasons, then the gaps: each person's reasons. What never happened has no row. Where things
    of one kind overlap, the name is numbered.
    """
    found: dict[str, list[Stretch]] = {}
    sides = list(material.meta["people"])
    words = names(material.columns("state"), "text")
    for who in (*sides, ""):
        # A stretch of one label is an event, too: its row comes from the state table.
        for kind in (k for k in schema.EVENTS if k not in words):
            mine = (e for e in material.happened if e.kind == kind and e.person == who)
            found[f"{who or 'dyad'} {kind}"] = [Stretch(e.t, e.t_end, in_words(e)) for e in mine]
    for column in words:
        found[f"dyad {column}"] = stretches(material, "state", column)
    reasons = [c for c in names(material.columns("timeline"), "text") if c in schema.REASONS]
    for who, column in itertools.product(sides, reasons):
        found[f"{who} {column}"] = stretches(material, "timeline", column, who)
    return {
        name if i == 0 else f"{name} {i + 1}": row
        for name, stretches in found.items()
        for i, row in enumerate(lanes(stretches))
    }


def stretches(material: Material, table: Name, column: str, person: str = "") -> list[Stretch]:
    """Return the runs of one word of a text column; where it is empty there is none."""
    import pyarrow.compute as pc

    if table == "timeline":
        rows = material.read(table, "t", "person", column)
        rows = rows.filter(pc.equal(rows.column("person"), person))
    else:
        rows = material.read(table, "t", column)
    words = rows.column(column).to_numpy(zero_copy_only=False)
    return runs(rows.column("t").to_numpy(), words, material.duration_s)


def runs(t: F64, words: npt.NDArray[np.object_], end_s: float) -> list[Stretch]:
    """Return the runs of equal words; the empty word makes none.

    Parameters
    ----------
    t
        (n,) s, ascending.
    words
        (n,).
    end_s
        s, when the last run ends.
    """
    if not len(t):
        return []
    first = np.flatnonzero(np.concatenate([[True], words[1:] != words[:-1]]))
    ends = np.append(t[first[1:]], max(end_s, float(t[-1])))
    return [
        Stretch(float(t[i]), float(e), str(words[i]))
        for i, e in zip(first, ends, strict=True)
        if words[i]
    ]


def lanes(events: Iterable[Stretch], least_s: float = 0.001) -> list[list[Stretch]]:
    """Deal stretches into as few rows as need be so that none overlaps another in its row.

    What lasts less than `least_s` takes up that much.
    """
    rows: list[list[Stretch]] = []
    for e in sorted(events, key=lambda e: (e.t, e.t_end)):
        free = next((r for r in rows if max(r[-1].t_end, r[-1].t + least_s) <= e.t), None)
        if free is None:
            rows.append([e])
        else:
            free.append(e)
    return rows


def in_words(event: Event) -> str:
    """Return an event's detail and value as one text; its kind if it has neither."""
    value = "" if np.isnan(event.value) else shortest(event.value)
    return " ".join(filter(None, (event.detail, value))) or event.kind


def shortest(x: float) -> str:
    """Return the shortest decimal that is the same number as float32."""
    return np.format_float_positional(np.float32(x), unique=True, trim="-")
