"""What the border is given to show of the config. It knows its own section only, and asks for the rest."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Functions of whoever read the config. What they give holds no secret."""

    revision_id: str
    """Which revision this process runs on; every call that enters here says so."""
    schema: Callable[[], Awaitable[bytes]]
    """The JSON Schema of config files."""
    config: Callable[[], Awaitable[Mapping[str, object]]]
    """The values in effect, and which revision they are from."""
    revisions: Callable[[int | None, int], Awaitable[Sequence[Mapping[str, object]]]]
    """Revisions below a number (None: the latest), at most so many."""
    revision: Callable[[str], Awaitable[Mapping[str, object] | None]]
    """One revision with its text, by number or id."""
