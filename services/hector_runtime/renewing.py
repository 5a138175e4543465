"""What of another config a running process takes over, and what waits for a restart."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from grpc import StatusCode

from hector_config import Section
from hector_mesh import HectorError

from .config import Config
from .plugins.config import KINDS
from .plugins.references import described, references
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


class PluginStillNeeded(HectorError):
    """A plugin is gone from the config, and what only a restart changes goes on using it."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PLUGIN_STILL_NEEDED"

    def __init__(self, place: str, plugin: str, kind: str) -> None:
        super().__init__(
            f"{place} uses plugin {plugin!r} until the server is restarted, and it is not in this config: "
            f"leave it under plugins.{kind} until then, or restart the server now",
            plugin=plugin,
        )


def held(running: Config, wanted: Config) -> Config:
    """Return a wanted config with what runs in the place of all that a running process cannot change.

    Raises:
        WaitsForRestart: An agent needs what it cannot have then.
        PluginStillNeeded: Something else needs a plugin that it cannot have then.
    """
    found: Config = _held(running, wanted, ())
    for name, agent in found.agents.items():
        for store in agent.document_stores or ():
            if store not in found.document_stores:
                raise WaitsForRestart(name, store)
    _check_plugins(found, wanted)
    return found


def _check_plugins(found: Config, wanted: Config) -> None:
    """See that what goes on using a plugin does not lose it."""
    asked = {reference.word.plugin for reference in references(wanted)}
    declared = {name for _, name, entry in wanted.plugins.entries() if entry.enabled}
    for reference in references(found):
        plugin = reference.word.plugin
        if plugin not in asked | declared and not wanted.plugins.discovery.enabled:
            raise PluginStillNeeded(described(reference), plugin, reference.place.kind)


def waiting(running: Config, wanted: Config, here: Collection[str]) -> list[str]:
    """Return the keys of a wanted config that only a restart of these roles would bring."""
    return [
        ".".join(path)
        for path, _ in _differences(running, wanted)
        if not _is_taken_over(path) and _concerns(path, here)
    ]


def changes(before: Config, after: Config, here: Collection[str]) -> list[str]:
    """Return in words what is another for these roles, as "agents.helper changed"."""
    found: dict[str, str] = {}
    for path, kind in _differences(before, after):
        if path[0] in SAID_ONLY or not _concerns(path, here):
            continue
        steps = path[:2] if path[0] in ENTRIES else path
        found[".".join(steps)] = kind if steps == path else "changed"
    return [f"{key} {kind}" for key, kind in found.items()]


SAID_ONLY = ("version", "name", "description", "metadata")
"""What a file says of itself, and nothing goes by."""

ENTRIES = ("agents", "llms", "tools")
"""Sections whose entries are told one by one, and not key by key."""

Path = tuple[str, ...]


def _held(before: Any, after: Any, path: Path) -> Any:
    if _is_taken_over(path):
        return after
    if not any(key[: len(path)] == path for key in _TAKEN_OVER):
        return before
    merged = {
        name: _held(getattr(before, name), getattr(after, name), (*path, name))
        for name in type(after).model_fields
    }
    return before.model_copy(update=merged)


def _is_taken_over(path: Path) -> bool:
    return any(path[: len(key)] == key for key in _TAKEN_OVER)


def _steps(keys: Iterable[str]) -> list[Path]:
    return [tuple(key.split(".")) for key in keys]


_OF_PLUGINS = [f"plugins.{key}" for key in ("discovery", "require_conformance", "watch", *KINDS)]
"""Not their folder: processes that run have theirs in it."""
_TAKEN_OVER = _steps([*SAID_ONLY, *_OF_PLUGINS, *(key for role in ROLES.values() for key in role.takes_over)])


def _concerns(path: Path, here: Collection[str]) -> bool:
    owners = [
        name for name, role in ROLES.items() if any(path[: len(key)] == key for key in _steps(role.reads))
    ]
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
