"""The reading part of a report: which sentences stand under which practice, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cuesense import schema
from cuesense.report import attunement, facts, pair, sentences
from cuesense.report.digest import Digest, Span, Track
from cuesense.report.sentences import Sentence, anchored, quiet
from cuesense.report.words import THIN, At, Who, number, percent, reason, seconds
from cuesense.types import Role


@dataclass(frozen=True, slots=True)
class Share:
    """One row of the stances' shares; `width` and the null's marks are in per cent of the bar.

    `shown` is that part of the width in which it was shown to be about the partner.
    """

    mode: str
    share: str
    width: float
    shown: float
    null: str = ""
    null_low: float = 0.0
    null_span: float = 0.0
    null_at: float | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the stances in the named time, whether wrong partners are known, and a note."""

    rows: tuple[Share, ...]
    null: bool
    note: str


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the practice: its sentences and how their numbers are made."""

    id: str
    title: str
    motto: str
    sentences: list[Sentence]
    how: tuple[str, ...] = ()
    shares: Shares | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is who: names by person, and pairs of (responds, shares) to speak about."""

    names: Mapping[str, Who]
    pairs: list[tuple[Track, Track]] = field(default_factory=list)

    def __getitem__(self, track: Track) -> Who:
        return self.names[track.person]


def cast(digest: Digest) -> Cast:
    """Return how people are called: "you" for the listener, or for the only one who is there."""
    tracks = list(digest.tracks.values())
    plain: dict[str, Who] = {
        t.person: Who(
            f"{t.person} ({t.side})" if t.side and digest.views else t.person, f"{t.person}'s"
        )
        for t in tracks
    }
    you, partner = Who("you", "your", True), Who("your partner", "your partner's")
    present = digest.present
    if len(present) == 1:
        return Cast(plain | {present[0].person: you})
    listeners = [t for t in tracks if t.role is Role.LISTENER]
    if len(listeners) != 1:
        return Cast(plain, [(tracks[1], tracks[0]), (tracks[0], tracks[1])])
    other = next(t for t in tracks if t is not listeners[0])
    return Cast({listeners[0].person: you, other.person: partner}, [(listeners[0], other)])


def sections(
    digest: Digest, summary: Mapping[str, Any], who: Cast, live: Mapping[str, Any] | None = None
) -> list[Section]:
    """Return the parts of the practice that this session has something to say on.

    Parameters
    ----------
    digest
        The session.
    summary
        Of session.json.
    who
        How people are called.
    live
        Of session.json, if it was a live session.
    """
    if len(digest.present) == 2:
        parts = [
            _attunement(digest, summary, who),
            _cues(digest, who),
            _grace(digest, summary, who),
            _listening(digest, who),
            _self(digest, who.pairs, who),
        ]
    elif len(digest.present) == 1:
        parts = [_self(digest, [(digest.present[0], None)], who)]
    else:
        parts = [_nobody()]
    if live is not None or digest.events["mark"]:
        parts.append(_live(digest, live or {}))
    return [replace(p, sentences=anchored(p.sentences, digest.duration_s)) for p in parts]


def _nobody() -> Section:
    text = "Nobody could be seen or heard well enough, so there is nothing to read here."
    return Section("attunement", "Attunement", "How the two of you responded", [quiet(text)])


