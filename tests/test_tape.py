"""What was sensed comes back from the disk exactly as it was."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from cuesense.schema import VALUES
from cuesense.tape import Tape
from cuesense.timeline import BATCH_TICKS
from cuesense.types import Event, Reason, Sensed

WHY = {
    "face_reason": Reason.LOW_LIGHT,
    "voice_reason": Reason.SILENT,
    "body_reason": Reason.OK,
}


def ticks(n: int) -> Iterator[Sensed]:
    rng = np.random.default_rng(0)
    for i in range(n):
        a, b = rng.normal(size=(2, len(VALUES)))
        b[rng.random(len(VALUES)) < 0.3] = np.nan
        events = (Event(i / 25, i / 25 + 0.1, "A", "nod"), Event(1.0, 2.0, "", "gap", 3.0, "why"))
        why = (WHY, {**WHY, "face_reason": Reason.NO_FACE})
        end = n / 25 if i == n - 1 else np.nan
        yield Sensed(i / 25, (a, b), why, events if i % 7 == 0 else (), end)


def test_what_is_played_is_what_was_written(tmp_path: Path) -> None:
    written = list(ticks(2 * BATCH_TICKS + 13))
    with Tape(tmp_path / "tape", tmp_path) as tape:
        for sensed in written:
            tape.write(sensed)
        for _ in range(2):
            played = list(tape.play())
            assert [str(s.events) for s in played] == [str(s.events) for s in written]
            assert [(s.t, s.last, s.reasons) for s in played] == [
                (s.t, s.last, s.reasons) for s in written
            ]
            assert all(isinstance(r, Reason) for why in played[0].reasons for r in why.values())
            for ours, theirs in zip(played, written, strict=True):
                np.testing.assert_array_equal(ours.values, theirs.values)
    assert list(tmp_path.iterdir()) == []


def test_a_longer_tape_takes_no_more_memory(tmp_path: Path) -> None:
    def most(batches: int) -> int:
        """Return the peak of what is held while a tape is written and played, bytes."""
        arrow = 0
        tracemalloc.start()
        with Tape(tmp_path / "tape", tmp_path) as tape:
            for sensed in ticks(batches * BATCH_TICKS):
                tape.write(sensed)
            for _ in tape.play():
                arrow = max(arrow, pa.total_allocated_bytes())
        _, python = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return arrow + python

    most(1)  # what is imported and cached on first use
    assert most(8) < 1.2 * most(2)


def test_a_tape_that_broke_off_leaves_nothing(tmp_path: Path) -> None:
    try:
        with Tape(tmp_path / "tape", tmp_path) as tape:
            for sensed in ticks(3):
                tape.write(sensed)
            next(tape.play())
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_tape_plays_nothing(tmp_path: Path) -> None:
    with Tape(tmp_path / "tape", tmp_path) as tape:
        assert list(tape.play()) == []
