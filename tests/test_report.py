"""The report: its sentences, its numbers' size, its page without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import report_sessions as made
from cuesense import report, schema
from cuesense.report import attunement, facts, pair, sections, sentences, series, words
from cuesense.report.digest import Digest, digest
from cuesense.report.facts import Gaze, Rise
from cuesense.report.words import At, Who
from cuesense.types import F64, Person, Reason

YOU = Who("you", "your", True)
PARTNER = Who("your partner", "your partner's")
NAN = float("nan")
LEARNED = {"complete": True, "how": "start", "start_s": 0.0, "end_s": 45.0, "profile": None}
ANNA = {"name": "anna", "made": "2026-11-23T10:00:00+00:00"}


class Page(HTMLParser):
    """What a page consists of: elements in order, ids, text, the embedded data, open elements."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        kept = [t for tag, ts in self.texts.items() if tag not in {"script", "style"} for t in ts]
        return re.sub(r"\s+", " ", " ".join(kept))

    @property
    def data(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.texts["script"][0])
        return parsed


@pytest.fixture(scope="module")
def talk() -> report.ReportInput:
    return made.session()


@pytest.fixture(scope="module")
def page(talk: report.ReportInput) -> Page:
    return Page(report.render(talk))


# ---- series ----------------------------------------------------------------------------------


def test_bin_means_leave_missing_values_out() -> None:
    t = np.arange(10) / 25
    x = np.array([1.0, 3.0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN])
    assert series.bin_means(t, x, 0.2, 3) == pytest.approx([2.0, NAN, NAN], nan_ok=True)


def test_bin_means_take_every_tick_once_whatever_rounding_does() -> None:
    t = np.arange(0, 3600, 0.04)
    count = series.bin_means(t, np.arange(len(t), dtype=float), 0.2, 18_000)
    assert count == pytest.approx(np.arange(18_000) * 5 + 2)


def test_coarsen_averages_neighbours_and_the_rest() -> None:
    x = np.array([1.0, 3.0, NAN, 5.0, NAN, NAN, 9.0])
    assert series.coarsen(x, 2) == pytest.approx([2.0, 5.0, NAN, 9.0], nan_ok=True)


@pytest.mark.parametrize(
    ("duration_s", "width_s"), [(5, 0.2), (600, 0.2), (3600, 0.2), (7200, 0.4), (1e6, 1e6 / 18e3)]
)
def test_bin_width_bounds_the_bins(duration_s: float, width_s: float) -> None:
    assert series.bin_width(duration_s) == pytest.approx(width_s)


def test_runs_end_at_a_new_value_and_at_a_hole_in_time() -> None:
    t = np.array([0.0, 0.2, 0.4, 2.0, 2.2])
    found = series.runs(t, ["a", "a", "b", "b", "b"], 0.2)
    assert [r.value for r in found] == ["a", "b", "b"]
    assert [r.start for r in found] == pytest.approx([0, 0.4, 2.0])
    assert [r.end for r in found] == pytest.approx([0.4, 0.6, 2.4])


def test_runs_swallow_what_is_too_short_to_see() -> None:
    t = np.arange(7, dtype=np.float64) * 0.2
    found = series.runs(t, list("aabaaac"), 0.2, shortest_s=0.4)
    assert [(r.start, r.value) for r in found] == [(0.0, "a")]
    assert found[0].end == pytest.approx(1.4)


def test_pack_keeps_values_to_half_a_step() -> None:
    x = np.array([-1.237, 0.0, NAN, 4.999])
    packed = series.pack(x, 0.01)
    assert packed == [-124, 0, None, 500]


# ---- facts -----------------------------------------------------------------------------------


def test_peaks_are_high_apart_and_in_order_of_time() -> None:
    t = np.arange(0, 100, 2.0)
    x = np.zeros(50)
    x[[5, 6, 30, 45]] = [2.0, 1.9, 3.0, 0.9]
    assert facts.peaks(t, x) == [(10.0, 2.0), (60.0, 3.0)]


def test_peaks_of_nothing() -> None:
    assert facts.peaks(np.arange(3.0), np.full(3, NAN)) == []


def test_trend_needs_both_ends() -> None:
    x = np.concatenate([np.full(30, 0.5), np.zeros(30), np.full(30, 2.0)])
    assert facts.trend(x) == pytest.approx((0.5, 2.0))
    x[:30] = NAN
    assert facts.trend(x) is None


