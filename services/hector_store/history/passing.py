"""One pass over a database's history, in small steps: each is a look, and a short transaction if needed."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, func, select

from hector_store import plugin_values
from hector_store.database import Database
from hector_store.reading import events
from hector_store.schema import run_events
from hector_store.values import EventRow

from . import pruning
from .looking import Due, look
from .policy import FOREVER, Policy
from .values import Folding, Old, Pruned

RUNS_AT_ONCE = 50
EVENTS_AT_ONCE = 500
FOLDS_AT_ONCE = 10
"""Runs, when somebody waits for it: they share commits."""
SIGNALS_AT_ONCE = 500
IDLE = 4.0
"""How much longer it rests after each step than the step took: it is nobody's main business."""

T = TypeVar("T")


class Pass:
    """Does what it is time for, once. Safe beside everybody else, another pass included.

    Every write sees for itself that its run is over and was not touched since it was found.
    """

    def __init__(
        self, database: Database, policy: Policy, folding: Folding, *, dry: bool = False, gently: bool = True
    ) -> None:
        """Prepare a pass.

        Args:
            database: Where.
            policy: How long what is kept.
            folding: Which events of a run can be made fewer.
            dry: Only count what would go.
            gently: Rest after each step.
        """
        self._database, self._policy, self._folding = database, policy, folding
        self._dry, self._rests = dry, gently
        self.pruned = Pruned()

    async def run(self) -> Pruned:
        """Go through all of it, and return what was done. It can be cancelled at any time."""
        if self._policy.youngest_s < FOREVER:
            cursor, first = "", True
            while cursor or first:
                begun = time.monotonic()
                due = await self._database.read(partial(look, policy=self._policy, after=cursor))
                self.pruned.looked_at += due.looked_at
                await self._do(due)
                cursor, first = due.cursor, False
                await self._rest(begun)
        await self._forget_consumed()
        await self._forget_values()
        return self.pruned

    async def _do(self, due: Due) -> None:
        if self._dry:
            self._count(due)
            for old in due.runs:
                self.pruned.add("events", await self._database.read(partial(_events, old=old)))
            await self._fold_all(due.fold)
            return
        for start in range(0, len(due.runs), RUNS_AT_ONCE):
            await self._prune(due.runs[start : start + RUNS_AT_ONCE])
        await self._fold_all(due.fold)
        for what, ids, forget in (
            ("idempotency_keys", due.keys, pruning.forget_keys),
            ("run_signals", due.signals, pruning.forget_signals),
            ("effects", due.effects, pruning.forget_effects),
            ("push_configs", due.push_configs, pruning.forget_pushes),
        ):
            if ids:
                self.pruned.add(what, await self._write(partial(forget, run_ids=ids)))

    def _count(self, due: Due) -> None:
        self.pruned.add("runs", len(due.runs))
        self.pruned.add("idempotency_keys", len(due.keys))
        self.pruned.add("run_signals", sum(due.signals.values()))
        self.pruned.add("effects", sum(due.effects.values()))
        self.pruned.add("push_configs", sum(due.push_configs.values()))

    async def _prune(self, some: Sequence[Old]) -> None:
        is_more = True
        while is_more:
            counts, is_more = await self._write(partial(pruning.prune, candidates=some))
            for what, number in counts.items():
                self.pruned.add(what, number)

    async def _fold_all(self, some: Sequence[Old]) -> None:
        at_once = 1 if self._rests else FOLDS_AT_ONCE
        for start in range(0, len(some), at_once):
            await asyncio.gather(*map(self._fold, some[start : start + at_once]))

    async def _fold(self, old: Old) -> None:
        after, gone, is_last = 0, 0, False
        while not is_last:
            rows: Sequence[EventRow] = await self._database.read(
                partial(events, app=old.app, run_id=old.run_id, after=after, limit=EVENTS_AT_ONCE)
            )
            is_last = len(rows) < EVENTS_AT_ONCE
            folds = self._folding(rows)
            if self._dry:
                gone += sum(len(one.instead_of) for one in folds)
            elif folds or is_last:
                gone += await self._write(partial(pruning.fold, old=old, folds=folds, is_last=is_last))
            if rows:
                after = rows[-1].seq
        self.pruned.add("events_folded", gone)

    async def _forget_consumed(self) -> None:
        seconds = self._policy.usual.signals_s
        if seconds == FOREVER or self._dry:
            return
        done = SIGNALS_AT_ONCE
        while done == SIGNALS_AT_ONCE:
            done = await self._write(partial(pruning.forget_consumed, older_s=seconds, most=SIGNALS_AT_ONCE))
            self.pruned.add("run_signals", done)

    async def _forget_values(self) -> None:
        if self._dry:
            self.pruned.add("plugin_values", await self._database.read(plugin_values.count_expired))
            return
        for plugin in await self._database.read(plugin_values.with_expired):
            while done := await self._write(partial(plugin_values.forget_expired, plugin=plugin)):
                self.pruned.add("plugin_values", done)

    async def _write(self, function: Callable[[Connection], T]) -> T:
        begun = time.monotonic()
        try:
            return await self._database.write(function)
        finally:
            await self._rest(begun)

    async def _rest(self, begun: float) -> None:
        await asyncio.sleep((time.monotonic() - begun) * IDLE if self._rests else 0)


def _events(connection: Connection, old: Old) -> int:
    mine = select(func.count()).where(run_events.c.run_id == old.run_id)
    return int(connection.execute(mine).scalar_one())
