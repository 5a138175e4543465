"""What the border is given of plugins. It knows none itself, and asks whoever runs them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

Shown = Mapping[str, object]


class PluginSource(Protocol):
    """The plugins of this server."""

    async def plugins(self) -> Sequence[Shown]:
        """Return how each of them is; with several workers, in each of them."""

    def passed_over(self) -> Sequence[str]:
        """Return what was found and cannot be a plugin, each in a sentence that says why."""

    def unwell(self) -> Mapping[str, str]:
        """Return the state of those that are not well, in a word that anybody may know."""

    async def lines(self, name: str, most: int) -> Sequence[Shown] | None:
        """Return what one printed last, oldest first; None: there is none of that name."""

    async def reload(self, name: str) -> Shown | None:
        """Replace a plugin's processes without a failed call; None: there is none of that name."""

    async def restart(self, name: str) -> Shown | None:
        """End a plugin's processes and start others; None: there is none of that name."""