def _with(talk: report.ReportInput, arousal: dict[Person, F64]) -> Digest:
    """Return the session's digest with these people's arousal in place of theirs."""
    found = digest(talk.timeline, talk.state, talk.events, talk.meta)
    for person, x in arousal.items():
        found.tracks[person].series["arousal"][:] = x
    return found


def test_a_rise_is_found_where_it_was_put_and_the_partner_came_first(
    talk: report.ReportInput,
) -> None:
    t = (np.arange(1500) + 0.5) * 0.2
    found = _with(
        talk,
        {
            "A": np.where((t > 112) & (t < 140), 2.0, 0.0),
            "B": 1.5 / (1 + np.exp(-(t - 123))) - 1.5 / (1 + np.exp(-(t - 160) / 8)),
        },
    )
    rises = facts.rises(found, found.tracks["B"], found.tracks["A"])
    assert len(rises) == 1
    assert 114 <= rises[0].start <= 122 < rises[0].end <= 130
    assert rises[0].size == pytest.approx(1.4, abs=0.15)
    assert rises[0].occasion == "partner"


def test_gaze_is_counted_while_only_the_other_speaks(talk: report.ReportInput) -> None:
    found = digest(talk.timeline, talk.state, talk.events, talk.meta)
    me, other = found.tracks["B"], found.tracks["A"]
    n = len(found.posterior)
    half = np.arange(n) < n // 2
    me.series["gaze_on_partner"][:] = np.where(half, 1.0, 0.0)
    other.series["speaking"][:] = half.astype(float)
    me.series["speaking"][:] = (~half).astype(float)
    gaze = facts.gaze(me, other, found.width_s)
    assert (gaze.listening, gaze.speaking) == (1.0, 0.0)
    assert gaze.listened_s == pytest.approx(150, abs=0.3)
    me.series["gaze_on_partner"][:] = NAN
    assert math.isnan(facts.gaze(me, other, found.width_s).listening)


# ---- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "text"), [(0, "0:00"), (83.9, "1:23"), (599.9999999, "10:00"), (3661, "1:01:01")]
)
def test_clock(t: float, text: str) -> None:
    assert words.clock(t) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.001, "< 1 %"), (0.4249, "42 %"), (1, "100 %")]
)
def test_percent(share: float, text: str) -> None:
    assert words.percent(share) == text.replace(" ", words.THIN)


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.04, "0.0"), (-0.04, "0.0"), (1.26, "+1.3"), (-2, "\N{MINUS SIGN}2.0"), (NAN, "")],
)
def test_signed(x: float, text: str) -> None:
    assert words.signed(x) == text


def test_every_reason_has_words_for_people() -> None:
    missing = {r for r in Reason if r and words.reason(r) == r}
    assert missing == set()
    assert not any("_" in words.reason(r) for r in Reason)


def test_every_reason_of_the_dyad_has_words_for_people() -> None:
    from cuesense.config import Dyad
    from cuesense.dyad.modes import reasons

    codes = [code for code in reasons(Dyad()) if code]
    assert codes
    assert [code for code in codes if words.dyad_reason(code) == code] == []


# ---- sentences -------------------------------------------------------------------------------

SOME = {
    "mirroring": 0.3,
    "regulating": 0.1,
    "disengaged": 0.0,
    "no demand": 0.4,
    "insufficient": 0.2,
}
NULL = {"true": 0.42, "median": 0.40, "low": 0.3, "high": 0.5, "p": 0.4}


SETTLED: dict[str, Any] = {
    "difference": -0.4,
    "low": -0.7,
    "high": -0.1,
    "chance": {"p": 0.02, "low": -0.3, "high": 0.3},
}
SPACE = {
    "after_s": 1.2,
    "otherwise_s": -0.1,
    "difference_s": {"value": 1.3, "low": 0.2, "high": 2.0},
    "chance": {"p": 0.02},
    "longest": [[30.0, 32.5]],
}
MINUS = {"value": -0.5, "low": -0.9, "high": -0.1}
VOICES: dict[str, Any] = {
    "exchanges": {"pitch": 20},
    "measures": {
        "pitch": {
            "synchrony": {"value": 0.45, "median": 0.0, "low": -0.3, "high": 0.3, "p": 0.004},
            "proximity": {"value": -0.8, "median": 0.0, "low": -0.5, "high": 0.5, "p": 0.2},
        }
    },
    "found": [],
}


