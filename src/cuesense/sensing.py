"""From packets to what was sensed of both people at each tick: faces, voices, bodies, whose voice.

Nothing here knows a state, a role or a mode; what comes out can be kept and appraised again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

import numpy as np

from cuesense import models
from cuesense.capture import Source
from cuesense.config import Config
from cuesense.cues.body import Body
from cuesense.cues.dynamics import Dynamics
from cuesense.cues.faces import Faces
from cuesense.cues.gain import GainWatch
from cuesense.cues.voice import Voice
from cuesense.state.affect import SPEAKS
from cuesense.state.attribution import Attribution, Voiced
from cuesense.state.grid import Grid, RawTick
from cuesense.state.people import People
from cuesense.state.voices import VoiceProfile
from cuesense.types import (
    PEOPLE,
    AudioBlock,
    Event,
    FaceCue,
    Packet,
    Sensed,
    VideoFrame,
    VoiceCue,
)

Watch = Callable[[FaceCue | VoiceCue], None]
"""Called with each cue as soon as it is there, long before the moment that it becomes part of."""

Voices = tuple[VoiceProfile | None, VoiceProfile | None]
"""The voices of A and B; None where nothing is known."""

STILLS = 16
"""Pictures spread over a recording in which the two people are looked for first."""


class Sensing:
    """Stages: packets in, `Sensed` ticks out. A context manager: it owns the face workers.

    Parameters
    ----------
    source
        opened by `capture.open_source`; asked for what it holds and for stills.
    config
        settings.
    watch
        told every cue as it comes.
    voices
        how A's and B's voices sound, as far as it is known before.

    Attributes
    ----------
    frames
        pictures seen so far.
    now
        time of the last packet, s.
    """

    def __init__(
        self,
        source: Source,
        config: Config,
        watch: Watch | None = None,
        voices: Voices = (None, None),
    ) -> None:
        info = source.info
        self._source, self._config, self._watch = source, config, watch
        self.frames, self.now = 0, 0.0
        self._stack = ExitStack()
        video, channels = info.views > 0, sum(info.channels)
        self._faces: Faces | None = None
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
            config.people,
            config.voice,
            config.grid.rate_hz,
            info.channels,
            faces=video,
            profiles=voices,
        )
        self._gains = [GainWatch(1.0 / config.grid.rate_hz) for _ in range(channels)]
        alone = not video and channels == 1 and voices[1] is None
        self._people = People(config, seats=(True, not alone))
        self._events: list[tuple[float, Event]] = []  # with the time from which each is told
        self._doubts = 0  # doubtful returns of a face that were told

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about what was sensed, so far."""
        faces = self._faces.notes if self._faces is not None else ()
        gain = next(filter(None, (watch.note for watch in self._gains)), "")
        given = (*self._source.info.notes, *faces, self._attribution.note, gain)
        return tuple(note for note in given if note)

    @property
    def voices(self) -> tuple[VoiceProfile, VoiceProfile]:
        """How A's and B's voices sound, as far as it is known by now."""
        return self._attribution.profiles

    def push(self, packet: Packet) -> list[Sensed]:
        """Take one packet; return the ticks that are due now."""
        self.now = max(self.now, packet.end)
        if isinstance(packet, VideoFrame):
            self.frames += 1
            if self._faces is not None:
                self._body.push_frame(packet)
                self._take_faces(self._faces.push(packet))
        elif isinstance(packet, AudioBlock) and packet.view in self._voices:
            self._take_voices(self._voices[packet.view].push(packet))
        if self._faces is not None:
            if self._watch is not None:
                self._take_faces(self._faces.poll())
            # A tick also looks at cues a little later than itself.
            due = self.now - self._config.grid.lateness_s + self._config.grid.max_age_s
            self._take_faces(self._faces.advance(due))
        return self._sensed(self._grid.advance(self.now))

    def flush(self) -> list[Sensed]:
        """Return what is left at the source's end; the last tick says that it is the last."""
        if self._faces is not None:
            self._take_faces(self._faces.flush())
        for voice in self._voices.values():
            self._take_voices(voice.flush())
        found = self._sensed(self._grid.flush(self.now))
        rest = self._attribution.flush()
        found += [self._tick(tick) for tick in rest[:-1]]
        return [*found, *(self._tick(tick, last=True) for tick in rest[-1:])]

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

    def _found(self, known: float, *events: Event) -> None:
        """Keep events that became known at `known` (s) until they are over as well.

        Faces are read ahead of the ticks, how far depends on the workers' pace. So an event is told
        from a time that its cue gives, not from when it happened to be read.
        """
        self._events += [(max(known, event.t_end), event) for event in events]

    def _sensed(self, ticks: list[RawTick]) -> list[Sensed]:
        return [self._tick(tick) for raw in ticks for tick in self._attribution.push(raw)]

    def _tick(self, tick: Voiced, *, last: bool = False) -> Sensed:
        for channel, (gain, cue) in enumerate(zip(self._gains, tick.raw.voices, strict=True)):
            if cue is not None:
                gain.push(cue, _speaker(tick, channel))
        values, reasons = self._people.push(tick)
        until = np.inf if last else tick.raw.t
        told = tuple(event for due, event in self._events if due <= until)
        self._events = [(due, event) for due, event in self._events if due > until]
        end = self.now if last else np.nan
        return Sensed(tick.raw.t, values, reasons, told, end)

    def __enter__(self) -> Self:
        info = self._source.info
        if info.views:
            self._faces = self._stack.enter_context(
                Faces(
                    self._config.faces,
                    models.fetch("face_landmarker"),
                    sizes=info.size,
                    stills=self._source.stills(STILLS),
                )
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _speaker(tick: Voiced, channel: int) -> int | None:
    """Return who is heard on an audio channel, None unless it is one person alone."""
    heard = [
        seat
        for seat, p in enumerate(tick.speaking)
        if p > SPEAKS and not (tick.separate and tick.channel[seat] != channel)
    ]
    return heard[0] if len(heard) == 1 else None
