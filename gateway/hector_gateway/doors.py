"""Where HTTP+JSON is spoken: which agent a path names, in which version, and how strictly."""

from collections.abc import Sequence
from dataclasses import dataclass

from .reserved import RESERVED
from .routes import Found, Routes
from .versions import Version

# 0.3 and Hector's documents have other names for some.
_Steps = tuple[str, ...]
_RENAMED_V03: dict[_Steps, _Steps] = {("card",): ("extendedAgentCard",)}
_RENAMED_OLD: dict[_Steps, _Steps] = {**_RENAMED_V03, ("stream",): ("message:stream",)}


@dataclass(frozen=True, slots=True)
class Door:
    """What a path leads to."""

    found: Found
    agent: str
    """The agent in the path; empty if there is none."""
    version: Version | None
    """The version that is spoken at this path; None: the client says, and 0.3 if it does not."""
    lenient: bool = False
    """It is the old door, where clients are forgiven much."""


def door_of(steps: Sequence[str], routes: Routes) -> Door | None:
    """Return what the steps of a path lead to; None: nothing of A2A's."""
    match steps:
        case ["v1", "agents", name, *rest] if name:
            return _door(routes, rest, name, None, _RENAMED_OLD, lenient=True)
        case ["agents", name, "v1", *rest] if name:
            return _door(routes, rest, name, "0.3", _RENAMED_V03)
        case ["agents", name, *rest] if name:
            return _door(routes, rest, name, "1.0")
        case ["v1", *rest]:
            return _door(routes, rest, "", "0.3", _RENAMED_V03)
    found = _door(routes, steps, "", "1.0")
    if found is None and len(steps) > 1 and steps[0] and steps[0] not in RESERVED:
        found = _door(routes, steps[1:], steps[0], "1.0")
    return found


def _door(
    routes: Routes,
    steps: Sequence[str],
    agent: str,
    version: Version | None,
    renamed: dict[_Steps, _Steps] | None = None,
    *,
    lenient: bool = False,
) -> Door | None:
    found = routes.find((renamed or {}).get(tuple(steps), tuple(steps)))
    return Door(found, agent, version, lenient) if found else None
