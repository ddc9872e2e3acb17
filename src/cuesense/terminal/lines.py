"""Moments as JSON lines, for scripts."""

from __future__ import annotations

import json
import math
from typing import Any

from cuesense import schema
from cuesense.types import Moment


def moment_line(moment: Moment) -> str:
    """Return a moment as one line of strict JSON: what is missing is null, names as in `schema`.

    ``{"t", "people": {"A": {"role", <columns>, <reasons that are set>}, "B": …},
    "dyad": {<columns of state>} | null, "advice": {…} | null, "events": [{…}, …]}``
    """
    dyad, advice = moment.dyad, moment.advice
    tree: dict[str, Any] = {"t": moment.t, "people": {}, "dyad": None, "advice": None}
    for person in moment.people:
        tree["people"][person.person] = {
            "role": str(person.role),
            **{name: str(reason) for name, reason in person.reasons.items() if reason},
            **dict(zip(schema.VALUES, map(_number, person.values.tolist()), strict=True)),
        }
    if dyad is not None:
        shares = zip(schema.MODES, dyad.p, strict=True)
        tree["dyad"] = {
            "t": dyad.t,
            "label": dyad.label,
            "reason": dyad.reason,
            "variant": dyad.variant,
            "rival": dyad.rival,
            **{f"p_{mode}": _number(p) for mode, p in shares},
            **{name: _number(value) for name, value in dyad.evidence.items()},
        }
    if advice is not None:
        tree["advice"] = {
            name: getattr(advice, name) for name in ("t", "until", "to", "kind", "text", "because")
        }
    tree["events"] = [
        {
            "t": e.t,
            "t_end": e.t_end,
            "person": e.person,
            "kind": e.kind,
            "value": _number(e.value),
            "detail": e.detail,
        }
        for e in moment.events
    ]
    return json.dumps(tree, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _number(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
