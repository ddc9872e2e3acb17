"""What a terminal shows of a session: messages in, a drawing out. No clock: times are passed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.text import Text

from cuesense import schema
from cuesense.report.words import clock, dyad_reason, plain, signed
from cuesense.terminal.drawing import BAR, TRACE_S, bar, needle, spark

HELD_S: Final = 0.6
"""s for which a label has to hold before it is shown: it must not flicker."""
NOTICE_S: Final = 4.0
"""s for which the answer to a key stands."""
WIDTH: Final = 96
"""Columns that are used at most."""
MARGIN: Final = 2

LABELS: Final = {
    "mirroring": "you move along with your partner",
    "regulating": "you stay steadier than your partner",
    "disengaged": "little of an answer can be seen or heard",
    "responding": "you answer your partner, in no one manner",
    "calm": "not shown to be responding yet",
    "moved": "not shown to be responding yet",
    "no demand": "your partner is near their usual",
    "insufficient": "",
}
VARIANTS: Final = {
    ("mirroring", "sharing"): "you share in something good",
    ("mirroring", "escalating"): "both of you are getting more worked up",
    ("regulating", "sharing"): "you are steady, and glad with your partner",
}
NAMES: Final = {"no demand": "calm between you", "insufficient": "not enough to say"}
CONSENT: Final = (
    "cuesense looks at faces (expression, gaze, nods) and listens to voices (pitch, pace, volume, "
    "never words). Nothing leaves this machine. Either of you can stop at any time."
)
AGREE: Final = "By pressing Enter you say that both of you agree to this."
SIGNS: Final = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "bad": ("✗", "red")}
KEYS: Final = {
    "setup": "l, r, a who listens · Enter begin · q leave",
    "baseline": "space pause · m mark this moment · e end",
    "session": "space pause · m mark this moment · e end",
    "paused": "space go on · e end",
}


class View:
    """Messages in, a picture of the session out.

    Parameters
    ----------
    hello
        from the desk.
    now
        monotonic s, as in all methods.
    listener
        who listens, as chosen so far: "auto", "left", "right", "A" or "B".
    keeps
        what is recorded, in words; "" if nothing is.
    """

    def __init__(self, hello: Mapping[str, Any], now: float, listener: str, keeps: str) -> None:
        self._kept = "No picture and no sound are kept, only numbers."
        if keeps:
            self._kept = f"Kept beside the numbers: {keeps}."
        self.phase, self.sentence, self._left_s = "setup", "", None
        self._views, self._played = hello["views"], hello["capture"] == "play"
        same = ("A", "left"), ("B", "right")  # with one picture a person is named by their side
        names = {a: b for pair in same for a, b in (pair, pair[::-1])}
        known = {who for who, _ in self._choices.values()}
        self.listener = listener if listener in known else names[listener]
        self._state: Mapping[str, Any] | None = None  # the last one
        self._shown: Mapping[str, Any] | None = None  # the last one whose label held
        self._since = ("", 0.0)  # the label under way, and from when (session s)
        self._traces: dict[str, deque[tuple[float, float, float]]] = {"A": deque(), "B": deque()}
        self._advice: Mapping[str, Any] | None = None
        self._advice_until = 0.0
        self._needs: Sequence[Mapping[str, str]] = ()
        self._checks: Sequence[Mapping[str, str]] = ()
        self._notice, self._notice_until = "", 0.0
        for part in ("state", "advice"):
            if hello[part] is not None:
                self.take(hello[part], now)
        self.take({**hello, "type": "phase"}, now)
        self._needs, self._checks = hello["health"], hello["checks"]

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return self.phase in ("ended", "failed")

    def take(self, message: Mapping[str, Any], now: float) -> None:
        """Take a message of the board."""
        match message["type"]:
            case "phase":
                self.phase, self.sentence = message["phase"], message.get("sentence") or ""
                self._left_s = message.get("left_s")
            case "state":
                self._take_state(message)
            case "advice":
                self._advice = message
                t = self._state["t"] if self._state is not None else message["t"]
                self._advice_until = now + max(1.0, message["until"] - max(t, message["t"]))
            case "health":
                self._needs = message["items"]
            case "checks":
                self._checks = message["items"]
            case "mark":
                self.note("Marked.", now)
            case "error":
                self.note(message["sentence"], now)

    def note(self, sentence: str, now: float) -> None:
        """Show a sentence for a moment."""
        self._notice, self._notice_until = sentence, now + NOTICE_S

    def choose(self, key: str) -> None:
        """Take a key of the choice of who listens: l, r or a."""
        self.listener = self._choices[key][0]

    @property
    def _choices(self) -> Mapping[str, tuple[str, str]]:
        """What each key of that choice means, and in words."""
        if self._views != 1:
            sides = {"l": ("A", "the first person"), "r": ("B", "the second person")}
        elif self._played:
            sides = {"l": ("left", "left in the picture"), "r": ("right", "right in the picture")}
        else:  # who sits on the left, facing the screen, is on the right of the camera's picture
            sides = {
                "l": ("right", "who sits on the left, facing the screen"),
                "r": ("left", "who sits on the right, facing the screen"),
            }
        return {**sides, "a": ("auto", "whoever speaks less at the start")}

    def _take_state(self, message: Mapping[str, Any]) -> None:
        self._state = message
        label, t = message["label"], message["t"]
        if label != self._since[0]:
            self._since = (label, t)
        settled = t - self._since[1] >= HELD_S
        if self._shown is None or settled or self._shown["label"] == label:
            self._shown = message
        for who, trace in self._traces.items():
            person = message["people"][who]
            trace.append((t, _float(person["arousal"]), _float(person["valence"])))
            while trace[0][0] < t - TRACE_S:
                trace.popleft()

    # In plain lines

    def news(self) -> list[str]:
        """Return what is to be told once: the phase, the question, advice, what needs a hand."""
        told = [f"{self.phase}: {self.sentence}" if self.sentence else self.phase]
        if self.phase == "setup":
            told += [CONSENT, self._kept, AGREE, KEYS["setup"]]
        if self._advice is not None:
            told.append(" ".join((self._advice["text"], *self._because())))
        return told + [item["sentence"] for item in self._needs]

    def line(self) -> str:
        """Return how things are, as one line; "" where there is nothing to say yet."""
        state = self._shown
        if state is None or self.phase in ("setup", "paused"):
            return self._countdown()
        label, why = self._label(state)
        parts = [f"{clock(state['t'])} {label}" + (f" ({why})" if why else "")]
        for who, name in self._people(state):
            person = state["people"][who]
            numbers = [f"{name}: activation {_signed(person['arousal'])}"]
            numbers.append(f"look of ease {_signed(person['valence'])}")
            parts.append(", ".join(numbers) + (", speaking" if _speaks(person) else ""))
        return "; ".join(parts)

    # As a screen

    def screen(self, now: float, width: int) -> RenderableType:
        """Return the session drawn for a terminal of so many columns."""
        width = min(width, WIDTH)
        body: list[RenderableType]
        if self.phase == "setup":
            body = self._setup()
        else:
            body = self._session(now, width - 2 * MARGIN)
        notice = self._notice if now < self._notice_until else ""
        foot = Text(notice or KEYS.get(self.phase, ""), style="bold" if notice else "dim")
        everything = Group(self._head(), Text(), *body, Text(), foot)
        return Constrain(Padding(everything, (1, MARGIN)), width)

    def _head(self) -> Text:
        head = Text("cuesense", style="bold")
        head.append(f" · {self.phase}", "default")
        if self._state is not None and self.phase != "setup":
            head.append(f" {clock(self._state['t'])}", "default")
        head.append(f"   {self._countdown() or self.sentence}", "default")
        return head

    def _countdown(self) -> str:
        if self.phase != "baseline" or self._left_s is None:
            return ""
        return f"Just talk about your day: {plain(self._left_s)} s to learn what is usual for you."

    def _setup(self) -> list[RenderableType]:
        checks = [
            Text.assemble(_sign(item), " ", item["sentence"] or f"{item['what']} is fine")
            for item in self._checks
        ]
        return [
            *(checks or [Text("" if self._played else "Looking for faces and voices …")]),
            Text(),
            Text("Who listens?"),
            *self._options(),
            Text(),
            Text(CONSENT),
            Text(self._kept),
            Text(),
            Text(AGREE, style="bold"),
        ]

    def _options(self) -> list[Text]:
        found = []
        for key, (listener, words) in self._choices.items():
            mine = listener == self.listener
            found.append(Text(f"{'●' if mine else '○'} {key}  {words}", "bold" if mine else ""))
        return found

    def _session(self, now: float, width: int) -> list[RenderableType]:
        state = self._shown
        body: list[RenderableType] = []
        if state is not None:
            paused = self.phase == "paused"
            label, why = ("paused", "") if paused else self._label(state)
            body += [
                needle(None if paused else state["needle"], width, about=_about(state)),
                Text(label, style="bold", justify="center"),
            ]
            body += [Text(why, justify="center"), Text(), self._table(state, width), Text()]
        if self._advice is not None and now < self._advice_until:
            body.append(Text(self._advice["text"], style="bold"))
            body.append(Text("".join(self._because()), style="dim"))
        else:
            body += [Text(), Text()]
        body += [Text.assemble(_sign(item), " ", item["sentence"]) for item in self._needs]
        if state is not None:
            body += [Text(), Text(_quality(state), style="dim")]
        return body

    def _because(self) -> list[str]:
        reasons = self._advice["because"] if self._advice is not None else ()
        return ["because " + ", ".join(reasons)] if reasons else []

    def _label(self, state: Mapping[str, Any]) -> tuple[str, str]:
        label = schema.short(state["label"])
        why = VARIANTS.get((label, state["variant"])) or LABELS[label]
        return NAMES.get(label, label), why or dyad_reason(state["reason"])

    @staticmethod
    def _people(state: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return who is who and how they are called, the partner first."""
        names = {"partner": "partner", "listener": "you"}
        people = [(who, names.get(p["role"], who)) for who, p in state["people"].items()]
        return sorted(people, key=lambda pair: pair[1] == "you")

    def _table(self, state: Mapping[str, Any], width: int) -> Text:
        """Draw both people's states: bar, number, and as much of the last minute as fits."""
        length = max(0, (width - 19) // 2 - BAR - 9)
        heads = (f"{head:<{BAR + 9 + length}}" for head in ("activation", "look of ease"))
        rows = [" " * 19 + "".join(heads)]
        for who, name in self._people(state):
            person = (self._state or state)["people"][who]
            row = f"{name:<8}{'● speaking' if _speaks(person) else '':<11}"
            for column, which in ((1, "arousal"), (2, "valence")):
                trace = spark([(point[0], point[column]) for point in self._traces[who]], length)
                row += f"{bar(person[which])} {_signed(person[which]):>5} {trace}  "
            rows.append(row)
        return Text("\n".join(rows), no_wrap=True, overflow="crop")


def _sign(item: Mapping[str, str]) -> tuple[str, str]:
    return SIGNS.get(item["state"], SIGNS["bad"])


def _about(state: Mapping[str, Any]) -> bool:
    """Return whether the listener is shown to be responding to this partner."""
    return state["label"] not in (schema.CALM, schema.MOVED)


def _quality(state: Mapping[str, Any]) -> str:
    late = state["latency_ms"]
    parts = [
        f"{plain(_float(state['fps']))} pictures/s",
        f"{state['dropped']} dropped",
        *(f"{name} {plain(_float(late[name]))} ms" for name in ("cues", "label") if late[name]),
        f"{state['nods']} nods",
        f"{state['backchannels']} short answers",
    ]
    if state["turn_share"] is not None:
        parts.append(f"you speak {100 * state['turn_share']:.0f} %")
    return " · ".join(parts)


def _speaks(person: Mapping[str, Any]) -> bool:
    return person["speaking"] is not None and person["speaking"] > 0.5


def _float(x: float | None) -> float:
    return math.nan if x is None else float(x)


def _signed(x: float | None) -> str:
    return signed(_float(x)) or "-"
