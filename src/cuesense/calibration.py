"""A baseline for a recording that was sensed as a whole: chosen or given, learned from, then used.

All of it works on what was sensed, not on the recording itself; see `pipeline.settle`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from cuesense.appraisal import Profiles
from cuesense.config import BASELINE_S, Config
from cuesense.errors import ParameterError
from cuesense.state.affect import PersonAffect
from cuesense.state.ordinary import Seconds, ordinary
from cuesense.state.profile import Profile
from cuesense.types import Sensed

Wish = Literal["auto"] | tuple[float, float]
"""What the user wants: the most ordinary stretch, or this one, in s."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where people's usual is learned.

    Attributes
    ----------
    start_s, end_s
        s.
    how
        it was chosen: "start" as the settings say, "given" by the user, "auto": found.
    notes
        sentences for the user.
    """

    start_s: float
    end_s: float
    how: Literal["start", "given", "auto"] = "start"
    notes: tuple[str, ...] = ()

    @staticmethod
    def usual(config: Config) -> Stretch:
        """Return the stretch that the settings name."""
        base = config.baseline
        return Stretch(base.start_s, base.start_s + base.duration_s)


def wish(baseline: str | tuple[float, float], config: Config) -> Wish:
    """Return what ``"auto"``, ``"START:END"`` or a pair of times in s asks for.

    Raises
    ------
    ParameterError
        If it is none of these, or too short to learn from.
    """
    if baseline == "auto":
        return "auto"
    parts = baseline.split(":") if isinstance(baseline, str) else baseline
    shown = baseline if isinstance(baseline, str) else ":".join(map(str, baseline))
    try:
        start, end = (float(part) for part in parts)
    except (TypeError, ValueError):
        start = end = math.nan
    if not 0.0 <= start < end < math.inf:
        raise ParameterError(
            f"baseline={shown!r} must be auto or START:END in seconds, such as 60:105"
        )
    shortest, longest = BASELINE_S
    least = max(shortest, config.baseline.min_face_s, config.baseline.min_voice_s)
    if not least <= end - start <= longest:
        raise ParameterError(
            f"baseline={shown!r} must be {least:g} to {longest:g} s long; name another stretch"
        )
    return start, end


def within(asked: Wish, duration_s: float) -> None:
    """Refuse a stretch that goes beyond the recording's end (NaN: not known).

    Raises
    ------
    ParameterError
        If it does.
    """
    if asked != "auto" and asked[1] > duration_s + 0.5:
        raise ParameterError(
            f"baseline='{asked[0]:g}:{asked[1]:g}' must end within the recording, which is "
            f"{duration_s:.0f} s long; name an earlier stretch, or auto"
        )


def choose(asked: Wish, seconds: Seconds, end_s: float, config: Config) -> Stretch:
    """Return the stretch to learn from, with notes on whatever is not as it was asked for.

    Parameters
    ----------
    asked
        what the user wants.
    seconds
        of the whole recording.
    end_s
        s, its end.
    config
        settings.
    """
    base = config.baseline
    if asked != "auto":
        return _noted(Stretch(*asked, "given"), seconds, config)
    if end_s < base.duration_s + 1.0:  # whole seconds are compared
        why = (
            f"the recording is hardly longer than a baseline ({base.duration_s:g} s), or shorter: "
            "all of it is taken",
        )
        return _noted(Stretch(0.0, end_s, "auto", why), seconds, config)
    found = ordinary(seconds, base)
    if found is None:
        usual = Stretch.usual(config)
        why = (
            f"no {base.duration_s:g} s of the recording hold enough of both people "
            f"({base.min_face_s:g} s of face, {base.min_voice_s:g} s of voice each): the baseline "
            f"is {usual.start_s:g} to {usual.end_s:g} s, as without --baseline; to choose another "
            "stretch, name it",
        )
        return _noted(Stretch(usual.start_s, usual.end_s, "start", why), seconds, config)
    start, end = found.start_s, found.start_s + base.duration_s
    if found.calmer_s is None:
        return Stretch(start, end, "auto")
    calm = f"{found.calmer_s:g}:{found.calmer_s + base.duration_s:g}"
    note = (
        f"the most ordinary stretch, {start:g} to {end:g} s, is far more excited than the calmest: "
        f"if most of the recording is, --baseline {calm} is the better choice"
    )
    return Stretch(start, end, "auto", (note,))


def _noted(stretch: Stretch, seconds: Seconds, config: Config) -> Stretch:
    """Return the stretch with a note on what it holds too little of."""
    lacks = seconds.lacks(stretch.start_s, stretch.end_s, config.baseline)
    if not lacks:
        return stretch
    note = (
        f"the baseline holds little of {', '.join(lacks)}: what it lacks is learned from what "
        "follows it, if that has enough"
    )
    return Stretch(stretch.start_s, stretch.end_s, stretch.how, (*stretch.notes, note))


def learn(
    ticks: Iterable[Sensed], config: Config, stretch: Stretch, known: Profiles = (None, None)
) -> tuple[Profile, Profile]:
    """Return both people's profiles from a stretch of a recording.

    What was too rare in the stretch is taken from what follows it as well, as in any baseline.

    Parameters
    ----------
    ticks
        of the whole recording; those after the last that is needed are not asked for.
    config
        settings.
    stretch
        where to learn.
    known
        what is known of A's and B's usual before.
    """
    # What ends before its baseline does, as a very short recording, is closed at its end.
    length_s = max(BASELINE_S[0], stretch.end_s - stretch.start_s)
    base = {"start_s": stretch.start_s, "duration_s": length_s}
    there = Config.from_dict({**config.to_dict(), "baseline": config.to_dict()["baseline"] | base})
    people = (PersonAffect(there, known[0]), PersonAffect(there, known[1]))
    for sensed in ticks:
        for seat, person in enumerate(people):
            row = sensed.values[seat].copy()
            person.push(sensed.t, row, sensed.reasons[seat]["face_reason"])
        if all(person.complete for person in people):
            break
    for person in people:
        person.close()
    return cast(tuple[Profile, Profile], tuple(p.profile for p in people))
