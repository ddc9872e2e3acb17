"""The stage `Faces`: pictures in, both people's faces out, in order.

A sweep finds people, a tracker per person follows them (`cues.face_tracker`) in a process of its
own (`cues.face_worker`), and pure decisions keep the two apart (`cues.seats`).

The output depends on the pictures and their times alone, never on how fast a process was: what a
tracker is to do with picture n is decided from the results up to picture n - depth, exactly, and
those are awaited if they are not there yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from cuesense.config import Faces as FacesConfig
from cuesense.cues.face_worker import (
    LocalWorker,
    Picture,
    ProcessWorker,
    Ring,
    Setup,
    Worker,
    WorkerGoneError,
)
from cuesense.cues.seats import Seats
from cuesense.cues.sightings import Detection, Look, Order, Verdict
from cuesense.errors import ModelError
from cuesense.types import FaceCue, Reason, VideoFrame

RESTART_PICTURES = 150
"""A worker that ends twice within this many pictures is not started a third time."""
CROWD_SHARE = 0.1
"""Share of sweeps with further faces from which the user is told."""


@dataclass(slots=True)
class _InFlight:
    view: int
    index: int  # of the picture within its view
    t: float
    number: int  # of the picture among all
    asked: set[int] = field(default_factory=set)  # workers whose answers are to come


@dataclass(slots=True)
class _View:
    sent: int = 0
    awaited: int = 0
    orders: deque[dict[int, Order]] = field(default_factory=deque)


class Faces:
    """Both people's faces, picture by picture. A context manager: it owns the worker processes.

    Parameters
    ----------
    config
        the faces' settings.
    model
        path of face_landmarker.task.
    sizes
        (width, height) of each view's pictures: one view with both people, or one each.
    stills
        pictures spread over the recording, from which the two people are chosen; without
        them the first pictures decide.

    Raises
    ------
    ModelError
        if the model cannot be used, or a worker process keeps dying.
    """

    def __init__(
        self,
        config: FacesConfig,
        model: Path,
        *,
        sizes: Sequence[tuple[int, int]] = ((1280, 720),),
        stills: Sequence[VideoFrame] = (),
    ) -> None:
        self._config = config
        self._depth = max(config.depth, 1)
        self._setup = Setup(Path(model), config)
        self._stills = tuple(stills)
        views = len(sizes)
        self._seats = Seats(config, views)
        self._views = [_View() for _ in range(views)]
        self._ring = Ring(views * self._depth + 1) if config.workers else None
        self._workers: list[Worker] = []
        self._died: dict[int, int] = {}  # worker -> picture at which it was last restarted
        self._flight: deque[_InFlight] = deque()
        self._due: list[FaceCue] = []
        self._number = 0

    def __enter__(self) -> Self:
        try:
            for _ in range(max(min(self._config.workers, 2), 1)):
                self._workers.append(self._start())
            self._warm()
            self._enrol()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and give the shared memory back."""
        for worker in self._workers:
            worker.close()
        self._workers = []
        if self._ring is not None:
            self._ring.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """The numbers of the processes that the trackers run in."""
        return tuple(worker.pid for worker in self._workers)

    @property
    def events(self) -> tuple[tuple[float, int], ...]:
        """Doubtful returns so far: time in s and seat."""
        return tuple(self._seats.doubts)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about who was seen."""
        found = []
        taken = sum(self._seats.taken)
        if taken == 0:
            found.append("no face was found")
        elif taken == 1:
            found.append("only one person was found; there is no dyad")
        share = self._seats.crowded / max(self._seats.counted, 1)
        if share >= CROWD_SHARE:
            found.append(
                f"further faces were seen in {share:.0%} of the sweeps and ignored; "
                "the two most present people are analysed"
            )
        if self._seats.doubts:
            found.append(
                f"{len(self._seats.doubts)} times a face came back and may be another person's; "
                "see the events of kind identity_doubt"
            )
        if self._died:
            found.append("a face worker process ended and was restarted; its pictures are missing")
        return tuple(found)

    def push(self, frame: VideoFrame) -> list[FaceCue]:
        """Take the next picture; return the results that are due, oldest first.

        A picture's results are due once `config.depth` more pictures of its view have come.
        """
        view = self._views[frame.view]
        if view.sent == 0:
            first = self._seats.begin(frame.view, frame.t, self._sweep([frame])[0])
            follow = {seat: Order(rest=order.rest) for seat, order in first.items()}
            view.orders.extend([first, *[follow] * (self._depth - 1)])
        while view.awaited >= self._depth:
            self._collect()
        self._send(frame, view)
        return self._hand_over()

    def advance(self, t: float) -> list[FaceCue]:
        """Return all results of pictures with time up to `t`, waiting for them."""
        while self._flight and self._flight[0].t <= t:
            self._collect()
        return self._hand_over()

    def poll(self) -> list[FaceCue]:
        """Return the results that are there already, without waiting for any.

        Only when they are told changes by that, never what they are.
        """
        while self._flight and all(self._workers[n].ready for n in self._flight[0].asked):
            self._collect()
        return self._hand_over()

    def flush(self) -> list[FaceCue]:
        """Return all results that are still to come."""
        return self.advance(np.inf)

    # Sending and collecting

    def _send(self, frame: VideoFrame, view: _View) -> None:
        orders = view.orders.popleft()
        picture = self._picture(frame)
        entry = _InFlight(frame.view, view.sent, frame.t, self._number)
        for number, some in self._shared_out(orders).items():
            try:
                self._workers[number].send(picture, frame.t, some)
                entry.asked.add(number)
            except WorkerGoneError:
                self._replace(number)
        self._flight.append(entry)
        self._number += 1
        view.sent += 1
        view.awaited += 1

    def _collect(self) -> None:
        """Await the oldest picture's answers, decide, and give the next orders."""
        entry = self._flight[0]
        looks: dict[int, Look] = {}
        for number in sorted(entry.asked):
            try:
                looks.update(self._workers[number].receive())
            except WorkerGoneError:
                self._replace(number)
        self._flight.popleft()
        seats = self._seats.of(entry.view)
        dropped = {seat for seat in seats if seat not in looks}
        looks.update({seat: Look() for seat in dropped})
        verdicts = self._seats.observe(entry.view, entry.index, entry.t, looks)
        view = self._views[entry.view]
        view.awaited -= 1
        view.orders.append(self._seats.orders(entry.view, entry.index + self._depth, entry.t))
        others = self._seats.others[entry.view]
        for seat in seats:
            self._due.append(_cue(entry.t, seat, verdicts[seat], others, seat in dropped))

    def _hand_over(self) -> list[FaceCue]:
        due, self._due = self._due, []
        return due

    # Workers

    def _start(self) -> Worker:
        return ProcessWorker(self._setup) if self._config.workers else LocalWorker(self._setup)

    def _of(self, seat: int) -> int:
        return seat % len(self._workers)

    def _shared_out(self, orders: dict[int, Order]) -> dict[int, dict[int, Order]]:
        shares: dict[int, dict[int, Order]] = {}
        for seat, order in orders.items():
            shares.setdefault(self._of(seat), {})[seat] = order
        return shares

    def _picture(self, frame: VideoFrame) -> Picture:
        return Picture(frame.image) if self._ring is None else self._ring.put(frame.image)

    def _replace(self, number: int) -> None:
        """Start a new worker for one that ended; what it was asked is dropped.

        Raises
        ------
        ModelError
            if it ended only a moment ago, too.
        """
        last = self._died.get(number)
        words = self._workers[number].last_words()
        if last is not None and self._number - last < RESTART_PICTURES:
            raise ModelError(
                f"the face worker process ended twice within {RESTART_PICTURES} pictures "
                f"(last words: {words or 'none'}); run 'cuesense doctor', or set faces.workers = 0"
            )
        self._died[number] = self._number
        self._workers[number].close()
        self._workers[number] = self._start()
        for entry in self._flight:
            entry.asked.discard(number)
        for seat in (0, 1):
            if self._of(seat) == number:
                self._seats.lose(seat)

    # Sweeps before the first picture

    def _warm(self) -> None:
        """Have the models loaded where no stills will: a live picture does not wait for them."""
        if not self._stills:
            blank = VideoFrame(0.0, np.zeros((64, 64, 3), np.uint8), 0)
            self._sweep([blank] * len(self._workers))

    def _enrol(self) -> None:
        for view in range(len(self._views)):
            stills = [s for s in self._stills if s.view == view]
            if stills:
                self._seats.enrol(view, self._sweep(stills))

    def _sweep(self, frames: Sequence[VideoFrame]) -> list[tuple[Detection, ...]]:
        """Return each picture's faces, the work shared out over the workers."""
        while self._flight:
            self._collect()
        found: list[tuple[Detection, ...]] = []
        order = Order(rest=True, sweep=self._config.min_face)
        # A tracker rests while it sweeps, so only a seat of the picture's own view may be asked:
        # where each person has a view, the other's tracker is at work already.
        seats = [
            self._seats.of(f.view)[i % len(self._seats.of(f.view))] for i, f in enumerate(frames)
        ]
        tasks = list(zip(seats, frames, strict=True))
        for start in range(0, len(tasks), len(self._workers)):
            batch = tasks[start : start + len(self._workers)]
            try:
                for seat, frame in batch:
                    self._workers[self._of(seat)].send(self._picture(frame), frame.t, {seat: order})
                for seat, _ in batch:
                    found.append(self._workers[self._of(seat)].receive()[seat].swept or ())
            except WorkerGoneError as error:
                words = " | ".join(w.last_words() for w in self._workers)
                raise ModelError(
                    f"a face worker process ended at its start (last words: {words}); "
                    "run 'cuesense doctor', or set faces.workers = 0"
                ) from error
        return found


def _cue(t: float, seat: int, verdict: Verdict, others: int, dropped: bool) -> FaceCue:
    face = verdict.face
    if face is None:
        reason = Reason.DROPPED if dropped else verdict.reason
        return FaceCue.missing(t, seat, reason, others)
    return FaceCue(
        t,
        seat,
        face.box,
        face.landmarks,
        face.blendshapes,
        face.pose,
        face.gaze,
        face.quality,
        verdict.reason,
        others,
    )
