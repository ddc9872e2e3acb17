"""Saved personal profiles: what is usual for one person, and how their voice sounds.

One file per person in a folder of the user's own (`folder`), readable by that user alone. A voice
profile can tell whose voice it is, so nothing is saved unless somebody asks for it by name.
"""

from __future__ import annotations

import json
import os
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import platformdirs

from cuesense.errors import OutputError, ParameterError
from cuesense.state.profile import Profile
from cuesense.state.roles import NAMED
from cuesense.state.voices import VoiceProfile
from cuesense.types import PEOPLE

VERSION: Final = 1
"""Of the file's layout, and of what the numbers in it mean: raised when either changes."""
FOLDER_VARIABLE: Final = "CUESENSE_PROFILES"
LONGEST_NAME: Final = 40
_START, _END = "profile-", ".json"


@dataclass(frozen=True, slots=True)
class Saved:
    """What is kept of one person.

    Attributes
    ----------
    name
        of the profile.
    usual
        what is usual for them.
    voice
        how their voice sounds; None if too little of it was heard.
    made
        when, ISO 8601 in UTC.
    learned_s
        s of conversation that their usual was learned from.
    """

    name: str
    usual: Profile
    voice: VoiceProfile | None
    made: str
    learned_s: float

    def words(self) -> str:
        """Return what it holds, in one line for the user."""
        parts = [
            (self.usual.arousal.mean, "activation"),
            (self.usual.expression, "the face at rest"),
            (self.usual.gaze or None, "where they look"),
        ]
        known = [name for what, name in parts if what is not None]
        if self.voice is not None:
            known.append(f"{self.voice.seconds:.0f} s of their voice")
        return (
            f"{self.name}: made {self.made} from {self.learned_s:.0f} s of talk; "
            f"holds {', '.join(known)}"
        )


Names = tuple[str | None, str | None]
"""Of the profiles of A and B; None: no profile."""
Given = tuple[Saved | None, Saved | None]
"""The profiles of A and B that are used; None: no profile."""


def folder() -> Path:
    """Return where profiles are; ``CUESENSE_PROFILES`` names another place."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    return platformdirs.user_data_path("cuesense") / "profiles"


def path(name: str) -> Path:
    """Return the file of a profile, which need not be there.

    Raises
    ------
    ParameterError
        If it is no name for a profile: then it could name a file elsewhere.
    """
    name = unicodedata.normalize("NFC", name)
    plain = all(letter.isalnum() or letter in "-_" for letter in name)
    if not (0 < len(name) <= LONGEST_NAME and plain):
        raise ParameterError(
            f"profile={name!r} must be 1 to {LONGEST_NAME} letters, digits, - or _; "
            "choose another name"
        )
    return folder() / f"{_START}{name}{_END}"


def names() -> list[str]:
    """Return the names of all profiles, in order."""
    found = folder().glob(f"{_START}*{_END}")
    return sorted(p.name.removeprefix(_START).removesuffix(_END) for p in found)


def load(name: str) -> Saved:
    """Return a saved profile.

    Raises
    ------
    ParameterError
        If there is none of this name, or it cannot be read, is damaged or of another version.
    """
    remedy = f"delete it (cuesense profiles delete {name}) and save it anew"
    try:
        content = json.loads(path(name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        there = ", ".join(names())
        raise ParameterError(
            f"profile={name!r} is not there; "
            + (f"there are {there}" if there else "none is saved yet: see --save-profile")
        ) from error
    except OSError as error:
        raise ParameterError(
            f"profile={name!r} cannot be read ({error.strerror}); see to {str(folder())!r}"
        ) from error
    except ValueError as error:
        raise ParameterError(f"profile={name!r} is damaged ({error}); {remedy}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise ParameterError(
            f"profile={name!r} has version {version!r}, this cuesense reads {VERSION}; {remedy}"
        )
    try:
        voice = content["voice"]
        return Saved(
            name,
            Profile.from_dict(content["usual"]),
            None if voice is None else VoiceProfile.from_dict(voice),
            str(content["made"]),
            float(content["learned_s"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ParameterError(f"profile={name!r} is damaged ({error}); {remedy}") from error


def load_both(names: Names) -> Given:
    """Return the profiles of A and B; errors as of `load`."""
    first, second = (None if name is None else load(name) for name in names)
    return first, second


def known(
    given: Given,
) -> tuple[tuple[Profile | None, Profile | None], tuple[VoiceProfile | None, VoiceProfile | None]]:
    """Return what is known of both people's usual, and of both voices."""
    a, b = given
    return (
        (None if a is None else a.usual, None if b is None else b.usual),
        (None if a is None else a.voice, None if b is None else b.voice),
    )


def check_new(names: Names, *, replace: bool) -> None:
    """Refuse names of profiles that are there already, unless they may be replaced.

    Raises
    ------
    ParameterError
        If one is there.
    """
    for name in names:
        if name is not None and path(name).exists() and not replace:
            raise ParameterError(
                f"profile={name!r} is there already; choose another name, or --replace-profile"
            )


def save(saved: Saved, *, replace: bool = False) -> Path:
    """Write a profile, whole or not at all; only this user may read it.

    Returns
    -------
        The file.

    Raises
    ------
    ParameterError
        As of `check_new`, or if next to nothing is known of the person.
    OutputError
        If it cannot be written.
    """
    name, target = saved.name, path(saved.name)
    check_new((name, None), replace=replace)
    if saved.usual.arousal.mean is None:
        raise ParameterError(
            f"profile={name!r} is not saved: too little of this person was seen and heard to learn "
            "what is usual for them; save it from a longer recording"
        )
    voice = saved.voice if saved.voice is not None and saved.voice.usable else None
    content = {
        "version": VERSION,
        "made": saved.made,
        "learned_s": saved.learned_s,
        "usual": saved.usual.to_dict(),
        "voice": None if voice is None else voice.to_dict(),
    }
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent)  # made with mode 0600
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, allow_nan=False)
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink()
            raise
    except OSError as error:
        raise OutputError(
            f"profile={name!r} cannot be written to {str(target.parent)!r} ({error.strerror}); "
            f"name another folder in {FOLDER_VARIABLE}"
        ) from error
    return target


def delete(name: str) -> Path:
    """Delete a profile, damaged or not; return the file that it was.

    Raises
    ------
    ParameterError
        If there is none of this name.
    OutputError
        If it cannot be deleted.
    """
    target = path(name)
    try:
        target.unlink()
    except FileNotFoundError as error:
        raise ParameterError(
            f"profile={name!r} is not there; 'cuesense profiles list' names those that are"
        ) from error
    except OSError as error:
        raise OutputError(
            f"profile={name!r} cannot be deleted ({error.strerror}); see to {str(target)!r}"
        ) from error
    return target


def of_people(pairs: Iterable[tuple[str, str]]) -> Names:
    """Return whose profile is whose, from pairs of a side and a name.

    Raises
    ------
    ParameterError
        If a side is unknown, or a person or a profile comes twice.
    """
    found: dict[str, str] = {}
    for side, name in pairs:
        path(name)  # says what a name must be
        if side not in NAMED:
            raise ParameterError(f"profile='{side}={name}' must begin with {', '.join(NAMED)}")
        if NAMED[side] in found:
            raise ParameterError(
                f"profile='{side}={name}' names a second profile for {NAMED[side]}; give each "
                "person one"
            )
        if name in found.values():
            raise ParameterError(
                f"profile='{side}={name}' is given to both people; give each person their own"
            )
        found[NAMED[side]] = name
    return cast(Names, tuple(found.get(person) for person in PEOPLE))
