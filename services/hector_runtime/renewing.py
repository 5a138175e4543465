"""What of another config a running process takes over, and what waits for a restart."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from grpc import StatusCode

from hector_config import Section
from hector_mesh import HectorError

from .config import Config
from .roles import ROLES


class WaitsForRestart(HectorError):
    """An agent uses what only a restart brings."""

    code, reason = StatusCode.FAILED_PRECONDITION, "WAITS_FOR_RESTART"

    def __init__(self, agent: str, store: str) -> None:
        super().__init__(
            f"agents.{agent} searches document_stores.{store}, which only a restart brings: restart the "
            "server, or take the store out of the agent",
            agent=agent,
        )


def held(running: Config, wanted: Config) -> Config:
    """Return a wanted config with what runs in the place of all that a running process cannot change.

    Raises:
        WaitsForRestart: An agent needs what it cannot have then.
    """
    kept: dict[str, object] = {}
    for section in Config.model_fields:
        if any(key == section for key in _taken_over()):
            continue
        before, after = getattr(running, section), getattr(wanted, section)
        inside = {key.partition(".")[2] for key in _taken_over() if key.startswith(f"{section}.")}
        kept[section] = (
            before.model_copy(update={key: getattr(after, key) for key in inside}) if inside else before
        )
    found = wanted.model_copy(update=kept)
    for name, agent in found.agents.items():
        for store in agent.document_stores or ():
            if store not in found.document_stores:
                raise WaitsForRestart(name, store)
    return found


def waiting(running: Config, wanted: Config, here: Collection[str]) -> list[str]:
    """Return the keys of a wanted config that only a restart of these roles would bring."""
    return [
        ".".join(path)
        for path, _ in _differences(running, wanted)
        if not any(path[: len(key)] == key for key in _steps_taken_over()) and _concerns(path[0], here)
    ]


def changes(before: Config, after: Config, here: Collection[str]) -> list[str]:
    """Return in words what is another for these roles, as "agents.helper changed"."""
    found: dict[str, str] = {}
    for path, kind in _differences(before, after):
        if path[0] in SAID_ONLY or not _concerns(path[0], here):
            continue
        steps = path[:2] if path[0] in ENTRIES else path
        found[".".join(steps)] = kind if steps == path else "changed"
    return [f"{key} {kind}" for key, kind in found.items()]


SAID_ONLY = ("version", "name", "description", "metadata")
"""What a file says of itself, and nothing goes by."""

ENTRIES = ("agents", "llms", "tools")
"""Sections whose entries are told one by one, and not key by key."""

Path = tuple[str, ...]


def _taken_over() -> list[str]:
    return [*SAID_ONLY, *(key for role in ROLES.values() for key in role.takes_over)]


def _steps_taken_over() -> list[Path]:
    return [tuple(key.split(".")) for key in _taken_over()]


def _concerns(section: str, here: Collection[str]) -> bool:
    owners = [name for name, role in ROLES.items() if section in role.reads]
    return not owners or any(owner in here for owner in owners)


def _differences(before: Any, after: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield where two values differ, and how; maps and sections key by key, everything else as a whole."""
    if type(before) is type(after) and isinstance(before, Section):
        for name in type(before).model_fields:
            yield from _differences(getattr(before, name), getattr(after, name), (*path, name))
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            if name not in after:
                yield (*path, name), "removed"
            elif name not in before:
                yield (*path, name), "added"
            else:
                yield from _differences(before[name], after[name], (*path, name))
    elif before != after:
        yield path, "changed"