def _null(**changes: Any) -> dict[str, Any]:
    values = {"of_labelled": {"regulating": NULL}, "fit": None, "rolls": 20, "reason": ""}
    return values | changes


@pytest.mark.parametrize(
    ("said", "says", "calm"),
    [
        (attunement.response(SOME, "", YOU, PARTNER, [])[0], "named for 40 % of the time", False),
        (attunement.response(SOME, "", YOU, PARTNER, [])[0], "For 40 %, your partner was", False),
        (
            attunement.response(SOME, "", YOU, PARTNER, [])[1],
            "mirroring for 75 % and regulating for 25 %.",
            False,
        ),
        (
            attunement.response({"insufficient": 1.0}, "uncalibrated", YOU, PARTNER, [])[0],
            "Mostly: still learning what is usual for both. That says something about the rec",
            True,
        ),
        (attunement.response({}, "", YOU, PARTNER, [])[0], "not enough to say how you resp", True),
        (
            attunement.wrong_partner(_null(), YOU, PARTNER, {})[0],
            "Regulating makes up 42 % of the named time; with a wrong partner it would be 40 % "
            "(30 % to 50 %, p = 0.40). That is not evidence of attunement",
            False,
        ),
        (
            attunement.wrong_partner(
                _null(of_labelled={"regulating": NULL | {"p": 0.04}}), YOU, PARTNER, {}
            )[0],
            "more than your manner alone explains",
            False,
        ),
        (
            attunement.wrong_partner(_null(fit=NULL | {"p": 0.048}), YOU, PARTNER, {})[1],
            "your signals fit your partner's better than a wrong partner's (p = 0.05)",
            False,
        ),
        (
            attunement.wrong_partner(
                _null(of_labelled={"regulating": NULL | {"true": 0.12, "p": 1.0}}), YOU, PARTNER, {}
            )[0],
            "not evidence of attunement: your partner got less of it than a wrong partner would",
            False,
        ),
        (
            attunement.wrong_partner(None, YOU, PARTNER, {})[0],
            "take these shares as a description only",
            True,
        ),
        (
            attunement.wrong_partner(_null(reason="the partner repeats"), YOU, PARTNER, {})[0],
            "not to be trusted here, because your partner's ups and downs repeat",
            True,
        ),
        (
            attunement.settling(
                {"difference": -0.4, "low": -0.7, "high": -0.1, "regulating": 5, "mirroring": 4},
                PARTNER,
            ),
            "your partner had settled more than after mirroring stretches, beyond what your "
            "partner's own trend predicts (-0.4, 95 % interval -0.7 to -0.1)",
            False,
        ),
        (
            attunement.settling(SETTLED, PARTNER),
            "(-0.4, 95 % interval -0.7 to -0.1; with the stretches at other times -0.3 to +0.3, "
            "p = 0.02)",
            False,
        ),
        (
            attunement.settling(SETTLED | {"chance": {"p": 0.2, "low": -1, "high": 1}}, PARTNER),
            "was neither calmer nor more activated",
            False,
        ),
        (
            attunement.synchrony({"z": 0.2, "p": 0.004, "low": -0.1, "high": 0.12})[0],
            "(z = +0.20, by chance -0.10 to +0.12, p < 0.01)",
            False,
        ),
        (
            attunement.settling({"difference": 0.4, "low": 0.1, "high": 0.7}, PARTNER),
            "had settled less",
            False,
        ),
        (
            attunement.settling({"difference": 0.1, "low": -0.1, "high": 0.3}, PARTNER),
            "was neither calmer nor more activated",
            False,
        ),
        (
            attunement.settling({"difference": None, "regulating": 2, "mirroring": 0}, PARTNER),
            "2 regulating and 0 mirroring stretches to compare, which is too few",
            True,
        ),
        (attunement.settling(None, PARTNER), "0 regulating and 0 mirroring", True),
        (
            attunement.synchrony({"z": 0.2, "p": 0.004, "power": ""})[0],
            "smiles came together more than chance allows (z = +0.20, p < 0.01)",
            False,
        ),
        (attunement.synchrony({"z": -0.2, "p": 0.01})[0], "at opposite times", False),
        (attunement.synchrony({"z": 0.2, "p": 0.3})[0], "not be told from chance", False),
        (
            attunement.synchrony({"z": None, "p": None, "reason": "under 180 s"})[0],
            "cannot be said (under 180 s)",
            True,
        ),
        (attunement.synchrony({"z": 0.2, "p": 0.3, "power": "38 %."})[1], "38 %.", True),
        (attunement.synchrony(None)[0], "not computed", True),
        (sentences.activation(YOU, [(83.0, 1.84)], True), "You looked and sounded most", False),
        (sentences.activation(YOU, [], True), "You stayed close to your usual", False),
        (sentences.activation(PARTNER, [], False), "Your partner's activation cannot", True),
        (sentences.pleasantness(PARTNER, [], [], False)[0], "read from the face", True),
        (sentences.pleasantness(YOU, [(3, -1.2)], [], True)[0], "You looked least at ease", False),
        (sentences.trend(YOU, (0.0, 1.0), 60)[0], "You were more activated at the end", False),
        (sentences.trend(PARTNER, (0.0, -1.0), 60)[0], "Your partner was less activated", False),
        (sentences.trend(YOU, (0.0, 0.2), 60)[0], "about as activated at the end", False),
        (sentences.rises(YOU, PARTNER, [], True)[0], "Your activation never rose", False),
        (
            sentences.rises(YOU, PARTNER, [Rise(3, 9, 1.5, "partner")] * 2, True)[1],
            "(2 of 2) came when your partner was already activated",
            False,
        ),
        (pair.latency(YOU, PARTNER, 0.62, 9, []), "You mostly left 0.6 s before ans", False),
        (
            pair.latency(YOU, PARTNER, -0.3, 9, []),
            "You mostly began 0.3 s before your partner ended (median of 9 turns)",
            False,
        ),
        (pair.latency(YOU, PARTNER, 0.62, 2, []), "takes 3 answers or more", True),
        (pair.latency(YOU, PARTNER, NAN, 0, []), "and there were 0.", True),
        (pair.interruptions(YOU, PARTNER, [], 4), "You let your partner finish", False),
        (pair.interruptions(YOU, PARTNER, [At(1, 2)], 4), "still talking once", False),
        (pair.interruptions(YOU, PARTNER, [], 0), "No turns of you were found", True),
        (
            pair.latency(YOU, PARTNER, 0.62, 9, [], (-0.1, 1.2)),
            "before answering (median of 9 turns, 95 % interval -0.1 s to 1.2 s).",
            False,
        ),
        (
            pair.interruptions(YOU, PARTNER, [], 4, (0.0, 0.49)),
            "let your partner finish every time (of 4 turns; 95 % interval 0 % to 49 % of them).",
            False,
        ),
        (
            pair.floor(YOU, 0.43, {"silence_share": 0.12}, []),
            "You had 43 % of the talking time, and for 12 % of the conversation nobody spoke.",
            False,
        ),
        (
            pair.floor(
                YOU, 0.43, {"silence_share": 0.12, "silence": {"low": 0.2, "high": 0.3}}, []
            ),
            "spoke (by chance, had each talked without regard to the other: 20 % to 30 %).",
            False,
        ),
        (pair.floor(YOU, NAN, {}, []), "cannot be said", True),
        (
            pair.space(YOU, PARTNER, SPACE)[0],
            "the middle wait before you spoke was 1.2 s; at other times it was -0.1 s (longer by "
            "1.3 s, 95 % interval 0.2 s to 2.0 s, p = 0.02). So you gave your partner more space",
            False,
        ),
        (
            pair.space(YOU, PARTNER, SPACE | {"chance": {"p": 0.4}})[0],
            "That may well be chance.",
            False,
        ),
        (
            pair.space(YOU, PARTNER, SPACE | {"difference_s": MINUS})[0],
            "(shorter by 0.5 s, 95 % interval -0.9 s to -0.1 s, p = 0.02). So you left your",
            False,
        ),
        (pair.space(YOU, PARTNER, SPACE | {"chance": None})[0], "too short to say", False),
        (
            pair.space(YOU, PARTNER, {"difference_s": {}, "after": 2, "otherwise": 9})[0],
            "2 turns ended with one and 9 without, which is too few",
            True,
        ),
        (
            pair.voices(YOU, PARTNER, VOICES)[0],
            "From turn to turn your voice could not be shown to follow your partner's: of 2 "
            "comparisons of pitch none was beyond chance (the strongest: synchrony of pitch, "
            "r = +0.45, by chance -0.30 to +0.30, p < 0.01).",
            False,
        ),
        (
            pair.voices(YOU, PARTNER, VOICES | {"found": [["pitch", "synchrony"]]})[0],
            "The pitch of your voice went up and down with your partner's from turn to turn (r = ",
            False,
        ),
        (
            pair.voices(PARTNER, YOU, VOICES | {"found": [["pitch", "proximity"]]})[0],
            "The pitch of your partner's voice began further from how you had just ended than "
            "from your other turns (-0.8 semitones, by chance -0.5 to +0.5, p = 0.20).",
            False,
        ),
        (
            pair.voices(YOU, PARTNER, {"exchanges": {"pitch": 9, "pace": 4}, "measures": {}})[0],
            "there were 9 answers in which both voices could be read, which is too few",
            True,
        ),
        (
            sentences.eye_contact(YOU, PARTNER, Gaze(0.7, 0.4, 60), [])[0],
            "your eyes were on your partner for 70 % of the time (while speaking yourself: 40 %)",
            False,
        ),
        (sentences.eye_contact(YOU, PARTNER, Gaze(NAN, NAN, 0), [])[0], "too little of", True),
        (sentences.signals(YOU, [At(1, 2)] * 9, [], 3, True), "3.0 nods and 0.0 short", False),
        (sentences.signals(YOU, [], [At(1, 2)] * 6, 3, False), "You gave 2.0 short", False),
        (sentences.signals(YOU, [], [], 0.1, True), "too short to count", True),
        (
            sentences.baseline(YOU, {"complete": False, "missing": ["f0_hz", "smile"]}),
            "not enough of f0 hz and smile",
            True,
        ),
        (sentences.baseline(YOU, LEARNED), "from the beginning, 0:00 to 0:45.", False),
        (
            sentences.baseline(YOU, {**LEARNED, "how": "auto", "start_s": 60, "end_s": 105}),
            "learned from the most ordinary stretch of the recording, 1:00 to 1:45.",
            False,
        ),
        (
            sentences.baseline(PARTNER, {**LEARNED, "how": "profile", "profile": ANNA}),
            "your partner was known before, from the saved profile “anna”.",
            False,
        ),
        (
            sentences.baseline(PARTNER, {**LEARNED, "how": "given", "profile": ANNA}),
            "“anna”, and what that lacks was learned from the stretch that was named for it, 0:00",
            False,
        ),
        (sentences.coverage(PARTNER, None, []), "could not be found", True),
    ],
)
def test_sentences(said: sentences.Sentence, says: str, calm: bool) -> None:
    plain = said.text.replace(words.THIN, " ").replace(words.NB, " ").replace(words.MINUS, "-")
    assert says in plain
    assert said.calm is calm
    assert said.text[0].isupper() or said.text[0].isdigit()
    assert not re.search(r"nan|None|_|\b1 times\b", said.text)


