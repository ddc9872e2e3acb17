"""Drawings for the validation page: labelled axes, colours that everybody can tell apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from validation.part import Picture

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe & Ito's palette."""


class Drawing:
    """One figure; `svg` holds its text once the `with` block has ended."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes
        self.svg = ""

    def picture(self, name: str, words: str) -> Picture:
        """Return it for the page, with what it shows in words."""
        return Picture(name, words, self.svg)


@contextmanager
def drawing(x: str, y: str, size: tuple[float, float] = (6.0, 3.6)) -> Iterator[Drawing]:
    """Give axes with labels to draw in."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "cuesense"  # the same drawing gives the same text
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    axes.set_prop_cycle(color=COLOURS)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    result = Drawing(axes)
    try:
        yield result
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        result.svg = out.getvalue()
    finally:
        pyplot.close(figure)
