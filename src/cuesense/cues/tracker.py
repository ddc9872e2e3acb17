"""F0 of a stream of sound by SwiftF0's network, without what else that package measures.

`swift_f0.PitchStream` gives the same numbers; it also takes every frame's level, sample by sample,
which cost a tenth of the voice path and which nobody reads here.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from cuesense.cues.prosody import HOP
from cuesense.types import F32, F64

EARLIER: Final = 11
LATER: Final = 10
"""Hops before and after a hop that the network's answer for it depends on."""
SILENCE: Final = 1e-3
"""A hop whose samples are all smaller has no pitch: in such silence the network imagines some."""


class Tracker:
    """Stage: sound at 16 kHz in chunks -> F0 and confidence per hop, `LATER` hops late.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Of SwiftF0's network; may be shared.
    floor_hz, ceiling_hz : float
        F0 is looked for between them, Hz.
    """

    def __init__(self, session: Any, floor_hz: float, ceiling_hz: float) -> None:
        self._session = session
        self._range = {
            "fmin": np.array(floor_hz, np.float32),
            "fmax": np.array(ceiling_hz, np.float32),
        }
        self._sound: F32 = np.zeros(0, np.float32)
        self._known = 0  # hops at its beginning that were answered before

    def push(self, chunk: F32, *, last: bool) -> tuple[F64, F64]:
        """Return F0 in Hz and confidence in [0, 1] of the hops that can be answered now, (n,).

        Both are 0 in silence.
        """
        self._sound = np.concatenate([self._sound, chunk])
        there = len(self._sound) // HOP
        ready = there if last else there - LATER
        if ready <= self._known:
            return np.zeros(0), np.zeros(0)
        new = slice(self._known, ready)
        sounds = np.abs(self._sound[: ready * HOP].reshape(-1, HOP)[new]).max(axis=1) >= SILENCE
        f0, confidence = np.zeros((2, len(sounds)))
        if sounds.any():
            inputs = {"audio": self._sound[None], **self._range}
            answers = self._session.run(["pitch", "confidence"], inputs)
            f0[sounds], confidence[sounds] = (answer[0, new][sounds] for answer in answers)
        gone = max(0, ready - EARLIER)
        self._sound = self._sound[gone * HOP :]
        self._known = ready - gone
        return f0, confidence
