"""The policy as a table: which sentence for which evidence, and silence for everything else."""

from __future__ import annotations

import pickle
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cuesense import feedback, schema
from cuesense.config import Config
from cuesense.errors import ParameterError
from cuesense.feedback import KINDS, PRAISE, Feedback, Rule, load_rules
from cuesense.feedback.loading import LONGEST, parse
from cuesense.feedback.rules import Level
from cuesense.types import PEOPLE, Advice, DyadState, Event, Moment, PersonState, Role

SETTINGS = Config().feedback
RULES = {rule.name: rule for rule in load_rules()}
TOML = tomllib.loads(Path(feedback.__file__).with_name("rules.toml").read_text(encoding="utf-8"))

DYAD_HZ = 5
CALIBRATED_S = 45.0
CHANGE_S = 70.0
END_S = 130.0

Case = Mapping[str, Any]

ORDINARY: Case = {
    "label": schema.NO_DEMAND,
    "listener": {"arousal": 0.0, "valence": 0.0, "speaking": 0.3, "syllable_rate": 4.0},
    "partner": {"arousal": 0.0, "valence": 0.0, "speaking": 0.5, "syllable_rate": 4.0},
}
STIRRED = {"arousal": 1.8, "valence": -0.6}
TENSE = {"valence": -2.2}

CASES: dict[str, Case] = {
    "pause-when-it-heats-up": {
        "label": "mirroring",
        "variant": "escalating",
        "partner": STIRRED,
        "listener": STIRRED,
    },
    "breathe-when-both-speed-up": {
        "label": "mirroring",
        "partner": {"syllable_rate": 5.2},
        "listener": {"syllable_rate": 5.0},
    },
    "lower-voice-when-both-rise": {
        "label": "mirroring",
        "partner": {"f0_hz": 260.0},
        "listener": {"f0_hz": 260.0},
    },
    "breathe-when-both-are-stirred": {
        "label": "mirroring",
        "partner": STIRRED,
        "listener": {"arousal": 1.5},
    },
    "soften-when-both-are-tense": {"label": "mirroring", "partner": TENSE, "listener": TENSE},
    "let-them-finish": {
        "label": "regulating",
        "events": [("B", "turn", "interruption", 72.0), ("B", "turn", "interruption", 81.0)],
    },
    "ask-when-you-hold-the-floor": {
        "label": "regulating",
        "listener": {"speaking": 0.9},
        "partner": {"arousal": 1.5, "speaking": 0.1},
    },
    "answer-good-news": {
        "label": "disengaged",
        "partner": {"valence": 2.5, "arousal": 1.0},
        "listener": {"valence": 0.1},
    },
    "show-that-you-listen": {
        "label": "disengaged",
        "partner": {"speaking": 0.9},
        "listener": {"speaking": 0.05},
    },
    "look-back": {
        "label": "disengaged",
        "partner": {"speaking": 0.9},
        "listener": {"speaking": 0.05},
        "dyad": {"gaze_on_partner": 0.2},
        "events": [("B", "nod", "", t) for t in range(50, 130, 8)],
    },
    "say-back-what-you-heard": {
        "label": "disengaged",
        "partner": {"arousal": 1.8, "valence": -2.0},
        "listener": {"arousal": -0.3},
    },
    "tune-in-to-yourself": {"label": "no demand", "listener": {"arousal": 2.0}},
    "they-seem-to-settle": {
        "label": "regulating",
        "before": {"partner": {"arousal": 2.0}},
        "partner": {"arousal": 0.9},
    },
    "enjoy-it-together": {
        "label": "mirroring",
        "variant": "sharing",
        "partner": {"valence": 2.0},
        "listener": {"valence": 1.6},
    },
}
"""For each rule, what is so from `CHANGE_S` on: A is the partner, B the listener."""