def test_a_moment_says_when_in_words_and_in_its_link() -> None:
    said = sentences.activation(YOU, [(83.4, 1.84)], True)
    assert [(m.clock, m.href, m.note) for m in said.moments] == [("1:23", "83.4", "(+1.8)")]
    assert At(5, 65.25).href == "5.0-65.2"


def test_what_claims_something_points_somewhere() -> None:
    claim, hedge = sentences.Sentence("It is so."), sentences.quiet("It cannot be said.")
    anchored = sentences.anchored([claim, hedge], 60.0)
    assert [[m.words for m in s.moments] for s in anchored] == [["0:00 to 1:00"], []]


SESSIONS = {
    "two people": made.session,
    "5 seconds": lambda: made.session(5.0),
    "one person": made.alone,
    "sound only": made.sound_only,
    "nobody": made.nothing,
}


@pytest.mark.parametrize("name", SESSIONS)
def test_every_sentence_of_every_kind_of_session_points_somewhere(name: str) -> None:
    session = SESSIONS[name]()
    found = digest(session.timeline, session.state, session.events, session.meta)
    parts = sections.sections(found, session.meta["summary"], sections.cast(found))
    said = [s for part in parts for s in part.sentences]
    assert said
    assert [s.text for s in said if not s.calm and not s.moments] == []
    ends = [m.end for s in said for m in s.moments]
    assert all(end <= found.duration_s + found.width_s for end in ends)


