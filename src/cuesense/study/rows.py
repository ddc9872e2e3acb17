"""From what a study keeps of each session to its tables: pure functions, no files.

A *record* is what is kept of one session as JSON: its name, its dyad, what was given by hand, and
all that its ``session.json`` said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

from cuesense import schema
from cuesense.dyad.settling import pooled
from cuesense.export.tables import described
from cuesense.pooling import settled
from cuesense.schema import COVARIATE
from cuesense.study.columns import (
    DYADS,
    MEANS,
    PEOPLE,
    PEOPLE_GROUPS,
    PERSON,
    SESSION_GROUPS,
    SESSIONS,
    Field,
    Group,
)
from cuesense.types import PEOPLE as BOTH
from cuesense.types import Role

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

OWN_DYAD: Final = "none"
"""`dyad_from` of a session of which nobody said whose it is."""


class Record(TypedDict):
    """What a study keeps of a session, besides its tables.

    `given` holds what was given by hand (``dyad`` and covariates), which goes before the
    ``attributes`` of the session. `fingerprint` changes with the session or what was given.
    """

    session: str
    given: dict[str, str]
    recording: str
    fingerprint: str
    meta: dict[str, Any]


def attributes(record: Record) -> dict[str, Any]:
    """Return what is known of a session's dyad and its covariates, given by hand or recorded."""
    return {**record["meta"].get("attributes", {}), **record["given"]}


def dyad_of(record: Record) -> tuple[str, str]:
    """Return a session's dyad, and where its name is from."""
    for source, known in (
        (record["given"].get("dyad_from", ""), record["given"]),
        ("recording", record["meta"].get("attributes", {})),
    ):
        if known.get("dyad"):
            return str(known["dyad"]), source
    return record["session"], OWN_DYAD


def tables(records: Sequence[Record]) -> dict[str, pa.Table]:
    """Return the tables `sessions`, `people` and `dyads` of a study.

    Parameters
    ----------
    records
        Of all sessions, in any order.
    """
    records = sorted(records, key=lambda r: (dyad_of(r)[0], r["session"]))
    covariates = _covariates(records)
    sessions = [_session(r) for r in records]
    _number_in_order(sessions)
    people = [_person(r, p) for r in records for p in BOTH]
    dyads = _dyads(sessions, [r["meta"] for r in records], covariates)
    own = [column for column, _ in covariates.values()]
    for i, row in enumerate(sessions):
        row.update({name: values[i] for name, (_, values) in covariates.items()})
    return {
        "sessions": arrow([*(f.column for f in SESSIONS), *own], sessions),
        "people": arrow([f.column for f in PEOPLE], people),
        "dyads": arrow([*DYADS, *own], dyads),
    }


def arrow(columns: Sequence[schema.Column], rows: Sequence[Row]) -> pa.Table:
    """Return rows as an Arrow table with the columns' units and meanings; what is missing is null.

    Parameters
    ----------
    columns
        Of the table.
    rows
        By column name.
    """
    import pyarrow as pa

    kinds = {"float": pa.float64(), "text": pa.string()}
    data = {c.name: pa.array([row.get(c.name) for row in rows], kinds[c.kind]) for c in columns}
    return described(pa.table(data), {c.name: c for c in columns}, {})


def _found(meta: Mapping[str, Any], path: Iterable[str], person: str = "") -> Any:
    """Return what is at a path; None if nothing is."""
    at: Any = meta
    for step in path:
        at = at.get(step.replace(PERSON, person)) if isinstance(at, Mapping) else None
    return at


def _value(field: Field, meta: Mapping[str, Any], person: str = "") -> float | str | None:
    """Return a column's value as the tables hold it."""
    x = _found(meta, field.path, person) if field.path else None
    if x is None:
        return "" if field.column.kind == "text" and not field.column.reason else None
    if field.column.kind == "float":
        return float(x)
    return " ".join(map(str, x)) if isinstance(x, list) else str(x)


def _reasons(
    row: Row, groups: Iterable[Group], fields: Sequence[Field], meta: Row, person: str = ""
) -> Row:
    """Return why what is missing in a row is: each group's reason, empty if it is all there."""
    found = {}
    for group in groups:
        there = _found(meta, group.path, person)
        gaps = [f for f in fields if f.column.reason == group.reason and row[f.column.name] is None]
        why = there.get("reason", "") if isinstance(there, Mapping) else ""
        if gaps and not why:
            without = f"not in what cuesense {meta.get('cuesense')} wrote"
            why = "too little of it in the session" if there else without
        found[group.reason] = why
    return found


