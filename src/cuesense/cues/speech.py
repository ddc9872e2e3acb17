"""Whether a hop is speech: the activity model, the voicing before it, laughter's rhythm. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.types import F64

RECENT: Final = 8
"""Hops (128 ms) for which a voiced sound speaks for speech: a stop or fricative after a vowel."""
WEIGHT: Final = 2.0
"""Log-odds of speech per unit of voicing: enough to tip a doubt, not to overrule the model."""
NEUTRAL: Final = 0.25
"""Voicing that speaks neither for nor against speech, as unvoiced speech is speech too."""

CALL: Final = 6
"""Hops (96 ms): a laugh's voiced calls last no longer, a word's vowels mostly do."""
BEAT: Final = (9, 20)
"""Hops (.14 to .32 s) from one call of a laugh to the next."""
EVEN: Final = 1.4
"""Greatest ratio of one such interval to the next."""
CALLS: Final = 3
"""Calls after which there is a laugh."""
LAUGHED: Final = 0.2
"""Share of the probability of speech that is left within a laugh."""


def joined(model: F64, voicing: F64, state: F64 | None = None) -> tuple[F64, F64]:
    """Join the model's probability of speech with the voicing.

    ``logit p = logit model + WEIGHT (v - NEUTRAL)``, v the highest voicing of the hop and the
    `RECENT` hops before it. The model alone grows unsure in noise and music, where the pitch is
    still heard; music and coughs are voiced as well, but of them the model is sure.

    Parameters
    ----------
    model : (n,) array
        Probability of speech.
    voicing : (n,) array
        In [0, 1].
    state : (RECENT,) array, optional
        The last voicing; None at the start.

    Returns
    -------
    speech : (n,) array
        In (0, 1).
    state : (RECENT,) array
    """
    past = np.concatenate([np.zeros(RECENT) if state is None else state, voicing])
    recent = np.max([past[k : k + len(voicing)] for k in range(RECENT + 1)], axis=0)
    # The model never means a certainty by its 0 and 1.
    odds = (model + 0.003) / (1.003 - model) * np.exp(WEIGHT * (recent - NEUTRAL))
    return np.asarray(odds / (1 + odds)), past[-RECENT:]


@dataclass(frozen=True, slots=True)
class LaughState:
    """Where `laughs` stands, in hops since the start of the stream."""

    seen: int = 0
    run: int = 0  # length of the voiced run that goes on
    calls: int = 0  # even calls so far
    start: int = 0  # of the last call
    beat: int = 0  # from the call before to the last one


def laughs(
    voiced: npt.NDArray[np.bool_], state: LaughState | None = None
) -> tuple[npt.NDArray[np.bool_], LaughState]:
    """Find laughter by its rhythm: `CALLS` short voiced calls at an even beat.

    A laugh is a row of calls of some 50 to 100 ms, about five a second, with breath between
    (Bachorowski, Smoski & Owren 2001, doi:10.1121/1.1391244). It is known from its third call on,
    and over with a longer voiced run or when the next call does not come.

    Parameters
    ----------
    voiced : (n,) bool array
        Per hop.
    state : LaughState, optional
        None at the start.

    Returns
    -------
    laugh : (n,) bool array
    state : LaughState
    """
    now = state or LaughState()
    run, calls, start, beat = now.run, now.calls, now.start, now.beat
    laugh = np.zeros(len(voiced), np.bool_)
    for i, on in enumerate(voiced.tolist()):
        hop = now.seen + i
        if on:
            run += 1
            if run > CALL:
                calls = 0
        elif run:
            if run <= CALL:
                calls, start, beat = _next_call(calls, start, beat, hop - run)
            run = 0
        if hop - run - start > BEAT[1]:
            calls = 0
        laugh[i] = calls >= CALLS
    return laugh, LaughState(now.seen + len(voiced), run, calls, start, beat)


def _next_call(calls: int, last: int, beat: int, start: int) -> tuple[int, int, int]:
    """Count a call that begins at `start`; return calls, its start and its beat."""
    step = start - last
    if calls == 0 or not BEAT[0] <= step <= BEAT[1]:
        return 1, start, step
    even = calls == 1 or 1 / EVEN <= step / beat <= EVEN
    return (calls + 1 if even else 2), start, step
