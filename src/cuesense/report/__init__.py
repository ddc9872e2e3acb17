"""A session in, one self-contained HTML file out: it opens from disk and asks for nothing.

``digest`` reduces the tables, ``sections`` says in sentences what is in them, ``tables`` gives
the charts and their numbers as text; ``render`` puts them into the page. The page carries a
content security policy that forbids every request, and runs only the script whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cuesense import schema
from cuesense.report import sections as reading
from cuesense.report import sentences, words
from cuesense.report.digest import COLUMNS, SERIES, Digest, Track, digest
from cuesense.report.series import pack, pack_runs
from cuesense.report.tables import charts, tables
from cuesense.types import Role

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "ReportInput", "render"]

VOICE: Final = {"f0_hz": 20.0, "loudness_db": 10.0, "syllable_rate": 2.0}
"""Columns of the voice strips, and the least range of their axes."""
UNITS: Final = {"f0_hz": "Hz", "loudness_db": "dB", "syllable_rate": "syll/s"}


@dataclass(frozen=True, slots=True, eq=False)
class ReportInput:
    """What a report is made from.

    Attributes
    ----------
    timeline
        columns of `schema.TIMELINE`, at least `COLUMNS`.
    state
        columns of `schema.STATE`.
    events
        columns of `schema.EVENTS_TABLE`.
    meta
        the content of session.json.
    """

    timeline: pa.Table
    state: pa.Table
    events: pa.Table
    meta: Mapping[str, Any]


def render(session: ReportInput) -> str:
    """Return the report of a session as HTML.

    Whatever is missing (a person, the picture, the sound, a summary) becomes a calm sentence.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    meta = session.meta
    found = digest(session.timeline, session.state, session.events, meta)
    cast = reading.cast(found)
    css, js = _asset("report.css"), _asset("report.js")
    # "<" cannot occur in the data, so nothing in it can end the script element.
    learned = _learned(found, meta)
    data = json.dumps(_data(found, learned, cast), separators=(",", ":")).replace("<", "\\u003c")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("template.html.j2")).render(
        policy=_policy(css, js),
        css=Markup(css),
        js=Markup(js),
        data=Markup(data),
        title=" + ".join(meta["source"]["paths"]) or "Conversation",
        who=_who(found, meta, cast),
        notes=_notes(found, meta),
        duration=round(found.duration_s, 1),
        learned=learned,
        people=[{"id": t.person, "label": _label(t, cast)} for t in found.present],
        modes=[{"id": schema.short(m).replace(" ", "-"), "label": m} for m in schema.LABELS],
        sections=reading.sections(found, meta.get("summary") or {}, cast, meta.get("live")),
        coverage={"sentences": reading.coverage(found, meta, cast)},
        tracks=charts(found),
        tables=tables(found, meta.get("summary") or {}),
        limits=sentences.LIMITS,
        provenance=_provenance(meta),
        settings=json.dumps(meta.get("config") or {}, indent=1, sort_keys=True),
    )


