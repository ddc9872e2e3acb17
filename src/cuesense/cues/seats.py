"""Who sits in which seat: pure decisions on what sweeps and trackers saw.

Seat 0 is person A (left at the start), seat 1 person B. A seat, once taken, stays that person's.
Each has a tracker of its own; a sweep finds every face and is what brings a lost one back.

Whether a face that appears is the person of a seat is judged by place (distance to where the
person was, in face sizes, against the time since), by size, and by identity: the face's geometry
and the colours around it (`Face.identity`, in units of their usual spread within one person),
compared with the running means of both people as a margin in [-1, 1],

    margin = (|x - other| - |x - own|) / |own - other|.

Where place and margin do not make it clear, the face is taken but the doubt is told: an event, and
`Reason.REASSOCIATED` for a second. Where the margin says that both trackers follow the other
person, they change seats, with the same flag. Places are in picture lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from cuesense.config import Faces as FacesConfig
from cuesense.cues.enrolment import most_present
from cuesense.cues.sightings import (
    COLOUR_SD,
    COLOURS,
    SURE,
    Detection,
    Face,
    Look,
    Order,
    Place,
    Verdict,
    distance,
    margin,
)
from cuesense.types import F64, Reason

SAME = 0.4
"""Two trackers whose faces are closer than this (in sizes) follow one and the same face."""
TOUCHING = 1.2
"""Nearer than this (in sizes), one face may show in the other's colours: nothing is learnt."""
APART = 0.7
"""A detection further than this (in sizes) from every tracked face is a further face."""
NEAR, SPEED, NEAR_MOST = 0.5, 3.0, 2.0
"""A face is where it is expected within 0.5 sizes + 3 sizes/s, at most 2 sizes."""
CLEAR, STRANGE, AGAINST = 0.3, 0.1, -0.3
"""Margins from which identity speaks clearly for a seat, hardly, and clearly against it."""
LEARNT = 15
"""Pictures after which a running mean is fit to be compared with."""
MEMORY = 600
"""Pictures over which the running mean goes."""
LEGIBLE = 0.3
"""Quality from which a face is learnt."""
RECENT_S = 0.5
"""s; time constant of the identity that is compared for a silent exchange."""
BREAK_S = 0.3
"""s; a face not seen for longer is not followed without a break."""
HOLD_S = 3.0
"""s that a tracker looks at the place where it lost its face; then only sweeps search."""
SETTLE_S = 1.0
"""s that a second person is waited for at the start, when no stills were given."""
DOUBT_S = 1.0
"""s for which a doubtful return is marked."""
TIE = 0.2
"""Of two trackers on one face: a smaller difference in fit does not tell whose it is."""
RIVAL = 1.0
"""Two ways to seat the found faces whose costs differ by less leave a doubt."""
TOO_COSTLY = 7.0
"""Cost above which a found face is not this person's."""
PATIENCE_S = 10.0
"""s of fruitless search after which sweeps become as rare as while both are tracked."""
LEAST_SHARE = 0.35
"""A late second person must be at least this large, as share of the first."""


@dataclass(slots=True)
class _Seat:
    number: int
    view: int
    place: Place | None = None  # where the person was last, or is expected
    taken: bool = False
    seen: float = -np.inf
    velocity: F64 | None = None
    since: int | None = None  # first picture whose look counts; None: the tracker rests
    begun: float = -np.inf  # when the tracker was started
    start: Place | None = None  # to be started here with the next order
    aim: Place | None = None  # where it was started, until it is seen there
    unsure: bool = False
    doubt_until: float = -np.inf
    mean: F64 | None = None
    count: int = 0
    recent: F64 | None = None
    strange: bool = False
    learnt: float = -np.inf  # when `recent` was last renewed
    colours: F64 | None = None  # from the stills, until there is a mean
    held: bool = False

    def expected(self, t: float) -> Place | None:
        """Return where the person should be at `t`."""
        if self.place is None or self.velocity is None or not self.taken:
            return self.place
        x, y = np.array(self.place[:2]) + self.velocity * min(t - self.seen, 0.3)
        return Place(float(x), float(y), self.place.size)

    def off(self, place: Place, t: float) -> float:
        """Return how far a place is from where the person is expected or was, in sizes."""
        known = [p for p in (self.expected(t), self.place) if p is not None]
        return min((distance(place, p) for p in known), default=0.0)

    def missing(self, index: int) -> bool:
        """Return whether this person is neither seen in the picture nor about to be looked for."""
        waiting = self.start is not None or (self.since is not None and self.since > index)
        return not self.held and not waiting

    def release(self) -> None:
        self.since, self.start, self.aim, self.held = None, None, None, False

    def send_to(self, place: Place, unsure: bool) -> None:
        self.release()
        self.start, self.aim, self.unsure = place, place, unsure