# ---- the page --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SESSIONS)
def test_page_holds_nothing_but_words(name: str) -> None:
    page = Page(report.render(SESSIONS[name]()))
    assert not re.search(r"\bnan\b|\bNone\b|undefined", page.text)
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        href = link["href"] or ""
        assert href.startswith("#t=") or href[1:] in ids


def test_page_asks_for_nothing(page: Page) -> None:
    html = report.render(made.session(20.0))
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert not re.search(r"\b(src|srcset|data-src|action|poster)=", html)
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttp|WebSocket|import\(", html)
    assert page.all("link") == []


def test_policy_allows_this_script_and_style_only(page: Page) -> None:
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy is not None
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"

    def sha(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert rules["script-src"] == f"'sha256-{sha(page.texts['script'][1])}'"
    assert rules["style-src"] == f"'sha256-{sha(page.texts['style'][0])}'"
    assert not any("style" in a or "onclick" in a for _, a in page.elements)


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>.mp4", "a\"b'<img src=x>&.mp4"]
)
def test_hostile_names_stay_text(name: str) -> None:
    session = made.session(20.0, name=name)
    session.meta["notes"].append(name)
    session.meta["people"]["A"]["side"] = name
    page = Page(report.render(session))
    assert len(page.all("script")) == 2
    assert page.all("img") == []
    assert name in page.text


