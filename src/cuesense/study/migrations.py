"""Sessions of older table layouts (`schema.VERSION`) in today's: an ordered chain of steps.

A step takes what a session's ``session.json`` says, and any rows of its tables, from one version
to the next. Nothing is made up: what the older version did not know is missing, with a reason, and
what it said by a rule that no longer holds is not passed off as said by today's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cuesense import schema
from cuesense.errors import OutputError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Step:
    """From one version to the next.

    Attributes
    ----------
    to
        The version that it gives.
    meta
        Returns what session.json would say.
    rows
        By the table's name, returns its rows; tables that are not named stay as they are.
    """

    to: str
    meta: Callable[[dict[str, Any]], dict[str, Any]]
    rows: Mapping[str, Callable[[pa.Table], pa.Table]]


_RULE: Final = "labels of table layout 1 needed no contingency, so they are not those of today"


def _meta_from_1(meta: dict[str, Any]) -> dict[str, Any]:
    """Leave out what rests on the labels of layout 1: their shares, their null, settling."""
    left_out = {name: {"reason": _RULE} for name in ("labels", "null", "settling")}
    summary = {**(meta.get("summary") or {}), **left_out}
    return {**meta, "summary": summary, "migrated": _RULE}


def _state_from_1(rows: pa.Table) -> pa.Table:
    """Keep what the judgement rests on; the label is told as a reason, the judgement is missing.

    Of layout 1 stay time and evidence (`_SAME`): both people's smoothed states, nods, gaze, slope,
    coverage. Its label and the probabilities of its modes were of another estimator.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    n = rows.num_rows
    said = pc.binary_join_element_wise(pa.scalar("layout 1 said"), rows.column("label"), " ")
    why = rows.column("reason")
    said = pc.if_else(pc.equal(why, ""), said, pc.binary_join_element_wise(said, why, ": "))
    told = {"reason": said, "label": pa.array([""] * n), "rival": pa.array([""] * n)}
    told["variant"] = told["rival"]
    missing = pa.nulls(n, pa.float64())
    kept = {c: rows.column(c) for c in _SAME}
    return pa.table({c.name: (told | kept).get(c.name, missing) for c in schema.STATE})


_SAME: Final = (
    "t",
    "partner_arousal",
    "partner_valence",
    "listener_arousal",
    "listener_valence",
    "event_rate",
    "gaze_on_partner",
    "partner_slope",
    "coverage_partner",
    "coverage_listener",
    "calibrated",
)


def _events_from_1(rows: pa.Table) -> pa.Table:
    """Leave out the stretches of one label; what was seen, heard, shown and marked stays."""
    import pyarrow.compute as pc

    return rows.filter(pc.not_equal(rows.column("kind"), "label"))


STEPS: Final[dict[str, Step]] = {
    "1": Step("2", _meta_from_1, {"state": _state_from_1, "events": _events_from_1}),
}
"""By the version that they start from."""


def chain(version: object) -> list[Step]:
    """Return the steps from a version to today's.

    Parameters
    ----------
    version
        What a session, or a study, says its tables are.

    Raises
    ------
    OutputError
        If there is no way.
    """
    found: list[Step] = []
    at = version
    while at != schema.VERSION:
        step = STEPS.get(str(at))
        if step is None:
            raise OutputError(
                f"schema={version!r} is none that this version reads ({schema.VERSION!r} is the "
                "newest); update cuesense, or analyse the recording again"
            )
        found.append(step)
        at = step.to
    return found


def upgraded_meta(meta: dict[str, Any], steps: list[Step]) -> dict[str, Any]:
    """Return what session.json would say after these steps."""
    for step in steps:
        meta = {**step.meta(meta), "schema": step.to}
    return meta


def upgraded(table: str, rows: pa.Table, steps: list[Step]) -> pa.Table:
    """Return rows of a table with exactly today's columns.

    Parameters
    ----------
    table
        "timeline", "state" or "events".
    rows
        As they were stored.
    steps
        From `chain`.

    Raises
    ------
    OutputError
        If a column is not there: layouts grew while cuesense was being made, and a column of the
        same name may then have had another meaning.
    """
    from cuesense.timeline import arrow_schema

    layouts = {"timeline": schema.TIMELINE, "state": schema.STATE, "events": schema.EVENTS_TABLE}
    try:
        for step in steps:
            rows = step.rows.get(table, lambda same: same)(rows)
        layout = arrow_schema(layouts[table])
        return rows.select(layout.names).cast(layout)
    except KeyError as error:
        raise OutputError(
            f"its {table} lacks columns ({str(error).strip(chr(34))}); analyse the recording again"
        ) from error