def _attunement(digest: Digest, summary: Mapping[str, Any], who: Cast) -> Section:
    listener, partner = who.pairs[0]
    null = summary.get("null")
    clear = facts.stance_runs(digest)
    bouts = {mode: facts.longest(clear, mode, 3) for mode in schema.MODES}
    long = [
        max(spans, key=lambda a: a.end - a.start)._replace(note=f"(longest {mode})")
        for mode, spans in bouts.items()
        if spans
    ]
    shares = facts.shares(digest)
    why = facts.main_reason(digest)
    said = attunement.response(shares, why, who[listener], who[partner], long)
    if not said[0].calm:
        said += attunement.wrong_partner(null, who[listener], who[partner], bouts)
    said += attunement.variants(
        facts.longest(digest.variants, "escalating", 3),
        facts.longest(digest.variants, "sharing", 3),
    )
    said.append(attunement.settling(summary.get("settling"), who[partner], bouts["regulating"]))
    said += attunement.synchrony(summary.get("synchrony"))
    for one, other in who.pairs:
        voices = (summary.get("entrainment") or {}).get(one.person)
        said += pair.voices(who[one], who[other], voices)
    return Section(
        "attunement",
        "Attunement",
        "How the two of you responded to each other",
        said,
        (
            "Two questions are asked apart. What does the listener do? Each moment is compared "
            "with three patterns. Mirroring: the listener's activation and pleasantness go along "
            "in kind and size. Regulating: the listener stays calmer or warmer. Disengaged: the "
            "listener shows little. Nods, short responses and eye contact count too. A pattern is "
            f"named only if it is at least 80{THIN}% likely under this model, whose constants are "
            "assumptions informed by published studies.",
            "And is it about this partner? That is asked of what follows what over minutes: your "
            "activation and pleasantness after your partner's, nods after their pauses, each in "
            "units of what chance would give. Weights and threshold were fitted on simulated "
            "people. Only where both answers are clear does the timeline say “mirroring” or "
            "“regulating”; a manner alone is “calm” or “moved; not shown to be responding yet”.",
            "The wrong partner: your partner's signals are shifted against yours by at least 15 "
            "seconds, a few dozen times, and everything is judged anew. The range is the middle "
            f"90{THIN}% of those; p is how often a wrong partner does at least as well. The "
            "shorter the recording, the fewer shifts it allows, and the less p can show.",
            "Settling compares activation 10 to 20 seconds later with this person's own trend, and "
            "what is left after regulating with what is left after mirroring; the interval comes "
            "from resampling the stretches, the range by chance from moving them in time.",
            "Smiles: whether they rise and fall together within a second (windowed "
            "cross-correlation, mean Fisher z with its sign), tested against the same smiles with "
            "randomised phases.",
            "Voices: pitch, level and pace of the last 5 seconds of a turn and of the first 5 of "
            "the answer, each against the speaker's own median. By chance: the answers' own trend "
            "and likeness, with the rest shuffled. Of the nine comparisons of a voice only those "
            "that hold for all nine together are put forward.",
        ),
        _shares(shares, null),
    )


def _shares(shares: Mapping[str, float], null: Mapping[str, Any] | None) -> Shares | None:
    """Return the stances' shares of the named time, beside the wrong partner's if known."""
    clear = facts.stances(shares)
    named = sum(clear.values())
    if named < 0.005:
        return None
    against = (null or {}).get("of_labelled") or {}
    rows = []
    for mode in schema.MODES:
        found = against.get(mode)
        share = clear[mode] / named if found is None else float(found["true"])
        shown = share * shares.get(mode, 0.0) / clear[mode] if clear[mode] else 0.0
        row = Share(mode, percent(share), round(100 * share, 1), round(100 * shown, 1))
        if found is not None:
            low, high, median = (100 * float(found[k]) for k in ("low", "high", "median"))
            row = Share(
                mode,
                row.share,
                row.width,
                row.shown,
                percent(found["median"]),
                round(low, 1),
                round(high - low, 1),
                round(min(median, 99.0), 1),
            )
        rows.append(row)
    note = "Pale: not shown to be about this partner."
    if against:
        note += (
            f" Dark marks: wrong partners ({(null or {}).get('rolls')} shifts), median and range."
        )
    return Shares(tuple(rows), bool(against), note)


def _states(digest: Digest, track: Track, name: Who) -> list[Sentence]:
    t, arousal = facts.steps(digest, track.series["arousal"])
    return [
        sentences.activation(name, facts.peaks(t, arousal), track.has("arousal")),
        *sentences.trend(name, facts.trend(arousal), digest.duration_s),
    ]


def _looks(digest: Digest, track: Track, name: Who) -> list[Sentence]:
    t, valence = facts.steps(digest, track.series["valence"])
    lows = [(at, -v) for at, v in facts.peaks(t, -valence, 2)]
    return sentences.pleasantness(name, lows, facts.peaks(t, valence, 2), track.has("valence"))


