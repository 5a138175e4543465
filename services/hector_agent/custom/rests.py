"""Where a handler waits for a moment, or for a signal: nothing is held, and it is called again."""

from collections.abc import Sequence
from datetime import datetime

from hector.agent.v1 import RunEvent
from hector_agent.commands import resting
from hector_agent.commands.timers import micros
from hector_agent.run import Run
from hector_store import NEVER


class Rests:
    """The waits of one call of a handler. Each has a name, by which it is found again in the next call."""

    def __init__(self, run: Run, own: Sequence[RunEvent], commit: resting.Commit) -> None:
        self._run, self._own, self._commit = run, own, commit
        self._number = 0

    async def may_go_on(self) -> None:
        """Return if the next step may begin here; see `resting`."""
        await resting.may_go_on(self._run, self._commit)

    async def sleep(self, delay_s: float, name: str) -> None:
        """Wait for so long."""
        await self._rest(None, delay_s, name, takes_signal=False)

    async def sleep_until(self, moment: datetime, name: str) -> None:
        """Wait until a moment."""
        await self._rest(micros(moment), 0.0, name, takes_signal=False)

    async def wait(self, timeout_s: float | None, name: str) -> str | None:
        """Wait for a signal, for so long; return its JSON, or None."""
        wake_us = NEVER if timeout_s is None else None
        return await self._rest(wake_us, timeout_s or 0.0, name, takes_signal=True)

    async def _rest(
        self, wake_us: int | None, delay_s: float, name: str, *, takes_signal: bool
    ) -> str | None:
        self._number += 1
        name = name or f"wait-{self._number}"
        return await resting.sleep(
            self._run, self._own, name, wake_us, delay_s, self._commit, takes_signal=takes_signal
        )
