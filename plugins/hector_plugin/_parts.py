"""Makes what a plugin declares into servicers."""

from collections.abc import Callable, Sequence
from typing import Any

from ._config import Config, nothing_to_configure
from ._registry import configs, declared


class Servable:
    """A declared part that knows its own servicer: a model, an embedder, a strategy, a parser."""

    servicer: Callable[[], object]
    """Makes it."""


def servicers_of(parts: Sequence[object]) -> list[object]:
    """Return the servicers of parts; of everything that was declared, if there are none.

    Raises:
        TypeError: There is nothing to serve.
    """
    parts = parts or tuple(declared)
    if not parts:
        raise TypeError(
            "there is nothing to serve: decorate a function with @tool, or give serve() a servicer"
        )
    tools = [part for part in parts if _is_tool(part)]
    found: list[object] = []
    if tools:
        from ._tool_servicer import Tools
        from ._tools import Tool

        found.append(Tools([tool for tool in tools if isinstance(tool, Tool)]))
    for part in parts:
        if not _is_tool(part):
            found.append(part.servicer() if isinstance(part, Servable) else part)
    return found


def config_of(given: Config[Any] | None) -> Config[Any]:
    """Return a plugin's configuration: the one given, or the one that was declared.

    Raises:
        TypeError: Several were declared.
    """
    if given is not None:
        return given
    if len(configs) > 1:
        raise TypeError("config() was called more than once: give serve() the one that is meant, as config=")
    only = configs[0] if configs else None
    return only if isinstance(only, Config) else nothing_to_configure()


def _is_tool(part: object) -> bool:
    # By name: a plugin without tools does not import their contract.
    return type(part).__name__ == "Tool" and type(part).__module__ == f"{__package__}._tools"
