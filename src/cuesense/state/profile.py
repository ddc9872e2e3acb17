"""What is usual for one person, as numbers: the zeros that their states are deviations from.

A profile is learned in a baseline. It can be kept and used again in a later session of the same
person, whose states then need no baseline of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cuesense.errors import ParameterError
from cuesense.state.baseline import Zero


@dataclass(frozen=True, slots=True)
class Scale:
    """The zeros of one state.

    Attributes
    ----------
    cues
        by the cue's first column.
    mean
        of the mean of the standardised cues; None if too few of them are known.
    """

    cues: Mapping[str, Zero] = field(default_factory=dict)
    mean: Zero | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's usual.

    Attributes
    ----------
    arousal, valence
        of the two states.
    gaze
        usual direction, by column.
    """

    arousal: Scale = field(default_factory=Scale)
    valence: Scale = field(default_factory=Scale)
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
            arousal, valence = (
                Scale(_zeros(content[state]["cues"]), _zero(content[state]["mean"]))
                for state in ("arousal", "valence")
            )
            return Profile(arousal, valence, _zeros(content["gaze"]))
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
