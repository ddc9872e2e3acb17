"""The column table: every header, axis, legend and data dictionary derives from it.

A column exists once, here: its name, unit, range, meaning, source and the cue stage it comes
from. `TIMELINE` is one row per tick (25 Hz) and person, `STATE` one row per dyad tick (5 Hz),
`EVENTS_TABLE` one row per event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERSION: Final = "2"
"""Version of the tables' layout, stored with each session."""
COVARIATE: Final = "x_"
"""What the names of the researcher's own columns begin with, in lists and in studies."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `kind` is "float" or "text"; `low`/`high` bound the valid range (None: open)."""

    name: str
    unit: str
    meaning: str
    kind: str = "float"
    low: float | None = None
    high: float | None = None
    source: str = ""
    reason: str = ""  # the text column that says why a value is missing


BLENDSHAPES: Final[tuple[str, ...]] = (
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)
"""The 52 blendshapes of the face model (ARKit names), in its order."""


def _face(name: str, unit: str, meaning: str, low: float | None, high: float | None) -> Column:
    return Column(name, unit, meaning, "float", low, high, "face", "face_reason")


def _voice(name: str, unit: str, meaning: str, low: float | None, high: float | None) -> Column:
    return Column(name, unit, meaning, "float", low, high, "voice", "voice_reason")


def _state(name: str, meaning: str, low: float, reason: str) -> Column:
    return Column(name, "SD", meaning, "float", low, 10, "state", reason)


_PI: Final = 3.141592653589793

EXPRESSIONS: Final[dict[str, str]] = {
    "neutral": "is at this person's rest",
    "happy": "smiles",
    "surprised": "looks surprised",
    "negative": "looks angry, sad, disgusted, afraid, contemptuous or tense: which, is not told",
}
"""What a face is read as. Each was found in at least half of the faces that show it."""

MEASURES: Final[dict[str, str]] = {
    "lip_corners": "height of the lip corners",
    "mouth_width": "width of the mouth",
    "lip_corners_depth": "depth of the lip corners",
    "brows_inner": "height of the inner brows",
    "brows_middle": "height of the middle of the brows",
    "brows_outer": "height of the outer brows",
    "brow_gap": "distance between the brows",
    "upper_lids": "height of the upper lids",
    "lower_lids": "height of the lower lids",
    "cheeks": "height of the cheeks",
    "nose_wings": "height of the wings of the nose",
    "nose_width": "width of the nose",
    "upper_lip": "height of the upper lip",
    "upper_lip_red": "thickness of the upper lip",
    "lower_lip_red": "thickness of the lower lip",
    "lips_apart": "distance between the lips",
    "lower_lip": "height of the lower lip",
    "chin": "height of the chin",
    "chin_boss": "height of the lower lip above the boss of the chin",
    "lips_depth": "depth of the lips",
    "mouth_tilt": "height of one lip corner above the other",
    "mouth_shift": "sideways place of the mouth",
}
"""What expression is read from (`cues.measures`); as columns with `shape_` before the name."""

VALUE_COLUMNS: Final[tuple[Column, ...]] = (
    _face("face_quality", "1", "how far the face can be trusted; 0 where there is none", 0, 1),
    _face("box_x", "1", "left edge of the face box, share of the picture's width", -1, 2),
    _face("box_y", "1", "top edge of the face box, share of the picture's height", -1, 2),
    _face("box_w", "1", "width of the face box, share of the picture's width", 0, 2),
    _face("box_h", "1", "height of the face box, share of the picture's height", 0, 2),
    _face("head_pitch_rad", "rad", "head pitch, + chin up", -_PI, _PI),
    _face("head_yaw_rad", "rad", "head yaw, + nose to the picture's right", -_PI, _PI),
    _face("head_roll_rad", "rad", "head roll, + clockwise in the picture", -_PI, _PI),
    _face("gaze_yaw_rad", "rad", "gaze of head and eyes, + to the picture's right", -_PI, _PI),
    _face("gaze_pitch_rad", "rad", "gaze of head and eyes, + up", -_PI, _PI),
    Column(
        "gaze_on_partner",
        "1",
        "1 while the gaze rests near its usual target, else 0",
        "float",
        0,
        1,
        "state",
        "face_state_reason",
    ),
    Column(
        "gaze_on_camera",
        "1",
        "1 while the gaze is nearer to the lens than to its usual target, and near it, else 0",
        "float",
        0,
        1,
        "state",
        "face_state_reason",
    ),
    _face("eye_closure", "1", "how closed the eyes are (mean of both blink blendshapes)", 0, 1),
    _face("mouth_open", "1", "inner lip distance, share of the distance between the eyes", 0, 5),
    _face("mouth_motion", "1/s", "speed of lip opening, eye distances per second, RMS", 0, 100),
    _face("face_motion", "1/s", "speed of the upper face's shape without the head's, RMS", 0, 100),
    _face("head_speed", "rad/s", "angular speed of the head", 0, 100),
    _face("smile", "1", "height of the lip corners above the nose's base, eye distances", -5, 5),
    _face("brow_height", "1", "height of the inner brows above the eyes, eye distances", -5, 5),
    _face("brow_gap", "1", "distance between the inner brows, eye distances", -5, 5),
    _voice("speaking", "1", "probability that this person is speaking", 0, 1),
    _voice("f0_hz", "Hz", "fundamental frequency of this person's voice", 40, 2100),
    _voice("voicing", "1", "confidence that the voice is voiced", 0, 1),
    _voice("loudness_db", "dB", "A-weighted level re full scale while speaking", -120, 20),
    _voice("spectral_tilt_db", "dB", "level below minus above 1 kHz while speaking", -80, 80),
    _voice("hnr_db", "dB", "harmonics-to-noise ratio while voiced", -40, 40),
    _voice("cpp_db", "dB", "cepstral peak prominence while voiced", -40, 80),
    _voice("syllable_rate", "1/s", "syllable nuclei per second of own speech, last 4 s", 0, 20),
    Column(
        "motion_energy",
        "1",
        "share of this person's region whose grey level changed (motion energy analysis)",
        "float",
        0,
        1,
        "body",
        "body_reason",
    ),
    _state("valence", "displeasure to pleasure, own baseline = 0", -10, "face_state_reason"),
    _state("valence_sd", "standard error of valence", 0, "face_state_reason"),
    *(
        Column(
            f"expression_{name}",
            "1",
            f"probability that the face {looks}",
            "float",
            0,
            1,
            "state",
            "face_state_reason",
        )
        for name, looks in EXPRESSIONS.items()
    ),
    _state("arousal", "calm to activated, own baseline = 0", -10, "state_reason"),
    _state("arousal_sd", "standard error of arousal", 0, "state_reason"),
    *(_face(name, "1", f"blendshape {name}", 0, 1) for name in BLENDSHAPES),
    *(
        _face(f"shape_{name}", "1", f"{meaning}, eye distances", -10, 10)
        for name, meaning in MEASURES.items()
    ),
)