@pytest.mark.parametrize(("minutes", "megabytes"), [(10, 1.5), (60, 3.0)])
def test_size(minutes: int, megabytes: float) -> None:
    html = report.render(made.session(60.0 * minutes))
    assert len(html.encode()) <= megabytes * 1e6


def test_embedded_series_are_the_sessions(talk: report.ReportInput, page: Page) -> None:
    data = page.data
    mine = np.array(talk.timeline.column("person").to_pylist()) == "B"
    arousal = talk.timeline.column("arousal").to_numpy()[mine]
    got = data["people"][1]["series"]["arousal"]
    values = np.array([NAN if v is None else v * got["step"] for v in got["v"]])
    want = arousal.reshape(-1, 5).mean(axis=1)
    assert len(values) == 1500
    assert values == pytest.approx(want, abs=0.0051, nan_ok=True)
    assert data["people"][1]["gaps"]["state"][0] == [
        0.0,
        45.0,
        "still learning this person's usual",
    ]


def test_labels_cover_the_session_without_overlap(talk: report.ReportInput, page: Page) -> None:
    labels = page.data["labels"]
    assert labels[0][0] == 0
    assert labels[-1][1] == pytest.approx(300.0)
    assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(labels))
    length = sum(end - start for start, end, label in labels if label == "mirroring")
    counted = talk.state.column("label").to_pylist().count("mirroring") / 5
    assert length == pytest.approx(counted, abs=0.5)


def test_each_track_has_a_name_a_description_and_a_table(page: Page) -> None:
    tracks = [a["data-track"] for a in page.all("figure")]
    assert tracks == [
        *("mode", "contingency", "arousal", "valence", "floor", "responses", "gaze"),
        *("voice_A", "voice_B", "coverage"),
    ]
    images = [a for a in page.all("svg") if a.get("role") == "img"]
    assert len(images) == len(tracks)
    assert all(a["aria-label"] for a in images)
    ids = {a["id"] for a in page.all("details") if "id" in a}
    tables = ("mode", "states", "talk", "gaze", "voice", "gaps", "chance")
    assert ids == {f"table-{t}" for t in tables}


def test_sections_follow_the_practice(page: Page) -> None:
    titles = ("Attunement", "Read their cues", "Give grace", "Active listening", "Tune in to yours")
    places = [page.text.index(title) for title in titles]
    assert places == sorted(places)
    assert all(limit in page.text for limit in sentences.LIMITS)
    for word in ("face_landmarker", "c0ffee" * 10, "5d41402abc4b2a76", "0.1.0"):
        assert word in page.text


