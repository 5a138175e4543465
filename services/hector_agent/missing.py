"""Stops runs that are at work here and whose rows are gone: their user was erased, wherever that was done."""

import logging
import time
from collections.abc import Collection

from hector_mesh import HectorError
from hector_store import GONE, Hints, RunLog

from .at_work import AtWork

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it is looked whether runs are still there, and how long they are at work before that."""
PER_SECOND = 2_000
"""How many are looked for in a second at most: where there are more, each is looked for less often."""


class Missing:
    """Looks whether runs at work are still there, when it is told that some are not, and now and then."""

    def __init__(self, run_log: RunLog, hints: Hints, at_work: AtWork) -> None:
        self._log, self._hints, self._at_work = run_log, hints, at_work

    async def work(self) -> None:
        """Look until cancelled."""
        with self._hints.subscribe(GONE) as told:
            is_told = False
            while True:
                begun_before = time.perf_counter() - (0.0 if is_told else LOOK_S)
                written = self._at_work.written(begun_before)
                try:
                    await self._look(written)
                except HectorError as error:
                    log.info("runs at work could not be looked for", extra={"reason": error.reason})
                except Exception:
                    # A border: whatever is wrong with one run, others must not go on for ever.
                    log.exception("looking for runs at work met a bug")
                is_told = await told.raised(max(LOOK_S, len(written) / PER_SECOND))

    async def _look(self, written: Collection[str]) -> None:
        """Stop those of these runs that are not there."""
        if not written:
            return
        there = await self._log.standings(tuple(written))
        for run_id in written:
            if run_id not in there:
                self._at_work.drop(run_id)
