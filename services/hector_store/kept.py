"""What is kept beside the log of a run, and written with it: changes of state, and artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .values import EventRow

Scope = Literal["session", "user", "app"]
"""Whose a part of the state is: one session's, a user's in all sessions, everybody's in the app."""


class StateChange(NamedTuple):
    """One key of the state that an event sets or removes."""

    scope: Scope
    owner: str
    """Empty for the app's."""
    context_id: str
    """Empty for the user's and the app's."""
    name: str
    """The key, without the word that names its scope."""
    value: bytes
    """JSON; empty: the key is removed."""
    event: int = 0
    """Which of the events that are written together says so, from 0."""


class NewArtifact(NamedTuple):
    """A version of an artifact that is to be kept."""

    owner: str
    context_id: str
    """Empty for what belongs to all sessions of its owner."""
    name: str
    data: bytes
    """The content, unless it is at `place`."""
    size_bytes: int
    hash: str
    """SHA-256 of the content, hex."""
    media_type: str = ""
    description: str = ""
    place: str = ""
    """The content's key in the store for large ones; empty: `data` has it."""
    run_id: str = ""
    """Who made it; empty: nobody's run."""


class Kept(NamedTuple):
    """What is written together with events."""

    states: tuple[StateChange, ...] = ()
    artifacts: tuple[NewArtifact, ...] = ()
    app: str = ""
    """Whose app all of it belongs to."""


NOTHING_KEPT = Kept()


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """A version of an artifact, without its content."""

    app: str
    owner: str
    context_id: str
    name: str
    version: int
    """1, 2, 3, ... within its name."""
    run_id: str
    media_type: str
    description: str
    size_bytes: int
    hash: str
    place: str
    """"" for content in its row, "blob:" and an id for pieces in the database, else a key outside of it."""
    time_us: int


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """One page of artifacts."""

    artifacts: tuple[ArtifactRow, ...]
    next_page_token: str


Scopes = Mapping[Scope, Mapping[str, bytes]]
"""The state that a session sees: JSON by key, scope by scope."""

NO_STATE: Scopes = {"session": {}, "user": {}, "app": {}}


class Told(NamedTuple):
    """What a turn begins with."""

    events: Sequence[EventRow]
    """What was said in its session, oldest first."""
    scopes: Scopes
    """The state it sees."""
    at_work: tuple[tuple[int, str], ...]
    """Position and id of those runs that are at work or will be, the latest first."""
