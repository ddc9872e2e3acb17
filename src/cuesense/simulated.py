"""A simulated conversation as a session folder, judged by the estimator that judges recordings.

For rehearsing a study's analysis on data of which everything is known, and that anyone can make.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cuesense.capture import SourceInfo
from cuesense.config import Config
from cuesense.dyad.features import COLUMN
from cuesense.dyad.modes import Labels, Modes
from cuesense.dyad.simulator import Conversation
from cuesense.dyad.turns import Turns
from cuesense.folder import replacing, writing
from cuesense.pipeline import Findings
from cuesense.schema import REASONS, VALUE_INDEX, VALUES
from cuesense.session import Session, Tally, conclude, describe, tables
from cuesense.timeline import Spools
from cuesense.types import PEOPLE, Event, Moment, PersonState, Reason, Role

_STATES = ("arousal", "arousal_sd", "valence", "valence_sd")


def session_of(
    conversation: Conversation,
    folder: str | Path,
    *,
    config: Config | None = None,
    attributes: Mapping[str, object] | None = None,
    started: str = "",
    overwrite: bool = False,
) -> Session:
    """Write a simulated conversation as a session folder.

    A is the partner, B the listener. The timeline has the simulation's ticks and what it gives:
    states, who speaks, B's gaze, nods; all else is missing. Turns, stances, contingency, labels and
    the summary are worked out from these as those of a recording are.

    Parameters
    ----------
    conversation
        From `cuesense.simulate`, at the rate of the dyad's grid.
    folder
        The session folder.
    config
        Settings; None takes the defaults. The grid's rate is set to the dyad's.
    attributes
        What to say of it in session.json: ``dyad``, covariates ``x_…``.
    started
        When its time 0 was, ISO 8601; empty: not known.
    overwrite
        Replace a session of another conversation.

    Raises
    ------
    OutputError
        If the folder cannot be written or holds something else.
    """
    config = config or Config()
    grid = dataclasses.replace(config.grid, rate_hz=config.dyad.rate_hz)
    config = dataclasses.replace(config, grid=grid)
    target = Path(folder)
    seen = np.ascontiguousarray(conversation.seen)
    made_of = [hashlib.sha256(seen.tobytes()).hexdigest()]
    end_s = float(conversation.t[-1]) + 1.0 / config.dyad.rate_hz
    info = SourceInfo((Path("simulated"),), end_s, 0, (), (), (), (), started=started)
    findings = Findings(end_s, ("Simulated: nobody was recorded.",), "simulated", listener="B")
    tally = Tally(config.grid.rate_hz)
    with replacing(target, made_of, overwrite) as place:
        with Spools(place, target) as spools:
            for moment in _moments(conversation, config):
                spools.write(moment)
                tally.add(moment)
        meta = describe(info, made_of, config, findings, tally)
        meta["attributes"] = dict(attributes or {})
        with writing(target):
            tables(place, meta)
            conclude(place, meta, config)
    return Session(target)


def _moments(conversation: Conversation, config: Config) -> list[Moment]:
    """Return the conversation tick by tick, with what the estimator makes of it."""
    seen = conversation.seen
    states = Modes(config.dyad).extend(conversation.samples)
    turns, labels = Turns(config.turns), Labels()
    moments = []
    for row, state in zip(seen, states, strict=True):
        speaking = (row[COLUMN["partner_speaking_prob"]], row[COLUMN["listener_speaking_prob"]])
        nods = row[COLUMN["listener_events"]]
        events = [Event(state.t, state.t, "B", "nod")] * int(nods if np.isfinite(nods) else 0)
        events += [*turns.push(state.t, *speaking), *labels.push(state.t, state.label)]
        people = (_person(row, "partner", state.t), _person(row, "listener", state.t))
        moments.append(Moment(state.t, people, state, None, tuple(events)))
    rest = (*turns.flush(), *labels.flush())
    moments[-1] = dataclasses.replace(moments[-1], events=(*moments[-1].events, *rest))
    return moments


def _person(row: np.ndarray, who: str, t: float) -> PersonState:
    """Return one person at one tick; `who` is "partner" or "listener"."""
    values = np.full(len(VALUES), np.nan)
    for name in _STATES:
        values[VALUE_INDEX[name]] = row[COLUMN[f"{who}_{name}"]]
    values[VALUE_INDEX["speaking"]] = row[COLUMN[f"{who}_speaking_prob"]]
    if who == "listener":
        values[VALUE_INDEX["gaze_on_partner"]] = row[COLUMN["listener_gaze_on_partner"]]
    there = np.isfinite(values[VALUE_INDEX["arousal"]])
    reasons = dict.fromkeys(REASONS, Reason.NO_VIDEO) | {"voice_reason": Reason.NO_AUDIO}
    state = Reason.OK if there else Reason.NO_FACE
    reasons |= {"state_reason": state, "face_state_reason": state}
    person = PEOPLE[0] if who == "partner" else PEOPLE[1]
    return PersonState(t, person, Role(who), values, reasons)
