"""Who listens: as told, or the one who speaks less in the baseline."""

from __future__ import annotations

import numpy as np

from cuesense.types import PEOPLE, Person, Role

NAMED: dict[str, Person] = {"A": "A", "B": "B", "left": "A", "right": "B"}


class Roles:
    """Decides once who is the listener.

    Parameters
    ----------
    listener
        "auto", "left", "right", "A" or "B" (A sits left at the start).
    until_s
        s; end of the baseline, when "auto" decides.
    rate_hz
        ticks per second.
    """

    def __init__(self, listener: str, until_s: float, rate_hz: float) -> None:
        self._until = until_s
        self._step = 1.0 / rate_hz
        self._spoken = np.zeros(2)
        self.listener: Person | None = NAMED.get(listener)
        self.reason = f"{self.listener} was named as the listener" if self.listener else ""

    def push(self, t: float, speaking: tuple[float, float]) -> None:
        """Take both people's speaking probabilities at the next tick."""
        if self.listener is None:
            self._spoken += np.nan_to_num(speaking) * self._step
            if t >= self._until:
                self._decide(f"the first {self._until:.0f} s")

    def flush(self) -> None:
        """Decide with what there is, if the recording ends within the baseline."""
        if self.listener is None:
            self._decide("the recording")

    def role(self, person: Person) -> Role:
        """Return a person's role so far."""
        if self.listener is None:
            return Role.UNDECIDED
        return Role.LISTENER if person == self.listener else Role.PARTNER

    def _decide(self, stretch: str) -> None:
        total = float(self._spoken.sum())
        if total < 1.0:
            self.listener = "B"
            self.reason = (
                f"hardly anybody spoke in {stretch}: B is taken as the listener; "
                "name the listener to be sure"
            )
            return
        quiet = int(np.argmin(self._spoken))
        share = self._spoken[quiet] / total
        self.listener = PEOPLE[quiet]
        self.reason = (
            f"{PEOPLE[quiet]} did {share:.0%} of the talking in {stretch}, "
            f"so {PEOPLE[quiet]} is taken as the listener"
        )
