"""The records that flow, in the order of the flow.

Times are float64 seconds since the session's start, from presentation timestamps. Arrays are
read-only. What is absent is NaN together with a reason from `Reason`; it is never 0 and never
left out.

Signs (all angles in radians, as seen in the picture, which is not mirrored):

* pitch: + chin up, yaw: + nose turned to the picture's right, roll: + head tilted clockwise;
* gaze yaw: + to the picture's right, gaze pitch: + up (head and eyes together).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

Person = Literal["A", "B"]
PEOPLE: tuple[Person, Person] = ("A", "B")
N_LANDMARKS = 478
N_BLENDSHAPES = 52


class Reason(StrEnum):
    """Why a value is missing (or, for `reassociated`, doubtful); in words: `schema.MISSING`."""

    OK = ""
    NO_VIDEO = "no_video"
    NO_AUDIO = "no_audio"
    NO_PERSON = "no_person"
    NO_FACE = "no_face"
    OUT_OF_FRAME = "out_of_frame"
    LOW_LIGHT = "low_light"
    BLURRED = "blurred"
    REASSOCIATED = "reassociated"
    SILENT = "silent"
    UNVOICED = "unvoiced"
    OVERLAP = "overlap"
    OTHER_VOICE = "other_voice"
    UNCALIBRATED = "uncalibrated"
    DROPPED = "dropped"


class Role(StrEnum):
    """Who shares and who listens."""

    PARTNER = "partner"
    LISTENER = "listener"
    UNDECIDED = "undecided"


def _shape(name: str, array: npt.NDArray[np.generic], expected: tuple[int | None, ...]) -> None:
    got = array.shape
    if len(got) != len(expected) or any(
        e is not None and e != g for e, g in zip(expected, got, strict=True)
    ):
        want = "(" + ", ".join("n" if e is None else str(e) for e in expected) + ")"
        raise ValueError(f"{name} has shape {got}, expected {want}")


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One picture: `image` is uint8 (height, width, 3) RGB, upright and not mirrored."""

    t: float
    image: U8
    index: int
    view: int = 0

    def __post_init__(self) -> None:
        _shape("image", self.image, (None, None, 3))

    @property
    def end(self) -> float:
        """Time by which the packet is complete, in s."""
        return self.t


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """At most 20 ms of sound: `samples` is float32 (n, channels) in [-1, 1], `rate` in Hz.

    `t` is the time of the first sample. A sample that could not be decoded is NaN.
    """

    t: float
    samples: F32
    rate: int
    view: int = 0

    def __post_init__(self) -> None:
        _shape("samples", self.samples, (None, None))

    @property
    def end(self) -> float:
        """Time by which the packet is complete, in s."""
        return self.t + len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class Lull:
    """Nothing came up to `t` (s): time goes on, and what is missing is missing."""

    t: float

    @property
    def end(self) -> float:
        """Time by which the packet is complete, in s."""
        return self.t


Packet = VideoFrame | AudioBlock | Lull


@dataclass(frozen=True, slots=True, eq=False)
class FaceCue:
    """One person's face in one picture.

    Attributes
    ----------
    t
        s.
    seat
        0 or 1: which of the two people.
    box
        (4,) x, y, width, height of the face in [0, 1] of the picture.
    landmarks
        float32 (478, 3), x and y in [0, 1] of the picture, z in picture widths.
    blendshapes
        float32 (52,) in [0, 1], in the order of `schema.BLENDSHAPES`.
    pose
        (3,) head pitch, yaw, roll in rad (signs: see the module).
    gaze
        (2,) yaw, pitch in rad, of head and eyes together.
    quality
        [0, 1]; 0 where there is no face.
    reason
        why values are missing or doubtful.
    others
        how many further faces the last sweep saw.
    """

    t: float
    seat: int
    box: F64
    landmarks: F32
    blendshapes: F32
    pose: F64
    gaze: F64
    quality: float
    reason: Reason = Reason.OK
    others: int = 0

    @classmethod
    def missing(cls, t: float, seat: int, reason: Reason, others: int = 0) -> FaceCue:
        """Return the cue that says that there is nothing, and why."""
        nan = np.nan
        return cls(
            t,
            seat,
            np.full(4, nan),
            np.full((N_LANDMARKS, 3), nan, np.float32),
            np.full(N_BLENDSHAPES, nan, np.float32),
            np.full(3, nan),
            np.full(2, nan),
            0.0,
            reason,
            others,
        )

    @property
    def present(self) -> bool:
        """Whether a face was found."""
        return bool(np.isfinite(self.box[0]))