VALUES: Final[tuple[str, ...]] = tuple(c.name for c in VALUE_COLUMNS)
VALUE_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(VALUES)}

REASONS: Final[dict[str, str]] = {
    "face_reason": "why face values are missing or doubtful, else empty",
    "voice_reason": "why voice values are missing, else empty",
    "body_reason": "why motion energy is missing, else empty",
    "state_reason": "why arousal is missing, else empty",
    "face_state_reason": "why valence, expression and the gaze's target are missing, else empty",
}

TIMELINE: Final[tuple[Column, ...]] = (
    Column("t", "s", "time since the session's start", "float", 0, None, "grid"),
    Column("person", "", "A (left at the start) or B", "text", source="people"),
    Column("role", "", "partner (shares), listener (responds) or undecided", "text"),
    *(Column(name, "", meaning, "text", source="people") for name, meaning in REASONS.items()),
    *VALUE_COLUMNS,
)

MODES: Final[tuple[str, str, str]] = ("mirroring", "regulating", "disengaged")
RESPONDING: Final = "responding"
CALM: Final = "calm; not shown to be responding yet"
MOVED: Final = "moved; not shown to be responding yet"
NO_DEMAND: Final = "no demand"
INSUFFICIENT: Final = "insufficient"
MEANINGS: Final[dict[str, str]] = {
    MODES[0]: "goes along with the partner in kind and size, and answers this partner",
    MODES[1]: "stays calmer or warmer than the partner, and answers this partner",
    MODES[2]: "does not answer",
    RESPONDING: "answers this partner, neither clearly mirroring nor clearly regulating",
    CALM: "calmer or warmer than the partner, which may be how they always are",
    MOVED: "moved as the partner is, which may be chance or something that moves both",
    NO_DEMAND: "the partner is near their usual, so there is little to answer",
    INSUFFICIENT: "not enough to say anything",
}
"""What may be said of the listener. The first two, and "responding", need a contingency."""
LABELS: Final[tuple[str, ...]] = tuple(MEANINGS)


STANCES: Final[dict[str, str]] = {
    **{mode: mode for mode in MODES},
    MOVED: MODES[0],
    CALM: MODES[1],
}
"""The clear stance that a label stands for, whoever it is about; other labels have none."""


def short(label: str) -> str:
    """Return the part of a label that tells it from the others: "calm" for `CALM`."""
    return label.split(";")[0]


def _dyad(name: str, unit: str, meaning: str, low: float | None, high: float | None) -> Column:
    return Column(name, unit, meaning, "float", low, high, "dyad", "reason")


RIVALS: Final[dict[str, str]] = {
    "own manner": "how they always are: with a wrong partner it looks like an answer as well",
    "too little yet": "how they always are: too little has followed this partner so far",
    "something else": "both follow something else: the listener's feeling does not come after the "
    "partner's",
    MODES[0]: "mirroring is the next likely stance",
    MODES[1]: "regulating is the next likely stance",
    MODES[2]: "disengaged is the next likely stance",
}
"""What else it could be, besides what the label says."""

