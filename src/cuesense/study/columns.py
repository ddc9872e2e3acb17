"""The columns of a study's own tables: what each is, and where ``session.json`` says it.

`SESSIONS` has a row per session, `PEOPLE` one per session and person, `DYADS` one per dyad and
`WINDOWS` one per session, person and `WINDOW_S`. Each column is a `schema.Column` like those of a
session's tables, which a study keeps as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cuesense import schema
from cuesense.dyad.entrainment import FEATURES, MEASURES
from cuesense.dyad.floor import OVERLAPS
from cuesense.schema import Column

WINDOW_S: Final = 30.0
"""s, length of a window."""
PERSON: Final = "{person}"
"""Stands in a path for the person whose row it is."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column and the path in session.json to its value; an empty path: it is worked out."""

    column: Column
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A part of session.json whose values are missing for one reason.

    Attributes
    ----------
    reason
        The column that says why; empty if they never are.
    path
        Where the part is.
    """

    reason: str
    path: tuple[str, ...]

    def number(
        self,
        name: str,
        unit: str,
        meaning: str,
        *path: str,
        low: float | None = None,
        high: float | None = None,
    ) -> Field:
        """Return a column of numbers."""
        made = Column(name, unit, meaning, "float", low, high, "session.json", self.reason)
        return Field(made, (*self.path, *path))

    def share(self, name: str, meaning: str, *path: str) -> Field:
        """Return a column of shares or probabilities."""
        return self.number(name, "1", meaning, *path, low=0, high=1)

    def count(self, name: str, meaning: str, *path: str) -> Field:
        """Return a column of counts."""
        return self.number(name, "1", meaning, *path, low=0)

    def text(self, name: str, meaning: str, *path: str) -> Field:
        """Return a column of text."""
        made = Column(name, "", meaning, "text", source="session.json", reason=self.reason)
        return Field(made, (*self.path, *path))

    def interval(self, name: str, unit: str, *path: str) -> Iterator[Field]:
        """Yield the ends of the 95 % interval of the column `name`."""
        yield self.number(f"{name}_low", unit, f"95 % interval of {name}: lower end", *path, "low")
        yield self.number(
            f"{name}_high", unit, f"95 % interval of {name}: upper end", *path, "high"
        )

    def null(self, name: str, unit: str, *path: str, span: int = 95) -> Iterator[Field]:
        """Yield what chance gives beside the column `name`: median and span of its null, and p."""
        for end, q in (("median", 50.0), ("low", (100 - span) / 2), ("high", (100 + span) / 2)):
            yield self.number(
                f"{name}_null_{end}", unit, f"{q:g} % of the null of {name}", *path, end
            )
        yield self.share(f"{name}_p", f"p of {name} against its null", *path, "p")


_PLAIN: Final = Group("", ())
_KEYS: Final = (
    Column("session", "", "name of the session, unique in the study", "text", source="study"),
    Column("dyad", "", "name of the dyad that the session is of", "text", source="study"),
)


def slug(label: str) -> str:
    """Return a label as part of a column's name: "no_demand"."""
    return schema.short(label).replace(" ", "_")


def _labels(g: Group) -> Iterator[Field]:
    for label in schema.LABELS:
        yield g.share(f"share_{slug(label)}", f'share of the session labelled "{label}"', label)


def _wrong_partner(g: Group) -> Iterator[Field]:
    what = "mean probability, over the calibrated time, that the listener answers this partner"
    yield g.share("contingency", what, "contingency", "true")
    yield from g.null("contingency", "1", "contingency", span=90)
    for label in schema.LABELS:
        name, at = f"calibrated_{slug(label)}", ("of_total", label)
        yield g.share(name, f'share of the calibrated time labelled "{label}"', *at, "true")
        yield from g.null(name, "1", *at, span=90)
    yield g.count("null_rolls", "wrong partners", "rolls")
    yield g.number("labelled_s", "s", "calibrated time with a clear stance", "labelled_s", low=0)
    what = "highest autocorrelation of the partner at the shifts of the null"
    yield g.number("partner_repeats", "1", what, "repeats", low=-1, high=1)


def _settling(g: Group) -> Iterator[Field]:
    what = "the partner's arousal 10-20 s later beyond its forecast, regulating minus mirroring"
    yield g.number("settling", "SD", what, "difference")
    yield from g.interval("settling", "SD")
    yield g.number("settling_error", "SD", "standard error of settling", "error", low=0)
    yield from g.null("settling", "SD", "chance")
    for mode in ("regulating", "mirroring"):
        yield g.count(f"settling_{mode}", f"{mode} bouts that settling rests on", mode)