NEAR: list[tuple[str, Case]] = [
    ("pause-when-it-heats-up", {"variant": ""}),
    ("pause-when-it-heats-up", {"listener": {"arousal": 0.9}}),
    ("pause-when-it-heats-up", {"partner": {"arousal": 0.9}}),
    ("breathe-when-both-speed-up", {"listener": {"syllable_rate": 4.6}}),
    ("breathe-when-both-speed-up", {"partner": {"syllable_rate": 4.6}}),
    ("breathe-when-both-speed-up", {"variant": "sharing"}),
    # Fast all along is not speeding up.
    ("breathe-when-both-speed-up", {"before": {"partner": {"syllable_rate": 5.2}}}),
    ("lower-voice-when-both-rise", {"listener": {"f0_hz": 208.0}}),
    ("lower-voice-when-both-rise", {"partner": {"f0_hz": 208.0}}),
    ("breathe-when-both-are-stirred", {"listener": {"arousal": 0.9}}),
    ("breathe-when-both-are-stirred", {"partner": {"valence": 0.1}}),
    ("breathe-when-both-are-stirred", {"label": "regulating"}),
    ("soften-when-both-are-tense", {"listener": {"valence": -1.4}}),
    ("soften-when-both-are-tense", {"partner": {"valence": -1.4}}),
    ("let-them-finish", {"events": [("B", "turn", "interruption", 72.0)]}),
    ("let-them-finish", {"events": [("A", "turn", "interruption", t) for t in (72.0, 81.0)]}),
    ("let-them-finish", {"events": [("B", "turn", "within", t) for t in (72.0, 81.0)]}),
    ("let-them-finish", {"events": [("B", "turn", "interruption", t) for t in (69.0, 129.9)]}),
    ("ask-when-you-hold-the-floor", {"listener": {"speaking": 0.65}}),
    ("ask-when-you-hold-the-floor", {"partner": {"arousal": 0.9}}),
    ("answer-good-news", {"partner": {"valence": 1.4}}),
    ("answer-good-news", {"listener": {"valence": 0.6}}),
    ("show-that-you-listen", {"partner": {"speaking": 0.55}}),
    *(
        ("show-that-you-listen", {"events": [("B", k, "", t) for t in range(50, 130, 18)]})
        for k in ("nod", "backchannel")
    ),
    ("look-back", {"dyad": {"gaze_on_partner": 0.45}}),
    ("look-back", {"partner": {"speaking": 0.5}}),
    ("say-back-what-you-heard", {"partner": {"arousal": 0.9}}),
    ("say-back-what-you-heard", {"partner": {"valence": -0.9}}),
    ("say-back-what-you-heard", {"listener": {"arousal": 0.6}}),
    ("tune-in-to-yourself", {"listener": {"arousal": 1.4}}),
    ("tune-in-to-yourself", {"partner": {"arousal": 0.8}}),
    ("tune-in-to-yourself", {"label": "mirroring"}),
    ("they-seem-to-settle", {"partner": {"arousal": 1.4}}),
    ("they-seem-to-settle", {"listener": {"arousal": 1.1}}),
    ("they-seem-to-settle", {"label": "disengaged"}),
    ("enjoy-it-together", {"variant": ""}),
    ("enjoy-it-together", {"listener": {"valence": 0.9}}),
    ("enjoy-it-together", {"partner": {"valence": 0.9}}),
]
"""Changes of those cases that must bring the rule to silence."""


def over(case: Case, *changes: Case) -> dict[str, Any]:
    """Return the case with changes put over it, tables one by one."""
    result: dict[str, Any] = dict(case)
    for change in changes:
        for key, value in change.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = {**result[key], **value} if both else value
    return result


def person(t: float, index: int, values: Mapping[str, float]) -> PersonState:
    row = np.full(len(schema.VALUES), np.nan)
    # Pitch wanders a little, as it does when somebody talks.
    usual = {"f0_hz": 200.0 + 5.0 * np.sin(t), "head_pitch_rad": 0.0, "gaze_on_partner": 1.0}
    for name, value in (usual | dict(values)).items():
        row[schema.VALUE_INDEX[name]] = value
    role = (Role.PARTNER, Role.LISTENER)[index]
    return PersonState(t, PEOPLE[index], role, row, {})


