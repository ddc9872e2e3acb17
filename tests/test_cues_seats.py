"""Who is who, without pictures: scripted sightings of people with known identities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from cuesense.config import Faces as FacesConfig
from cuesense.cues.seats import Seats
from cuesense.cues.sightings import (
    COLOUR_SD,
    COLOURS,
    Detection,
    Face,
    Look,
    Order,
    Place,
    distance,
    identity,
    margin,
)
from cuesense.types import F64, Reason

RATE = 25
DEPTH = 6
CONFIG = FacesConfig(depth=DEPTH)


@dataclass
class Someone:
    """A person of the script: where (None: hidden) at a time, and what they look like."""

    name: str
    at: Callable[[float], tuple[float, float] | None]
    seed: int
    size: float = 0.1
    score: float = 0.95
    like: F64 = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.like = np.r_[rng.normal(-1, 0.08, 21), rng.uniform(0.2, 0.8, COLOURS)]

    def place(self, t: float) -> Place | None:
        where = self.at(t)
        return None if where is None else Place(*where, self.size)


def face(person: Someone, place: Place, rng: np.random.Generator) -> Face:
    noisy = person.like + np.r_[rng.normal(0, 0.027, 21), rng.normal(0, COLOUR_SD, COLOURS)]
    return Face(
        place,
        np.zeros(4),
        np.zeros((478, 3), np.float32),
        np.zeros(52, np.float32),
        np.zeros(3),
        np.zeros(2),
        1.0,
        Reason.OK,
        identity(noisy[:21], noisy[21:]),
    )


@dataclass
class Script:
    """Plays people to `Seats` as trackers with a crop would see them."""

    people: list[Someone]
    seed: int = 0

    def detections(self, t: float) -> tuple[Detection, ...]:
        return tuple(
            Detection(place, p.score, p.like[21:])
            for p in self.people
            if (place := p.place(t)) is not None
        )

    def play(self, seats: Seats, until: float) -> list[list[str]]:
        """Return, per seat and picture, whose face it was: name, lower case if doubtful, or '.'."""
        rng = np.random.default_rng(self.seed)
        crops: list[Place | None] = [None, None]
        first = seats.begin(0, 0.0, self.detections(0.0))
        queue = [first, *[{k: Order(rest=o.rest) for k, o in first.items()}] * (DEPTH - 1)]
        said: list[list[str]] = [[], []]
        for i in range(int(until * RATE)):
            t, looks, whose = i / RATE, {}, {}
            for seat, order in queue.pop(0).items():
                if order.rest:
                    crops[seat] = None
                elif order.start is not None:
                    crops[seat] = order.start
                found = self.nearest(t, crops[seat])
                seen = None
                if found is not None:
                    person, place = found
                    crops[seat], whose[seat] = place, person.name
                    seen = face(person, place, rng)
                looks[seat] = Look(seen, self.detections(t) if order.sweep else None)
            for seat, verdict in seats.observe(0, i, t, looks).items():
                name = "." if verdict.face is None else whose[seat]
                doubtful = verdict.reason is Reason.REASSOCIATED
                said[seat].append(name.lower() if doubtful else name)
            queue.append(seats.orders(0, i + DEPTH, t))
        return said

    def nearest(self, t: float, crop: Place | None) -> tuple[Someone, Place] | None:
        """A tracker sees the nearest face whose centre lies in its crop (2.2 sizes wide)."""
        if crop is None:
            return None
        near = [
            (distance(place, crop), i, p, place)
            for i, p in enumerate(self.people)
            if (place := p.place(t)) is not None and distance(place, crop) < 1.1
        ]
        return min(near)[2:] if near else None


def still(x: float, y: float = 0.25) -> Callable[[float], tuple[float, float] | None]:
    return lambda t: (x + 0.005 * np.sin(3 * t + x), y + 0.005 * np.cos(2 * t))


def hidden(
    where: Callable[[float], tuple[float, float] | None], start: float, end: float
) -> Callable[[float], tuple[float, float] | None]:
    return lambda t: None if start <= t < end else where(t)


def couple(**changes: Callable[[float], tuple[float, float] | None]) -> list[Someone]:
    return [
        Someone("A", changes.get("a", still(0.3)), 1),
        Someone("B", changes.get("b", still(0.7)), 2),
    ]


def share(said: list[str], name: str) -> float:
    return sum(s == name for s in said) / len(said)


def test_a_is_left_and_both_are_there_from_the_first_picture() -> None:
    seats = Seats(CONFIG, 1)
    a, b = Script(couple()[::-1]).play(seats, 2)
    assert set(a) == {"A"}
    assert set(b) == {"B"}
    assert seats.doubts == []


@pytest.mark.parametrize("gap", [0.5, 1.5, 2.0])
def test_an_occlusion_keeps_the_identity_without_a_doubt(gap: float) -> None:
    seats = Seats(CONFIG, 1)
    a, b = Script(couple(b=hidden(still(0.7), 3, 3 + gap))).play(seats, 8)
    assert set(a) == {"A"}
    assert set(b[int((3 + gap) * RATE) + 1 :]) == {"B"}
    assert b[4 * RATE - 20] == "."
    assert seats.doubts == []


def test_a_person_who_moves_while_hidden_is_found_by_the_sweep() -> None:
    def moving(t: float) -> tuple[float, float] | None:
        return (0.7, 0.25) if t < 3 else None if t < 4 else (0.55, 0.35)

    _, b = Script(couple(b=moving)).play(Seats(CONFIG, 1), 8)
    late = 0.2 + DEPTH / RATE + 0.1  # next sweep, its result, the order's way
    assert set(b[int((4 + late) * RATE) :]) <= {"B", "b"}


def test_leaning_over_does_not_give_one_face_to_both() -> None:
    def leaning(t: float) -> tuple[float, float]:
        return 0.3 + (0.4 * np.sin((t - 3) * np.pi / 2) if 3 < t < 5 else 0.0), 0.25

    def covered(t: float) -> tuple[float, float] | None:
        return None if abs(leaning(t)[0] - 0.7) < 0.08 else (0.7, 0.25)

    a, b = Script(couple(a=leaning, b=covered)).play(Seats(CONFIG, 1), 9)
    both = [(x, y) for x, y in zip(a, b, strict=True) if x.upper() == y.upper() != "."]
    assert both == []
    assert share(a, "A") > 0.95
    assert set(b) <= {"B", "."}
    assert share(b[-2 * RATE :], "B") == 1.0


def swapped(t: float, before: float, after: float) -> tuple[float, float] | None:
    return (before, 0.25) if t < 4 else None if t < 5 else (after, 0.25)


def test_people_who_change_places_behind_a_curtain_keep_their_seats_and_the_doubt_is_told() -> None:
    seats = Seats(CONFIG, 1)
    people = couple(a=lambda t: swapped(t, 0.3, 0.7), b=lambda t: swapped(t, 0.7, 0.3))
    a, b = Script(people).play(seats, 9)
    assert {k for _, k in seats.doubts} == {0, 1}
    assert "B" not in a  # only ever "b": never silently
    assert "A" not in b
    assert set(a[7 * RATE :]) == {"A"}
    assert set(b[7 * RATE :]) == {"B"}


def test_a_cut_that_exchanges_two_people_in_place_is_noticed() -> None:
    seats = Seats(CONFIG, 1)
    people = couple(
        a=lambda t: (0.3 if t < 4 else 0.7, 0.25), b=lambda t: (0.7 if t < 4 else 0.3, 0.25)
    )
    a, b = Script(people).play(seats, 9)
    assert {k for _, k in seats.doubts} == {0, 1}
    wrong = sum(s == "B" for s in a) / RATE
    assert wrong < 0.5  # s until it is noticed
    assert set(a[7 * RATE :]) == {"A"}
    assert set(b[7 * RATE :]) == {"B"}


def test_somebody_else_in_the_seat_is_a_doubt() -> None:
    seats = Seats(CONFIG, 1)
    stranger = Someone("C", lambda t: None if t < 7 else (0.68, 0.25), 3)
    people = [*couple(b=lambda t: (0.7, 0.25) if t < 3 else None), stranger]
    _, b = Script(people).play(seats, 10)
    assert "c" in b
    assert [k for _, k in seats.doubts] == [1]


def test_the_doubt_is_marked_for_a_second() -> None:
    seats = Seats(CONFIG, 1)
    _, b = Script(couple(b=hidden(lambda t: (0.7 if t < 4 else 0.5, 0.25), 3, 9))).play(seats, 12)
    marked = sum(s == "b" for s in b) / RATE
    assert marked == pytest.approx(0.0 if not seats.doubts else 1.0, abs=1 / RATE)
    assert share(b[-RATE:], "B") == 1.0


def test_bystanders_are_counted_and_do_not_take_a_lost_seat() -> None:
    seats = Seats(CONFIG, 1)
    passer = Someone("C", still(0.55, 0.3), 4, size=0.07)
    _, b = Script([*couple(b=hidden(still(0.7), 3, 5)), passer]).play(seats, 8)
    assert seats.others == [1]
    assert seats.crowded > 0
    assert set(b) == {"B", "."}


def test_one_person_is_a_wherever_they_sit_and_b_may_come_later() -> None:
    seats = Seats(CONFIG, 1)
    late = Someone("B", lambda t: None if t < 5 else (0.3, 0.25), 2)
    alone = Someone("A", still(0.7), 1)
    a, b = Script([late, alone]).play(seats, 9)
    assert set(a[2 * RATE :]) == {"A"}
    assert set(b[: 5 * RATE]) == {"."}
    assert share(b[-RATE:], "B") == 1.0


def test_a_seat_never_taken_says_so() -> None:
    seats = Seats(CONFIG, 1)
    seats.begin(0, 0.0, ())
    verdicts = seats.observe(0, 0, 0.0, {0: Look(), 1: Look()})
    assert [v.reason for v in verdicts.values()] == [Reason.NO_PERSON] * 2
    assert seats.taken == (False, False)


def test_what_is_no_face_does_not_take_a_seat() -> None:
    seats = Seats(CONFIG, 1)
    lamp = Someone("L", still(0.5), 5, score=0.65)
    a, _ = Script([lamp]).play(seats, 3)
    assert set(a) == {"."}


def test_stills_choose_the_two_most_present_then_largest() -> None:
    seats = Seats(CONFIG, 1)
    people = {
        n: Someone(n, still(x), i, size=s)
        for i, (n, x, s) in enumerate(
            [("A", 0.2, 0.1), ("small", 0.4, 0.06), ("B", 0.6, 0.11), ("rare", 0.9, 0.2)]
        )
    }
    sweeps = [
        Script([p for n, p in people.items() if n != "rare" or i < 3]).detections(i)
        for i in range(16)
    ]
    seats.enrol(0, sweeps)
    a, b = Script(list(people.values())).play(seats, 2)
    assert set(a) == {"A"}
    assert set(b) == {"B"}


def test_one_person_who_moves_between_stills_is_not_two() -> None:
    seats = Seats(CONFIG, 1)
    mover = Someone("A", lambda t: (0.3 if t < 8 else 0.7, 0.25), 1)
    seats.enrol(0, [Script([mover]).detections(float(i)) for i in range(16)])
    _, b = Script([mover]).play(seats, 3)
    assert set(b) == {"."}


def test_two_views_seat_one_person_each() -> None:
    seats = Seats(CONFIG, 2)
    people = couple()
    rng = np.random.default_rng(0)
    for view, person in enumerate(people):
        orders = seats.begin(view, 0.0, Script([person]).detections(0.0))
        assert list(orders) == [view]
        place = person.place(0.0)
        assert place is not None
        assert orders[view].start == place
        verdicts = seats.observe(view, 0, 0.0, {view: Look(face(person, place, rng))})
        assert verdicts[view].face is not None
    assert seats.taken == (True, True)


def test_the_search_sweep_looks_for_small_faces_and_the_watching_one_does_not() -> None:
    seats = Seats(CONFIG, 1)
    script = Script(couple(b=hidden(still(0.7), 4, 6)))
    script.play(seats, 3)
    watching = [o.sweep for o in seats.orders(0, 1000, 10.0).values() if o.sweep]
    assert watching == [pytest.approx(0.06)]
    seats.lose(1)
    seats.observe(0, 1001, 10.1, {0: Look(), 1: Look()})
    searching = [o.sweep for o in seats.orders(0, 1007, 11.2).values() if o.sweep]
    assert searching == [CONFIG.min_face]


def test_margin_is_one_for_the_own_minus_one_for_the_other_and_nothing_for_twins() -> None:
    own, other = np.zeros(66), np.full(66, 1.0)
    assert margin(own, own, other) == pytest.approx(1)
    assert margin(other, own, other) == pytest.approx(-1)
    assert margin((own + other) / 2, own, other) == pytest.approx(0)
    assert margin(own, own, own + 0.01) == 0
