"""The sentences on attunement: the label's shares, what they are worth, settling, synchrony.

What the listener did and whether it was about this partner are two claims, made one after the
other. Shares alone are never put forward as evidence: each stands beside what a wrong partner would
have given, and says whether it beats that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cuesense import schema
from cuesense.report import facts, words
from cuesense.report.sentences import Sentence, quiet
from cuesense.report.words import (
    At,
    Who,
    listed,
    number,
    percent,
    probability,
    sentence_case,
    signed,
)

CHANCE: Final = 0.05
"""p at or below which a result is told from chance."""


def response(
    shares: Mapping[str, float], why: str, listener: Who, partner: Who, longest: Sequence[At]
) -> list[Sentence]:
    """How much of the time could be named, what it looked like, and when it answered the partner.

    Parameters
    ----------
    shares
        share of the time of each of `schema.LABELS`; {} if nothing was judged.
    why
        the most frequent reason for no mode, as the tables give it.
    listener
        who responds.
    partner
        who shares.
    longest
        longest stretches of each stance, with their names as notes.
    """
    found = facts.stances(shares)
    named = sum(found.values())
    because = f" Mostly: {words.dyad_reason(why)}." if why else ""
    if named < 0.005:
        return [
            quiet(
                f"There was not enough to say how {listener.subject} responded.{because} "
                "That says something about the recording, not about anyone in it."
            )
        ]
    calm = shares.get(schema.NO_DEMAND, 0.0)
    rest = shares.get(schema.INSUFFICIENT, 0.0)
    first = f"What {listener.subject} did could be named for {percent(named)} of the time."
    if calm >= 0.005:
        first += (
            f" For {percent(calm)}, {partner.subject} {partner.was} near their usual, so there was "
            "little to respond to."
        )
    if rest >= 0.005:
        first += f" For {percent(rest)} there was not enough to say."
    parts = [
        f"{mode} for {percent(share / named)}"
        for mode, share in found.items()
        if share / named >= 0.005
    ]
    second = f"In the named time it looked like {listed(parts)}."
    return [Sentence(first), Sentence(second, tuple(longest)), _about(shares, listener, partner)]


def _about(shares: Mapping[str, float], listener: Who, partner: Who) -> Sentence:
    """Return whether it was about this partner: the second of the two claims."""
    answered = {n: shares.get(n, 0.0) for n in (*schema.MODES[:2], schema.RESPONDING)}
    total = sum(answered.values())
    if total < 0.005:
        return quiet(
            f"That {listener.subject} answered {partner.subject} in particular, and {listener.was} "
            "not just so by nature, was not shown: it takes minutes in which one follows the other "
            "again and again. It is not shown to be otherwise either."
        )
    parts = [
        f"{name if name != schema.RESPONDING else 'in no one manner'} for {percent(share)}"
        for name, share in answered.items()
        if share >= 0.005
    ]
    said = f"For {percent(total)} of the time it was shown that {listener.subject} answered "
    said += f"{partner.subject}: {listed(parts)}."
    rest = shares.get(schema.CALM, 0.0) + shares.get(schema.MOVED, 0.0)
    if rest >= 0.005:
        said += f" For {percent(rest)} a manner was clear, but not shown to be responding yet."
    return Sentence(said)


def wrong_partner(
    null: Mapping[str, Any] | None,
    listener: Who,
    partner: Who,
    longest: Mapping[str, Sequence[At]],
) -> list[Sentence]:
    """Whether the shares are more than a wrong partner would have given.

    Parameters
    ----------
    null
        a `dyad.null.WrongPartner` as a dict, or None.
    listener
        who responds.
    partner
        who shares.
    longest
        the longest stretches of each mode.
    """
    reason = str((null or {}).get("reason") or "")
    labelled = (null or {}).get("of_labelled") or {}
    if not labelled:
        return [
            quiet(
                f"Whether this answers {partner.subject}, or is just {listener.possessive} manner, "
                "could not be tested: the wrong-partner check needs a longer stretch with a named "
                "response. So take these shares as a description only."
            )
        ]
    if reason:
        return [
            quiet(
                f"The wrong-partner check is not to be trusted here, because "
                f"{partner.possessive} ups and downs repeat. Take these shares as a description "
                "only, not as evidence of attunement."
            )
        ]
    said = _contingency((null or {}).get("contingency") or {}, listener, partner)
    said += [
        _against(mode, labelled[mode], listener, partner, longest.get(mode, ()))
        for mode in ("regulating", "mirroring")
        if mode in labelled and number(labelled[mode].get("true")) > 0
    ]
    fit = (null or {}).get("fit")
    if fit and math.isfinite(number(fit.get("p"))):
        follows = number(fit["p"]) <= CHANCE
        said.append(
            Sentence(
                f"Taken together, {listener.possessive} signals fit {partner.possessive} "
                + ("better than" if follows else "no better than")
                + f" a wrong partner's ({probability(number(fit['p']))})."
            )
        )
    return said


def _contingency(found: Mapping[str, Any], listener: Who, partner: Who) -> list[Sentence]:
    """Return how likely it is that this partner is answered, beside wrong ones."""
    true, median, low, high, p = (
        number(found.get(k)) for k in ("true", "median", "low", "high", "p")
    )
    if not math.isfinite(p):
        return []
    numbers = (
        f"On average over the recording, {listener.subject} answered {partner.subject} with a "
        f"probability of {percent(true)}; with a wrong partner it would be {percent(median)} "
        f"({percent(low)} to {percent(high)}, {probability(p)})."
    )
    if p <= CHANCE:
        return [Sentence(f"{numbers} That is more than chance gives.")]
    return [Sentence(f"{numbers} So chance alone may have made it look like an answer.")]


def _against(
    mode: str, values: Mapping[str, Any], listener: Who, partner: Who, longest: Sequence[At]
) -> Sentence:
    true, median, low, high, p = (
        number(values.get(k)) for k in ("true", "median", "low", "high", "p")
    )
    numbers = (
        f"{sentence_case(mode)} makes up {percent(true)} of the named time; with a wrong partner "
        f"it would be {percent(median)} ({percent(low)} to {percent(high)}, {probability(p)})."
    )
    if p <= CHANCE:
        return Sentence(
            f"{numbers} That is more than {listener.possessive} manner alone explains: it goes "
            f"with what {partner.subject} showed at the time.",
            tuple(longest),
        )
    why = (
        f"{partner.subject} got less of it than a wrong partner would have"
        if true < low
        else f"it may just be {listener.possessive} manner"
    )
    return Sentence(f"{numbers} That is not evidence of attunement: {why}.", tuple(longest))


def variants(escalating: Sequence[At], sharing: Sequence[At]) -> list[Sentence]:
    """Where distress grew in both, and where both were pleased."""
    said = []
    if escalating:
        said.append(
            Sentence(
                "Both became more activated together while things looked unpleasant. "
                "These are moments to look at gently:",
                tuple(escalating),
            )
        )
    if sharing:
        said.append(Sentence("You both looked pleased together:", tuple(sharing)))
    return said


def settling(result: Mapping[str, Any] | None, partner: Who, bouts: Sequence[At] = ()) -> Sentence:
    """Whether the partner came down more after regulating than after mirroring.

    Parameters
    ----------
    result
        a `dyad.settling.Settling` as a dict, or None.
    partner
        who shares.
    bouts
        the longest regulating stretches.
    """
    result = result or {}
    difference, low, high = (number(result.get(k)) for k in ("difference", "low", "high"))
    if not math.isfinite(difference):
        return quiet(
            f"Whether {partner.subject} settled after being regulated cannot be said: there were "
            f"{result.get('regulating') or 0} regulating and {result.get('mirroring') or 0} "
            "mirroring stretches to compare, which is too few."
        )
    numbers = f"{signed(difference)}, 95{words.THIN}% interval {signed(low)} to {signed(high)}"
    chance = result.get("chance") or {}
    p = number(chance.get("p"))
    if math.isfinite(p):
        least, most = (signed(number(chance.get(k))) for k in ("low", "high"))
        numbers += f"; with the stretches at other times {least} to {most}, {probability(p)}"
    start = "10 to 20 seconds after regulating stretches, "
    shown = not p > CHANCE  # both have to say so; sessions of earlier versions have no null
    if high < 0 and shown:
        found = (
            f"had settled more than after mirroring stretches, beyond what {partner.possessive} "
            "own trend predicts"
        )
    elif low > 0 and shown:
        found = (
            "had settled less than after mirroring stretches, compared with "
            f"{partner.possessive} own trend"
        )
    else:
        found = (
            f"{partner.was} neither calmer nor more activated than after mirroring ones, as far as "
            "this recording can tell"
        )
    return Sentence(f"{start}{partner.subject} {found} ({numbers}).", tuple(bouts))


def synchrony(result: Mapping[str, Any] | None) -> list[Sentence]:
    """Whether the two people's smiles moved together, and what a recording this long can show.

    Parameters
    ----------
    result
        a `dyad.synchrony.SessionSynchrony` as a dict, or None.
    """
    if not result:
        return [quiet("Whether your smiles came together was not computed here.")]
    z, p = number(result.get("z")), number(result.get("p"))
    statistic = f"z{words.NB}={words.NB}{signed(z, 2)}"
    low, high = number(result.get("low")), number(result.get("high"))
    if math.isfinite(low):
        statistic += f", by chance {signed(low, 2)} to {signed(high, 2)}"
    statistic = f"({statistic}, {probability(p)})"
    if not (math.isfinite(z) and math.isfinite(p)):
        why = str(result.get("reason") or "not enough data")
        said = [quiet(f"Whether your smiles came together cannot be said ({why}).")]
    elif p <= CHANCE:
        how = "together" if z > 0 else "at opposite times"
        said = [
            Sentence(
                f"Over the whole recording your smiles came {how} more than chance allows "
                f"{statistic}."
            )
        ]
    else:
        said = [
            Sentence(
                f"Whether your smiles came together could not be told from chance {statistic}."
            )
        ]
    power = str(result.get("power") or "")
    return [*said, quiet(power)] if power else said