def _synchrony(g: Group) -> Iterator[Field]:
    what = "synchrony of both people's smiles, mean signed Fisher z within the band of lags"
    yield g.number("synchrony_z", "1", what, "z")
    for end, q in (("low", 2.5), ("high", 97.5)):
        what = f"{q:g} % of the surrogates of synchrony_z"
        yield g.number(f"synchrony_z_null_{end}", "1", what, end)
    yield g.share("synchrony_z_p", "p of synchrony_z against its surrogates", "p")
    what = "mean |z| over all lags: for comparison with the literature only"
    yield g.number("synchrony_z_absolute", "1", what, "z_absolute", low=0)
    what = "lag of the highest mean z; positive: B follows A"
    yield g.number("synchrony_lag_s", "s", what, "peak_lag_s")
    what = "mean z at the lags at which B follows minus that at which A does"
    yield g.number("synchrony_lead", "1", what, "lead", "value")
    yield from g.null("synchrony_lead", "1", "lead")
    yield g.count("synchrony_windows", "windows that synchrony rests on", "windows")


def _turns(g: Group) -> Iterator[Field]:
    yield g.share("silence_share", "share in which nobody speaks", "silence_share")
    yield from g.null("silence_share", "1", "silence")
    yield g.share("overlap_share", "share in which both speak", "overlap_share")
    for kind in OVERLAPS:
        yield g.count(f"overlaps_{kind}", f"overlaps of the kind {kind}", "overlaps", kind)


def _space(g: Group) -> Iterator[Field]:
    for key, when in (("after", "after the partner's peaks"), ("otherwise", "at other times")):
        what = f"median wait of the listener {when}"
        yield g.number(f"space_{key}_s", "s", what, f"{key}_s", low=0)
        yield g.count(f"space_{key}", f"waits {when}", key)
    what = "space given: the wait after the partner's peaks minus that at other times"
    yield g.number("space_s", "s", what, "difference_s", "value")
    yield from g.interval("space_s", "s", "difference_s")
    yield from g.null("space_s", "s", "chance")


def _why(groups: dict[str, str]) -> Iterator[Field]:
    """Yield the columns of reasons: what they are about by what they are called."""
    for name, what in groups.items():
        meaning = f"why {what} is missing or doubtful, else empty"
        yield Field(Column(f"{name}_reason", "", meaning, "text", source="study"))


def _group(name: str, *path: str) -> Group:
    return Group(f"{name}_reason", path)


_LABELS: Final = _group("labels", "summary", "labels")
_NULL: Final = _group("null", "summary", "null")
_SETTLING: Final = _group("settling", "summary", "settling")
_SYNCHRONY: Final = _group("synchrony", "summary", "synchrony")
_TURNS: Final = _group("turns", "summary", "turns")
_SPACE: Final = _group("space", "summary", "space")
_COVERAGE: Final = _group("coverage", "coverage", PERSON)
_BASELINE: Final = _group("baseline", "baseline", PERSON)
_FOLLOWING: Final = _group("following", "summary", "entrainment", PERSON)
_SOURCE: Final = Group("source_reason", ("source",))

SESSION_GROUPS: Final = (_SOURCE, _LABELS, _NULL, _SETTLING, _SYNCHRONY, _TURNS, _SPACE)
PEOPLE_GROUPS: Final = (_COVERAGE, _BASELINE, _TURNS, _FOLLOWING)


def _about() -> Iterator[Field]:
    """Yield what a session is, and of whom."""
    yield from map(Field, _KEYS)
    what = "where dyad is from: list, option, recording; or none, so that it is one of its own"
    yield _PLAIN.text("dyad_from", what)
    what = "which of the dyad's sessions it is, from 1, in the order in which they started"
    yield Field(Column("ordinal", "1", what, "float", 1, None, "study", "ordinal_reason"))
    yield _SOURCE.text("started", "when its time 0 was, ISO 8601", "started")
    yield _SOURCE.number("duration_s", "s", "length of the recording", "duration_s", low=0)
    yield _PLAIN.text("listener", "who responds: A or B")
    yield _PLAIN.text("role_reason", "how that was found", "role_reason")
    yield _PLAIN.text("recording", "names of its files", "source", "paths")
    yield _PLAIN.text(
        "recording_sha256", "their SHA-256; none of a live session", "source", "sha256"
    )
    yield _PLAIN.text("created", "when it was analysed, ISO 8601", "created")
    yield _PLAIN.text("cuesense", "version that analysed it", "cuesense")
    yield _PLAIN.text("config_hash", "hash of the settings", "config_hash")
    what = "what was left out of it, as its tables were of an older version, else empty"
    yield _PLAIN.text("migrated", what, "migrated")
    yield _PLAIN.text("fingerprint", "changes if any of this does; names its files in the study")


