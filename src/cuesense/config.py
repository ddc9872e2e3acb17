"""One frozen tree of settings, read from TOML; unknown keys are errors.

Every constant that a stage uses is here with its unit and its reason, so that a session's
provenance can name all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from cuesense.errors import ParameterError

BASELINE_S: Final = (5.0, 600.0)
"""s that a baseline takes at least and at most."""


@dataclass(frozen=True, slots=True)
class Capture:
    """How recordings are read."""

    max_side: int = 1920  # px; larger pictures are reduced on decoding
    block_s: float = 0.02  # s; audio is re-blocked to this
    threads: int = 0  # of a picture's decoder; 0: as many as it likes


@dataclass(frozen=True, slots=True)
class Live:
    """Cameras and microphones."""

    width: int = 1280  # px; asked of cameras, which may give something else
    height: int = 720
    fps: float = 30.0
    channels: int = 2  # asked of each microphone; it may be a pair, one per person
    queued_pictures: int = 3  # that wait; beyond, the oldest is dropped
    open_s: float = 6.0  # s that the devices may take to open before the session goes on without
    retry_s: float = 1.0  # s between attempts to open a device
    stall_s: float = 2.0  # s without a picture or sound after which a device counts as lost
    gap_s: float = 0.5  # s without anything that is noted as a gap
    silent_s: float = 3.0  # s of zeros after which a microphone counts as muted
    jump_s: float = 10.0  # s; a longer jump of the clock (sleep) is held to this


@dataclass(frozen=True, slots=True)
class Faces:
    """Detection sweep and per-person trackers."""

    sweep_s: float = 1.0  # s between sweeps while both faces are tracked
    search_s: float = 0.2  # s between sweeps while a person is missing
    min_face: float = 0.04  # narrowest face looked for, share of the picture's longer side
    detection_score: float = 0.5  # detector score below which a find is ignored
    crop: float = 2.2  # side of the square crop, in face widths
    crop_px: int = 320  # the crop is resized to this
    depth: int = 6  # frames in flight; a result is read this many frames later
    reach_s: float = 2.0  # s that an occluded face keeps its seat without a doubt
    low_light: float = 35.0  # mean grey level (0-255) of the face below which it is too dark
    workers: int = 2  # processes; 0 runs the trackers in this process (debugging)


@dataclass(frozen=True, slots=True)
class Voice:
    """Speech, pitch, level and pace."""

    f0_floor_hz: float = 60.0
    f0_ceiling_hz: float = 800.0  # shouts reach 500 to 750 Hz
    voicing: float = 0.55  # voicing confidence from which a voiced stretch begins
    voicing_off: float = 0.35  # voicing confidence below which it ends
    speech: float = 0.5  # speech probability from which there is speech
    nucleus_dip_db: float = 2.0  # de Jong & Wempe 2009: least dip between nuclei
    pace_window_s: float = 4.0  # s over which the syllable rate is counted
    channels: str = "auto"  # auto | mix | separate: does each person have an audio channel?


@dataclass(frozen=True, slots=True)
class People:
    """Whose voice it is, and who is who."""

    listener: str = "auto"  # auto | left | right | A | B
    attribution_lag_s: float = 0.6  # s of later evidence that attribution waits for
    motion_window_s: float = 0.4  # s over which motion of mouth, face and head is averaged
    gaze_radius_rad: float = 0.3  # gaze within this of its usual target is "on partner"


@dataclass(frozen=True, slots=True)
class Body:
    """Motion energy, nods and shakes."""

    grey_side: int = 320  # px; longer side of the grey picture that is differenced
    threshold: float = 12.0  # grey levels; smaller changes are camera noise
    nod_rad: float = 0.035  # least peak-to-peak pitch of a nod (yaw of a shake)
    nod_low_hz: float = 1.0
    nod_high_hz: float = 6.5


@dataclass(frozen=True, slots=True)
class Grid:
    """The regular time grid of the output."""

    rate_hz: float = 25.0
    lateness_s: float = 0.5  # s that a tick waits for late cues
    max_age_s: float = 0.12  # s; a cue further away from the tick is not taken


@dataclass(frozen=True, slots=True)
class Baseline:
    """The person-specific zero."""

    start_s: float = 0.0
    duration_s: float = 45.0  # 30-60 s of ordinary talk
    min_face_s: float = 15.0  # s of usable face within it
    min_voice_s: float = 3.0  # s of own voiced speech within it (or later, until reached)


@dataclass(frozen=True, slots=True)
class Affect:
    """Valence and arousal from z-scored cues."""

    z_limit: float = 6.0  # z-scores are clipped here, so that one glitch cannot rule


@dataclass(frozen=True, slots=True)
class Turns:
    """Who has the floor."""

    speech_on: float = 0.6  # probability from which a person speaks
    speech_off: float = 0.4  # probability below which they have stopped
    min_speech_s: float = 0.1  # s; shorter bursts are not speech
    min_pause_s: float = 0.2  # s; shorter silences do not end an utterance
    turn_pause_s: float = 1.5  # s; a longer silence of one's own ends the turn
    backchannel_s: float = 1.0  # s; an utterance this long is not a backchannel
    overlap_s: float = 0.1  # s; shorter overlaps are not reported
    interruption_s: float = 0.5  # s of overlap from which taking the floor interrupts
    peak: float = 1.0  # SD; arousal this high, or valence this low, is a peak
    peak_off: float = 0.5  # SD; back within this, the peak is over
    peak_s: float = 5.0  # s before the end of a turn in which a peak counts
    peak_answers: int = 6  # waits after a peak, and others, that a comparison needs


@dataclass(frozen=True, slots=True)
class Synchrony:
    """Whether two series of a session move together (30-s windows: webcam dyads' smiles)."""

    window_s: float = 30.0
    step_s: float = 10.0
    lag_s: float = 5.0  # s, largest lag that is looked at
    band_face_s: float = 1.0  # s; the claim is the mean signed z up to this lag
    min_duration_s: float = 180.0
    max_missing: float = 0.5  # share of either series
    surrogates: int = 199


@dataclass(frozen=True, slots=True)
class Entrainment:
    """Whether a voice follows the other's from turn to turn."""

    edge_s: float = 5.0  # s at the end of a turn and at the start of the answer that are compared
    least_s: float = 0.3  # s of values that each of the two needs
    exchanges: int = 15  # passes of the floor to a person that are needed
    draws: int = 999


@dataclass(frozen=True, slots=True)
class Dyad:
    """When something may be said of the listener, and what is computed of a whole session."""

    rate_hz: float = 5.0
    smoothing_s: float = 4.0  # s, EMA of arousal and valence
    partner_delay_s: float = 0.6  # s by which the partner's state is delayed
    events_s: float = 15.0  # s, EMA of the event rate and of gaze
    coverage_s: float = 10.0  # s over which coverage is taken
    min_coverage: float = 0.6
    min_time_s: float = 10.0
    min_p: float = 0.7  # probability from which a stance is clear
    min_contingency: float = 0.6  # probability from which the listener is said to answer
    demand: float = 0.75  # SD; |arousal| and |valence| of the partner both below: no demand
    sharing: float = 0.5  # SD of valence
    escalating: float = 0.5  # SD
    slope_s: float = 10.0
    null_shift_s: float = 15.0  # s; least roll of the wrong-partner null
    null_rolls: int = 39
    null_labelled_s: float = 30.0  # s of labelled time that the null needs
    settle_from_s: float = 10.0  # s after a moment, from which its effect is looked for
    settle_to_s: float = 20.0
    settle_bout_s: float = 3.0  # s; shorter stretches of a mode are not bouts
    settle_bouts: int = 5  # bouts of each mode that the settling check needs


@dataclass(frozen=True, slots=True)
class Feedback:
    """The one sentence at a time of a live session: how often, and on what evidence."""

    rules: str = ""  # TOML file of rules; "" takes those that come with cuesense
    gap_s: float = 20.0  # s from the start of a sentence to that of the next, at least
    lasts_s: float = 10.0  # s for which a sentence stands
    recent_s: float = 5.0  # s over which "now" is averaged, unless a rule says otherwise
    before_s: float = 60.0  # s before it, against which something rises or falls
    min_share: float = 0.2  # share of such a stretch in which a voice must be heard
    min_coverage: float = 0.8  # share of it, and of the states, for which the rest must be there
    min_p: float = 0.85  # posterior of the mode from which something is said
    doubt_s: float = 15.0  # s of silence after a doubt about who is who


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. `Config()` holds the defaults; `load` reads a TOML file over them."""

    capture: Capture = field(default_factory=Capture)
    live: Live = field(default_factory=Live)
    faces: Faces = field(default_factory=Faces)
    voice: Voice = field(default_factory=Voice)
    people: People = field(default_factory=People)
    body: Body = field(default_factory=Body)
    grid: Grid = field(default_factory=Grid)
    baseline: Baseline = field(default_factory=Baseline)
    affect: Affect = field(default_factory=Affect)
    turns: Turns = field(default_factory=Turns)
    synchrony: Synchrony = field(default_factory=Synchrony)
    entrainment: Entrainment = field(default_factory=Entrainment)
    dyad: Dyad = field(default_factory=Dyad)
    feedback: Feedback = field(default_factory=Feedback)

    def __post_init__(self) -> None:
        """Refuse numbers that no stage can work with."""
        for section in dataclasses.fields(self):
            _check_limits(getattr(self, section.name), section.name)
        _check_pairs(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as plain dicts and lists, as in the TOML file."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]

    def to_toml(self) -> str:
        """Return the tree as TOML that `load` reads back."""
        lines: list[str] = []
        _toml(self.to_dict(), "", lines)
        return "\n".join(lines).strip() + "\n"

    @property
    def hash(self) -> str:
        """SHA-256 of the tree, for provenance and resuming."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def with_listener(self, listener: str) -> Config:
        """Return the tree with another `people.listener`."""
        return _over(self, {"people": {"listener": listener}}, "")  # type: ignore[no-any-return]

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read a TOML file over the defaults.

        Raises
        ------
        ParameterError
            If the file cannot be read, is not TOML, holds an unknown key or a
            value that breaks its rule.
        """
        return cls.from_dict(read_toml(Path(path), "config"))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Config:
        """Build the tree from nested dicts; what is not named keeps its default."""
        return cast(Config, _over(cls(), tree, ""))


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """Read a TOML file that the user gave as `name`.

    Raises
    ------
    ParameterError
        If it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(
            f"{name}={str(path)!r} cannot be read ({error.strerror}); give a TOML file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{name}={str(path)!r} is not valid TOML: {error}") from error


def _toml(tree: Mapping[str, Any], where: str, lines: list[str]) -> None:
    plain = {k: v for k, v in tree.items() if not isinstance(v, Mapping)}
    if plain and where:
        lines += ["", f"[{where}]"]
    # JSON's strings, numbers and lists are written as in TOML.
    lines += [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in tree.items():
        if isinstance(value, Mapping):
            _toml(value, f"{where}.{key}" if where else key, lines)


def _over(default: Any, tree: Any, where: str) -> Any:
    """Return the dataclass `default` with the values of the mapping `tree` put over it."""
    if not isinstance(tree, Mapping):
        raise ParameterError(f"{where}={tree!r} must be a table, such as [{where}]")
    known = {f.name: getattr(default, f.name) for f in dataclasses.fields(default)}
    changes = {}
    for key, value in tree.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise ParameterError(f"unknown config key {name!r}; known here: {', '.join(known)}")
        changes[key] = _value(known[key], value, name)
    return dataclasses.replace(default, **changes)


def _value(default: Any, value: Any, name: str) -> Any:
    """Return `value` if it has the type of `default`, else say what it must be."""
    if dataclasses.is_dataclass(default):
        return _over(default, value, name)
    if isinstance(default, str):
        choices = _CHOICES.get(name)
        if isinstance(value, str) and (choices is None or value in choices):
            return value
        rule = f"one of {', '.join(choices)}" if choices else "text in quotes"
        raise ParameterError(f"{name}={value!r} must be {rule}")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, int):
        if number and value == int(value):
            return int(value)
        raise ParameterError(f"{name}={value!r} must be a whole number")
    if number and math.isfinite(value):
        return float(value)
    raise ParameterError(f"{name}={value!r} must be a finite number")


class _Limits(NamedTuple):
    """Interval that a number must lie in; `open`: its ends are not in it."""

    low: float
    high: float = math.inf
    open: bool = False

    def hold(self, value: float) -> bool:
        """Return whether `value` lies within."""
        if self.open:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'>' if self.open else '>='} {self.low:g}"
        return f"{'strictly ' * self.open}between {self.low:g} and {self.high:g}"