def at(t: float, case: Case, *, events: tuple[Event, ...] = (), dyad: bool = True) -> Moment:
    """Return the moment at `t` at which things are as in `case`."""
    case = over(ORDINARY, case)
    label = case["label"]
    p = [0.05, 0.05, 0.05]
    if label in schema.MODES:
        p[schema.MODES.index(label)] = case.get("p", 0.9)
    known = {
        "coverage_partner": 1.0,
        "coverage_listener": 1.0,
        "calibrated": float(t >= CALIBRATED_S),
        "gaze_on_partner": 0.75,
        **case.get("dyad", {}),
    }
    state = DyadState(t, label, "", case.get("variant", ""), (p[0], p[1], p[2]), known)
    people = (person(t, 0, case["partner"]), person(t, 1, case["listener"]))
    return Moment(t, people, state if dyad else None, None, events)


def script(
    case: Case, *, end: float = END_S, change: float = CHANGE_S, hz: int = DYAD_HZ
) -> Iterator[Moment]:
    """Yield an ordinary conversation in which things are as in `case` from `change` on."""
    before = over(ORDINARY, case.get("before", {}))
    waiting = [Event(t, t, who, kind, detail=d) for who, kind, d, t in case.get("events", [])]
    for i in range(round(end * hz)):
        t = i / hz
        happened = tuple(e for e in waiting if t - 1 / hz < e.t <= t)
        now = over(before, case) if t >= change else before
        yield at(t, now, events=happened, dyad=i % (hz // DYAD_HZ) == 0)


def hear(moments: Iterator[Moment], *rules: Rule) -> list[Advice]:
    stage = Feedback(SETTINGS, rules or tuple(RULES.values()))
    return [advice for advice in map(stage.push, moments) if advice is not None]


def test_every_rule_is_in_the_table() -> None:
    assert set(CASES) == set(RULES) == {name for name, _ in NEAR}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_said_to_the_listener_once_it_has_held(name: str) -> None:
    rule = RULES[name]
    advice = hear(script(CASES[name]))[0]
    assert advice.text in rule.say
    assert (advice.to, advice.kind) == ("B", rule.kind)
    assert advice.t >= CHANGE_S + rule.hold_s
    assert advice.until == advice.t + SETTINGS.lasts_s
    assert len(advice.because) == len(rule.when)
    assert all(re.search(r"\d", reason) for reason in advice.because)


@pytest.mark.parametrize(("name", "change"), NEAR)
def test_what_nearly_does_not_is_silence(name: str, change: Case) -> None:
    assert hear(script(over(CASES[name], change)), RULES[name]) == []


MISSING = float("nan")
DOUBTS: list[Case] = [
    {"label": schema.INSUFFICIENT},
    {"p": 0.84},
    {"p": MISSING},
    {"dyad": {"coverage_partner": 0.79}},
    {"dyad": {"coverage_listener": 0.79}},
    {"dyad": {"coverage_partner": MISSING}},
    {"dyad": {"coverage_listener": MISSING}},
    {"dyad": {"calibrated": 0.0}},
    {"dyad": {"calibrated": MISSING}},
]


@pytest.mark.parametrize("doubt", DOUBTS, ids=str)
@pytest.mark.parametrize("name", ["pause-when-it-heats-up", "look-back", "they-seem-to-settle"])
def test_in_doubt_nothing_is_said(name: str, doubt: Case) -> None:
    assert hear(script(over(CASES[name], doubt))) == []


def missing_numbers() -> Iterator[tuple[str, Case]]:
    for name, rule in RULES.items():
        for condition in rule.when:
            if isinstance(condition, Level):
                yield name, {condition.of: {condition.column: MISSING}}
    yield "show-that-you-listen", {"listener": {"head_pitch_rad": MISSING}}
    yield "show-that-you-listen", {"listener": {"speaking": MISSING}}


@pytest.mark.parametrize(("name", "change"), list(missing_numbers()))
def test_a_missing_number_is_silence(name: str, change: Case) -> None:
    assert hear(script(over(CASES[name], change)), RULES[name]) == []


def test_nothing_is_said_during_the_baseline() -> None:
    case = CASES["pause-when-it-heats-up"]
    assert hear(script(case, change=0.0, end=CALIBRATED_S)) == []
    assert hear(script(case, change=0.0))[0].t >= CALIBRATED_S


def test_nothing_is_said_while_it_is_open_who_listens() -> None:
    def undecided() -> Iterator[Moment]:
        for moment in script(CASES["pause-when-it-heats-up"]):
            a, b = (replace(p, role=Role.UNDECIDED) for p in moment.people)
            yield replace(moment, people=(a, b))

    assert hear(undecided()) == []


def test_the_listener_may_be_either() -> None:
    def swapped() -> Iterator[Moment]:
        for moment in script(CASES["answer-good-news"]):
            partner, listener = moment.people
            yield replace(
                moment, people=(replace(listener, person="A"), replace(partner, person="B"))
            )

    assert hear(swapped())[0].to == "A"


def test_a_doubt_about_who_is_who_keeps_quiet_for_a_while() -> None:
    case = CASES["breathe-when-both-are-stirred"]
    doubt = over(case, {"events": [("A", "identity_doubt", "", CHANGE_S + 1)]})
    assert hear(script(case))[0].t < CHANGE_S + SETTINGS.doubt_s
    hold_s = RULES["breathe-when-both-are-stirred"].hold_s
    assert hear(script(doubt))[0].t >= CHANGE_S + 1 + SETTINGS.doubt_s + hold_s


def test_what_held_must_hold_again_after_a_break() -> None:
    rule = replace(RULES["tune-in-to-yourself"], hold_s=20.0)
    broken = CHANGE_S + 15

    def interrupted() -> Iterator[Moment]:
        for m in script(CASES[rule.name]):
            yield at(m.t, {"label": schema.INSUFFICIENT}) if m.t == broken else m

    assert hear(interrupted(), rule)[0].t >= broken + 20.0


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("lower-voice-when-both-rise", "f0_hz", True),
        ("soften-when-both-are-tense", "valence", False),
    ],
)
def test_a_voice_now_and_then_is_enough_a_face_is_not(name: str, column: str, said: bool) -> None:
    def now_and_then() -> Iterator[Moment]:
        for m in script(CASES[name]):
            if m.t % 5 >= 2:
                m.people[1].values[schema.VALUE_INDEX[column]] = MISSING
            yield m

    rule = replace(RULES[name], hold_s=12.0)
    assert hear(script(CASES[name]), rule)
    assert bool(hear(now_and_then(), rule)) == said


