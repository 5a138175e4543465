"""What a check is, and how it says what is wrong."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hector.plugin.v1 import PluginKind

from .verdicts import Level

if TYPE_CHECKING:
    from .stage import Stage

MUST, SHOULD = Level.MUST, Level.SHOULD

Run = Callable[["Stage"], Awaitable[None]]


class Broken(Exception):
    """A plugin breaks the rule."""

    def __init__(self, came: str, sent: str = "") -> None:
        """Say how.

        Args:
            came: What came.
            sent: What was done; by default the last call that was made.
        """
        super().__init__(came)
        self.came, self.sent = came, sent


class NotApplicable(Exception):
    """The rule says nothing about this plugin; the message says why."""


class Unconfigured(NotApplicable):
    """Nothing more can be tried: the plugin does not take its configuration."""


@dataclass(frozen=True, slots=True)
class Check:
    """One numbered rule, and how it is tried."""

    id: str
    level: Level
    title: str
    rule: str
    mend: str
    kind: "PluginKind.ValueType"
    """The kind it is about; zero: every plugin."""
    run: Run


CHECKS: dict[str, Check] = {}
"""All of them, in the order in which they are run."""


def check(
    id: str,  # noqa: A002  what everybody calls it
    level: Level,
    title: str,
    *,
    rule: str,
    mend: str,
    kind: "PluginKind.ValueType" = 0,  # type: ignore[assignment]  # none
) -> Callable[[Run], Run]:
    """Add a function to the checks: it returns if the rule is kept, and else raises Broken or NotApplicable.

    Args:
        id: Its number.
        level: Whether a plugin that breaks it can be conformant.
        title: What a plugin that keeps it does.
        rule: What the contract says.
        mend: What an author who broke it can do.
        kind: The kind it is about.
    """

    def add(run: Run) -> Run:
        assert id not in CHECKS, f"there are two checks {id}"
        CHECKS[id] = Check(id, level, title, rule, mend, kind, run)
        return run

    return add
