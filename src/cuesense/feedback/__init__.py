"""At most one kind sentence at a time, about the listener's own next move. Mostly none.

The policy is data (`rules.toml`), it rests on what was sensed (`evidence`), and this stage keeps
the peace: nothing during the baseline, nothing where the label is in doubt, where somebody may
have been mixed up or where a number is missing; one sentence in `gap_s` at most, one of its kind
in the rule's cool-down; praise only where no other rule has anything to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from cuesense import config, schema
from cuesense.feedback.evidence import Evidence
from cuesense.feedback.loading import load_rules
from cuesense.feedback.rules import KINDS, PRAISE, Rule
from cuesense.types import Advice, DyadState, Moment, Person, Role

__all__ = ["KINDS", "PRAISE", "Feedback", "Rule", "load_rules"]

_TICK = 1e-6  # s; tolerance for sums of tick lengths


class Feedback:
    """Stage: moments in; the advice at the tick where a sentence begins, else None.

    Its memory is bounded: what the rules look back on, and a time per rule and kind.

    Parameters
    ----------
    settings
        how often, and on what evidence.
    rules
        in their order of importance: where several hold, the first is said.
    """

    def __init__(self, settings: config.Feedback, rules: Sequence[Rule]) -> None:
        self._settings, self._rules = settings, tuple(rules)
        self._evidence = Evidence(settings, (c for rule in rules for c in rule.when))
        self._held_since: dict[str, float] = {}  # rule -> when it began to hold
        self._said: dict[str, int] = {}  # rule -> how often
        self._again: dict[str, float] = {}  # kind -> when it may come again
        self._next = float("-inf")  # when any sentence may come again
        self._doubtful_until = float("-inf")

    def push(self, moment: Moment) -> Advice | None:
        """Take the next moment (`moment.advice` is not looked at)."""
        self._evidence.push(moment)
        if any(e.kind == "identity_doubt" for e in moment.events):
            self._doubtful_until = moment.t + self._settings.doubt_s
        if moment.dyad is None:
            return None
        listener = next((p.person for p in moment.people if p.role is Role.LISTENER), None)
        holding = [] if listener is None else self._holding(moment.t, moment.dyad, listener)
        self._held_since = {r.name: self._held_since.get(r.name, moment.t) for r in holding}
        rule = self._due(moment.t, holding)
        if listener is None or rule is None:
            return None
        return self._say(moment.t, rule, listener)

    def _holding(self, t: float, dyad: DyadState, listener: Person) -> list[Rule]:
        """Return the rules of which everything holds at this tick."""
        if t < self._doubtful_until or not self._sure(dyad):
            return []
        return [
            rule
            for rule in self._rules
            if schema.short(dyad.label) in rule.labels
            and dyad.variant in rule.variants
            and all(c.holds(self._evidence.value(c, listener)) for c in rule.when)
        ]

    def _sure(self, dyad: DyadState) -> bool:
        """Whether the label may be leaned on; where a number of it is NaN it may not."""
        s, known = self._settings, dyad.evidence
        if dyad.label == schema.INSUFFICIENT or known.get("calibrated") != 1.0:
            return False
        covered = all(
            known.get(f"coverage_{who}", 0.0) >= s.min_coverage for who in ("partner", "listener")
        )
        if dyad.label in (schema.NO_DEMAND, schema.RESPONDING):  # these rest on no clear stance
            return covered
        return covered and max(dyad.p) >= s.min_p

    def _due(self, t: float, holding: Sequence[Rule]) -> Rule | None:
        """Return the rule whose sentence may begin now."""
        if t < self._next - _TICK:
            return None
        critical = any(rule.kind != PRAISE for rule in holding)
        for rule in holding:
            held = t - self._held_since[rule.name] >= rule.hold_s - _TICK
            rested = t >= self._again.get(rule.kind, t) - _TICK
            if held and rested and not (rule.kind == PRAISE and critical):
                return rule
        return None

    def _say(self, t: float, rule: Rule, listener: Person) -> Advice:
        times = self._said.get(rule.name, 0)
        self._said[rule.name] = times + 1
        self._next = t + self._settings.gap_s
        self._again[rule.kind] = t + rule.cooldown_s
        return Advice(
            t=t,
            until=t + self._settings.lasts_s,
            to=listener,
            kind=rule.kind,
            text=rule.say[times % len(rule.say)],
            because=tuple(c.because(self._evidence.value(c, listener)) for c in rule.when),
        )