def test_numbers_are_given_in_plain_words() -> None:
    def said(name: str) -> tuple[str, ...]:
        return hear(script(CASES[name]))[0].because

    assert said("tune-in-to-yourself")[0] == "your activation +2.0 SD"
    assert said("say-back-what-you-heard")[1] == "their look of ease \N{MINUS SIGN}2.0 SD"
    assert said("look-back")[1] == "your eyes on them 20 %"
    assert re.fullmatch(r"their share of speaking \d\d %", said("look-back")[0])
    assert said("let-them-finish") == ("your starts while they were still speaking: 2 in 60 s",)
    pace = r"their pace up \d\.\d/s within a minute"
    assert re.fullmatch(pace, said("breathe-when-both-speed-up")[0])
    assert re.fullmatch(
        r"their activation down \d\.\d SD within a minute", said("they-seem-to-settle")[0]
    )


def test_a_pitch_is_measured_against_the_persons_own_baseline() -> None:
    # Baseline 200 Hz +- 5 Hz: steadier than 1.5 semitones, so that is its SD. 260 Hz: 4.54 st.
    rule = replace(RULES["lower-voice-when-both-rise"], hold_s=20.0)
    because = hear(script(CASES[rule.name]), rule)[0].because
    z = [float(words.split("+")[1].split()[0]) for words in because]
    assert z == [pytest.approx(12 * np.log2(260 / 200) / 1.5, abs=0.2)] * 2


