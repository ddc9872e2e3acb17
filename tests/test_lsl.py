"""Cues on the Lab Streaming Layer, read by real inlets on this machine alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export_sessions
from cuesense import Config, Session, schema
from cuesense.export.material import Material
from cuesense.lsl import CODES, DYAD, TIMELINE, WORDS, Outlets, moments
from cuesense.types import DyadState, Event, Moment, Person, PersonState, Reason, Role
from media import Audio, write_media

# No packet of these tests leaves the machine.
LOCAL = "[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n"


@pytest.fixture(scope="module")
def lsl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The library, told to stay on this machine before it is loaded."""
    settings = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    settings.write_text(LOCAL, encoding="utf-8")
    os.environ["LSLAPICFG"] = str(settings)
    import pylsl

    yield pylsl
    del os.environ["LSLAPICFG"]


@contextmanager
def program(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run cuesense beside the test; what fails tells what it said, and nothing is left behind."""
    command = [sys.executable, "-m", "cuesense", *map(str, arguments)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        try:
            yield process
            code = process.wait(300)
        except BaseException as error:
            process.kill()
            process.wait()
            said.seek(0)
            error.add_note(said.read().decode(errors="replace"))
            raise
        said.seek(0)
        assert code == 0, said.read().decode(errors="replace")


def inlet(lsl: Any, stream: str, name: str) -> Any:
    found = lsl.resolve_byprop("source_id", f"cuesense {name} {stream}", timeout=60)
    assert len(found) == 1
    opened = lsl.StreamInlet(found[0])
    opened.open_stream(timeout=30)
    return opened


def channels(opened: Any) -> list[dict[str, str]]:
    node = opened.info(30).desc().child("channels").child("channel")
    found = []
    while not node.empty():
        found.append({key: node.child_value(key) for key in ("label", "unit", "meaning")})
        node = node.next_sibling("channel")
    return found


def pull(opened: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` samples and their times on this machine's LSL clock."""
    samples: list[list[Any]] = []
    times: list[float] = []
    correction = opened.time_correction(timeout=30)
    assert abs(correction) < 0.05  # one machine, one clock
    while len(times) < count:
        sample, at = opened.pull_sample(timeout=30)
        assert sample is not None, f"{len(times)} of {count} samples came"
        samples.append(sample)
        times.append(at + correction)
    return np.array(samples), np.array(times)


def moment(rng: np.random.Generator, tick: int) -> Moment:
    t = tick / 25
    people: list[PersonState] = []
    for person in ("A", "B"):
        values = np.where(rng.random(len(schema.VALUES)) < 0.3, np.nan, rng.normal(size=1))
        reasons = dict.fromkeys(schema.REASONS, Reason.OK) | {"face_reason": Reason.NO_FACE}
        who: Person = "A" if person == "A" else "B"
        people.append(PersonState(t, who, Role.LISTENER, values, reasons))
    dyad = None
    if tick % 5 == 0:
        evidence = {c.name: float(rng.normal()) for c in schema.EVIDENCE}
        dyad = DyadState(t, "regulating", "", "sharing", (0.1, 0.7, 0.2), evidence, "mirroring")
    nod = Event(t - 0.2, t, "B", "nod", 0.5, "äh")
    return Moment(t, (people[0], people[1]), dyad, events=(nod,) if tick == 7 else ())


def test_what_is_pushed_is_what_inlets_pull(lsl: Any) -> None:
    rng = np.random.default_rng(5)
    moments = [moment(rng, tick) for tick in range(50)]
    with Outlets(Config(), "test") as outlets:
        people = {p: inlet(lsl, p, "test") for p in "AB"}
        dyad, words, events = (inlet(lsl, s, "test") for s in ("dyad", "words", "events"))
        began, offset = time.monotonic() - 3, lsl.local_clock() - time.monotonic()
        for m in moments:
            outlets.push(m, began + m.t)
        for i, person in enumerate("AB"):
            assert people[person].info(30).nominal_srate() == 25
            labels = [c["label"] for c in channels(people[person])]
            assert labels == [c.name for c in TIMELINE]
            samples, times = pull(people[person], 50)
            np.testing.assert_allclose(times, [began + offset + m.t for m in moments], atol=0.01)
            column = samples[:, labels.index("face_reason")]
            assert set(column) == {CODES["face_reason"]["no_face"]}
            first = labels.index(schema.VALUES[0])
            expected = np.array([m.people[i].values for m in moments], np.float32)
            np.testing.assert_array_equal(samples[:, first:].astype(np.float32), expected)
        units = {c["label"]: c["unit"] for c in channels(people["A"])}
        assert units["f0_hz"] == "Hz"
        assert units["face_reason"] == "code"
        samples, times = pull(dyad, 10)
        assert [c["label"] for c in channels(dyad)] == [c.name for c in DYAD]
        found = dict(zip([c.name for c in DYAD], samples.T, strict=True))
        assert set(found["label"]) == {CODES["label"]["regulating"]}
        np.testing.assert_allclose(found["p_regulating"], 0.7, rtol=1e-6)
        states = [m.dyad for m in moments if m.dyad is not None]
        for c in schema.EVIDENCE:
            np.testing.assert_array_equal(
                found[c.name].astype(np.float32),
                np.array([d.evidence[c.name] for d in states], np.float32),
            )
        texts, _ = pull(words, 10)
        assert [c["label"] for c in channels(words)] == [c.name for c in WORDS]
        assert dict(zip([c.name for c in WORDS], texts[0], strict=True)) == {
            "label": "regulating", "reason": "", "variant": "sharing", "rival": "mirroring",
        }  # fmt: skip
        texts, times = pull(events, 1)
        assert dict(zip([c.name for c in schema.EVENTS_TABLE], texts[0], strict=True)) == {
            "t": str(moments[7].t - 0.2), "t_end": str(moments[7].t), "person": "B",
            "kind": "nod", "value": "0.5", "detail": "äh",
        }  # fmt: skip
        assert times[0] == pytest.approx(began + offset + moments[7].t - 0.2, abs=0.01)


def test_a_live_session_offers_what_its_folder_holds(lsl: Any, tmp_path: Path) -> None:
    recording = write_media(tmp_path / "talk.m4a", None, Audio(seconds=12.0))
    folder = tmp_path / "talk.cuesense"
    with program("live", "--play", recording, "--headless", "--lsl", "-o", folder):
        opened = inlet(lsl, "A", "talk.cuesense")
        labels = [c["label"] for c in channels(opened)]
        samples, times = pull(opened, 60)
    at = np.round(samples[:, labels.index("t")] * 25).astype(int)
    np.testing.assert_array_equal(np.diff(at), 1)
    # Each was captured one tick after the other, however late it was told.
    np.testing.assert_allclose(np.diff(times), 0.04, atol=0.01)
    kept = Session(folder).timeline.of("A", list(schema.VALUES))
    for column in ("loudness_db", "speaking", "smile", "arousal"):
        found = samples[:, labels.index(column)].astype(np.float32)
        np.testing.assert_array_equal(found, kept[column][at].astype(np.float32))


def test_a_session_is_offered_again(lsl: Any, tmp_path: Path) -> None:
    recording = write_media(tmp_path / "talk.m4a", None, Audio(seconds=3.0))
    folder = tmp_path / "again.cuesense"
    with program("analyze", recording, "-q", "--lsl-replay", "-o", folder):
        opened = inlet(lsl, "B", "again.cuesense")
        session = Session(folder)
        kept = session.timeline.of("B", ["t", *schema.VALUES])
        labels = [c["label"] for c in channels(opened)]
        samples, times = pull(opened, len(kept["t"]))
    np.testing.assert_allclose(np.diff(times), 0.04, atol=0.01)
    for column, expected in kept.items():
        found = samples[:, labels.index(column)].astype(np.float32)
        np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_moments_of_a_session_are_its_tables(tmp_path: Path) -> None:
    session = export_sessions.write(tmp_path / "talk.cuesense", 8.0)
    found = list(moments(Material(session)))
    assert len(found) == 200
    values = np.array([m.people[1].values for m in found])
    kept = session.timeline.of("B", schema.VALUES)
    np.testing.assert_array_equal(values, np.stack(list(kept.values()), axis=1))
    states = [m.dyad for m in found if m.dyad is not None]
    frame = session.state.to_pandas()
    assert [d.label for d in states] == frame["label"].tolist()
    np.testing.assert_array_equal([d.p[1] for d in states], frame["p_regulating"])
    events = sorted(e.t for m in found for e in m.events)
    assert events == sorted(t for t in session.events.to_pandas()["t"] if t <= found[-1].t)