def _asset(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _policy(css: str, js: str) -> str:
    """Return the content security policy: nothing but this very style and script."""

    def sha(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{sha(js)}'; style-src 'sha256-{sha(css)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _who(found: Digest, meta: Mapping[str, Any], cast: reading.Cast) -> str:
    """Return the line below the title: who is who, how long, when."""
    parts = []
    if len(found.present) == 2 and len(cast.pairs) == 1:
        listener, partner = cast.pairs[0]
        you, them = _place(listener, found), _place(partner, found)
        parts.append(f"“You” is {you}, “your partner” {them}.")
        if why := str(meta.get("role_reason") or "").rstrip("."):
            parts.append(f"{why}.")
    elif len(found.present) == 1:
        parts.append(f"“You” is {_place(found.present[0], found)}.")
    made = str(meta.get("created") or "")
    if made:
        date = datetime.fromisoformat(made)
        made = f" Analysed on {date.day} {date:%B %Y}."
    parts.append(f"{words.seconds(found.duration_s)} of recording.{made}")
    return " ".join(parts)


def _place(track: Track, found: Digest) -> str:
    """Return where a person sits, as "the person on the left (A)"."""
    if track.side and found.views:
        return f"the person on the {track.side} ({track.person})"
    return f"person {track.person}"


def _label(track: Track, cast: reading.Cast) -> str:
    subject = cast[track].subject
    if subject.startswith(track.person):
        return subject
    role = f", {track.side}" if track.side else ""
    return f"{track.person} ({subject}{role})"


def _notes(found: Digest, meta: Mapping[str, Any]) -> list[str]:
    """Return what the reader has to know first."""
    source = meta["source"]
    own = []
    if not found.views:
        own.append(
            "This recording has sound only: voices are read, and nothing is said that needs a face."
        )
    if len(found.present) == 1:
        own.append(
            "Only one person could be read, so this is a view of that person alone; nothing is "
            "said on how two people responded to each other."
        )
    if any(t.role is Role.UNDECIDED for t in found.present) and len(found.present) == 2:
        own.append("Who shared and who listened is not known, so both are described alike.")
    given = [*meta.get("notes", ()), *source.get("notes", ()), *source.get("problems", ())]
    return [*own, *map(str, given)]


def _learned(found: Digest, meta: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return the stretches, in s, from which somebody's usual was learned."""
    about = [(meta.get("baseline") or {}).get(track.person) or {} for track in found.present]
    spans = {(a["start_s"], a["end_s"]) for a in about if a.get("complete")}
    return sorted(span for span in spans if span[0] is not None)


def _data(found: Digest, learned: list[tuple[float, float]], cast: reading.Cast) -> dict[str, Any]:
    """Return what the page's script draws from, small: times in s, values as whole steps."""
    return {
        "duration": round(found.duration_s, 2),
        "width": found.width_s,
        "people": [_person(found, track, _label(track, cast)) for track in found.present],
        "learned": learned,
        # Of one person alone there is no response to show.
        "labels": pack_runs(found.labels) if len(found.present) == 2 else [],
        "reasons": pack_runs(r._replace(value=words.dyad_reason(r.value)) for r in found.reasons),
        "variants": pack_runs(found.variants),
        "posterior": {
            mode: {"step": 0.01, "v": pack(found.posterior[:, i], 0.01)}
            for i, mode in enumerate(schema.MODES)
        },
        "stances": schema.STANCES,
        "contingency": {"step": 0.01, "v": pack(found.contingency, 0.01)},
        "families": ["face", "voice"] if found.views else ["voice"],
        "ranges": {t.person: {c: _axis(t, c) for c in VOICE} for t in found.present},
        "units": UNITS,
    }


def _person(found: Digest, track: Track, label: str) -> dict[str, Any]:
    events = {
        kind: [s for s in found.events[kind] if s.person == track.person]
        for kind in ("turn", "nod", "shake", "backchannel")
    }
    return {
        "id": track.person,
        "label": label,
        "series": {c: {"step": s, "v": pack(track.series[c], s)} for c, s in SERIES.items()},
        "gaps": {
            family: pack_runs(r._replace(value=words.reason(r.value)) for r in runs)
            for family, runs in track.gaps.items()
        },
        "turns": [(round(s.t, 2), round(s.t_end, 2), s.detail) for s in events["turn"]],
        "nods": [round(s.t, 2) for s in events["nod"]],
        "shakes": [round(s.t, 2) for s in events["shake"]],
        "backchannels": [round(s.t, 2) for s in events["backchannel"]],
    }


def _axis(track: Track, column: str) -> tuple[float, float]:
    """Return the ends of a voice strip's axis: the middle 98 % of the values, widened if narrow."""
    x = track.series[column]
    if not np.isfinite(x).any():
        return 0.0, VOICE[column]
    low, high = (float(q) for q in np.nanquantile(x, [0.01, 0.99]))
    lack = max(0.0, VOICE[column] - (high - low)) / 2
    return round(low - lack, 2), round(high + lack, 2)


def _provenance(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    source = meta["source"]
    pairs = [
        ("cuesense", str(meta.get("cuesense", ""))),
        ("table layout", str(meta.get("schema", ""))),
        ("analysed", str(meta.get("created", ""))),
        ("settings", f"SHA-256 {meta.get('config_hash', '')}"),
    ]
    for path, sha in zip(source["paths"], source.get("sha256") or (), strict=False):
        pairs.append((f"recording {path}", f"SHA-256 {sha}"))
    for name, sha in (meta.get("models") or {}).items():
        pairs.append((f"model {name}", f"SHA-256 {sha}"))
    for name, unit in (("fps", "pictures/s"), ("rate", "Hz sound"), ("channels", "channels")):
        values = ", ".join(f"{v:g}" for v in source.get(name) or () if v is not None)
        if values:
            pairs.append((name, f"{values} {unit}"))
    if source.get("offset_s"):
        pairs.append(("second recording starts", f"{source['offset_s']:+.3f} s"))
    return pairs