def test_a_change_may_be_measured_in_sd_of_ones_own_baseline() -> None:
    pitch = {"of": "listener", "column": "f0_hz", "above": None, "rises_sd": 3.0}
    tree = when(**pitch) | {"words": {"f0_hz": "pitch"}}
    (rule,) = parse(tree)
    higher: Case = {"label": "mirroring", "listener": {"f0_hz": 290.0}}
    assert re.fullmatch(
        r"your pitch up \d\.\d SD within a minute", hear(script(higher), rule)[0].because[0]
    )
    assert hear(script(over(higher, {"listener": {"f0_hz": 210.0}})), rule) == []
    assert hear(script(over(higher, {"before": {"listener": {"f0_hz": 290.0}}})), rule) == []


def test_what_rises_is_compared_with_the_time_before_now() -> None:
    (rule,) = parse(when(above=None, rises=1.15))
    case: Case = {"label": "mirroring", "listener": {"arousal": 1.2}}
    said = hear(script(case), rule)
    assert said[0].because == ("your activation up 1.2 SD within a minute",)


def test_that_nothing_happened_is_known_only_of_the_time_that_was_watched() -> None:
    (rule,) = parse(count(within_s=100.0, at_most=0))
    said = hear(script({"label": "mirroring"}, change=50.0, end=150.0), rule)
    assert said[0].t == pytest.approx(100.0 + rule.hold_s, abs=0.5)


def test_the_first_of_those_that_hold_is_said() -> None:
    one_of = RULES["breathe-when-both-are-stirred"]
    other = replace(one_of, name="other", kind="soften-face")
    case = CASES[one_of.name]
    assert [hear(script(case), *r)[0].kind for r in ((one_of, other), (other, one_of))] == [
        "slow-breath",
        "soften-face",
    ]


def test_praise_gives_way_to_anything_else_that_holds() -> None:
    case = over(
        CASES["they-seem-to-settle"],
        {"events": [("B", "turn", "interruption", t) for t in (71.0, 73.0)]},
    )
    slow = replace(RULES["let-them-finish"], hold_s=15.0)
    praise = RULES["they-seem-to-settle"]
    assert [a.kind for a in hear(script(case, end=85.0), praise)] == [PRAISE]
    assert hear(script(case, end=85.0), praise, slow) == []


def test_wordings_take_turns_and_a_kind_rests_for_its_cooldown() -> None:
    rule = RULES["breathe-when-both-are-stirred"]
    other = replace(rule, name="another", say=("Breathe.",))
    said = hear(script(CASES[rule.name], end=400.0), rule, other)
    assert [a.text for a in said[:3]] == [rule.say[0], rule.say[1], rule.say[0]]
    gaps = np.diff([a.t for a in said])
    assert gaps == pytest.approx(rule.cooldown_s)


def test_between_the_dyads_ticks_nothing_is_said_and_nothing_is_lost() -> None:
    case = CASES["breathe-when-both-speed-up"]
    slow, fast = hear(script(case)), hear(script(case, hz=25))
    assert [a.text for a in slow] == [a.text for a in fast]
    assert [a.t for a in fast] == pytest.approx([a.t for a in slow], abs=1.01 / DYAD_HZ)


def storm(seconds: int, seed: int = 7) -> Iterator[Moment]:
    """Yield a conversation in which everything changes all the time."""
    rng = np.random.default_rng(seed)
    cases = list(CASES.values())
    case: Case = ORDINARY
    for i in range(seconds * DYAD_HZ):
        if i % (4 * DYAD_HZ) == 0 and i > CALIBRATED_S * DYAD_HZ:
            case = cases[rng.integers(len(cases))]
        t = i / DYAD_HZ
        kinds = [("turn", "interruption"), ("nod", "")] if rng.random() < 0.05 else []
        events = tuple(Event(t, t, "B", kind, detail=d) for kind, d in kinds)
        yield at(t, case, events=events)


