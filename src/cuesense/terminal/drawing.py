"""Needle, bars and traces as characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rich.text import Text

TRACE_S: Final = 60.0
"""s of a trace."""
REACH: Final = 3.0
"""SD at which a bar or trace is full."""
BAR: Final = 9
"""Columns of a bar."""
GLYPHS: Final = "▁▂▃▄▅▆▇█"


def needle(lean: float | None, width: int, *, about: bool = True) -> Text:
    """Draw mirroring (-1) to regulating (+1); without a dot where nothing can be said.

    The dot is hollow where the listener is not shown to answer this partner (`about` is False).
    """
    half = max(3, min(20, (width - 24) // 2 - 1))
    track = ["─"] * (2 * half + 1)
    track[half] = "┼"
    if lean is not None:
        track[half + round(min(1.0, max(-1.0, lean)) * half)] = "●" if about else "○"
    style = "dim" if lean is None else "bold"
    return Text.assemble(
        ("mirroring  ", "default"),
        ("".join(track), style),
        ("  regulating", "default"),
        justify="center",
        no_wrap=True,
    )


def bar(value: float | None) -> str:
    """Draw a value from its zero in the middle."""
    middle = BAR // 2
    cells = ["·"] * BAR
    cells[middle] = "│"
    size = 0 if value is None else round(min(1.0, abs(value) / REACH) * middle)
    for i in range(1, size + 1):
        cells[middle + (i if value is not None and value > 0 else -i)] = "█"
    return "".join(cells)


def spark(trace: Sequence[tuple[float, float]], cells: int) -> str:
    """Draw the last minute in so many columns, oldest left; what is missing is left out."""
    found: list[list[float]] = [[] for _ in range(cells)]
    for t, value in trace:
        age = int((trace[-1][0] - t) / TRACE_S * cells)
        if age < cells and math.isfinite(value):
            found[cells - 1 - age].append(value)
    return "".join(map(_glyph, found))


def _glyph(values: Sequence[float]) -> str:
    if not values:
        return " "
    share = (sum(values) / len(values) + REACH) / (2 * REACH)
    return GLYPHS[round(min(1.0, max(0.0, share)) * (len(GLYPHS) - 1))]