def _cues(digest: Digest, who: Cast) -> Section:
    said: list[Sentence] = []
    for _, track in who.pairs:
        said += _states(digest, track, who[track]) + _looks(digest, track, who[track])
    return Section(
        "cues",
        "Read their cues",
        "States and patterns over time",
        said,
        (
            "Activation (arousal) is the mean of pitch, loudness and pace of the voice and "
            "movement of face, head and body; pleasantness (valence) is read from the face. Both "
            "are compared with the same person's first 45 seconds or so: 0 is their usual, 1 is "
            "one ordinary spread (a robust standard deviation) above it. Peaks are at least 1, "
            "over 2-second means, 20 seconds apart.",
        ),
    )


def _grace(digest: Digest, summary: Mapping[str, Any], who: Cast) -> Section:
    said: list[Sentence] = []
    turns = summary.get("turns") or {}
    for listener, partner in who.pairs:
        mine = [e for e in digest.events["turn"] if e.person == listener.person]
        answers = sorted((e for e in mine if e.value > 0.5), key=lambda e: -e.value)[:3]
        slow = [At(e.t - e.value, e.t, f"({seconds(e.value)})") for e in answers]
        median = _of(turns.get("median_offset_s"), listener)
        count = sum(np.isfinite(e.value) for e in mine)
        said.append(
            pair.latency(
                who[listener],
                who[partner],
                median,
                int(count),
                sorted(slow),
                _ends(turns.get("offset_s"), listener),
            )
        )
        if len(who.pairs) == 1:
            said += pair.space(who[listener], who[partner], summary.get("space"))
        cut_in = [At(e.t, min(e.t_end, e.t + 3)) for e in mine if e.detail == "interruption"]
        said.append(
            pair.interruptions(
                who[listener],
                who[partner],
                cut_in,
                len(mine),
                _ends(turns.get("interrupting"), listener),
            )
        )
        share = _of(turns.get("talk_share"), listener)
        long = [
            At(e.t, e.t_end, f"({seconds(_length(e))})") for e in sorted(mine, key=_length)[-2:]
        ]
        said.append(pair.floor(who[listener], share, turns, sorted(long)))
    return Section(
        "grace",
        "Give grace",
        "Time to finish, time to answer",
        said,
        (
            "The time from the end of one person's turn to the start of the other's; below zero "
            "they overlap. In recorded conversations the middle value is around 0.1 to 0.2 "
            "seconds, so a longer pause is already unhurried. Taking the floor counts as an "
            "interruption only while the other goes on talking; short responses do not count.",
            "A peak begins where your partner's activation is 1 above their usual, or their "
            "pleasantness 1 below, and ends within half of that; a wait comes after one if it was "
            "under way in the last 5 seconds of the turn before. By chance: the same peaks moved "
            "along the waits. If your partner went on, you had waited at least that long.",
        ),
    )


def _listening(digest: Digest, who: Cast) -> Section:
    said: list[Sentence] = []
    for listener, partner in who.pairs:
        name, other = who[listener], who[partner]
        if digest.views:
            found = facts.gaze(listener, partner, digest.width_s)
            looks = sorted(_of_person(digest.events["look_away"], listener), key=_length)[-3:]
            away = [At(e.t, e.t_end, f"({seconds(_length(e))})") for e in looks if _length(e) >= 2]
            said += sentences.eye_contact(name, other, found, sorted(away))
        else:
            said.append(quiet("There is no picture, so nothing is said on eye contact and nods."))
        nods = [At(e.t, e.t_end, "(nod)") for e in _of_person(digest.events["nod"], listener)]
        short = [
            At(e.t, e.t_end, "(“mm-hm”)")
            for e in _of_person(digest.events["backchannel"], listener)
        ]
        minutes = digest.duration_s / 60
        said.append(sentences.signals(name, nods, short, minutes, bool(digest.views)))
    return Section(
        "listening",
        "Active listening",
        "Eye contact, nods, short responses",
        said,
        (
            "Eyes are “on the other” while head and eyes point where they rest most of the time. "
            "In studies people look at the other for around 70 in 100 seconds of listening and 40 "
            "of talking, with wide differences. Nods are quick up-and-down movements of the head; "
            "short responses are utterances under a second or so that do not take the floor.",
        ),
    )


