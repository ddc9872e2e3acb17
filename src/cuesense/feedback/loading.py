"""Rules from TOML, checked as a whole.

`rules.toml` beside this file holds the rules that come with cuesense and explains their keys.
Whatever is misspelt, unknown or out of range is refused when the file is read: a rule that cannot
hold, or that says more than it rests on, is not found out in the middle of a conversation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from cuesense.config import read_toml
from cuesense.dyad.modes import VARIANTS
from cuesense.errors import ParameterError
from cuesense.feedback.rules import (
    CUES,
    DYAD_COLUMNS,
    KINDS,
    LABELS,
    LONGEST_S,
    PERSON_COLUMNS,
    WITNESS,
    Condition,
    Count,
    Level,
    Rule,
)

LONGEST: Final = 140
"""Characters of a sentence that can be taken in at a glance."""
FEW: Final = 20
"""Choices up to which an error names all of them."""


def load_rules(path: str | Path = "") -> tuple[Rule, ...]:
    """Read rules in their order of importance.

    Parameters
    ----------
    path
        a TOML file; "" takes the rules that come with cuesense.

    Raises
    ------
    ParameterError
        if the file cannot be read or a rule breaks a rule.
    """
    path = Path(path) if str(path) else Path(__file__).with_name("rules.toml")
    return parse(read_toml(path, "feedback.rules"))


def parse(tree: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a TOML tree.

    Raises
    ------
    ParameterError
        naming the rule, the value, what it must be.
    """
    top = _table(tree, "feedback rules", {"words": dict, "rule": list}, {})
    words = _table(top["words"], "feedback [words]", {}, dict.fromkeys(top["words"], str))
    for column in words:
        _one_of(column, (*PERSON_COLUMNS, *DYAD_COLUMNS), "feedback [words] column")
    rules = tuple(_rule(t, i, words) for i, t in enumerate(top["rule"], start=1))
    names = [rule.name for rule in rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(f"feedback rule name={twice!r} is there twice; names must differ")
    return rules


def _rule(tree: Any, number: int, words: Mapping[str, str]) -> Rule:
    named = isinstance(tree, Mapping) and isinstance(tree.get("name"), str)
    where = f"feedback rule {tree['name'] if named else number!r}"
    needed = {"name": str, "kind": str, "label": list, "hold_s": float, "cooldown_s": float}
    found = _table(tree, where, {**needed, "when": list, "say": list}, {"variant": list})
    for key, choices in (("label", LABELS), ("variant", VARIANTS)):
        for value in found.get(key, ()):
            _one_of(value, choices, f"{where}: {key}")
    for key in ("label", "when", "say"):
        if not found[key]:
            raise ParameterError(f"{where}: {key}=[] must not be empty; name at least one")
    for text in found["say"]:
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST:
            raise ParameterError(
                f"{where}: say={text!r} must be text of at most {LONGEST} characters; shorten it"
            )
    return Rule(
        name=found["name"],
        kind=_one_of(found["kind"], KINDS, f"{where}: kind"),
        labels=tuple(found["label"]),
        variants=tuple(found.get("variant", VARIANTS)),
        hold_s=_seconds(found["hold_s"], f"{where}: hold_s"),
        cooldown_s=_seconds(found["cooldown_s"], f"{where}: cooldown_s", most=math.inf),
        when=tuple(_condition(c, where, words) for c in found["when"]),
        say=tuple(found["say"]),
    )


def _condition(tree: Any, where: str, words: Mapping[str, str]) -> Condition:
    if isinstance(tree, Mapping) and "event" in tree:
        return _count(tree, where)
    return _level(tree, where, words)


_TESTS = tuple(t + sd for t in ("above", "below", "rises", "falls") for sd in ("", "_sd"))


def _level(tree: Any, where: str, words: Mapping[str, str]) -> Level:
    optional = {"over_s": float, **dict.fromkeys(_TESTS, float)}
    found = _table(tree, where, {"of": str, "column": str}, optional)
    of = _one_of(found["of"], ("listener", "partner", "dyad"), f"{where}: of")
    known = DYAD_COLUMNS if of == "dyad" else PERSON_COLUMNS
    column = _one_of(found["column"], known, f"{where}: column of the {of}")
    tests = [t for t in _TESTS if t in found]
    if len(tests) != 1:
        raise ParameterError(
            f"{where}: {column} has the tests {tests}; give exactly one of {', '.join(_TESTS)}"
        )
    test, sd = tests[0].removesuffix("_sd"), tests[0].endswith("_sd")
    if sd and (of == "dyad" or column not in CUES):
        raise ParameterError(
            f"{where}: {tests[0]} of {column} must be of one of {', '.join(CUES)}; "
            f"for this column give {test}"
        )
    if column not in words:
        raise ParameterError(f"{where}: column={column!r} must have its words; add it to [words]")
    over = found.get("over_s")
    return Level(
        of=of,
        column=column,
        test=test,
        than=found[tests[0]],
        sd=sd,
        over_s=None if over is None else _seconds(over, f"{where}: over_s"),
        words=words[column],
    )


def _count(tree: Mapping[str, Any], where: str) -> Count:
    needed = {"of": str, "event": list, "within_s": float, "words": str}
    optional = {"detail": str, "at_least": int, "at_most": int}
    found = _table(tree, where, needed, optional)
    for kind in found["event"]:
        _one_of(kind, WITNESS, f"{where}: event")
    least, most = found.get("at_least"), found.get("at_most")
    if (least is None) == (most is None):
        raise ParameterError(f"{where}: event={found['event']} needs one of at_least, at_most")
    return Count(
        of=_one_of(found["of"], ("listener", "partner"), f"{where}: of"),
        kinds=tuple(found["event"]),
        detail=found.get("detail", ""),
        least=least,
        most=most,
        within_s=_seconds(found["within_s"], f"{where}: within_s"),
        words=found["words"],
    )


def _table(
    tree: Any, where: str, needed: Mapping[str, type], optional: Mapping[str, type]
) -> dict[str, Any]:
    """Return a TOML table's values if its keys and their types are as they must be."""
    known = {**needed, **optional}
    if not isinstance(tree, Mapping):
        raise ParameterError(f"{where}: {tree!r} must be a table with {', '.join(known)}")
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if key not in known:
            raise ParameterError(f"{where}: unknown key {key!r}; known here: {', '.join(known)}")
        kind = known[key]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
            raise ParameterError(f"{where}: {key}={value!r} must be {_TYPES[kind]}")
        found[key] = value
    for key in needed:
        if key not in found:
            raise ParameterError(f"{where}: {key} is missing; add it")
    return found


_TYPES = {
    str: "text in quotes",
    float: "a finite number",
    int: "a whole number",
    list: "a list",
    dict: "a table",
}


def _one_of(value: Any, choices: Iterable[str], name: str) -> str:
    choices = tuple(choices)
    if value in choices:
        return str(value)
    if len(choices) <= FEW:
        rule = "one of " + ", ".join(map(repr, choices))
    else:
        near = get_close_matches(str(value), choices, n=3, cutoff=0.0)
        rule = "a column of the tables, such as " + ", ".join(map(repr, near))
    raise ParameterError(f"{name}={value!r} must be {rule}")


def _seconds(value: float, name: str, most: float = LONGEST_S) -> float:
    if not 0 < value <= most:
        limit = "" if most == math.inf else f" and <= {most:g}"
        raise ParameterError(f"{name}={value:g} must be > 0{limit} s")
    return value
