"""The timeline's tracks and, for each, the same as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from cuesense import schema
from cuesense.report.digest import Digest, Track
from cuesense.report.words import At, clock, number, percent, plain, reason, signed
from cuesense.types import F64

MOST_ROWS: Final = 60
"""Rows of a table, about."""
INTERVALS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300)


class Row(NamedTuple):
    """A row: the stretch it is about, and its cells as written."""

    span: At
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A chart's numbers."""

    id: str
    title: str
    heads: list[str]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Chart:
    """One track of the timeline; with a `note` there is nothing to draw, and it says why."""

    id: str
    title: str
    unit: str
    description: str
    table: str
    kind: str = ""
    note: str = ""


def charts(digest: Digest) -> list[Chart]:
    """Return the tracks of the timeline, from top to bottom."""
    whole = f"0:00 to {clock(digest.duration_s)}"
    present = digest.present
    if not present:
        return []
    found = []
    if len(present) == 2:
        unit = "underlined: escalating or sharing" if digest.variants else ""
        label = f"Response over time, {whole}"
        found.append(Chart("mode", "Response looks like", unit, label, "mode"))
    if len(present) == 2 and np.isfinite(digest.contingency).any():
        mean = percent(_mean(digest.contingency))
        label = f"Probability that the listener answers this partner, {whole}, mean {mean}"
        found.append(Chart("contingency", "Answers this partner", "probability", label, "mode"))
    for column, title, lack in (
        ("arousal", "Activation", "no usual to compare with: it takes 45 s of ordinary talk"),
        ("valence", "Pleasantness", "no usual to compare with: it takes 45 s of ordinary talk"),
    ):
        known = [t for t in present if t.has(column)]
        if column == "valence" and not digest.views:
            lack = "read from the face, and there is no picture"
        ranges = "; ".join(_range(t, column) for t in known)
        note = "" if known else f"Not shown: {lack}."
        label = f"{title} over time, {whole}. {ranges}"
        found.append(Chart(column, title, "vs own usual, SD", label, "states", "traces", note))
    found.append(Chart("floor", "Who speaks", "", f"Turns over time, {whole}", "talk"))
    if len(present) == 2:
        unit = "| nod  \N{EN DASH} shake  ● mm-hm" if digest.views else "● mm-hm"
        label = f"Nods and short responses over time, {whole}"
        found.append(Chart("responses", "Signals", unit, label, "talk"))
    if len(present) == 2 or digest.views:
        note = "" if digest.views else "Not shown: there is no picture."
        label = f"Share of time with the eyes on the other, {whole}"
        found.append(Chart("gaze", "Eyes on the other", "share of time", label, "gaze", note=note))
    for track in present:
        heard = any(track.has(c) for c in ("f0_hz", "loudness_db", "syllable_rate"))
        note = "" if heard else "Not shown: no speech of theirs was found."
        label = f"Pitch, level and pace of {track.person}'s voice, {whole}"
        found.append(
            Chart(f"voice_{track.person}", f"{track.person}'s voice", "", label, "voice", note=note)
        )
    label = f"Where faces and voices could be read, {whole}"
    found.append(Chart("coverage", "Seen and heard", "", label, "gaps"))
    return found


def tables(digest: Digest, summary: Mapping[str, Any]) -> list[Table]:
    """Return the tables behind the tracks, the longest gaps, and all results beside chance.

    Parameters
    ----------
    digest
        The session.
    summary
        Of session.json.
    """
    present = digest.present
    if not present:
        return []
    whole = max(1.0, digest.duration_s)
    step = next((float(s) for s in INTERVALS_S if whole / s <= MOST_ROWS), whole / MOST_ROWS)
    edges = np.append(np.arange(0, digest.duration_s, step), digest.duration_s)
    found = []
    if len(present) == 2 and digest.labels:
        found.append(_modes(digest, edges))
    found.append(
        _means(
            digest,
            edges,
            "states",
            "Activation and pleasantness (vs own usual, SD)",
            {
                "activation": lambda t, i: _with_error(t, "arousal", i),
                "pleasantness": lambda t, i: _with_error(t, "valence", i),
            },
        )
    )
    found.append(_talk(digest, edges))
    if digest.views and any(t.has("gaze_on_partner") for t in present):
        gaze = {"eyes on the other": lambda t, i: _share(t.series["gaze_on_partner"], i)}
        found.append(_means(digest, edges, "gaze", "Eyes on the other (share of time)", gaze))
    found.append(
        _means(
            digest,
            edges,
            "voice",
            "Voice",
            {
                "pitch, Hz": lambda t, i: plain(_mean(t.series["f0_hz"][i])),
                "level, dB": lambda t, i: plain(_mean(t.series["loudness_db"][i])),
                "pace, syllables/s": lambda t, i: plain(_mean(t.series["syllable_rate"][i]), 1),
            },
        )
    )
    found.append(_gaps(digest))
    if len(present) == 2 and (rows := _beside_chance(digest, summary)):
        heads = ["from", "what", "here", "by chance: median", "95 % from", "to", "p"]
        found.append(Table("chance", "Results on the two of you, beside chance", heads, rows))
    return found