def _session(record: Record) -> Row:
    meta = record["meta"]
    row: Row = {f.column.name: _value(f, meta) for f in SESSIONS}
    row["session"] = record["session"]
    row["dyad"], row["dyad_from"] = dyad_of(record)
    listens = (p for p in BOTH if _found(meta, ("people", p, "role")) == Role.LISTENER)
    row["listener"] = next(listens, "")
    if row["started"] is not None:
        row["started"] = _moment(row["started"]).isoformat()
    row |= {"migrated": meta.get("migrated", ""), "fingerprint": record["fingerprint"]}
    return row | _reasons(row, SESSION_GROUPS, SESSIONS, meta)


def _person(record: Record, person: str) -> Row:
    meta = record["meta"]
    row: Row = {f.column.name: _value(f, meta, person) for f in PEOPLE}
    row |= {"session": record["session"], "dyad": dyad_of(record)[0], "person": person}
    return row | _reasons(row, PEOPLE_GROUPS, PEOPLE, meta, person)


def _moment(text: str) -> datetime:
    """Return a time in UTC, which one without a zone is taken to be in."""
    when = datetime.fromisoformat(text)
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _number_in_order(sessions: Sequence[Row]) -> None:
    """Give each dyad's sessions their ordinals, where it is known when they all started."""
    for places in _by_dyad(sessions).values():
        rows = [sessions[i] for i in places]
        unknown = len(rows) > 1 and any(row["started"] is None for row in rows)
        why = "not every session of this dyad says when it started" if unknown else ""
        # Times in UTC are in the order of their text; none is compared where only one is there.
        for i, row in enumerate(sorted(rows, key=lambda row: row["started"] or ""), 1):
            row |= {"ordinal": None if unknown else float(i), "ordinal_reason": why}


def _by_dyad(sessions: Iterable[Row]) -> dict[str, list[int]]:
    """Return the places of each dyad's sessions."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(sessions):
        places[row["dyad"]].append(i)
    return places


def _covariates(records: Sequence[Record]) -> dict[str, tuple[schema.Column, list[Any]]]:
    """Return each covariate as a column and a value per record: numbers if all of them are."""
    known = [attributes(r) for r in records]
    names = sorted({n for given in known for n in given if n.startswith(COVARIATE)})
    found = {}
    for name in names:
        values: list[Any] = [given.get(name) for given in known]
        values = [None if v is None or str(v).strip() == "" else str(v).strip() for v in values]
        numbers = [None if v is None else _as_number(v) for v in values]
        numeric = all(n is not None for n, v in zip(numbers, values, strict=True) if v is not None)
        column = schema.Column(
            name, "", "the researcher's own", "float" if numeric else "text", source="researcher"
        )
        found[name] = (column, numbers if numeric else values)
    return found


def _as_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _dyads(
    sessions: Sequence[Row],
    metas: Sequence[Row],
    covariates: Mapping[str, tuple[schema.Column, list[Any]]],
) -> list[Row]:
    """Return a row per dyad, of its sessions and their covariates."""
    found = []
    for dyad, at in _by_dyad(sessions).items():
        rows = [sessions[i] for i in at]
        lengths = [row["duration_s"] for row in rows if row["duration_s"] is not None]
        means = {name: _mean([row[name] for row in rows]) for name in MEANS}
        gone = [name for name, mean in means.items() if mean is None]
        own = {name: {values[i] for i in at} for name, (_, values) in covariates.items()}
        result = pooled([settled(metas[i]) for i in at])
        one = rows[0] if len(rows) == 1 else {}
        together = result.sessions > 1
        found.append(
            {
                "dyad": dyad,
                "sessions": float(len(rows)),
                "duration_s": sum(lengths),
                **means,
                "means_reason": f"no session has {', '.join(gone)}" if gone else "",
                "settling": result.difference.value if together else one.get("settling"),
                "settling_low": result.difference.low if together else one.get("settling_low"),
                "settling_high": result.difference.high if together else one.get("settling_high"),
                "settling_reason": ""
                if together
                else one.get("settling_reason", "fewer than two of its sessions have it"),
                **{name: next(iter(v)) for name, v in own.items() if len(v) == 1},
                "varies": " ".join(name for name, v in own.items() if len(v) > 1),
            }
        )
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return sum(there) / len(there) if there else None
