"""The data dictionary: every column of every table, as the schema has it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cuesense import schema

Tables = Mapping[str, Sequence[schema.Column]]

TABLES: Final[Tables] = {
    "timeline": schema.TIMELINE,
    "state": schema.STATE,
    "events": schema.EVENTS_TABLE,
}
FIELDS: Final = ("table", "name", "kind", "unit", "low", "high", "meaning", "source", "missing")


def entries(tables: Tables = TABLES, blank: str = "NaN") -> list[dict[str, Any]]:
    """Return one entry per column: `FIELDS`; `low` and `high` are None where the range is open.

    Parameters
    ----------
    tables
        Columns by table.
    blank
        How a missing number is coded.
    """
    return [
        {
            "table": table,
            "name": c.name,
            "kind": c.kind,
            "unit": c.unit,
            "low": c.low,
            "high": c.high,
            "meaning": c.meaning,
            "source": c.source,
            "missing": missing(c, blank),
        }
        for table, columns in tables.items()
        for c in columns
    ]


def missing(column: schema.Column, blank: str = "NaN") -> str:
    """Return how a missing value of a column is coded, in words; `blank`: that of a number."""
    if column.kind == "text" and not column.reason:
        return "empty"
    if column.name in ("t", "t_end"):
        return "never missing"
    return f"{blank}; why: {column.reason}" if column.reason else blank


def limits(entry: dict[str, Any]) -> str:
    """Return the range of an entry's values in words; empty if it has none."""
    low, high = entry["low"], entry["high"]
    if low is None and high is None:
        return ""
    return f"{'-∞' if low is None else f'{low:.4g}'} … {'∞' if high is None else f'{high:.4g}'}"


def to_json(tables: Tables = TABLES, blank: str = "NaN") -> str:
    """Return the dictionary as JSON, with the words that text columns hold."""
    content = {
        "schema": schema.VERSION,
        "columns": entries(tables, blank),
        "reasons": schema.MISSING,
        "labels": list(schema.LABELS),
        "events": schema.EVENTS,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def to_csv(tables: Tables = TABLES, blank: str = "NaN") -> str:
    """Return the dictionary as CSV, one row per column."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries(tables, blank))
    return text.getvalue()