class Seats:
    """Keeps two people apart. State in, orders out; no pictures, no clock.

    Parameters
    ----------
    config
        the faces' settings.
    views
        1 (both people in one picture) or 2 (one picture each: A, then B).
    """

    def __init__(self, config: FacesConfig, views: int) -> None:
        self._config = config
        self._seats = [_Seat(k, k if views == 2 else 0) for k in range(2)]
        self._views = views
        self._settled_at = [np.inf] * views
        self._swept_at = [-np.inf] * views
        self._sweeps = [0] * views
        self._last_sweep: list[tuple[Detection, ...]] = [()] * views
        self._bystanders: list[list[Place]] = [[] for _ in range(views)]
        self.others = [0] * views
        self.crowded = 0  # sweeps that saw further faces
        self.counted = 0  # sweeps that could have
        self.doubts: list[tuple[float, int]] = []

    def of(self, view: int) -> list[int]:
        """Return the seats that are seen in a view."""
        return [s.number for s in self._seats if s.view == view]

    @property
    def taken(self) -> tuple[bool, ...]:
        """Which seats were ever taken."""
        return tuple(s.taken for s in self._seats)

    # At the start

    def enrol(self, view: int, sweeps: Sequence[tuple[Detection, ...]]) -> None:
        """Learn from sweeps of stills where the people are, and what they look like."""
        seats = [s for s in self._seats if s.view == view]
        for seat, (place, colours) in zip(seats, most_present(sweeps, len(seats)), strict=False):
            seat.place, seat.colours = place, colours

    def begin(self, view: int, t: float, found: tuple[Detection, ...]) -> dict[int, Order]:
        """Take a sweep of a view's first picture; return the orders for that same picture."""
        self._settled_at[view] = t + SETTLE_S
        self._seat(view, t, found)
        self._swept_at[view] = t
        return self._orders(view, 0, t)

    # Picture by picture

    def observe(
        self, view: int, index: int, t: float, looks: Mapping[int, Look]
    ) -> dict[int, Verdict]:
        """Take what the trackers saw in a view's picture `index`; say whose face is whose."""
        seats = [s for s in self._seats if s.view == view]
        faces: dict[int, Face] = {}
        for seat in seats:
            face = looks[seat.number].face
            seat.held = False
            if face is not None and seat.since is not None and index >= seat.since:
                faces[seat.number] = face
        if len(faces) == 2 and distance(faces[0].place, faces[1].place) < SAME:
            self._part(t, faces)
        for seat in seats:
            if seat.number in faces and not self._accept(seat, faces[seat.number], t):
                del faces[seat.number]
        touching = len(faces) == 2 and distance(faces[0].place, faces[1].place) < TOUCHING
        for seat in seats:
            if seat.number in faces:
                face = faces[seat.number]
                _follow(seat, face, t)
                if not touching and face.quality >= LEGIBLE:
                    self._learn(seat, face, t)
            elif seat.since is not None and index >= seat.since:
                if t - max(seat.seen, seat.begun) > HOLD_S:
                    seat.release()
        if len(faces) == 2 and self._exchange(t):
            faces = {0: faces[1], 1: faces[0]}
        for seat in seats:
            if seat.held and seat.recent is not None:
                self._watch(seat, self._margin(seat, seat.recent, alike=1.0), t)
        for number in sorted(looks):
            swept = looks[number].swept
            if swept is not None:
                self._take_sweep(view, index, t, swept)
        return {s.number: self._verdict(s, faces.get(s.number), t) for s in seats}

    def orders(self, view: int, index: int, t: float) -> dict[int, Order]:
        """Return what the trackers are to do with the view's picture `index`.

        Parameters
        ----------
        view
            which view.
        index
            of the picture that the orders are for.
        t
            s, time of the last picture observed.
        """
        orders = self._orders(view, index, t)
        unseen = [s for s in self._seats if s.view == view and not s.held]
        gone = min((t - max(s.seen, self._settled_at[view]) for s in unseen), default=np.inf)
        pause = self._config.search_s if gone < PATIENCE_S else self._config.sweep_s
        if t - self._swept_at[view] >= pause:
            numbers = self.of(view)
            sweeper = numbers[self._sweeps[view] % len(numbers)]
            self._sweeps[view] += 1
            self._swept_at[view] = t
            smallest = self._config.min_face
            if not unseen:  # what is there is known: only faces of that order matter
                sizes = [s.place.size for s in self._seats if s.view == view and s.place]
                smallest = max(smallest, 0.6 * min(sizes))
            orders[sweeper] = replace(orders[sweeper], sweep=smallest)
        return orders

    def lose(self, number: int) -> None:
        """Say that a seat's tracker lost its memory; it starts again where the face was."""
        seat = self._seats[number]
        seat.release()
        if seat.taken and seat.place is not None:
            seat.send_to(seat.place, unsure=seat.unsure)

    # How it is decided

    def _orders(self, view: int, index: int, t: float) -> dict[int, Order]:
        orders = {}
        for seat in self._seats:
            if seat.view != view:
                continue
            if seat.start is not None:
                orders[seat.number] = Order(start=seat.start)
                seat.since, seat.begun, seat.start = index, t, None
            else:
                orders[seat.number] = Order(rest=seat.since is None)
        return orders

    def _verdict(self, seat: _Seat, face: Face | None, t: float) -> Verdict:
        if face is None:
            known = seat.taken or seat.place is not None
            return Verdict(None, Reason.NO_FACE if known else Reason.NO_PERSON)
        return Verdict(face, Reason.REASSOCIATED if t < seat.doubt_until else face.reason)

    def _other(self, seat: _Seat) -> _Seat:
        return self._seats[1 - seat.number]

    def _margin(self, seat: _Seat, x: F64, alike: float = 0.0) -> float:
        """Return the margin of `x` for a seat, or `alike` where there is nothing to tell by."""
        other = self._other(seat)
        if seat.mean is None or other.mean is None or min(seat.count, other.count) < LEARNT:
            return alike
        return margin(x, seat.mean, other.mean, alike)

    def _learn(self, seat: _Seat, face: Face, t: float) -> None:
        """Learn what the seat's person looks like, unless it may be somebody else."""
        dt = t - seat.learnt
        before = face.identity if seat.recent is None or dt > 1.0 else seat.recent
        seat.recent = before - np.expm1(-min(dt, 1.0) / RECENT_S) * (face.identity - before)
        seat.learnt = t
        if t < seat.doubt_until or self._margin(seat, face.identity, alike=1.0) < CLEAR:
            return
        seat.count += 1
        mean = face.identity if seat.mean is None else seat.mean
        seat.mean = mean + (face.identity - mean) / min(seat.count, MEMORY)

    def _doubt(self, seat: _Seat, t: float) -> None:
        if t >= seat.doubt_until:
            self.doubts.append((t, seat.number))
        seat.doubt_until = t + DOUBT_S

    def _part(self, t: float, faces: dict[int, Face]) -> None:
        """Two trackers on one face: the seat that it fits worse has lost its own."""
        cost = []
        for seat in self._seats:
            face = faces[seat.number]
            cost.append(seat.off(face.place, t) - 2 * self._margin(seat, face.identity))
        first, second = self._seats
        if first.taken != second.taken:
            loser, close = (second if first.taken else first), False
        else:
            loser, close = (first if cost[0] > cost[1] else second), abs(cost[0] - cost[1]) < TIE
        if close:
            self._doubt(self._other(loser), t)
        loser.release()
        loser.unsure = loser.unsure or close
        del faces[loser.number]

    def _accept(self, seat: _Seat, face: Face, t: float) -> bool:
        """Return whether a tracked face is this seat's person; note a doubt."""
        if not seat.taken:
            return True
        gap = t - seat.seen
        near = seat.off(face.place, t) <= min(NEAR + SPEED * gap, NEAR_MOST)
        if near and gap <= BREAK_S and not seat.unsure:
            return True  # followed without a break
        evidence = self._margin(seat, face.identity)
        other = self._other(seat)
        if evidence < AGAINST and other.taken and other.view == seat.view and other.since is None:
            if other.start is None:
                other.send_to(face.place, unsure=True)
            seat.release()
            return False
        certain = evidence > CLEAR or (
            near and gap <= self._config.reach_s and not seat.unsure and evidence > AGAINST
        )
        if not certain:
            self._doubt(seat, t)
        seat.unsure = False
        return True

    def _exchange(self, t: float) -> bool:
        """Where both trackers have come to follow the other person, let them change seats."""
        first, second = self._seats
        if first.recent is None or second.recent is None:
            return False
        mine, yours = self._margin(first, first.recent), self._margin(second, second.recent)
        if max(mine, yours) >= AGAINST or first.place is None or second.place is None:
            return False
        first.place, second.place = second.place, first.place
        for seat in (first, second):
            assert seat.place is not None
            seat.send_to(seat.place, unsure=True)
            seat.recent = None
            self._doubt(seat, t)
        return True

    def _watch(self, seat: _Seat, evidence: float, t: float) -> None:
        """Doubt a person who, without ever being lost, has come to look like the other."""
        if evidence < STRANGE and not seat.strange:
            self._doubt(seat, t)
        seat.strange = evidence < (CLEAR if seat.strange else STRANGE)

    def _take_sweep(self, view: int, index: int, t: float, found: tuple[Detection, ...]) -> None:
        """Count further faces, and send trackers of missing people to where a face was found."""
        seats = [s for s in self._seats if s.view == view]
        claimed = [s.place if s.held else s.aim for s in seats if not s.missing(index)]
        free = tuple(
            d for d in found if all(p is None or distance(d.place, p) > APART for p in claimed)
        )
        if all(s.held for s in seats):
            before = self._last_sweep[view]  # what is no face seldom lasts
            self._bystanders[view] = [
                d.place
                for d in free
                if d.score >= SURE and any(distance(d.place, b.place) < APART for b in before)
            ]
            self.others[view] = len(self._bystanders[view])
            self.counted += 1
            self.crowded += self.others[view] > 0
        else:
            known = self._bystanders[view]
            self._seat(
                view,
                t,
                tuple(d for d in free if all(distance(d.place, p) > APART for p in known)),
                index,
            )
        self._last_sweep[view] = found

    def _seat(self, view: int, t: float, free: tuple[Detection, ...], index: int = 0) -> None:
        lost = [s for s in self._seats if s.view == view and s.missing(index)]
        known = [s for s in lost if s.place is not None]
        left = [d for d in self._return(known, t, free) if d.score >= SURE]
        empty = [s for s in lost if s.place is None]
        if not empty:
            return
        left.sort(key=lambda d: -d.place.size)
        if len(empty) == len(self.of(view)):
            if len(left) >= len(empty) or t >= self._settled_at[view] or self._views == 2:
                chosen = sorted(left[: len(empty)], key=lambda d: d.place.x)
                for seat, one in zip(empty, chosen, strict=False):
                    seat.send_to(one.place, unsure=False)
            return
        known_places = [s.place or s.aim for s in self._seats if s.view == view]
        size = max((p.size for p in known_places if p is not None), default=0.0)
        before = self._last_sweep[view]
        for one in left:
            stays = any(distance(one.place, d.place) < APART for d in before)
            if stays and one.place.size >= LEAST_SHARE * size:
                empty[0].send_to(one.place, unsure=False)
                return

    def _return(self, lost: list[_Seat], t: float, free: tuple[Detection, ...]) -> list[Detection]:
        """Send lost people's trackers to the found faces that fit best; return what is left."""
        costs = [[_cost(s, d, t) for d in free] for s in lost]
        blank = [None] * len(lost)
        ways: list[tuple[float, tuple[int | None, ...]]] = []
        for way in set(permutations([*range(len(free)), *blank], len(lost))):
            cost = sum(TOO_COSTLY if j is None else costs[i][j] for i, j in enumerate(way))
            ways.append((cost, way))
        ways.sort(key=lambda w: (w[0], [-1 if j is None else j for j in w[1]]))
        if not ways:
            return list(free)
        best = ways[0][1]
        for i, (seat, j) in enumerate(zip(lost, best, strict=True)):
            if j is None:
                continue
            rival = any(
                cost - ways[0][0] < RIVAL and way[i] not in (j, None) for cost, way in ways[1:]
            )
            seat.send_to(free[j].place, unsure=seat.unsure or rival)
        return [d for j, d in enumerate(free) if j not in best]


