"""Runs and their events: the one durable truth from which everything else is a view."""

import logging
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.exc import IntegrityError

from . import contexts, hints, reading, signals
from .appending import Append, Besides, append_all
from .artifacts import Artifacts
from .clock import now
from .creating import Creation, create_all
from .database import Database
from .dead_letters import Dead
from .errors import ArtifactContended, RunContended, RunExists
from .fitting import fit_changes, fit_effects, fit_events, fit_run
from .ids import new_id
from .keeping import fit_kept
from .kept import NOTHING_KEPT, Kept, Told
from .push_placing import fit_pushes
from .push_values import NewPush
from .standings import Standing, standings
from .states import States
from .values import (
    NO_CHANGES,
    NOW,
    Appended,
    ContextPage,
    ContextRow,
    Created,
    Effect,
    EventRow,
    NewEvent,
    NewRun,
    RunChanges,
    RunPage,
    RunRow,
    SignalRow,
)

log = logging.getLogger(__name__)

PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
_ATTEMPTS = 5


class RunLog:
    """The log of one database.

    An owner of None means whoever: for operators. App and owner are compared exactly; what belongs to
    somebody else is not there.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.artifacts = Artifacts(database)
        self.states = States(database)

    # Writing

    async def create(
        self, run: NewRun, events: Sequence[NewEvent] = (), kept: Kept = NOTHING_KEPT
    ) -> Created:
        """Create a run with its first events, at the end of its context.

        With an idempotency key that was used before by this app and owner, the earlier run is returned.

        Raises:
            IdempotencyMismatch: The key was used with another hash.
            RunExists: The given id is taken.
            ContextExists, ContextNotFound, ContextBusy: The context is not as `run.context_rule` says.
            HectorError: See `Database.write`.
        """
        run_id = run.id or new_id()
        if kept is not NOTHING_KEPT:
            kept = await self._ready(run.app, kept)
        creation = Creation(run, run_id, events, kept)
        size_bytes = fit_run(run, run_id) + fit_events(events)
        if run.pushes:
            size_bytes += fit_pushes(run.pushes)
        if kept is not NOTHING_KEPT:
            size_bytes += fit_kept(kept)
        for _ in range(_ATTEMPTS):
            try:
                created = await self._database.write_together(
                    create_all, creation, 1 + len(events), size_bytes
                )
            except IntegrityError:
                # Another process took the position in the context, the key or the id in the same moment.
                if run.id and await self._exists(run.id):
                    raise RunExists(run_id) from None
            else:
                self._hint(run.worker, run.due_us)
                return created
        raise RunContended(run.context_id)

    async def append(
        self,
        run_id: str,
        epoch: int,
        events: Sequence[NewEvent] = (),
        changes: RunChanges | None = None,
        *,
        consume: Collection[int] = (),
        effects: Sequence[Effect] = (),
        pushes: Sequence[NewPush] = (),
        kept: Kept = NOTHING_KEPT,
        dead: Dead | None = None,
    ) -> Appended:
        """Append events to a run, and what else belongs to the same moment: all is written, or nothing.

        A caller that is cancelled waits for the outcome.

        Args:
            run_id: The run.
            epoch: From `create` or `take_over`: whoever took the run over later has a higher one.
            events: In order; may be empty.
            changes: What changes in the run's row.
            consume: Ids of signals that the events answer.
            effects: Tool calls that begin or end.
            pushes: To whom events are sent from here on, too.
            kept: What the events say that is kept beside the log.
            dead: Why nobody tries the run again, which is over with this.

        Raises:
            RunFenced: Somebody else owns the run.
            RunNotFound: There is no such run.
            HectorError: See `Database.write`.
        """
        if kept is not NOTHING_KEPT:
            kept = await self._ready(kept.app, kept)
        size_bytes, rows = fit_events(events), 1 + len(events)
        if changes is not None:
            if changes == NO_CHANGES:
                changes = None
            else:
                size_bytes += fit_changes(changes)
        besides = None
        if consume or effects or pushes or dead is not None or kept is not NOTHING_KEPT:
            besides = Besides(consume, effects, pushes, kept, dead)
            size_bytes += fit_effects(effects) + fit_pushes(pushes) + fit_kept(kept)
            rows += len(effects)
        append = Append(run_id, epoch, events, changes, besides)
        if kept.artifacts:
            appended = await self._contended(append, kept, rows, size_bytes)
        else:
            appended = await self._database.write_together(append_all, append, rows, size_bytes)
        if changes is None:
            self._database.hints.hint(hints.EVENTS)
        else:
            self._hint(changes.worker, changes.due_us)
        return appended

    async def take_over(
        self,
        run_id: str,
        worker: str,
        *,
        target: str = "",
        lease_s: float = 0.0,
        if_epoch: int | None = None,
        if_worker: str | None = None,
    ) -> int:
        """Make `worker` the owner of a run and return its epoch; nobody who had it before can write any more.

        Args:
            run_id: The run.
            worker: The new owner.
            target: Where others reach it.
            lease_s: Seconds until the lease ends; 0: no lease.
            if_epoch: Only if this is still the run's epoch.
            if_worker: Only if the run is still this worker's; "": only if it is nobody's.

        Raises:
            RunNotFound: There is no such run.
            RunFenced: The epoch is not `if_epoch`, or the worker not `if_worker`: somebody was faster.
        """
        return await self._database.write(
            lambda connection: signals.take_over(
                connection, run_id, worker, target, lease_s, if_epoch, if_worker
            )
        )

    async def signal(self, app: str, run_id: str, kind: str, payload: bytes = b"") -> int:
        """Leave something for the owner of a run, and return the signal's id.

        A run that is nobody's can be claimed from now on.

        Raises:
            RunNotFound: There is no such run in the app.
        """
        sent = await self._database.write(
            lambda connection: signals.send(connection, app, run_id, kind, payload), size_bytes=len(payload)
        )
        self._database.hints.hint(hints.SIGNAL)
        if sent.has_woken:
            self._database.hints.hint(hints.DUE)
        return sent.id

    async def consume(self, run_id: str, epoch: int, ids: Collection[int]) -> None:
        """Mark signals as seen; like an append without events."""
        await self.append(run_id, epoch, consume=ids)

    async def record(self, run_id: str, epoch: int, effect: Effect) -> None:
        """Write an effect down before it is dispatched, or when it is done; like an append without events."""
        await self.append(run_id, epoch, effects=(effect,))

    async def delete_context(self, app: str, owner: str, context_id: str) -> int:
        """Delete a context's runs with all that belongs to them, and return how many runs there were.

        A run that is begun in the same moment is either seen, or begins the context anew.

        Raises:
            ContextBusy: One of its runs is not over; nothing was deleted.
        """
        return await self._database.write(
            lambda connection: contexts.delete(connection, app, owner, context_id)
        )

    # Reading

    async def now_us(self) -> int:
        """Return the database's time."""
        return await self._database.read(now, short=True)

    async def get(self, app: str, owner: str | None, run_id: str) -> RunRow | None:
        """Return a run, with its strategy's state; None when it is not there for this owner."""
        return await self._database.read(
            lambda connection: reading.run(connection, app, owner, run_id), short=True
        )

    async def standings(self, run_ids: Sequence[str]) -> Mapping[str, Standing]:
        """Return how runs stand, by id, whoever's they are; those that are not there are left out."""
        return await self._database.read(lambda connection: standings(connection, run_ids))

    async def story(
        self, app: str, owner: str | None, run_id: str, kinds: Collection[str]
    ) -> tuple[RunRow, Sequence[EventRow]] | None:
        """Return a run with its events of these kinds, as of one moment; None when it is not there."""
        return await self._database.read(
            lambda connection: reading.story(connection, app, owner, run_id, kinds), short=True
        )

    async def events_of(
        self, rows: Sequence[RunRow], kinds: Collection[str]
    ) -> Mapping[str, Sequence[EventRow]]:
        """Return, by run, the events of these kinds that runs had when their rows were read."""
        return await self._database.read(lambda connection: reading.events_of(connection, rows, kinds))

    async def events(
        self, app: str, run_id: str, *, after: int = 0, limit: int | None = None
    ) -> Sequence[EventRow]:
        """Return a run's events behind sequence number `after`, in order; all of them unless limited."""
        return await self._database.read(
            lambda connection: reading.events(connection, app, run_id, after, limit), short=True
        )

    async def conversation(
        self,
        app: str,
        owner: str,
        context_id: str,
        *,
        before_position: int | None = None,
        kinds: Collection[str] | None = None,
        limit: int | None = None,
    ) -> Sequence[EventRow]:
        """Return the events of all runs of a context, run by run in the order of their positions.

        Args:
            app: The app.
            owner: The context's owner.
            context_id: The context.
            before_position: Only runs before this position.
            kinds: Only events of these kinds.
            limit: Only the latest so many.
        """
        return await self._database.read(
            lambda connection: contexts.conversation(
                connection, app, owner, context_id, before_position, kinds, limit
            )
        )

    async def latest(self, app: str, owner: str, context_id: str) -> tuple[int, str] | None:
        """Return the position of a context's latest run, and its agent; None when this owner has none."""
        return await self._database.read(
            lambda connection: contexts.latest(connection, app, owner, context_id), short=True
        )

    async def at_work(self, app: str, owner: str, context_id: str, before_position: int) -> Sequence[str]:
        """Return the runs of a context before a position that are not over, and wait for nobody."""
        place = (app, owner, context_id, before_position)
        return await self._database.read(lambda connection: contexts.at_work(connection, *place), short=True)

    async def told(
        self,
        app: str,
        owner: str,
        context_id: str,
        *,
        after_position: int = 0,
        before_position: int | None = None,
        kinds: Collection[str],
    ) -> Told:
        """Return what a turn begins with, as of one moment: what was said, and the state.

        Args:
            app: The app.
            owner: The context's owner.
            context_id: The context.
            after_position: Only events of runs behind this position.
            before_position: And before this one.
            kinds: Only events of these kinds.
        """
        between = (after_position, 2**62 if before_position is None else before_position)
        return await self._database.read(
            lambda connection: contexts.told(connection, app, owner, context_id, between, kinds)
        )

    async def list(
        self,
        app: str,
        owner: str | None,
        *,
        context_id: str | None = None,
        agent: str | None = None,
        states: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        parent: str | None = None,
        status_after_us: int | None = None,
        only_tasks: bool = False,
        page_size: int = PAGE_SIZE,
        page_token: str = "",
    ) -> RunPage:
        """List runs, the latest change of state first; what is None does not matter.

        A run whose state changes while somebody turns pages moves to the front and can be missed; nothing
        comes twice.

        Raises:
            InvalidPageToken: The token is not one of ours.
        """
        wanted = reading.Wanted(
            app, owner, context_id, agent, states, kinds, parent, status_after_us, only_tasks or None
        )
        return await self._database.read(
            lambda connection: reading.page(connection, wanted, _page_size(page_size), page_token)
        )

    async def contexts(
        self,
        app: str,
        owner: str | None,
        *,
        agent: str | None = None,
        page_size: int = PAGE_SIZE,
        page_token: str = "",
    ) -> ContextPage:
        """List contexts (sessions), the latest change first.

        With `agent`, only those whose latest run is that agent's.

        Raises:
            InvalidPageToken: The token is not one of ours.
        """
        return await self._database.read(
            lambda connection: contexts.page(connection, app, owner, agent, _page_size(page_size), page_token)
        )

    async def context(self, app: str, owner: str | None, context_id: str) -> ContextRow | None:
        """Return one context; None when it has no runs for this owner."""
        return await self._database.read(lambda connection: contexts.one(connection, app, owner, context_id))

    async def unfinished(self, worker: str | None = None, *, but: Collection[str] = ()) -> Sequence[RunRow]:
        """Return all apps' runs that are in no terminal state, oldest first; only `worker`'s if given.

        Those in the states `but` are left out.
        """
        return await self._database.read(lambda connection: reading.unfinished(connection, worker, but))

    async def signals(self, run_id: str) -> Sequence[SignalRow]:
        """Return the signals that the owner of a run has not consumed yet, in order."""
        return await self._database.read(lambda connection: signals.waiting(connection, run_id))

    async def effects(self, run_id: str) -> Sequence[Effect]:
        """Return a run's effects in the order in which they began."""
        return await self._database.read(lambda connection: reading.effects(connection, run_id))

    def _hint(self, worker: str | None, due_us: int | None) -> None:
        self._database.hints.hint(hints.EVENTS)
        if worker == "" and due_us == NOW:
            self._database.hints.hint(hints.DUE)

    async def _contended(self, append: Append, kept: Kept, rows: int, size_bytes: int) -> Appended:
        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write_together(append_all, append, rows, size_bytes)
            except IntegrityError:
                continue  # another process took the number of an artifact in the same moment
        raise ArtifactContended(kept.artifacts[0].name)

    async def _ready(self, app: str, kept: Kept) -> Kept:
        """Put large artifacts outside, and take note of state that others will ask for."""
        if any(change.scope != "session" for change in kept.states):
            self.states.note(app)
        if not kept.artifacts:
            return kept
        fit_kept(kept)  # before anything is put anywhere
        artifacts = []
        for artifact in kept.artifacts:
            if artifact.size_bytes > self._database.artifact_bytes:
                facts = {"artifact": artifact.name, "size_bytes": artifact.size_bytes}
                log.warning("artifact was too large to be kept as a version", extra=facts)
                continue
            artifacts.append(await self.artifacts.prepared(app, artifact))
        return kept._replace(artifacts=tuple(artifacts))

    async def _exists(self, run_id: str) -> bool:
        return await self._database.read(lambda connection: reading.exists(connection, run_id))


def _page_size(wanted: int) -> int:
    return min(max(wanted, 1), MAX_PAGE_SIZE)
