"""Has runs that are at work here do what others ask of them, within a moment and with every hint lost."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from hector.agent.v1 import RUN_STATE_CANCELED, RunEvent, StatusChanged
from hector_agent.at_work import AtWork
from hector_agent.lease import Lease
from hector_agent.run import Also, Run
from hector_mesh import HectorError
from hector_store import SIGNAL, Hints, Workers

from .wishes import Wish, wishes_of

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How long a command waits at most that no hint told of."""


class Heeding:
    """Looks for commands to this worker's runs, when it is told of some and now and then."""

    def __init__(
        self, workers: Workers, hints: Hints, lease: Callable[[], Lease | None], at_work: AtWork
    ) -> None:
        self._workers, self._hints, self._lease, self._at_work = workers, hints, lease, at_work

    async def work(self) -> None:
        """Heed until cancelled."""
        with self._hints.subscribe(SIGNAL) as told:
            while True:
                if len(self._at_work):
                    try:
                        await self.once()
                    except HectorError as error:
                        log.info("commands could not be read", extra={"reason": error.reason})
                await told.raised(POLL_S)

    async def once(self) -> None:
        """Do what has been asked so far.

        Raises:
            HectorError: The database cannot be asked.
        """
        lease = self._lease()
        if lease is None:
            return
        asked: dict[str, list[Wish]] = defaultdict(list)
        for wish in wishes_of(await self._workers.waiting_signals(lease.worker)):
            asked[wish.run].append(wish)
        for run_id, wishes in asked.items():
            run = self._at_work.find(run_id)
            if run is not None and not run.stopping:
                try:
                    await self._heed(run, wishes)
                except HectorError as error:  # it is over by now, or somebody else's
                    log.info("command was not taken", extra={"run": run_id, "reason": error.reason})

    async def _heed(self, run: Run, wishes: Sequence[Wish]) -> None:
        ids = [wish.id for wish in wishes]
        cancels = [wish for wish in wishes if wish.kind == "cancel"]
        if cancels:
            said = [cancels[0].said]
            self._at_work.halt(run, StatusChanged(state=RUN_STATE_CANCELED), said, consume=ids)
            return
        events = list[RunEvent]()
        for wish in wishes:
            if wish.kind == "wake_json":
                run.wakes.append(wish.said.signal.wake_json)
            elif wish.kind == "pause" and run.pausing is None:
                run.pausing = wish.said
            elif wish.kind == "resume" and run.pausing is not None:
                run.pausing = None
            else:  # the same command twice is one
                continue
            events.append(RunEvent(signal_received=wish.said))
        await run.commit(events, also=Also(consume=ids))