@dataclass(frozen=True, slots=True)
class VoiceCue:
    """One hop (16 ms) of one audio channel, whoever speaks.

    Attributes
    ----------
    t
        s, centre of the hop.
    channel
        index over all views' channels; a mono recording has channel 0 only.
    speech
        probability of speech in [0, 1], NaN where there is no sound.
    f0_hz
        fundamental frequency, NaN where unvoiced.
    voicing
        voicing confidence in [0, 1].
    loudness_db
        A-weighted level, dB re full scale; NaN where there is no sound.
    spectral_tilt_db
        level below minus above 1 kHz, dB; NaN where silent.
    nucleus
        True where a syllable nucleus (its intensity peak) falls into this hop.
    reason
        why values are missing.
    hnr_db
        harmonics-to-noise ratio, dB; NaN where unvoiced.
    cpp_db
        cepstral peak prominence, dB; NaN where unvoiced.
    cepstrum
        (`cues.voiceprint.COEFFICIENTS`,) what tells whose voice it is; NaN where there is no
        sound, None if it was not measured.
    """

    t: float
    channel: int
    speech: float
    f0_hz: float
    voicing: float
    loudness_db: float
    spectral_tilt_db: float
    nucleus: bool
    reason: Reason = Reason.OK
    hnr_db: float = float("nan")
    cpp_db: float = float("nan")
    cepstrum: F64 | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Event:
    """Something with a beginning and an end: a turn, a nod, a blink, a label, ….

    `kind` is one of `schema.EVENTS`; `person` is "A", "B" or "" for the dyad.
    """

    t: float
    t_end: float
    person: str
    kind: str
    value: float = float("nan")
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Sensed:
    """What was sensed of both people at one tick (25 Hz), before any of it is a state.

    Attributes
    ----------
    t
        s.
    values
        of each person, float64 in the order of `schema.VALUES`; columns of states are NaN.
    reasons
        of each person: `face_reason`, `voice_reason` and `body_reason`.
    events
        nods, shakes, blinks and doubts that are known and over by now.
    end
        s, when the source ended, at the last tick; else NaN.
    """

    t: float
    values: tuple[F64, F64]
    reasons: tuple[Mapping[str, Reason], Mapping[str, Reason]]
    events: tuple[Event, ...] = ()
    end: float = float("nan")

    @property
    def last(self) -> bool:
        """Whether it is the source's last tick."""
        return self.end == self.end

    @property
    def speaking(self) -> tuple[float, float]:
        """Probability that each person speaks, NaN where there is no sound."""
        from cuesense.schema import VALUE_INDEX

        first, second = (float(values[VALUE_INDEX["speaking"]]) for values in self.values)
        return first, second


@dataclass(frozen=True, slots=True, eq=False)
class PersonState:
    """One person at one tick (25 Hz): every numeric column of `schema.TIMELINE`, and reasons.

    `values` is float64 in the order of `schema.VALUES`.
    """

    t: float
    person: Person
    role: Role
    values: F64
    reasons: Mapping[str, Reason]

    def __getitem__(self, column: str) -> float:
        from cuesense import schema

        return float(self.values[schema.VALUE_INDEX[column]])


@dataclass(frozen=True, slots=True)
class DyadState:
    """What may be said of the listener at one tick (5 Hz): a stance and a contingency.

    Attributes
    ----------
    t
        s.
    label
        of `schema.LABELS`; "mirroring" and "regulating" only where both claims hold.
    reason
        why the label is none of the three modes; else "".
    variant
        "sharing", "escalating" or "".
    p
        stance: probability of mirroring, regulating, disengaged, summing to 1 (NaN if not
        computable).
    evidence
        the contingency and all numbers that both rest on, by `schema.STATE` column name.
    rival
        the strongest competing explanation; "" if nothing was judged.
    """

    t: float
    label: str
    reason: str
    variant: str
    p: tuple[float, float, float]
    evidence: Mapping[str, float] = field(default_factory=dict)
    rival: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """At most one piece of advice at a time, with its evidence."""

    t: float
    until: float
    to: Person
    kind: str
    text: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """What every sink receives, once per tick (25 Hz).

    `dyad` is set at the ticks of the dyad's own grid (5 Hz) and None between them. `events`
    are those that were completed by this tick.
    """

    t: float
    people: tuple[PersonState, PersonState]
    dyad: DyadState | None = None
    advice: Advice | None = None
    events: tuple[Event, ...] = ()
