"""One channel of sound without a gap, at 16 kHz: everything that is measured of a hop.

Speech by Silero VAD joined with voicing (`cues.speech`), F0 by SwiftF0 with a voicing of our own
(`cues.pitch`), level, tilt and syllable nuclei (`cues.prosody`), voice quality (`cues.tone`), and
what tells whose voice it is (`cues.voiceprint`). The F0 comes latest, some 10 hops after its sound;
what is known before waits for it.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cuesense import config
from cuesense.cues import pitch, prosody, tone, voiceprint
from cuesense.cues import speech as speaking
from cuesense.cues.prosody import FRAME, HOP
from cuesense.cues.tracker import Tracker
from cuesense.types import F32, F64

N_MEASURES: Final = 8  # speech, F0, voicing, loudness, tilt, nucleus, HNR, CPP
N_VALUES: Final = N_MEASURES + voiceprint.COEFFICIENTS
VAD_HOPS: Final = 2  # per window of the voice activity model, which answers one window late
HOLD: Final = 9  # hops; a nucleus is decided by the time that its F0 is there (10 hops later)
BEFORE: Final = tone.WINDOW // 2  # samples kept before the centre of the first hop that waits


class Channel:
    """Turn chunks of sound into the values of its hops.

    Parameters
    ----------
    settings : config.Voice
    vad : SileroVAD
        Fresh.
    tracker : Tracker
        Fresh.
    """

    def __init__(self, settings: config.Voice, vad: Any, tracker: Tracker) -> None:
        self._settings = settings
        self._vad = vad
        self._tracker = tracker
        self._fresh = True
        self._smoothing: F64 | None = None
        self._peaks: prosody.PeakState | None = None
        self._level = -math.inf
        self._voiced = False  # the last hop
        self._voicing: F64 | None = None  # of the last hops
        self._tail: F32 = np.zeros(HOP, np.float32)
        # What waits for the F0, from hop `_done` on, each as far as it is known:
        self._sound: F32 = np.zeros(BEFORE, np.float32)  # from `BEFORE` its centre on
        self._loudness: F64 = np.zeros((0, 2))  # and tilt
        self._cepstra: F64 = np.zeros((0, voiceprint.COEFFICIENTS))
        self._speech: F64 = np.zeros(0)
        self._contour: F64 = np.zeros(0)  # smoothed level in the nuclei's band
        self._nuclei: set[int] = set()  # peaks of the level, by hop
        self._done = 0  # hops returned

    def push(self, chunk: F32, *, last: bool) -> F64:
        """Analyse whole VAD windows (anything if `last`); return (n, N_VALUES) of finished hops."""
        hops = len(chunk) // HOP
        sound = np.concatenate([self._tail, chunk[: hops * HOP]])
        self._tail = sound[-HOP:]
        starts = np.arange(hops)[:, None] * HOP
        frames = sound[starts + np.arange(FRAME)]
        loudness, tilt, power = prosody.levels(frames)
        self._loudness = np.concatenate([self._loudness, np.stack([loudness, tilt], axis=1)])
        self._cepstra = np.concatenate([self._cepstra, voiceprint.cepstra(frames)])
        silence = np.zeros(2 * BEFORE if last else 0, np.float32)
        self._sound = np.concatenate([self._sound, chunk, silence])
        self._find_speech(chunk, last)
        self._find_peaks(power, last)
        self._fresh = False
        return self._finish(*self._tracker.push(chunk, last=last))

    def _find_speech(self, chunk: F32, last: bool) -> None:
        """Silero VAD: one probability per window, put where the window before it was."""
        windows = np.zeros((math.ceil(len(chunk) / (VAD_HOPS * HOP)), VAD_HOPS * HOP), np.float32)
        windows.ravel()[: len(chunk)] = chunk
        if last:  # the last answer comes with the silence that follows
            windows = np.pad(windows, ((0, 1), (0, 0)))
        answers = np.array([self._vad.process(window.data) for window in windows], np.float64)
        late = answers[1:] if self._fresh else answers
        self._speech = np.concatenate([self._speech, np.repeat(late, VAD_HOPS)])

    def _find_peaks(self, power: F64, last: bool) -> None:
        """Find the level's peaks, of which those that are sonorant will be nuclei."""
        if last:  # silence follows: it completes the last hop and decides the last peak
            power = np.concatenate([power, np.zeros(3)])
        level, self._smoothing = prosody.smooth_db(power, self._smoothing)
        if self._fresh:
            level = level[1:]  # of the hop before the first
        found, self._peaks = prosody.peaks(
            level, dip_db=self._settings.nucleus_dip_db, hold=HOLD, state=self._peaks
        )
        self._nuclei.update(found)
        self._contour = np.concatenate([self._contour, level])

    def _finish(self, f0: F64, confidence: F64) -> F64:
        """Put together the hops that have their F0."""
        n = min(len(f0), len(self._loudness))
        f0 = f0[:n]
        voicing, voiced = self._decide_voicing(f0, confidence[:n])
        speech, self._voicing = speaking.joined(self._speech[:n], voicing, self._voicing)
        loudness, tilt = self._loudness[:n].T
        # A creaky or hoarse vowel has no F0, but its energy lies low, unlike a fricative's.
        sonorant = voiced | ((speech >= self._settings.speech) & (tilt > prosody.SONORANT_TILT_DB))
        contour = self._contour[:n]
        reference, self._level = prosody.speech_level(contour, sonorant, self._level)
        loud = contour > reference - prosody.NUCLEUS_FLOOR_DB
        peak = np.zeros(n, np.bool_)
        peak[[hop - self._done for hop in self._nuclei if hop < self._done + n]] = True
        quality = np.full((2, n), np.nan)
        if voiced.any():
            power = tone.spectra(self._around(np.flatnonzero(voiced), tone.WINDOW))
            quality[0, voiced] = tone.harmonicity_db(power, f0[voiced])
            quality[1, voiced] = tone.cepstral_peak_db(power, f0[voiced])
        f0 = np.where(voiced, f0, np.nan)
        out = [speech, f0, voicing, loudness, tilt, peak & sonorant & loud, *quality]
        finished = np.concatenate([np.stack(out, axis=1), self._cepstra[:n]], axis=1)

        self._sound = self._sound[n * HOP :]
        self._loudness, self._cepstra = self._loudness[n:], self._cepstra[n:]
        self._speech, self._contour = self._speech[n:], self._contour[n:]
        self._done += n
        self._nuclei = {hop for hop in self._nuclei if hop >= self._done}
        return finished

    def _decide_voicing(self, f0: F64, confidence: F64) -> tuple[F64, npt.NDArray[np.bool_]]:
        """Voicing of finished hops and whether they are voiced."""
        maybe = np.flatnonzero(confidence >= pitch.UNVOICED)
        repeats = np.zeros(len(f0))
        repeats[maybe] = pitch.periodicity(self._sound, maybe * HOP + BEFORE, f0[maybe])
        voicing = pitch.voicing(confidence, repeats)
        on, off = self._settings.voicing, self._settings.voicing_off
        voiced, self._voiced = pitch.voiced(voicing, on=on, off=off, state=self._voiced)
        return voicing, voiced

    def _around(self, hops: npt.NDArray[np.intp], length: int) -> F32:
        """Return frames (len(hops), length) of the sound, centred on hops after `_done`."""
        first = hops * HOP + BEFORE - length // 2
        return np.asarray(self._sound[first[:, None] + np.arange(length)])