def _check_limits(section: Any, where: str) -> None:
    """Check every number of one section."""
    for f in dataclasses.fields(section):
        name, value = f"{where}.{f.name}", getattr(section, f.name)
        if not isinstance(value, str):
            key = f"{type(section).__name__.lower()}.{f.name}"
            _check(name, value, _LIMITS.get(key, _POSITIVE))


def _check(name: str, value: float, limits: _Limits) -> None:
    if not limits.hold(value):
        raise ParameterError(f"{name}={value} must be {limits}")


def _check_pairs(config: Config) -> None:
    """Check the rules that tie one value to another: each is (value, holds, rule)."""
    voice, body, turns = config.voice, config.body, config.turns
    synchrony, dyad, rate = config.synchrony, config.dyad, config.grid.rate_hz
    reach = synchrony.window_s + synchrony.lag_s
    rules = (
        (
            f"voice.f0_floor_hz={voice.f0_floor_hz:g}",
            1.05 * voice.f0_floor_hz <= voice.f0_ceiling_hz,  # the pitch model's steps are 4 %
            f"at least 5 % less than voice.f0_ceiling_hz={voice.f0_ceiling_hz:g}",
        ),
        (
            f"body.nod_low_hz={body.nod_low_hz:g}",
            body.nod_low_hz < body.nod_high_hz,
            f"less than body.nod_high_hz={body.nod_high_hz:g}",
        ),
        (
            f"voice.voicing_off={voice.voicing_off:g}",
            voice.voicing_off <= voice.voicing,
            f"at most voice.voicing={voice.voicing:g}",
        ),
        (
            f"turns.speech_off={turns.speech_off:g}",
            turns.speech_off <= turns.speech_on,
            f"at most turns.speech_on={turns.speech_on:g}",
        ),
        (
            f"turns.peak_off={turns.peak_off:g}",
            turns.peak_off <= turns.peak,
            f"at most turns.peak={turns.peak:g}",
        ),
        (
            f"grid.rate_hz={rate:g}",
            rate >= dyad.rate_hz and math.isclose(rate / dyad.rate_hz, round(rate / dyad.rate_hz)),
            f"a whole multiple of dyad.rate_hz={dyad.rate_hz:g}",
        ),
        (
            f"synchrony.band_face_s={synchrony.band_face_s:g}",
            synchrony.band_face_s <= synchrony.lag_s,
            f"at most synchrony.lag_s={synchrony.lag_s:g}",
        ),
        (
            f"synchrony.window_s={synchrony.window_s:g}",
            round(synchrony.window_s * dyad.rate_hz) >= 3,
            f"long enough for 3 samples at dyad.rate_hz={dyad.rate_hz:g}",
        ),
        (
            f"synchrony.step_s={synchrony.step_s:g}",
            round(synchrony.step_s * dyad.rate_hz) >= 1,
            f"long enough for 1 sample at dyad.rate_hz={dyad.rate_hz:g}",
        ),
        (
            f"synchrony.min_duration_s={synchrony.min_duration_s:g}",
            synchrony.min_duration_s > reach,
            f"more than synchrony.window_s + synchrony.lag_s = {reach:g}",
        ),
        (
            f"dyad.settle_from_s={dyad.settle_from_s:g}",
            dyad.settle_from_s <= dyad.settle_to_s,
            f"at most dyad.settle_to_s={dyad.settle_to_s:g}",
        ),
        (
            f"feedback.lasts_s={config.feedback.lasts_s:g}",
            config.feedback.lasts_s <= config.feedback.gap_s,
            f"at most feedback.gap_s={config.feedback.gap_s:g}",
        ),
    )
    for value, holds, rule in rules:
        if not holds:
            raise ParameterError(f"{value} must be {rule}")


