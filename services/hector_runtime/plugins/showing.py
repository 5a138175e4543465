"""What the border shows of the plugins of a process, and does with them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .hosting import Plugins

if TYPE_CHECKING:
    from hector_plugin_host.logs.journal import Line
    from hector_plugin_host.status import PluginStatus

Shown = Mapping[str, object]


class ShownPlugins:
    """Plugins for the border's pages. Where nothing refers to one, there is none."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    async def plugins(self) -> Sequence[Shown]:
        """Return how each of them is."""
        host = self._plugins.host
        return [_shown(status) for status in host.status()] if host else []

    def passed_over(self) -> Sequence[str]:
        """Return what discovery cannot use, each in a sentence."""
        return self._plugins.passed_over

    def unwell(self) -> Mapping[str, str]:
        """Return the state of those that are not well."""
        host = self._plugins.host
        if host is None:
            return {}
        unwell = host.degraded()
        return {status.name: status.state for status in host.status() if status.name in unwell}

    async def lines(self, name: str, most: int) -> Sequence[Shown] | None:
        """Return what one printed last; None: there is none of that name."""
        host = self._plugins.host
        if host is None or name not in host.channels:
            return None
        return [shown_line(line) for line in host.journal(name).last(most)]

    async def reload(self, name: str) -> Shown | None:
        """Replace a plugin's processes; None: there is none of that name.

        Raises:
            HectorError: A new one is no good, and what there was stays.
        """
        host = self._plugins.host
        return _shown(await host.reload(name)) if host and name in host.channels else None

    async def restart(self, name: str) -> Shown | None:
        """End a plugin's processes and start others; None: there is none of that name.

        Raises:
            HectorError: It did not start.
        """
        host = self._plugins.host
        return _shown(await host.restart(name)) if host and name in host.channels else None


def _shown(status: "PluginStatus") -> Shown:
    found: dict[str, object] = status.asdict()
    return found


def shown_line(line: "Line") -> Shown:
    """Return a line of a plugin as programs are shown it."""
    at = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds")
    return {
        "number": line.number,
        "time": at,
        "level": line.level,
        "text": line.text,
        "fields": {name: str(value) for name, value in line.fields.items()},
        "generation": line.generation,
        "pid": line.pid,
    }