SESSIONS: Final[tuple[Field, ...]] = (
    *_about(),
    *_labels(_LABELS),
    *_wrong_partner(_NULL),
    *_settling(_SETTLING),
    *_synchrony(_SYNCHRONY),
    *_turns(_TURNS),
    *_space(_SPACE),
    *_why(
        {
            "ordinal": "ordinal",
            "source": "started or duration_s",
            "labels": "a share of a label",
            "null": "contingency or another number beside wrong partners",
            "settling": "settling",
            "synchrony": "synchrony",
            "turns": "a number on turns",
            "space": "space given",
        }
    ),
)


def _person() -> Iterator[Field]:
    """Yield what session.json says of each person."""
    yield _PLAIN.text("person", "A or B")
    yield _PLAIN.text("role", "partner (shares) or listener (responds)", "people", PERSON, "role")
    yield _PLAIN.text("side", "where they sit in the picture", "people", PERSON, "side")
    for key, what in (("face", "a face"), ("voice", "sound"), ("state", "an arousal")):
        yield _COVERAGE.share(f"coverage_{key}", f"share of the session with {what}", key)
    what = "time for which this person speaks"
    yield _COVERAGE.number("speaking_s", "s", what, "speaking_s", low=0)
    yield _BASELINE.text("baseline_how", "how their usual was learned", "how")
    for end in ("start", "end"):
        what = f"{end} of the stretch that it was learned from; none: from a saved profile"
        yield _BASELINE.number(f"baseline_{end}_s", "s", what, f"{end}_s", low=0)
    yield _BASELINE.share("baseline_complete", "1 if it could be learned, else 0", "complete")
    g = _TURNS
    yield g.share("talk_share", "share of all turn time", "talk_share", PERSON)
    yield g.count("turns", "speaking turns", "turns", PERSON)
    what = "median time from the end of the other's turn to the beginning of the own one"
    yield g.number("turn_offset_s", "s", what, "median_offset_s", PERSON)
    yield from g.interval("turn_offset_s", "s", "offset_s", PERSON)
    yield g.count("interruptions", "turns that took the floor", "interruptions", PERSON)
    yield g.share("interrupting", "their share of the turns", "interrupting", PERSON, "value")
    yield from g.interval("interrupting", "1", "interrupting", PERSON)
    what = "short vocal responses while the other has the floor"
    at = ("backchannels_per_min", PERSON)
    yield g.number("backchannels_per_min", "1/min", what, *at, low=0)


def _following(g: Group) -> Iterator[Field]:
    units = dict(zip(FEATURES, ("semitones", "dB", "1/s"), strict=True))
    for feature in FEATURES:
        what = f"passes of the floor to this person at which both people's {feature} was read"
        yield g.count(f"{feature}_exchanges", what, "exchanges", feature)
        for measure in MEASURES:
            unit = units[feature] if measure == "proximity" else "1"
            name, at = f"{feature}_{measure}", ("measures", feature, measure)
            what = f"{measure} of their {feature} with the other's, from turn to turn"
            yield g.number(name, unit, what, *at, "value")
            yield from g.null(name, unit, *at)


PEOPLE: Final[tuple[Field, ...]] = (
    *map(Field, _KEYS),
    *_person(),
    *_following(_FOLLOWING),
    *_why(
        {
            "coverage": "coverage",
            "baseline": "a number on the baseline",
            "turns": "a number on turns",
            "following": "how their voice follows the other's",
        }
    ),
)

MEANS: Final = (
    *(f"share_{slug(label)}" for label in schema.LABELS),
    "contingency",
    "synchrony_z",
    "silence_share",
    "overlap_share",
    "space_s",
)
"""Columns of `SESSIONS` whose mean over a dyad's sessions is in `DYADS`."""


