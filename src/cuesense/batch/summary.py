"""``summary.csv``: what became of each recording, a row each, written as it goes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from contextlib import suppress

from cuesense import schema
from cuesense.batch import places
from cuesense.batch.work import FAMILIES, Outcome
from cuesense.errors import OutputError
from cuesense.types import PEOPLE

NAME = "summary.csv"
COLUMNS = (
    *("id", "recording", "status", "reason", "duration_s", "seconds"),
    *("share_" + re.sub(r"\W+", "_", label) for label in schema.LABELS),
    *(f"{family}_{p.lower()}" for p in PEOPLE for family in FAMILIES),
)


def begin(out: str) -> None:
    """Make sure, before anything is computed, that sessions can be written; an earlier table stays.

    Raises
    ------
    OutputError
        If nothing can be written, or there is a table of somebody else's.
    """
    place = places.below(out, NAME)
    earlier = b""
    with suppress(FileNotFoundError):
        earlier = places.read(place)
        if not earlier.startswith(b"id,recording,status,"):
            raise OutputError(
                f"{places.shown(place)!r} is not a table of ours; choose another folder with -o"
            )
    places.write(place, earlier or _text(()))


def write(out: str, outcomes: Iterable[Outcome]) -> None:
    """Write the table into a folder or an address, whole.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    places.write(places.below(out, NAME), _text(outcomes))


def _text(outcomes: Iterable[Outcome]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for o in outcomes:
        shares = [o.labels.get(label) for label in schema.LABELS]
        seen = [o.coverage[p][f] if o.coverage else None for p in PEOPLE for f in FAMILIES]
        numbers = [o.duration_s, o.seconds, *shares, *seen]
        rounded = ["" if x is None else f"{x:.3f}" for x in numbers]
        rows.writerow([o.id, o.recording, o.status, o.reason, *rounded])
    return text.getvalue().encode("utf-8", "replace")