Cell = Callable[[Track, slice], str]


def _means(digest: Digest, edges: F64, name: str, title: str, columns: dict[str, Cell]) -> Table:
    people = digest.present
    rows = []
    for low, high in pairwise(edges.tolist()):
        inside = _bins(digest, low, high)
        cells = [cell(t, inside) or "\N{EN DASH}" for t in people for cell in columns.values()]
        rows.append(Row(At(low, high), cells))
    heads = ["from", *(f"{t.person} {c}" for t in people for c in columns)]
    return Table(name, title, heads, rows)


def _modes(digest: Digest, edges: F64) -> Table:
    rows = []
    for low, high in pairwise(edges.tolist()):
        cells = []
        for label in schema.LABELS:
            shared = sum(
                max(0.0, min(r.end, high) - max(r.start, low))
                for r in digest.labels
                if r.value == label
            )
            cells.append(percent(min(1.0, shared / (high - low))))
        cells.append(_share(digest.contingency, _bins(digest, low, high)) or "\N{EN DASH}")
        rows.append(Row(At(low, high), cells))
    heads = ["from", *schema.LABELS, "answers this partner (probability)"]
    return Table("mode", "Response (share of time)", heads, rows)


def _talk(digest: Digest, edges: F64) -> Table:
    kinds = {"nod": "nods", "shake": "shakes", "backchannel": "short responses"}
    if not digest.views:
        kinds = {"backchannel": "short responses"}
    rows = []
    for low, high in pairwise(edges.tolist()):
        cells = []
        for track in digest.present:
            turns = [s for s in digest.events["turn"] if s.person == track.person]
            held = sum(max(0.0, min(s.t_end, high) - max(s.t, low)) for s in turns)
            cells.append(percent(min(1.0, held / (high - low))))
            for kind in kinds:
                spans = digest.events[kind]
                n = sum(low <= s.t < high for s in spans if s.person == track.person)
                cells.append(str(n))
        rows.append(Row(At(low, high), cells))
    heads = [f"{t.person} {c}" for t in digest.present for c in ("speaks", *kinds.values())]
    return Table("talk", "Speaking, nods and short responses", ["from", *heads], rows)


def _gaps(digest: Digest) -> Table:
    rows = [
        Row(At(run.start, run.end), [clock(run.end), track.person, family, reason(run.value)])
        for track in digest.present
        for family, runs in track.gaps.items()
        for run in runs
    ]
    longest = sorted(rows, key=lambda r: r.span.start - r.span.end)[:MOST_ROWS]
    title = "Where data is missing or doubtful" + (
        f" (the {MOST_ROWS} longest)" if len(rows) > MOST_ROWS else ""
    )
    return Table("gaps", title, ["from", "to", "who", "what", "why"], sorted(longest))


def _beside_chance(digest: Digest, summary: Mapping[str, Any]) -> list[Row]:
    """Return a row for each result of the whole recording that has a null."""
    named: list[tuple[str, Mapping[str, Any]]] = []
    if smiles := summary.get("synchrony"):
        named.append(("smiles together, mean Fisher z", {**smiles, "value": smiles.get("z")}))
        named.append(("smiles, B follows minus A follows, z", smiles.get("lead") or {}))
    for person, following in (summary.get("entrainment") or {}).items():
        for feature, measures in (following.get("measures") or {}).items():
            named += [
                (f"{name} of {person}'s {feature}, turn to turn", chance)
                for name, chance in measures.items()
            ]
    for what, key, inner in (
        ("arousal after regulating minus after mirroring, SD", "settling", "chance"),
        ("wait after a peak minus at other times, s", "space", "chance"),
        ("share of time in which nobody speaks", "turns", "silence"),
    ):
        named.append((what, (summary.get(key) or {}).get(inner) or {}))
    whole = At(0.0, digest.duration_s)
    return [
        Row(
            whole,
            [
                what,
                *(
                    signed(number(chance.get(k)), 2) or "\N{EN DASH}"
                    for k in ("value", "median", "low", "high")
                ),
                f"{number(chance.get('p')):.3f}",
            ],
        )
        for what, chance in named
        if math.isfinite(number(chance.get("p")))
    ]


def _bins(digest: Digest, low: float, high: float) -> slice:
    first = round(low / digest.width_s)
    return slice(first, max(first + 1, round(high / digest.width_s)))


def _mean(x: F64) -> float:
    there = x[np.isfinite(x)]
    return float(there.mean()) if len(there) else float("nan")


def _with_error(track: Track, column: str, inside: slice) -> str:
    mean = signed(_mean(track.series[column][inside]))
    error = plain(_mean(track.series[f"{column}_sd"][inside]), 1)
    return f"{mean} ± {error}" if mean and error else mean


def _share(x: F64, inside: slice) -> str:
    mean = _mean(x[inside])
    return "" if np.isnan(mean) else percent(mean)


def _range(track: Track, column: str) -> str:
    x = track.series[column]
    return (
        f"{track.person}: from {signed(float(np.nanmin(x)))} to {signed(float(np.nanmax(x)))}, "
        f"mean {signed(_mean(x))}"
    )