def _cost(seat: _Seat, found: Detection, t: float) -> float:
    """Return how ill a found face fits a missing person: place, size and colours, squared."""
    assert seat.place is not None
    gap = min(t - seat.seen, 4.0)
    place = min((seat.off(found.place, t) / (0.5 + gap)) ** 2, 9.0)
    size = min((np.log(found.place.size / seat.place.size) / 0.4) ** 2, 4.0)
    mine = seat.colours
    if seat.mean is not None:
        mine = seat.mean[-COLOURS:] * (COLOUR_SD * np.sqrt(COLOURS))
    if mine is None:
        return float(place + size)
    off = float(np.sqrt(np.mean((found.appearance - mine) ** 2))) / COLOUR_SD
    return float(place + size + min((off / 3) ** 2, 4.0))


def _follow(seat: _Seat, face: Face, t: float) -> None:
    """Take a face's place and motion as its seat's."""
    dt = t - seat.seen
    if seat.taken and seat.place is not None and 0 < dt <= BREAK_S:
        step = (np.array(face.place[:2]) - seat.place[:2]) / dt
        before = step if seat.velocity is None else seat.velocity
        seat.velocity = before + 0.3 * (step - before)
    else:
        seat.velocity = None
    seat.place, seat.seen, seat.taken, seat.held, seat.aim = face.place, t, True, True, None
