"""A session's tables, reduced to what a report draws and says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cuesense import schema
from cuesense.report.series import Run, bin_means, bin_width, runs
from cuesense.types import F64, PEOPLE, Person, Reason, Role

if TYPE_CHECKING:
    import pyarrow as pa

SERIES: Final[Mapping[str, float]] = {
    "arousal": 0.01,
    "arousal_sd": 0.01,
    "valence": 0.01,
    "valence_sd": 0.01,
    "f0_hz": 1.0,
    "loudness_db": 0.1,
    "syllable_rate": 0.1,
    "speaking": 0.01,
    "gaze_on_partner": 0.01,
}
"""Columns of `schema.TIMELINE` that a report draws, and the step they are rounded to."""

FAMILIES: Final = ("face", "voice", "state")
COLUMNS: Final = (
    "t",
    "person",
    "face_quality",
    *(f"{family}_reason" for family in FAMILIES),
    *SERIES,
)
"""All columns of `schema.TIMELINE` that `digest` reads; a caller may pass only these."""

NO_GAP: Final = {"voice": {Reason.SILENT, Reason.UNVOICED}}
"""Reasons that say that there is nothing to be had, not that it is missing."""


class Span(NamedTuple):
    """One row of `schema.EVENTS_TABLE`."""

    t: float
    t_end: float
    person: str
    kind: str
    value: float
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One person.

    Attributes
    ----------
    person
        "A" or "B".
    role
        partner, listener or undecided.
    side
        "left" or "right".
    present
        whether a face or voice of theirs was found at all.
    series
        (n,) per name of `SERIES`, means per bin.
    gaps
        runs of why values are missing or doubtful, per family; other time has values.
    """

    person: Person
    role: Role
    side: str
    present: bool
    series: Mapping[str, F64]
    gaps: Mapping[str, list[Run]]

    def has(self, column: str) -> bool:
        """Whether there is a single value of this column."""
        return bool(np.isfinite(self.series[column]).any())


@dataclass(frozen=True, slots=True, eq=False)
class Digest:
    """A session.

    Attributes
    ----------
    duration_s
        s.
    width_s
        width of a bin, s.
    tracks
        both people.
    labels
        runs of the dyad's label; `reasons` runs of why there is none.
    variants
        runs of "sharing" and "escalating".
    posterior
        (n, 3) means of `schema.MODES` per bin.
    contingency
        (n,) mean per bin of the probability that the listener answers.
    events
        by kind, ordered by time.
    views
        pictures the recording has; 0 is sound only.
    """

    duration_s: float
    width_s: float
    tracks: Mapping[Person, Track]
    labels: list[Run]
    reasons: list[Run]
    variants: list[Run]
    posterior: F64
    contingency: F64
    events: Mapping[str, list[Span]]
    views: int

    @property
    def present(self) -> list[Track]:
        """The people who are there."""
        return [track for track in self.tracks.values() if track.present]

    @property
    def t(self) -> F64:
        """(n,) centres of the bins, s."""
        return np.asarray((np.arange(len(self.posterior)) + 0.5) * self.width_s, np.float64)


def digest(
    timeline: pa.Table, state: pa.Table, events: pa.Table, meta: Mapping[str, Any]
) -> Digest:
    """Reduce a session's tables.

    Parameters
    ----------
    timeline
        at least the columns `COLUMNS`.
    state
        columns of `schema.STATE`; may have no rows.
    events
        columns of `schema.EVENTS_TABLE`; may have no rows.
    meta
        the content of session.json.
    """
    t = _numbers(timeline, "t")
    duration = float(meta["source"]["duration_s"] or (t.max() if len(t) else 0.0))
    width = bin_width(duration)
    n_bins = max(1, int(np.ceil(duration / width - 1e-6)))
    whose = _words(timeline, "person")
    tracks = {
        person: _track(timeline, whose == person, person, meta, width, n_bins) for person in PEOPLE
    }
    t_state = _numbers(state, "t")
    tick = _tick(t_state)
    words = {c: _words(state, c) for c in ("label", "reason", "variant")}
    posterior = [bin_means(t_state, _numbers(state, f"p_{m}"), width, n_bins) for m in schema.MODES]
    spans = sorted(
        (Span(*(row[c.name] for c in schema.EVENTS_TABLE)) for row in events.to_pylist()),
        key=lambda span: span.t,
    )
    return Digest(
        duration_s=duration,
        width_s=width,
        tracks=tracks,
        labels=runs(t_state, words["label"], tick),
        reasons=[r for r in runs(t_state, words["reason"], tick) if r.value],
        variants=[r for r in runs(t_state, words["variant"], tick) if r.value],
        posterior=np.stack(posterior, axis=1),
        contingency=bin_means(t_state, _numbers(state, "contingency"), width, n_bins),
        events={kind: [s for s in spans if s.kind == kind] for kind in schema.EVENTS},
        views=int(meta["source"].get("views", 1)),
    )


def _track(
    timeline: pa.Table,
    mine: np.ndarray[Any, np.dtype[np.bool_]],
    person: Person,
    meta: Mapping[str, Any],
    width: float,
    n_bins: int,
) -> Track:
    t = _numbers(timeline, "t")[mine]
    series = {c: bin_means(t, _numbers(timeline, c)[mine], width, n_bins) for c in SERIES}
    gaps = {}
    for family in FAMILIES:
        quiet = {"", *NO_GAP.get(family, ())}
        found = runs(t, _words(timeline, f"{family}_reason")[mine], _tick(t), shortest_s=width)
        gaps[family] = [r for r in found if r.value not in quiet]
    seen = (_numbers(timeline, "face_quality")[mine] > 0).any()
    heard = any(np.isfinite(series[c]).any() for c in ("f0_hz", "loudness_db", "arousal"))
    about = meta["people"].get(person, {})
    return Track(
        person=person,
        role=Role(about.get("role", Role.UNDECIDED)),
        side=str(about.get("side", "")),
        present=bool(seen or heard),
        series=series,
        gaps=gaps,
    )


def _numbers(table: pa.Table, column: str) -> F64:
    return np.asarray(table.column(column).to_numpy(zero_copy_only=False), dtype=np.float64)


def _words(table: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    values = table.column(column).to_numpy(zero_copy_only=False)
    return np.array([v or "" for v in values], dtype=object)


def _tick(t: F64) -> float:
    """Return the usual step of `t`, s."""
    return float(np.median(np.diff(t))) if len(t) > 1 else 0.2
