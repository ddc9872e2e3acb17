"""Whether a hop is speech: the activity model and the voicing before it. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from cuesense.types import F64

RECENT: Final = 8
"""Hops (128 ms) for which a voiced sound speaks for speech: a stop or fricative after a vowel."""
WEIGHT: Final = 2.0
"""Log-odds of speech per unit of voicing: enough to tip a doubt, not to overrule the model."""
NEUTRAL: Final = 0.25
"""Voicing that speaks neither for nor against speech, as unvoiced speech is speech too."""


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
