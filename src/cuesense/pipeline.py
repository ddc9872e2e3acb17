"""The one code path: packets in, moments out.

``run`` composes the stages in the order of the flow; nothing else does. Batch is the stream run
to its end: ``analyze`` in `cuesense.session` writes what ``run`` yields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from cuesense import models
from cuesense.capture import Source
from cuesense.config import Config
from cuesense.cues.body import Body
from cuesense.cues.dynamics import Dynamics
from cuesense.cues.faces import Faces
from cuesense.cues.voice import Voice
from cuesense.dyad.modes import DyadSample, Labels, Modes
from cuesense.dyad.turns import Turns
from cuesense.feedback import Feedback, load_rules
from cuesense.state.attribution import Attribution, Voiced
from cuesense.state.grid import Grid, RawTick
from cuesense.state.people import People
from cuesense.types import (
    PEOPLE,
    AudioBlock,
    Event,
    FaceCue,
    Moment,
    Packet,
    PersonState,
    Role,
    VideoFrame,
    VoiceCue,
)

Watch = Callable[[FaceCue | VoiceCue], None]
"""Called with each cue as soon as it is there, long before the moment that it becomes part of."""

STILLS = 16
"""Pictures spread over a recording in which the two people are looked for first."""


@dataclass(slots=True)
class Findings:
    """What a run learned besides its moments: brought up to date each second, complete at its end.

    Attributes
    ----------
    end_s
        time of the last packet, s.
    notes
        sentences for the user.
    role_reason
        how the listener was found.
    uncalibrated
        columns of each person whose baseline is not complete.
    frames
        pictures analysed.
    problems
        what went wrong while reading.
    listener
        "A" or "B".
    """

    end_s: float = 0.0
    notes: tuple[str, ...] = ()
    role_reason: str = ""
    uncalibrated: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    frames: int = 0
    problems: tuple[str, ...] = ()
    listener: str | None = None


def run(
    source: Source,
    config: Config | None = None,
    findings: Findings | None = None,
    watch: Watch | None = None,
) -> Iterator[Moment]:
    """Yield a `Moment` per tick (25 Hz) of an opened source, in order, to its end.

    Parameters
    ----------
    source
        opened by `capture.open_source`.
    config
        settings; None takes the defaults.
    findings
        filled with what is known besides the moments.
    watch
        told every face and voice cue as it comes; for a live view.

    Raises
    ------
    ModelError
        If the face model can neither be found nor fetched.
    CuesenseError
        If a worker process fails again and again.
    """
    config = config or Config()
    findings = findings if findings is not None else Findings()
    with ExitStack() as stack:
        flow = _Flow(source, config, findings, watch, stack)
        for packet in source.packets():
            yield from flow.push(packet)
        yield from flow.flush()


class _Flow:
    """The stages of one run, wired together."""

    def __init__(
        self,
        source: Source,
        config: Config,
        findings: Findings,
        watch: Watch | None,
        stack: ExitStack,
    ) -> None:
        info = source.info
        self._source, self._config, self._findings = source, config, findings
        self._watch = watch
        self._end = 0.0
        video, channels = info.views > 0, sum(info.channels)
        self._faces: Faces | None = None
        if video:
            self._faces = stack.enter_context(
                Faces(
                    config.faces,
                    models.fetch("face_landmarker"),
                    sizes=info.size,
                    stills=source.stills(STILLS),
                )
            )
        self._body = Body(config.body, info.views)
        self._dynamics = Dynamics(
            tuple(w / h for w, h in info.size) or (1.0,), config.people.motion_window_s
        )
        self._voices: dict[int, Voice] = {}
        first = 0
        for view, (rate, count) in enumerate(zip(info.rate, info.channels, strict=True)):
            if count:
                self._voices[view] = Voice(config.voice, rate, count, first_channel=first)
                first += count
        self._grid = Grid(config.grid, channels)
        self._attribution = Attribution(
            config.people, config.voice, config.grid.rate_hz, info.channels, faces=video
        )
        alone = not video and channels == 1
        self._people = People(config, video=video, audio=channels > 0, seats=(True, not alone))
        self._turns = Turns(config.turns)
        self._modes = Modes(config.dyad)
        self._every = round(config.grid.rate_hz / config.dyad.rate_hz)
        self._ticks = 0
        self._responses = [0, 0]  # nods and backchannels of each person since the last dyad tick
        self._on_partner: list[list[float]] = []  # gaze of both since the last dyad tick
        self._events: list[tuple[float, Event]] = []  # with the time from which each is told
        self._doubts = 0  # doubtful returns of a face that were told
        self._labels = Labels()
        self._feedback = Feedback(config.feedback, load_rules(config.feedback.rules))

    def push(self, packet: Packet) -> Iterator[Moment]:
        """Take one packet; yield the moments that are due now."""
        self._end = max(self._end, packet.end)
        if isinstance(packet, VideoFrame):
            self._findings.frames += 1
            if self._faces is not None:
                self._body.push_frame(packet)
                self._take_faces(self._faces.push(packet))
        elif isinstance(packet, AudioBlock) and packet.view in self._voices:
            self._take_voices(self._voices[packet.view].push(packet))
        if self._faces is not None:
            if self._watch is not None:
                self._take_faces(self._faces.poll())
            # A tick also looks at cues a little later than itself.
            due = self._end - self._config.grid.lateness_s + self._config.grid.max_age_s
            self._take_faces(self._faces.advance(due))
        yield from self._moments(self._grid.advance(self._end))

    def flush(self) -> Iterator[Moment]:
        """Yield what is left at the source's end."""
        if self._faces is not None:
            self._take_faces(self._faces.flush())
        for voice in self._voices.values():
            self._take_voices(voice.flush())
        yield from self._moments(self._grid.flush(self._end))
        last = [self._moment(tick) for tick in self._attribution.flush()]
        self._found(self._end, *self._turns.flush(), *self._labels.flush())
        yield from last[:-1]
        if last:
            # A sentence may still have stood when the recording ended.
            rest = (replace(e, t_end=min(e.t_end, self._end)) for e in self._completed(np.inf))
            yield replace(last[-1], events=(*last[-1].events, *rest))
        self._finish()

    def _take_voices(self, cues: list[VoiceCue]) -> None:
        for cue in cues:
            if self._watch is not None:
                self._watch(cue)
            self._grid.push_voice(cue)

    def _take_faces(self, cues: list[FaceCue]) -> None:
        doubts = self._faces.events[self._doubts :] if self._faces is not None else ()
        self._doubts += len(doubts)
        for t, seat in doubts:
            self._found(t, Event(t, t, PEOPLE[seat], "identity_doubt"))
        for cue in cues:
            if self._watch is not None:
                self._watch(cue)
            motion, gestures = self._body.push_face(cue)
            features, blinks = self._dynamics.push(cue)
            self._grid.push_motion(motion)
            self._grid.push_face(features)
            self._found(cue.t, *gestures, *blinks)

    def _moments(self, ticks: list[RawTick]) -> Iterator[Moment]:
        for raw in ticks:
            for tick in self._attribution.push(raw):
                yield self._moment(tick)

    def _moment(self, tick: Voiced) -> Moment:
        people, events = self._people.push(tick)
        self._found(tick.raw.t, *events, *self._turns.push(tick.raw.t, *tick.speaking))
        happened = self._completed(tick.raw.t)
        dyad = None
        self._on_partner.append([p["gaze_on_partner"] for p in people])
        if self._ticks % self._every == 0:
            dyad = self._modes.push(self._sample(people))
            happened += self._labels.push(dyad.t, dyad.label)
        if self._ticks % round(self._config.grid.rate_hz) == 0:
            self._learn()
        self._ticks += 1
        moment = Moment(tick.raw.t, people, dyad, None, tuple(happened))
        advice = self._feedback.push(moment)
        if advice is None:
            return moment
        said = Event(advice.t, advice.until, advice.to, "advice", detail=advice.text)
        self._found(moment.t, said)
        return replace(moment, advice=advice)

    def _found(self, known: float, *events: Event) -> None:
        """Keep events that became known at `known` (s) until they are over as well.

        Faces are read ahead of the ticks, how far depends on the workers' pace. So an event is told
        from a time that its cue gives, not from when it happened to be read.
        """
        self._events += [(max(known, event.t_end), event) for event in events]

    def _completed(self, t: float) -> list[Event]:
        """Take out the events that are known and over by `t` (s), in order."""
        done = [(due, e) for due, e in self._events if due <= t]
        self._events = [(due, e) for due, e in self._events if due > t]
        done.sort(key=lambda one: (one[0], one[1].t_end, one[1].t, one[1].kind, one[1].person))
        events = [event for _, event in done]
        for event in events:
            if event.kind in ("nod", "backchannel"):
                self._responses[PEOPLE.index(event.person)] += 1
        return events

    def _sample(self, people: tuple[PersonState, PersonState]) -> DyadSample:
        """Return what the dyad's estimator takes of both people."""
        listener, partner = people if people[0].role is Role.LISTENER else people[::-1]
        # Until it is known who listens, nods, backchannels and gaze are nobody's: missing, not
        # the other's. (There are no states yet.) So once the listener is found these two channels
        # start afresh, and say nothing until `min_coverage` of their window is there.
        known = listener.role is Role.LISTENER
        seat = PEOPLE.index(listener.person)
        responses = self._responses[seat] if known else np.nan
        looks = np.array([row[seat] if known else np.nan for row in self._on_partner])
        looks = looks[np.isfinite(looks)]
        self._responses, self._on_partner = [0, 0], []
        return DyadSample(
            t=listener.t,
            partner_arousal=partner["arousal"],
            partner_valence=partner["valence"],
            partner_arousal_sd=partner["arousal_sd"],
            partner_valence_sd=partner["valence_sd"],
            partner_speaking_prob=partner["speaking"],
            partner_ok=bool(np.isfinite(partner["arousal"])),
            listener_arousal=listener["arousal"],
            listener_valence=listener["valence"],
            listener_arousal_sd=listener["arousal_sd"],
            listener_valence_sd=listener["valence_sd"],
            listener_speaking_prob=listener["speaking"],
            listener_ok=bool(np.isfinite(listener["arousal"])),
            listener_events=float(responses),
            listener_gaze_on_partner=float(looks.mean()) if len(looks) else np.nan,
            calibrated=self._people.calibrated,
        )

    def _finish(self) -> None:
        """Write down what was learned."""
        self._people.roles.flush()
        self._learn()

    def _learn(self) -> None:
        findings = self._findings
        findings.end_s = self._end
        findings.listener = self._people.roles.listener
        findings.role_reason = self._people.roles.reason
        findings.uncalibrated = self._people.uncalibrated
        findings.problems = self._source.problems
        findings.notes = tuple(
            note
            for note in (
                *self._source.info.notes,
                *(self._faces.notes if self._faces is not None else ()),
                self._attribution.note,
            )
            if note
        )
