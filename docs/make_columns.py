"""Write docs/columns.md, the data dictionary, from the schema."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from cuesense import schema
from cuesense.study.columns import TABLES
from cuesense.types import Reason

HERE = Path(__file__).parent


def limits(column: schema.Column) -> str:
    """Return a column's range in words."""

    def number(x: float | None, open_end: str) -> str:
        if x is None:
            return open_end
        return {math.pi: "π", -math.pi: "-π"}.get(x, f"{x:g}")

    if column.kind == "text" or (column.low is None and column.high is None):
        return ""
    return f"{number(column.low, '-∞')} … {number(column.high, '∞')}"


def table(columns: Sequence[schema.Column]) -> str:
    """Return the columns as a Markdown table."""
    rows = []
    for c in columns:
        reason = f"`{c.reason}`" if c.reason else ""
        rows.append(f"| `{c.name}` | {c.unit} | {limits(c)} | {c.meaning} | {reason} |")
    head = "| column | unit | range | meaning | reason if missing |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


def markdown() -> str:
    """Return the whole page."""
    kinds = "\n".join(f"| `{k}` | {meaning} |" for k, meaning in schema.EVENTS.items())
    study = "\n\n".join(f"### {name}\n\n{table(columns)}" for name, columns in TABLES.items())
    reasons = "\n".join(f"| `{r}` | {schema.MISSING[r]} |" for r in Reason if r)
    return f"""# Columns

Made from `schema.py` by `docs/make_columns.py`. Missing numbers are NaN, never 0, and rows are
never left out. Angles are as seen in the picture, which is not mirrored. A missing value has a
reason:

| reason | meaning |
|---|---|
{reasons}

## timeline: one row per tick (25 Hz) and person

{table(schema.TIMELINE)}

## state: one row per dyad tick (5 Hz)

{table(schema.STATE)}

## events: one row per event

{table(schema.EVENTS_TABLE)}

| kind | meaning |
|---|---|
{kinds}

## A study's own tables

What a [study](study.md) has besides the three above. Missing numbers are NULL there, and so is text
that has a reason.

{study}
"""


if __name__ == "__main__":
    (HERE / "columns.md").write_text(markdown(), encoding="utf-8")