LINKS: Final[dict[str, str]] = {
    "link_arousal_to_arousal": "the listener's arousal follows the partner's",
    "link_valence_to_valence": "the listener's valence follows the partner's",
    "link_need_to_arousal": "the listener's arousal follows the partner's need",
    "link_need_to_valence": "the listener's valence follows the partner's need",
    "link_arousal_to_nods": "nods come with the partner's arousal",
    "link_need_to_nods": "nods come with the partner's need",
    "link_pauses_to_nods": "nods come after the partner's pauses",
}
"""What a contingency rests on (`dyad.contingency`); need is how far valence is below the usual."""

EVIDENCE: Final[tuple[Column, ...]] = (
    _dyad("contingency", "1", "probability that the listener answers this partner", 0, 1),
    _dyad(
        "contingency_by_chance",
        "1",
        "the same with this partner some minutes late, median; missing in the first 90 s",
        0,
        1,
    ),
    *(
        _dyad(name, "nat", f"log evidence of a contingency: {words}", None, None)
        for name, words in LINKS.items()
    ),
    _dyad(
        "lead",
        "1",
        "correlation of the listener's feeling with the partner's 1.2 s before, minus that with "
        "the partner's 1.2 s after; below 0: the partner does not lead",
        -2,
        2,
    ),
    _dyad("responses", "1", "nods and backchannels of the listener since the last tick", 0, None),
    _dyad("looks", "1", "share of the time since the last tick with gaze on the partner", 0, 1),
    _dyad("partner_arousal", "SD", "the partner's smoothed arousal, delayed", -10, 10),
    _dyad("partner_valence", "SD", "the partner's smoothed valence, delayed", -10, 10),
    _dyad("listener_arousal", "SD", "the listener's smoothed arousal", -10, 10),
    _dyad("listener_valence", "SD", "the listener's smoothed valence", -10, 10),
    _dyad("event_rate", "1/min", "the listener's nods and backchannels, smoothed", 0, None),
    _dyad("gaze_on_partner", "1", "share of time the listener looks at the partner", 0, 1),
    _dyad("partner_slope", "SD/s", "slope of the partner's arousal over the last 10 s", None, None),
    _dyad("coverage_partner", "1", "share of the last 10 s with the partner's state", 0, 1),
    _dyad("coverage_listener", "1", "share of the last 10 s with the listener's state", 0, 1),
    _dyad("calibrated", "1", "1 once both baselines are complete, else 0", 0, 1),
)

STATE: Final[tuple[Column, ...]] = (
    Column("t", "s", "time since the session's start", "float", 0, None, "dyad"),
    Column(
        "label",
        "",
        "; ".join(f'"{label}": {meaning}' for label, meaning in MEANINGS.items()),
        "text",
        source="dyad",
    ),
    Column("reason", "", "why none of the modes is named, else empty", "text", source="dyad"),
    Column("variant", "", "sharing, escalating or empty", "text", source="dyad"),
    Column(
        "rival",
        "",
        "the strongest competing explanation, else empty: "
        + "; ".join(f'"{rival}": {meaning}' for rival, meaning in RIVALS.items()),
        "text",
        source="dyad",
    ),
    *(
        _dyad(f"p_{m}", "1", f"stance: probability of {m}, whoever it is about", 0, 1)
        for m in MODES
    ),
    *EVIDENCE,
)

EVENTS: Final[dict[str, str]] = {
    "turn": "a person's speaking turn",
    "backchannel": "a short vocal response while the other has the floor",
    "overlap": "both speak",
    "nod": "head moves up and down",
    "shake": "head turns left and right",
    "blink": "eyes close briefly",
    "look_away": "gaze leaves its usual target",
    "label": "a stretch of one label",
    "identity_doubt": "a face came back and may be another person's",
    "advice": "a sentence of feedback; detail holds it",
    "gap": "nothing was sensed; detail says why, value is the time that passed (s)",
    "mark": "a moment that somebody marked; detail holds their words",
}

MISSING: Final[dict[str, str]] = {
    "no_video": "the recording has no picture, or not at this time",
    "no_audio": "the recording has no sound, or not at this time",
    "no_person": "this seat was never taken: only one person is there",
    "no_face": "the face was looked for and not found",
    "out_of_frame": "the face is cut by the picture's edge",
    "low_light": "too dark to trust",
    "blurred": "too blurred or too small to trust",
    "reassociated": "the face came back and may be another person's (doubtful, not missing)",
    "silent": "this person is not speaking, more likely than not",
    "unvoiced": "speaking, but no pitch here",
    "overlap": "both speak on one channel: what is heard is neither's alone",
    "other_voice": "a voice that is neither person's: somebody off camera, a loudspeaker",
    "uncalibrated": "the person's baseline is not complete yet",
    "dropped": "the packet was dropped or damaged",
}
"""Why a value is missing (`types.Reason`), for the data dictionary."""

EVENTS_TABLE: Final[tuple[Column, ...]] = (
    Column("t", "s", "start", "float", 0, None, "events"),
    Column("t_end", "s", "end", "float", 0, None, "events"),
    Column("person", "", "A, B or empty for the dyad", "text", source="events"),
    Column("kind", "", "one of " + ", ".join(EVENTS), "text", source="events"),
    Column("value", "", "strength; its meaning depends on the kind", "float", source="events"),
    Column("detail", "", "further words", "text", source="events"),
)