def test_however_much_happens_there_is_one_sentence_in_the_gap_and_one_of_its_kind() -> None:
    rules = [replace(rule, hold_s=0.2) for rule in RULES.values()]
    said = hear(storm(1200), *rules)
    assert len({a.kind for a in said}) >= 6
    assert np.diff([a.t for a in said]).min() >= SETTINGS.gap_s - 1e-6 >= 15
    for kind in KINDS:
        times = [a.t for a in said if a.kind == kind]
        least = min((r.cooldown_s for r in rules if r.kind == kind), default=0.0)
        assert all(gap >= least - 1e-6 for gap in np.diff(times))


def test_an_ordinary_conversation_gets_no_sentence() -> None:
    assert hear(script({}, end=600.0)) == []


def test_its_memory_does_not_grow() -> None:
    stage, sizes = Feedback(SETTINGS, load_rules()), []
    for i, moment in enumerate(storm(600), start=1):
        stage.push(moment)
        if i % (200 * DYAD_HZ) == 0:
            sizes.append(len(pickle.dumps(stage)))
    assert sizes[2] < 1.05 * sizes[0]


# ---- Wording ---------------------------------------------------------------------------------

SAID = [(rule, text) for rule in RULES.values() for text in rule.say]
HARSH = (
    *"angry anger furious upset sad afraid anxious hurt jealous selfish cold must should".split(),
    *"stop don't never always wrong bad fail failed problem he she him her his hers".split(),
    "do not",
    "calm down",
)
HEDGES = r"seems?|looks?|may|have been speaking|came in"