def test_shares_stand_beside_the_wrong_partner() -> None:
    session = made.session()
    against = {mode: NULL | {"p": 0.3} for mode in schema.MODES}
    session.meta["summary"]["null"] = _null(of_labelled=against)
    text = Page(report.render(session)).text.replace(words.THIN, " ")
    assert "Wrong partner" in text
    assert "That is not evidence of attunement" in text
    assert "wrong partners (20 shifts)" in text


def test_one_person_is_a_view_of_themselves() -> None:
    page = Page(report.render(made.alone()))
    assert "Tune in to yourself" in page.text
    assert "Active listening" not in page.text
    assert "only one person could be read" in page.text.lower()
    assert "mode" not in [a["data-track"] for a in page.all("figure")]
    assert [p["id"] for p in page.data["people"]] == ["A"]
    assert page.data["labels"] == []


def test_sound_alone_says_what_a_face_would_have_shown() -> None:
    page = Page(report.render(made.sound_only()))
    assert "sound only" in page.text
    assert "read from the face, and there is no picture" in page.text
    drawn = [a for a in page.all("svg") if a.get("role") == "img"]
    assert len(drawn) == len(page.all("figure")) - 2  # pleasantness and eyes are notes
    assert page.data["families"] == ["voice"]


def test_too_short_is_said_calmly_and_shows_no_label() -> None:
    page = Page(report.render(made.session(5.0)))
    assert "not enough to say how you responded" in page.text
    assert "Mostly: the beginning" in page.text
    assert {label for _, _, label in page.data["labels"]} == {"insufficient"}
    assert "Not shown: no usual to compare with" in page.text


def test_nobody_is_a_page_all_the_same() -> None:
    page = Page(report.render(made.nothing()))
    assert "nothing to read here" in page.text
    assert page.all("figure") == []


def test_the_stretch_that_usual_was_learned_from_is_drawn_once() -> None:
    session = made.session()
    assert Page(report.render(session)).data["learned"] == [[0.0, 45.0]]
    profile = {"how": "profile", "start_s": None, "end_s": None, "profile": ANNA}
    session.meta["baseline"]["A"] = {**LEARNED, **profile}
    session.meta["baseline"]["B"] = {**LEARNED, "how": "auto", "start_s": 60.0, "end_s": 105.0}
    page = Page(report.render(session))
    assert page.data["learned"] == [[60.0, 105.0]]
    assert "usual learned here" in page.text
    session.meta["baseline"]["B"] = session.meta["baseline"]["A"]
    assert "usual learned here" not in Page(report.render(session)).text
    assert "1:00 to 1:45" in page.text


def test_unknown_roles_speak_of_both_alike() -> None:
    session = made.session()
    for person in "AB":
        session.meta["people"][person]["role"] = "undecided"
    text = Page(report.render(session)).text
    assert "Who shared and who listened is not known" in text
    assert "A (left) looked and sounded most activated" in text
    assert "B (right) looked and sounded most activated" in text
    assert not re.search(
        r"\byour partner\b", text.split("What this cannot tell you")[0].split("How")[0]
    )


def test_summaries_that_are_missing_altogether() -> None:
    session = made.session()
    for part in ("summary", "coverage", "baseline"):
        session.meta[part].clear()
    text = Page(report.render(session)).text
    assert "could not be tested" in text
    assert "How quickly you answered cannot be said" in text


def test_tables_without_rows_are_no_error() -> None:
    session = made.session(30.0)
    empty = report.ReportInput(
        session.timeline.slice(0, 0),
        session.state.slice(0, 0),
        session.events.slice(0, 0),
        session.meta,
    )
    assert "nothing to read here" in Page(report.render(empty)).text


def test_the_columns_asked_for_are_enough() -> None:
    session = made.session(20.0)
    few = session.timeline.select(list(report.COLUMNS))
    slim = report.ReportInput(few, session.state, session.events, session.meta)
    assert report.render(slim) == report.render(session)


def test_nulls_of_arrow_are_missing_values() -> None:
    session = made.session(20.0)
    table = session.timeline
    index = table.schema.get_field_index("loudness_db")
    nulls = pa.array([None] * table.num_rows, pa.float64())
    table = table.set_column(index, table.schema.field(index), nulls)
    page = Page(
        report.render(report.ReportInput(table, session.state, session.events, session.meta))
    )
    assert set(page.data["people"][0]["series"]["loudness_db"]["v"]) == {None}
