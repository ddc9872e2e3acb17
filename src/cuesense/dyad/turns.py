"""Who has the floor: turns, backchannels, overlaps and how quickly the floor passes.

An *utterance* is speech of one person without a silence of `min_pause_s` (an inter-pausal unit).
A *backchannel* is an utterance under `backchannel_s` by one person between or within the other's
speech, who goes on (a very short utterance: Edlund, Heldner & Al Moubayed 2009). A *turn* is a
run of one person's other utterances, in order of their starts. The *floor transfer offset* of a
turn is its start minus the end of the other's turn before it: a gap if positive, an overlap if
negative (Sacks, Schegloff & Jefferson 1974; Heldner & Edlund 2010, 10.1016/j.wocn.2010.08.002).
A turn that ends before the other's turn does never had the floor and has no offset.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import Final, NamedTuple

from cuesense import config
from cuesense.errors import ParameterError
from cuesense.types import PEOPLE, Event

WITHIN: Final = "within"  # detail of a turn that lies inside the other's
INTERRUPTION: Final = "interruption"  # detail of a turn that takes the floor while the other talks

_TICK: Final = 1e-6  # s; tolerance for sums of tick lengths


class _Utterance(NamedTuple):
    start: float
    end: float
    person: int


class _Speech:
    """One person's utterances: hysteresis on the probability, short pauses bridged."""

    def __init__(self, person: int, settings: config.Turns) -> None:
        self._person = person
        self._settings = settings
        self._on = False
        self._off_at: float | None = None
        self.start: float | None = None  # of the utterance under way

    def push(self, t: float, probability: float) -> _Utterance | None:
        """Return the utterance that is over for certain at `t`, if there is one."""
        s = self._settings
        self._on = probability >= (s.speech_off if self._on else s.speech_on)
        if self._on:
            self._off_at = None
            if self.start is None:
                self.start = t
            return None
        if self.start is None:
            return None
        if self._off_at is None:
            self._off_at = t
        return self.close(t) if t - self._off_at >= s.min_pause_s - _TICK else None

    def close(self, t: float) -> _Utterance | None:
        """End the utterance under way; return it unless it is too short to be speech."""
        if self.start is None:
            return None
        end = t if self._off_at is None else self._off_at
        utterance = _Utterance(self.start, end, self._person)
        self.start, self._off_at, self._on = None, None, False
        long_enough = end - utterance.start >= self._settings.min_speech_s - _TICK
        return utterance if long_enough else None


@dataclass(slots=True)
class _Turn:
    person: int
    start: float
    end: float
    offset: float


