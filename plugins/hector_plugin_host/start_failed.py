"""Why a plugin did not start, in words that lead to what mends it."""

from typing import Self

from grpc import StatusCode

from hector_mesh import HectorError

QUOTED = 200
"""Characters of a line that an error quotes."""


class PluginStartFailed(HectorError):
    """A plugin did not become ready."""

    code = StatusCode.UNAVAILABLE
    reason = "PLUGIN_START_FAILED"

    def __init__(
        self, plugin: str, why: str, fix: str = "", tail: tuple[str, ...] = (), *, final: bool = False
    ) -> None:
        """Put it together.

        Args:
            plugin: Its name in the configuration.
            why: What happened, as the end of a sentence.
            fix: What to do about it.
            tail: The last lines that it printed, with no secret in them.
            final: Whether another start would come to the same.
        """
        text = f'plugin "{plugin}" did not start: {why}'
        if fix:
            text += f"; {fix}"
        super().__init__(text + _told(tail), plugin=plugin)
        self.why = why
        self.fix = fix
        self.final = final

    def having_printed(self, tail: tuple[str, ...]) -> Self:
        """Add the last lines that the plugin printed, with no secret in them."""
        self.args = (f"{self}{_told(tail)}",)
        return self


class ExecutableUnusable(PluginStartFailed):
    """What the configuration names cannot be run here."""

    reason = "PLUGIN_EXECUTABLE_UNUSABLE"


class ChecksumMismatch(PluginStartFailed):
    """The executable is not the one that the configuration pins."""

    reason = "PLUGIN_CHECKSUM_MISMATCH"


class AddressRefused(PluginStartFailed):
    """The address of a plugin that somebody else runs cannot be used as it is."""

    reason = "PLUGIN_ADDRESS_REFUSED"


def _told(tail: tuple[str, ...]) -> str:
    return "\n  it printed last:" + "".join(f"\n    {line}" for line in tail) if tail else ""


def quoted(line: str) -> str:
    """Return a line of a plugin's as errors show it: one line, harmless to a terminal, not too long."""
    shown = line.encode("unicode_escape").decode() if not line.isprintable() else line
    return f'"{shown[:QUOTED]}…"' if len(shown) > QUOTED else f'"{shown}"'
