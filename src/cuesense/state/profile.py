"""What is usual for one person, as numbers: the zeros that their states are deviations from.

A profile is learned in a baseline. It can be kept and used again in a later session of the same
person, whose states then need no baseline of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cuesense.errors import ParameterError
from cuesense.schema import MEASURES
from cuesense.state.baseline import Zero


@dataclass(frozen=True, slots=True)
class Scale:
    """The zeros of one state.

    Attributes
    ----------
    cues
        by the cue's column.
    mean
        of the mean of the standardised cues; None if too few of them are known.
    """

    cues: Mapping[str, Zero] = field(default_factory=dict)
    mean: Zero | None = None


_PLAIN = Zero(0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Rest:
    """A face at rest, of its k measures over the baseline.

    Attributes
    ----------
    median
        (k,), eye distances.
    spread
        (k, k) covariance.
    pose
        (3,) usual pitch, yaw and roll, rad.
    samples
        how many values that do not hang together it rests on.
    zero
        of the deviation that valence is.
    """

    median: Sequence[float]
    spread: Sequence[Sequence[float]]
    pose: Sequence[float]
    samples: float
    zero: Zero = _PLAIN


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's usual.

    Attributes
    ----------
    arousal
        of that state.
    expression
        the face at rest; None if it is not known.
    gaze
        usual direction, by column.
    """

    arousal: Scale = field(default_factory=Scale)
    expression: Rest | None = None
    gaze: Mapping[str, Zero] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @staticmethod
    def from_dict(content: Any) -> Profile:
        """Return what `to_dict` gave.

        Raises
        ------
        ParameterError
            If it is not that.
        """
        try:
            known = content["arousal"]
            arousal = Scale(_zeros(known["cues"]), _zero(known["mean"]))
            return Profile(arousal, _rest(content["expression"]), _zeros(content["gaze"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ParameterError(
                f"the profile is damaged ({error!r}): delete it and save it anew"
            ) from error


def _zeros(content: Any) -> dict[str, Zero]:
    found = {str(name): _zero(values) for name, values in content.items()}
    return {name: zero for name, zero in found.items() if zero is not None}


def _zero(content: Any) -> Zero | None:
    if content is None:
        return None
    zero = Zero(*(float(content[name]) for name in ("median", "sd", "error_sd")))
    if not (all(map(math.isfinite, asdict(zero).values())) and zero.sd > 0 <= zero.error_sd):
        raise ValueError(f"{content} must be finite, with an SD above 0")
    return zero


def _rest(content: Any) -> Rest | None:
    if content is None:
        return None
    k, zero = len(MEASURES), _zero(content["zero"])
    arrays = [np.array(content[name], float) for name in ("median", "spread", "pose")]
    for array, shape in zip(arrays, ((k,), (k, k), (3,)), strict=True):
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"an array of {array.shape} must be {shape}, and finite")
    samples = float(content["samples"])
    if zero is None or not samples >= 1:
        raise ValueError("a face at rest needs its zero, and a sample")
    median, spread, pose = (array.tolist() for array in arrays)
    return Rest(median, spread, pose, samples, zero)
