"""The one code path: packets in, moments out.

``run`` composes the stages in the order of the flow: ``appraise(sense(...))``. Batch is the stream
run to its end. Where the baseline is to be chosen from the whole of a recording, ``settle`` takes
the place of ``appraise``: the same stages, once all was sensed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cuesense import calibration
from cuesense.appraisal import Appraisal, Profiles
from cuesense.calibration import Stretch, Wish
from cuesense.capture import Source
from cuesense.config import Config
from cuesense.profiles import Given
from cuesense.sensing import Sensing, Voices, Watch
from cuesense.state.ordinary import Survey
from cuesense.state.profile import Profile
from cuesense.state.roles import Roles
from cuesense.state.voices import VoiceProfile
from cuesense.tape import Tape
from cuesense.types import Moment, Sensed


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
    profiles
        what is known of each person's usual.
    voices
        how each person's voice sounds; None before anything was sensed.
    stretch
        where people's usual is learned; None: where the settings say.
    given
        the saved profiles that are used.
    """

    end_s: float = 0.0
    notes: tuple[str, ...] = ()
    role_reason: str = ""
    uncalibrated: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    frames: int = 0
    problems: tuple[str, ...] = ()
    listener: str | None = None
    profiles: tuple[Profile, Profile] = (Profile(), Profile())
    voices: tuple[VoiceProfile, VoiceProfile] | None = None
    stretch: Stretch | None = None
    given: Given = (None, None)


def run(
    source: Source,
    config: Config | None = None,
    findings: Findings | None = None,
    watch: Watch | None = None,
    profiles: Profiles = (None, None),
    voices: Voices = (None, None),
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
    profiles
        what is known of A's and B's usual before; the baseline gives what is not.
    voices
        how A's and B's voices sound, as far as it is known before; the mouths give what is not.

    Raises
    ------
    ModelError
        If the face model can neither be found nor fetched.
    CuesenseError
        If a worker process fails again and again.
    """
    config = config or Config()
    findings = findings if findings is not None else Findings()
    return appraise(sense(source, config, findings, watch, voices), config, findings, profiles)


def sense(
    source: Source,
    config: Config,
    findings: Findings,
    watch: Watch | None = None,
    voices: Voices = (None, None),
) -> Iterator[Sensed]:
    """Yield what is sensed at each tick of an opened source; arguments and errors as of `run`."""
    second = round(config.grid.rate_hz)
    with Sensing(source, config, watch, voices) as sensing:

        def learn() -> None:
            findings.end_s, findings.frames = sensing.now, sensing.frames
            findings.notes, findings.problems = sensing.notes, source.problems

        ticks = 0
        try:
            for packet in source.packets():
                for sensed in sensing.push(packet):
                    if ticks % second == 0:
                        learn()
                    ticks += 1
                    yield sensed
            last = sensing.flush()
            learn()
            yield from last
        finally:
            findings.voices = sensing.voices


def appraise(
    ticks: Iterable[Sensed],
    config: Config,
    findings: Findings,
    profiles: Profiles = (None, None),
    roles: Roles | None = None,
) -> Iterator[Moment]:
    """Yield the moment of each tick that was sensed; arguments as of `run` and `Appraisal`."""
    appraisal = Appraisal(config, profiles, roles)
    second = round(config.grid.rate_hz)
    for i, sensed in enumerate(ticks):
        moment = appraisal.push(sensed)
        if i % second == 0 or sensed.last:
            findings.listener = appraisal.roles.listener
            findings.role_reason = appraisal.roles.reason
            findings.uncalibrated = appraisal.uncalibrated
            findings.profiles = appraisal.profiles
        yield moment


def settle(
    ticks: Iterable[Sensed],
    tape: Tape,
    wish: Wish,
    config: Config,
    findings: Findings,
    profiles: Profiles = (None, None),
) -> Iterator[Moment]:
    """Yield the moments of a recording whose baseline is chosen once all of it was sensed.

    All ticks go onto the tape; both people's usual is learned from the stretch, and who listens
    from the whole; then the tape is appraised with that known from the first second.

    Parameters
    ----------
    ticks
        what is sensed.
    tape
        an empty one.
    wish
        which stretch.
    config, findings, profiles
        as of `run`.

    Raises
    ------
    ParameterError
        If the stretch that is wished for lies beyond the end.
    """
    survey = Survey(config.grid.rate_hz)
    roles = Roles(config.people.listener, math.inf, config.grid.rate_hz)
    for sensed in ticks:
        tape.write(sensed)
        survey.push(sensed)
        roles.push(sensed.t, sensed.speaking)
    roles.flush()
    calibration.within(wish, findings.end_s)
    stretch = calibration.choose(wish, survey.seconds, findings.end_s, config)
    findings.stretch = stretch
    learned = calibration.learn(tape.play(), config, stretch, profiles)
    yield from appraise(tape.play(), config, findings, learned, roles)