def _self(digest: Digest, pairs: Iterable[tuple[Track, Track | None]], who: Cast) -> Section:
    said: list[Sentence] = []
    for track, other in pairs:
        name, known = who[track], track.has("arousal")
        said += _states(digest, track, name)
        found = facts.rises(digest, track, other) if known else []
        said += sentences.rises(name, who[other] if other else None, found, known)
        if other is None:
            said += _looks(digest, track, name)
    return Section(
        "self",
        "Tune in to yourself",
        "Your own activation, and what came before it rose",
        said,
        (
            "A quick rise is at least 1 within 10 seconds. What came before is what was going on "
            "in the 6 seconds before it began: a neighbour in time, not a proven cause. How it "
            "felt from the inside is yours to know.",
        ),
    )


def _live(digest: Digest, live: Mapping[str, Any]) -> Section:
    """Return what was said and done during a live session."""
    said = []
    felt = [c for c in live.get("checkins") or () if c.get("calm") is not None]
    if felt:
        parts = [
            f"{c['calm']:.0f} of 10 {c['when']}" + (f" (“{c['note']}”)" if c.get("note") else "")
            for c in felt
        ]
        said.append(Sentence(f"How calm you said you felt: {', '.join(parts)}."))
    marks = [At(e.t, e.t_end, f"(“{e.detail}”)" if e.detail else "") for e in digest.events["mark"]]
    if marks:
        said.append(Sentence("Moments that you marked:", tuple(marks)))
    for e in digest.events["advice"]:
        said.append(Sentence(f"You were shown: “{e.detail}”", (At(e.t, e.t_end),)))
    if not said:
        said.append(quiet("Nothing was marked, and no sentence was shown."))
    return Section(
        "live",
        "During the session",
        "What you marked, and what you were shown",
        said,
        (
            "A sentence is shown at most once in a while, and only where the evidence is clear; "
            "most of the time nothing is said.",
        ),
    )


def coverage(digest: Digest, meta: Mapping[str, Any], who: Cast) -> list[Sentence]:
    """Return what could be seen, heard and judged of each person, and from when."""
    said = []
    for track in digest.tracks.values():
        name = who[track]
        about = (meta.get("coverage") or {}).get(track.person) if track.present else None
        gaps = [
            At(r.start, r.end, f"({family}: {reason(r.value)})")
            for family in ("face", "voice")
            for r in track.gaps[family]
            if r.length >= 1.0
        ]
        gaps = sorted(sorted(gaps, key=lambda a: a.start - a.end)[:4])
        said.append(sentences.coverage(name, about, gaps))
        if track.present:
            said.append(sentences.baseline(name, (meta.get("baseline") or {}).get(track.person)))
    halts = [At(e.t, e.t_end, f"({e.detail})") for e in digest.events["gap"]]
    if halts:
        said.append(Sentence("Nothing was sensed here:", tuple(halts[:6])))
    doubts = [At(e.t, e.t_end) for e in digest.events["identity_doubt"]]
    if doubts:
        text = "Here a face came back after a while out of sight and may be another person's:"
        said.append(Sentence(text, tuple(doubts[:6])))
    return said


def _of(found: Mapping[str, Any] | None, track: Track) -> float:
    value = (found or {}).get(track.person)
    return float("nan") if value is None else float(value)


def _ends(found: Mapping[str, Any] | None, track: Track) -> tuple[float, float]:
    """Return the ends of a person's interval, NaN if it is unknown."""
    interval = (found or {}).get(track.person) or {}
    return number(interval.get("low")), number(interval.get("high"))


def _of_person(spans: Sequence[Span], track: Track) -> list[Span]:
    return [s for s in spans if s.person == track.person]


def _length(span: Span) -> float:
    return span.t_end - span.t
