"""Which of the people in a recording are the dyad: from sweeps of stills spread over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cuesense.cues.sightings import SURE, Detection, Place, distance
from cuesense.types import F64

SELDOM = 0.2
"""Share of the stills in which a person of the dyad must be seen, and twice at least."""
ALIKE = 0.8
"""Ratio from which two presences, or two sizes, count as equal."""


def most_present(sweeps: Sequence[tuple[Detection, ...]], count: int) -> list[tuple[Place, F64]]:
    """Return the places and colours of the `count` people of the dyad, from left to right.

    Detections at one place (within a size) are one cluster. The most present cluster is one of
    the dyad, of equals (within a fifth) the largest. The other is the most present of those that
    were seen together with it, since one person who moves makes several clusters; of equals (in
    presence, then in size, within a fifth each) the one most beside the first.

    Parameters
    ----------
    sweeps
        the faces found in each still.
    count
        how many people to choose: 2, or 1 if each has a recording of their own.

    Returns
    -------
    list
        up to `count` people: usual place, and appearance (45,).
    """
    often = min(max(2, SELDOM * len(sweeps)), len(sweeps))
    clusters = [
        c for c in _clusters(sweeps) if len(c) >= often and max(d.score for d in c.values()) >= SURE
    ]
    chosen: list[dict[int, Detection]] = []
    while clusters and len(chosen) < count:
        most = max(len(c) for c in clusters)
        equals = [c for c in clusters if len(c) >= ALIKE * most]
        largest = max(equals, key=lambda c: _middle(c).size)
        if chosen:
            least, height = ALIKE * _middle(largest).size, _middle(chosen[0]).y
            equals = [c for c in equals if _middle(c).size >= least]
            best = min(equals, key=lambda c: abs(_middle(c).y - height))
        else:
            best = largest
        chosen.append(best)
        clusters = [c for c in clusters if c is not best and c.keys() & best.keys()]
    chosen.sort(key=lambda c: _middle(c).x)
    return [(_middle(c), np.median([d.appearance for d in c.values()], axis=0)) for c in chosen]


def _clusters(sweeps: Sequence[tuple[Detection, ...]]) -> list[dict[int, Detection]]:
    """Return detections at one place, by the still's number; at most one per still."""
    clusters: list[dict[int, Detection]] = []
    for number, sweep in enumerate(sweeps):
        for found in sweep:
            for cluster in clusters:
                if number not in cluster and distance(_middle(cluster), found.place) < 1.0:
                    cluster[number] = found
                    break
            else:
                clusters.append({number: found})
    return clusters


def _middle(cluster: Mapping[int, Detection]) -> Place:
    return Place(*(float(v) for v in np.median([d.place for d in cluster.values()], axis=0)))
