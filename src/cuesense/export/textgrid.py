"""Praat TextGrid, long text form, UTF-8 (Praat manual, *TextGrid file formats*)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cuesense.export.material import Material
from cuesense.export.tiers import Stretch, tiers


def write(material: Material, folder: Path) -> None:
    """Write ``<name>.TextGrid``: `tiers` as interval tiers, what takes no time as point tiers.

    An interval tier has to cover the whole time; between stretches its text is empty.
    """
    found: dict[str, list[Stretch]] = {}
    for name, row in tiers(material).items():
        lasting = [s for s in row if s.t_end > s.t]
        moments = [s for s in row if s.t_end <= s.t]
        found |= {name: lasting} if lasting else {}
        found |= {f"{name} at" if lasting else name: moments} if moments else {}
    end = max([material.duration_s, *(s.t_end for row in found.values() for s in row)])
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end:.15g}",
        "tiers? <exists>" if found else "tiers? <absent>",
    ]
    if found:
        lines += [f"size = {len(found)}", "item []:"]
    for i, (name, row) in enumerate(found.items(), 1):
        lasts = row[0].t_end > row[0].t
        pieces = _covering(row, end) if lasts else row
        kind, items = ("IntervalTier", "intervals") if lasts else ("TextTier", "points")
        lines += [
            f"    item [{i}]:",
            f'        class = "{kind}"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {end:.15g}",
            f"        {items}: size = {len(pieces)}",
        ]
        for k, s in enumerate(pieces, 1):
            lines.append(f"        {items} [{k}]:")
            if lasts:
                lines += [f"            xmin = {s.t:.15g}", f"            xmax = {s.t_end:.15g}"]
                lines.append(f"            text = {_quoted(s.text)}")
            else:
                lines += [
                    f"            number = {s.t:.15g}",
                    f"            mark = {_quoted(s.text)}",
                ]
    path = folder / f"{material.name}.TextGrid"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _covering(row: Sequence[Stretch], end: float) -> list[Stretch]:
    """Return the stretches with empty ones between them, from 0 to `end`."""
    pieces, done = [], 0.0
    for s in row:
        if s.t > done:
            pieces.append(Stretch(done, s.t, ""))
        pieces.append(s)
        done = s.t_end
    if done < end:
        pieces.append(Stretch(done, end, ""))
    return pieces


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