@pytest.mark.parametrize(("rule", "text"), SAID, ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_sentence_is_short_kind_hedged_and_about_the_next_move(rule: Rule, text: str) -> None:
    assert len(text) <= LONGEST
    outside = re.sub(r"“[^”]*”", "“…”", text)
    sentences = re.split(r"(?<=[.?!…”])\s+(?=[A-Z])", outside)
    assert 1 <= len(sentences) <= 2
    assert text[0].isupper()
    assert text[-1] in ".?”"
    for word in HARSH:
        assert not re.search(rf"\b{word}\b", text, re.IGNORECASE), word
    assert re.search(rf"\b({HEDGES})\b", sentences[0])
    if rule.kind != PRAISE:  # the last sentence says what the listener may do
        assert not sentences[-1].startswith("They")
    assert "!" not in text


def test_every_kind_has_a_rule() -> None:
    assert {rule.kind for rule in RULES.values()} == set(KINDS)


# ---- Rules from a file -----------------------------------------------------------------------

RULE = {
    "name": "mine",
    "kind": "pause",
    "label": ["mirroring"],
    "hold_s": 2,
    "cooldown_s": 60,
    "when": [{"of": "listener", "column": "arousal", "above": 1.0}],
    "say": ["Try a pause."],
}
COUNT = {"of": "listener", "event": ["nod"], "at_most": 0, "within_s": 30.0, "words": "nods"}


def one(**changes: Any) -> dict[str, Any]:
    return {"words": {"arousal": "activation"}, "rule": [{**RULE, **changes}]}


def when(**changes: Any) -> dict[str, Any]:
    condition = {"of": "listener", "column": "arousal", "above": 1.0, **changes}
    return one(when=[{k: v for k, v in condition.items() if v is not None}])


def count(**changes: Any) -> dict[str, Any]:
    return one(when=[{k: v for k, v in {**COUNT, **changes}.items() if v is not None}])


def test_rules_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[words]\narousal = 'activation'\n[[rule]]\nname = 'mine'\nkind = 'pause'\n"
        "label = ['no demand']\nhold_s = 1\ncooldown_s = 60\nsay = ['Try a pause.']\n"
        "when = [{ of = 'listener', column = 'arousal', above = 1 }]\n",
        encoding="utf-8",
    )
    said = hear(script(CASES["tune-in-to-yourself"]), *load_rules(path))
    assert said[0].text == "Try a pause."


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({**one(), "rules": []}, ["unknown key 'rules'", "words, rule"]),
        ({"words": {}}, ["rule is missing"]),
        ({"words": {"mood": "mood"}, "rule": []}, ["column='mood'", "must be a column"]),
        (one(colour="red"), ["rule 'mine'", "unknown key 'colour'", "cooldown_s"]),
        (one(kind="shout"), ["rule 'mine': kind='shout'", "'pause'"]),
        (one(label=["insufficient"]), ["label='insufficient'", "'mirroring'"]),
        (one(label=[]), ["label=[] must not be empty"]),
        (one(label="mirroring"), ["label='mirroring' must be a list"]),
        (one(variant=["odd"]), ["variant='odd'", "'escalating'"]),
        (one(hold_s="long"), ["hold_s='long' must be a finite number"]),
        (one(hold_s=0), ["hold_s=0 must be > 0"]),
        (one(hold_s=float("nan")), ["hold_s=nan must be a finite number"]),
        (one(cooldown_s=-1), ["cooldown_s=-1 must be > 0"]),
        (one(say=["x" * 141]), ["at most 140 characters"]),
        (one(say=[3]), ["say=3"]),
        (one(when=[]), ["when=[]"]),
        (one(when=["arousal"]), ["'arousal' must be a table"]),
        ({"words": {}, "rule": [{"kind": "pause"}]}, ["rule 1", "name is missing"]),
        ({"words": {}, "rule": [7]}, ["rule 1: 7 must be a table"]),
        (when(of="both"), ["of='both'", "'listener', 'partner', 'dyad'"]),
        (when(column="arousel"), ["column of the listener='arousel'", "'arousal'"]),
        (when(of="dyad"), ["column of the dyad='arousal'", "'partner_arousal'"]),
        (when(below=0.5), ["['above', 'below']", "exactly one"]),
        (when(above=None), ["exactly one"]),
        (when(above=None, above_sd=1.0), ["above_sd of arousal", "f0_hz", "give above"]),
        (when(column="f0_hz"), ["column='f0_hz' must have its words", "[words]"]),
        (when(over_s=999.0), ["over_s=999 must be > 0 and <= 120"]),
        (when(above=True), ["above=True must be a finite number"]),
        (count(event=["sneeze"]), ["event='sneeze'", "'nod'"]),
        (count(at_most=None), ["one of at_least, at_most"]),
        (count(at_least=1), ["one of at_least, at_most"]),
        (count(at_most=0.5), ["at_most=0.5 must be a whole number"]),
        (count(of="dyad"), ["of='dyad'"]),
        (count(within_s=121), ["within_s=121 must be > 0 and <= 120"]),
        (
            {"words": {"arousal": "activation"}, "rule": [RULE, RULE]},
            ["name='mine' is there twice"],
        ),
    ],
)
def test_a_wrong_rule_says_what_must_be(tree: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        parse(tree)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", ["[[rule]\n", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ParameterError, match="not valid TOML"):
        load_rules(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        load_rules(tmp_path / "none.toml")


def test_the_rules_file_explains_itself_in_the_words_of_the_code() -> None:
    assert parse(TOML) == tuple(RULES.values())


def test_the_example_in_the_documentation_is_one() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "feedback.md"
    settings, rules = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert Config.from_dict(tomllib.loads(settings)).feedback.gap_s == 30.0
    (rule,) = parse(tomllib.loads(rules))
    assert len(rule.when) == 3


def test_sentences_may_not_come_more_often_than_every_15_s() -> None:
    with pytest.raises(ParameterError, match=r"feedback\.gap_s=10\.0 must be >= 15"):
        Config.from_dict({"feedback": {"gap_s": 10, "lasts_s": 5}})
    with pytest.raises(ParameterError, match=r"feedback\.lasts_s=21 must be at most"):
        Config.from_dict({"feedback": {"lasts_s": 21}})
