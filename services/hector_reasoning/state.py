"""What a strategy remembers between two calls, and how it travels."""

from dataclasses import dataclass, fields

import orjson

from hector.reasoning.v1 import State
from hector_reasoning.errors import StateUnreadable

VERSION = 2
"""Raised whenever a process of this version could misread the bytes of an older one."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How far a run is. Its size does not depend on how long the run is."""

    strategy: str
    limit: int = 0
    """Most questions to a model; zero is no limit. The agent counts them and ends the run."""
    asked: int = 0
    """Questions to a model so far."""
    calls: str = ""
    """What the last turn wanted done, as a hash; empty when that is over."""
    outcome: str = ""
    """What the turn before wanted done and what came of it, as a hash."""
    times: int = 0
    """How many turns in a row had that outcome."""


_SHAPE = {field.name: type(getattr(Memory(""), field.name)) for field in fields(Memory)}


def written(memory: Memory) -> State:
    """Return a memory as it travels; `read` is its inverse."""
    data = orjson.dumps(memory)
    return State(data=data, content_type="application/json", version=VERSION)


def read(state: State) -> Memory:
    """Return the memory that a state holds.

    Raises:
        StateUnreadable: It is empty, of another version, or not ours.
    """
    if not state.data:
        raise StateUnreadable("it is empty")
    if state.version != VERSION:
        raise StateUnreadable(f"its version is {state.version}, this process writes {VERSION}")
    try:
        found = orjson.loads(state.data)
    except orjson.JSONDecodeError as error:
        raise StateUnreadable("it is not JSON") from error
    if isinstance(found, dict) and {name: type(value) for name, value in found.items()} == _SHAPE:
        return Memory(**found)
    raise StateUnreadable("it holds something else")