class Turns:
    """Stage: both people's speaking probability per tick in; turns, backchannels, overlaps out.

    Events come when they are certain, so not in the order of their starts: a backchannel
    `min_pause_s` after its end if the other is in the midst of talking, a turn when the floor has
    passed or after `turn_pause_s` of silence. One person's turns and backchannels never overlap.
    """

    def __init__(self, settings: config.Turns) -> None:
        self._settings = settings
        self._speech = (_Speech(0, settings), _Speech(1, settings))
        self._queue: list[_Utterance] = []  # ended, not yet turn or backchannel; by start
        self._turn: _Turn | None = None  # the last one to have had the floor
        self._told = True  # whether that turn has been given out
        self._t = float("-inf")

    def push(self, t: float, speaking_a: float, speaking_b: float) -> list[Event]:
        """Return the events that became certain at this tick.

        Parameters
        ----------
        t
            s, later than the tick before.
        speaking_a
            probability in [0, 1] that A speaks; NaN counts as silent.
        speaking_b
            the same of B.

        Raises
        ------
        ParameterError
            if time does not advance.
        """
        if not t > self._t:
            raise ParameterError(f"t={t:g} s must be later than the tick before ({self._t:g} s)")
        self._t = t
        started = [s.start for s in self._speech]
        pairs = zip(self._speech, (speaking_a, speaking_b), strict=True)
        ended = [u for u in (speech.push(t, p) for speech, p in pairs) if u is not None]
        return self._take(ended, started) + self._settle(t)

    def flush(self) -> list[Event]:
        """End all speech at the last tick and return what is left."""
        started = [s.start for s in self._speech]
        ended = [u for u in (speech.close(self._t) for speech in self._speech) if u is not None]
        return self._take(ended, started) + self._settle(float("inf")) + self._finish()

    def _take(self, ended: list[_Utterance], started: list[float | None]) -> list[Event]:
        """Queue ended utterances; return their overlap, and backchannels in ongoing speech."""
        s = self._settings
        events = []
        both = [start for start in started if start is not None]
        if ended and len(both) == 2:
            lo, hi = max(both), min(u.end for u in ended)
            if hi - lo >= s.overlap_s - _TICK:
                events.append(Event(lo, hi, "", "overlap", hi - lo))
        for utterance in ended:
            other = self._speech[1 - utterance.person].start
            # Who is still talking has talked without a pause since `other`; if that began before
            # the utterance and was no backchannel itself by its end, the floor is theirs.
            if (
                self._short(utterance)
                and other is not None
                and other < utterance.start
                and utterance.end - other >= s.backchannel_s
            ):
                events.append(_backchannel(utterance))
            else:
                insort(self._queue, utterance)
        return events

    def _short(self, utterance: _Utterance) -> bool:
        return utterance.end - utterance.start < self._settings.backchannel_s - _TICK

    def _settle(self, t: float) -> list[Event]:
        """Turn queued utterances into turns and backchannels as far as `t` allows."""
        pause = self._settings.turn_pause_s
        events: list[Event] = []
        while self._queue:
            head = self._queue[0]
            open_starts = [s.start for s in self._speech if s.start is not None]
            if any(start < head.start for start in open_starts):
                return events
            verdict = self._is_backchannel(head, t)
            if verdict is None:
                return events
            self._queue.pop(0)
            events += [_backchannel(head)] if verdict else self._speak(head)
        turn = self._turn
        if turn is not None and self._speech[turn.person].start is None and t - turn.end > pause:
            events += self._finish()
        return events

    def _is_backchannel(self, head: _Utterance, t: float) -> bool | None:
        """Whether the other, who has the floor, talks on next; None if that is still open."""
        pause = self._settings.turn_pause_s + _TICK
        turn = self._turn
        if (
            not self._short(head)
            or turn is None
            or turn.person == head.person
            or head.start - turn.end > pause
        ):
            return False
        if head.end <= turn.end:
            return True
        if len(self._queue) > 1:
            onset, person = self._queue[1].start, self._queue[1].person
        else:
            onset, person = float("inf"), head.person
        for i, speech in enumerate(self._speech):
            if speech.start is not None and speech.start < onset:
                if t - speech.start < self._settings.min_speech_s - _TICK:
                    return None  # it may yet turn out to be too short to be speech
                onset, person = speech.start, i
        if onset - head.end <= pause:
            return person != head.person
        return False if t - head.end > pause else None

    def _speak(self, head: _Utterance) -> list[Event]:
        """Add an utterance to the turn under way, or begin one."""
        turn, s = self._turn, self._settings
        if turn is not None and turn.person == head.person:
            if head.start - turn.end <= s.turn_pause_s + _TICK:
                turn.end = max(turn.end, head.end)
                return []
        elif turn is not None and head.end <= turn.end:
            return [
                Event(
                    head.start, head.end, PEOPLE[head.person], "turn", float("nan"), detail=WITHIN
                )
            ]
        events = self._finish()
        passed = turn is not None and turn.person != head.person
        offset = head.start - turn.end if turn is not None and passed else float("nan")
        self._turn, self._told = _Turn(head.person, head.start, head.end, offset), False
        return events

    def _finish(self) -> list[Event]:
        """Give out the turn under way, once."""
        turn = self._turn
        if turn is None or self._told:
            return []
        self._told = True
        detail = INTERRUPTION if turn.offset < -self._settings.interruption_s else ""
        return [Event(turn.start, turn.end, PEOPLE[turn.person], "turn", turn.offset, detail)]


def _backchannel(utterance: _Utterance) -> Event:
    start, end, person = utterance
    return Event(start, end, PEOPLE[person], "backchannel", end - start)
