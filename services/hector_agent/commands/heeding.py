"""Has runs that are at work here do what others ask of them, within a moment and with every hint lost."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from hector.agent.v1 import RUN_STATE_CANCELED, RunEvent, StatusChanged
from hector_agent.at_work import AtWork
from hector_agent.errors import RunReleased
from hector_agent.lease import Lease
from hector_agent.moment import Also
from hector_agent.run import Run
from hector_mesh import HectorError
from hector_store import SIGNAL, Hints, Workers

from .wishes import Wish, wishes_of

log = logging.getLogger(__name__)

POLL_S = 0.25
"""How long a command waits at most that no hint told of."""


class Heeding:
    """Looks for commands to this worker's runs, when it is told of some and now and then."""

    def __init__(
        self, workers: Workers, hints: Hints, lease: Callable[[], Lease | None], at_work: AtWork
    ) -> None:
        self._workers, self._hints, self._lease, self._at_work = workers, hints, lease, at_work
        self._heeded: set[int] = set()
        """Signals that are acted upon, and not known to be written."""

    async def work(self) -> None:
        """Heed until cancelled."""
        with self._hints.subscribe(SIGNAL) as told:
            while True:
                if len(self._at_work):
                    try:
                        await self.once()
                    except HectorError as error:
                        log.info("commands could not be read", extra={"reason": error.reason})
                    except Exception:
                        # A border: whatever is wrong with one command, others must not wait for ever.
                        log.exception("heeding commands met a bug")
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
        wishes = wishes_of(await self._workers.waiting_signals(lease.worker))
        self._heeded &= {wish.id for wish in wishes}
        for wish in wishes:
            asked[wish.run].append(wish)
        for run_id, its in asked.items():
            run = self._at_work.find(run_id)
            if run is not None and not run.stopping:
                try:
                    await self._heed(run, its)
                except HectorError as error:  # it is over by now, or somebody else's
                    log.info("command was not taken", extra={"run": run_id, "reason": error.reason})

    async def _heed(self, run: Run, wishes: Sequence[Wish]) -> None:
        ids = [wish.id for wish in wishes]
        cancels = [wish for wish in wishes if wish.kind == "cancel"]
        if cancels:
            asked = [cancels[0].said]
            self._at_work.halt(run, StatusChanged(state=RUN_STATE_CANCELED), asked, consume=ids)
            return

        def said() -> tuple[Sequence[RunEvent], bool]:
            if run.parked:  # in this moment: whoever claims it next does what is asked
                raise RunReleased(run.place.run)
            return [RunEvent(signal_received=wish.said) for wish in wishes if self._is_new(run, wish)], False

        await run.commit(said, also=Also(consume=ids))
        self._heeded.difference_update(ids)

    def _is_new(self, run: Run, wish: Wish) -> bool:
        """Do what is asked, and say whether it was not so before: the same command twice is one."""
        if wish.id in self._heeded:
            return True  # it was done, and could not be written
        if wish.kind == "wake_json":
            run.wakes.append(wish.said.signal.wake_json)
        elif wish.kind == "pause" and run.pausing is None:
            run.pausing = wish.said
        elif wish.kind == "resume" and run.pausing is not None:
            run.pausing = None
        else:
            return False
        self._heeded.add(wish.id)
        return True
