"""A session cut into the windows of a mixed model: pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cuesense import schema
from cuesense.study.columns import CENTRED, OWN, OWN_REASONS, WINDOW_S, WINDOWS, slug
from cuesense.types import F64, PEOPLE
from cuesense.windows import functionals

if TYPE_CHECKING:
    import pyarrow as pa

_REASON_OF: Final = {c.name: c.reason for c in schema.VALUE_COLUMNS}


def windows(timeline: pa.Table, state: pa.Table) -> pa.Table:
    """Return a session's windows of `WINDOW_S`: those that lie whole within it.

    Each person's mean over a window is given as it is and minus the mean of all their windows, so
    that what changes within a session is apart from what differs between sessions and people
    (Enders & Tofighi 2007). A row has the other person's as well: the pairwise layout of
    actor-partner models (Kenny, Kashy & Cook 2006).

    Parameters
    ----------
    timeline
        With `t`, `person`, `role`, `OWN` and `OWN_REASONS`; ascending in time for each person.
    state
        With `t`, `label`, `reason` and `contingency`.

    References
    ----------
    Enders & Tofighi 2007, 10.1037/1082-989X.12.2.121; Kenny, Kashy & Cook 2006, Dyadic Data
    Analysis, Guilford, ISBN 978-1-57230-986-9.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    who = timeline.column("person")
    of = {p: timeline.filter(pc.equal(who, p)) for p in PEOPLE}
    spans = _spans(of["A"].column("t").to_numpy())
    own = {p: _own(rows, spans) for p, rows in of.items()}
    dyad = _dyad(state, spans)
    made = []
    for person, other in zip(PEOPLE, reversed(PEOPLE), strict=True):
        theirs = {
            f"other_{key}": own[other][key]
            for name in CENTRED
            for key in (name, f"{name}_centred", _REASON_OF[name])
        }
        columns = {
            "person": [person] * len(spans),
            "role": of[person].column("role").to_pylist()[:1] * len(spans),
            "number": np.arange(len(spans), dtype=np.float64),
            "t": spans[:, 0],
            "t_end": spans[:, 1],
            **own[person],
            **theirs,
            **dyad,
        }
        kinds = {c.name: pa.string() if c.kind == "text" else pa.float64() for c in WINDOWS}
        made.append(pa.table({n: pa.array(columns[n], kind) for n, kind in kinds.items()}))
    return pa.concat_tables(made)


def _spans(t: F64) -> F64:
    """Return the windows that lie whole within the ticks, (windows, 2) s."""
    if len(t) < 2:
        return np.empty((0, 2))
    tick = float(np.median(np.diff(t)))
    starts = t[0] + WINDOW_S * np.arange(int((t[-1] + tick - t[0] + 1e-6) / WINDOW_S))
    return np.column_stack((starts, starts + WINDOW_S))


def _own(rows: pa.Table, spans: F64) -> dict[str, Any]:
    """Return one person's columns of `WINDOWS`."""
    t = rows.column("t").to_numpy()
    x = np.stack([rows.column(name).to_numpy().astype(np.float64) for name in OWN])
    found = functionals(t, x, spans, ["mean", "coverage"])
    means = dict(zip(OWN, found["mean"], strict=True))
    columns: dict[str, Any] = {"coverage": found["coverage"][OWN.index("arousal")], **means}
    for name in CENTRED:
        seen = means[name][np.isfinite(means[name])]
        columns[f"{name}_centred"] = means[name] - (seen.mean() if len(seen) else np.nan)
    for reason in OWN_REASONS:
        lacking = np.any([np.isnan(means[n]) for n in OWN if _REASON_OF[n] == reason], axis=0)
        words = rows.column(reason).to_numpy(zero_copy_only=False)
        columns[reason] = _most_frequent(words, t, spans, lacking)
    return columns


def _dyad(state: pa.Table, spans: F64) -> dict[str, Any]:
    """Return the columns of `WINDOWS` that are of both people."""
    t = state.column("t").to_numpy()
    label = state.column("label").to_numpy(zero_copy_only=False)
    told = np.isin(label, schema.LABELS)
    shares = np.array([np.where(told, label == one, np.nan) for one in schema.LABELS])
    x = np.vstack((state.column("contingency").to_numpy()[None], shares))
    means = functionals(t, x, spans, ["mean"])["mean"]
    why = state.column("reason").to_numpy(zero_copy_only=False)
    return {
        "contingency": means[0],
        **{f"share_{slug(one)}": means[1 + i] for i, one in enumerate(schema.LABELS)},
        "contingency_reason": _most_frequent(why, t, spans, np.isnan(means[0])),
        "labels_reason": _most_frequent(why, t, spans, np.isnan(means[1])),
    }


def _most_frequent(words: Any, t: F64, spans: F64, where: Any) -> list[str]:
    """Return the most frequent word that is not empty of each span where asked for, else ""."""
    found = []
    for (start, end), wanted in zip(spans, where, strict=True):
        first, last = np.searchsorted(t, [start - 1e-6, end - 1e-6])
        here = [w for w in words[first:last] if w] if wanted else []
        most = max(sorted(set(here)), key=here.count, default="")
        found.append(most or ("nothing in this window" if wanted else ""))
    return found