def _dyads() -> Iterator[Column]:
    known = {f.column.name: f.column for f in SESSIONS}
    yield _KEYS[1]
    yield Column("sessions", "1", "how many there are", "float", 1, None, "sessions")
    yield Column("duration_s", "s", "their length in all", "float", 0, None, "sessions")
    for name in MEANS:
        c, what = known[name], f"mean over its sessions of: {known[name].meaning}"
        yield Column(name, c.unit, what, "float", c.low, c.high, "sessions", "means_reason")
    for name, what in (
        ("settling", "settling, its sessions taken together (random effects)"),
        ("settling_low", "95 % interval of settling: lower end"),
        ("settling_high", "95 % interval of settling: upper end"),
    ):
        yield Column(name, "SD", what, source="sessions", reason="settling_reason")
    yield Column("means_reason", "", "why a mean is missing, else empty", "text", source="study")
    yield Column(
        "settling_reason", "", "why settling is missing, else empty", "text", source="study"
    )
    what = "covariates that differ between its sessions, and are left empty here for that"
    yield Column("varies", "", what, "text", source="study")


OWN: Final = ("arousal", "valence", "smile", "speaking", "gaze_on_partner", "motion_energy")
"""Columns of the timeline whose mean over a window is in `WINDOWS`."""
CENTRED: Final = ("arousal", "valence")
"""Those that are also centred within the session, and given of the other person as well."""
_TIMELINE: Final = {c.name: c for c in schema.VALUE_COLUMNS}
OWN_REASONS: Final = tuple(dict.fromkeys(_TIMELINE[name].reason for name in OWN))


def _windows() -> Iterator[Column]:
    yield Column("person", "", "A or B", "text", source="timeline")
    yield Column("role", "", "partner (shares) or listener (responds)", "text", source="timeline")
    yield Column(
        "number", "1", "which window of the session it is, from 0", "float", 0, None, "timeline"
    )
    yield Column("t", "s", "its start", "float", 0, None, "timeline")
    yield Column("t_end", "s", "its end", "float", 0, None, "timeline")
    yield Column("coverage", "1", "share of it with an arousal", "float", 0, 1, "timeline")
    for c in (_TIMELINE[name] for name in OWN):
        what = f"mean of: {c.meaning}"
        yield Column(c.name, c.unit, what, "float", c.low, c.high, "timeline", c.reason)
    centred = "{} minus the mean of this person's windows in this session"
    for c in (_TIMELINE[name] for name in CENTRED):
        yield Column(f"{c.name}_centred", "SD", centred.format(c.name), reason=c.reason)
    for c in (_TIMELINE[name] for name in CENTRED):
        name, why = f"other_{c.name}", f"other_{c.reason}"
        yield Column(
            name, "SD", f"{c.name} of the other person", "float", c.low, c.high, reason=why
        )
        yield Column(f"{name}_centred", "SD", f"{c.name}_centred of the other person", reason=why)
    what = "mean probability that the listener answers this partner; both people's rows have it"
    yield Column("contingency", "1", what, "float", 0, 1, "state", "contingency_reason")
    for label in schema.LABELS:
        name, what = f"share_{slug(label)}", f'share of the window labelled "{label}"'
        yield Column(name, "1", what, "float", 0, 1, "state", "labels_reason")
    for reason in OWN_REASONS:
        what = f"{schema.REASONS[reason]}; of several, the most frequent"
        yield Column(reason, "", what, "text", source="timeline")
    for c in (_TIMELINE[name] for name in CENTRED):
        yield Column(f"other_{c.reason}", "", f"{c.reason} of the other person", "text")
    yield Column("contingency_reason", "", "why contingency is missing, else empty", "text")
    yield Column("labels_reason", "", "why a share is missing, else empty", "text")


WINDOWS: Final[tuple[Column, ...]] = tuple(_windows())
DYADS: Final[tuple[Column, ...]] = tuple(_dyads())

PARTS: Final[dict[str, tuple[Column, ...]]] = {
    "timeline": schema.TIMELINE,
    "state": schema.STATE,
    "events": schema.EVENTS_TABLE,
    "windows": WINDOWS,
}
"""The tables that are kept in parts, one per session; `session` and `dyad` are in the path."""

TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "sessions": tuple(f.column for f in SESSIONS),
    "people": tuple(f.column for f in PEOPLE),
    "dyads": DYADS,
    "windows": (*_KEYS, *WINDOWS),
}
"""The tables that a study has besides those of its sessions, for the data dictionary."""