_CHOICES = {
    "people.listener": ("auto", "left", "right", "A", "B"),
    "voice.channels": ("auto", "mix", "separate"),
}

_POSITIVE, _SIZE = _Limits(0, open=True), _Limits(0)
_SHARE, _INNER_SHARE = _Limits(0, 1), _Limits(0, 1, open=True)

_LIMITS = {
    "capture.max_side": _Limits(64, 8192),
    "capture.block_s": _Limits(0.001, 0.02),
    "capture.threads": _Limits(0, 64),
    "live.width": _Limits(160, 7680),
    "live.height": _Limits(120, 4320),
    "live.fps": _Limits(1, 240),
    "live.channels": _Limits(1, 8),
    "live.queued_pictures": _Limits(1, 100),
    "live.gap_s": _Limits(0.1, 60.0),
    "live.jump_s": _Limits(2.0, 3600.0),
    "faces.min_face": _INNER_SHARE,
    "faces.detection_score": _SHARE,
    "faces.crop": _Limits(1.2, 8.0),
    "faces.crop_px": _Limits(96, 1024),
    "faces.depth": _Limits(1, 60),
    "faces.reach_s": _SIZE,
    "faces.low_light": _Limits(0, 255),
    "faces.workers": _Limits(0, 2),
    "voice.f0_floor_hz": _Limits(47.0, 2000.0),
    "voice.f0_ceiling_hz": _Limits(47.0, 2093.0),
    "voice.voicing": _SHARE,
    "voice.voicing_off": _SHARE,
    "voice.speech": _SHARE,
    "voice.nucleus_dip_db": _SIZE,
    "people.attribution_lag_s": _SIZE,
    "body.grey_side": _Limits(16, 8192),
    "body.threshold": _Limits(0, 255),
    "grid.rate_hz": _Limits(5.0, 100.0),
    "grid.lateness_s": _Limits(0.39, 10.0),  # the voice's cues come so late
    "baseline.start_s": _SIZE,
    "baseline.duration_s": _Limits(*BASELINE_S),
    "baseline.min_face_s": _SIZE,
    "baseline.min_voice_s": _SIZE,
    "turns.speech_on": _SHARE,
    "turns.speech_off": _SHARE,
    "turns.min_speech_s": _SIZE,
    "turns.min_pause_s": _SIZE,
    "turns.turn_pause_s": _SIZE,
    "turns.backchannel_s": _SIZE,
    "turns.overlap_s": _SIZE,
    "turns.interruption_s": _SIZE,
    "turns.peak_off": _SIZE,
    "turns.peak_s": _SIZE,
    "turns.peak_answers": _Limits(2),
    "synchrony.lag_s": _SIZE,
    "synchrony.band_face_s": _SIZE,
    "synchrony.max_missing": _SHARE,
    "synchrony.surrogates": _Limits(199),  # fewer cannot give a p of 5 % reliably
    "entrainment.exchanges": _Limits(4),
    "entrainment.draws": _Limits(199),
    "dyad.rate_hz": _Limits(1.0, 25.0),
    "dyad.partner_delay_s": _SIZE,
    "dyad.min_coverage": _SHARE,
    "dyad.min_time_s": _SIZE,
    "dyad.min_p": _Limits(0.34, 1.0),
    "dyad.demand": _SIZE,
    "dyad.sharing": _SIZE,
    "dyad.escalating": _SIZE,
    "dyad.null_labelled_s": _SIZE,
    "dyad.settle_from_s": _SIZE,
    "dyad.settle_bout_s": _SIZE,
    "feedback.gap_s": _Limits(15.0),  # more often would be a dashboard, not company
    "feedback.lasts_s": _Limits(2.0),
    "feedback.recent_s": _Limits(1.0, 60.0),
    "feedback.before_s": _Limits(10.0, 600.0),
    "feedback.min_share": _SHARE,
    "feedback.min_coverage": _SHARE,
    "feedback.min_p": _Limits(0.34, 1.0),
    "feedback.doubt_s": _SIZE,
}
"""Limits of single keys (`mode`: of each mode); every other number divides, so it must be > 0."""
