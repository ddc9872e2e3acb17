"""Streaming maths: state in, state out; batch is `state=None` over the whole array.

Splitting the input anywhere and carrying the state gives the same output as one call.
"""

from __future__ import annotations

import numpy as np

from cuesense.types import F64

MAD_TO_SD = 1.4826
"""Scale from the median absolute deviation to the SD of a normal distribution."""


def ema(x: F64, alpha: float, state: float | None = None) -> tuple[F64, float]:
    """Exponential moving average that skips missing values.

    ``y[i] = y[i-1] + alpha (x[i] - y[i-1])``; where ``x`` is NaN, ``y`` stays; it starts at the
    first value that is there. ``alpha = 1 - exp(-dt / tau)``.

    Parameters
    ----------
    x
        (n,), any unit.
    alpha
        in (0, 1].
    state
        last ``y``, or None at the start.

    Returns
    -------
        ``y`` (n,) and the state to go on with (NaN before the first value).
    """
    y = np.empty(len(x))
    last = np.nan if state is None else state
    for i, value in enumerate(x):
        if value == value:
            last = value if last != last else last + alpha * (value - last)
        y[i] = last
    return y, float(last)


def alpha(dt: float, tau: float) -> float:
    """Return the EMA weight of one step of `dt` s for the time constant `tau` s."""
    return float(-np.expm1(-dt / tau))


def robust_location(x: F64) -> tuple[float, float, int]:
    """Return the median, 1.4826 x MAD and count of the finite values of `x`."""
    finite = x[np.isfinite(x)]
    if len(finite) == 0:
        return float("nan"), float("nan"), 0
    median = float(np.median(finite))
    return median, MAD_TO_SD * float(np.median(np.abs(finite - median))), len(finite)
