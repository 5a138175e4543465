"""Whether what stands in the tables fits together: runs and their logs, blobs and who needs them."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, literal, or_, select, update

from hector_store.artifact_rows import PIECES
from hector_store.keeping import WAITING_STATES
from hector_store.schema import artifacts, blobs, run_events, runs
from hector_store.values import NEVER, NOW, TERMINAL_STATES

from .finding import Finding

PAGE = 500
Numbers = tuple[str, int, int, int, int]
"""Of a run: its id, the next number of an event, how many events, the first, the last."""


def numbers(connection: Connection, after: str) -> Sequence[Numbers]:
    """Return the numbers of a page of runs."""
    page = select(runs.c.id, runs.c.next_seq).where(runs.c.id > after).order_by(runs.c.id).limit(PAGE)
    those = page.subquery()
    statement = (
        select(
            those.c.id,
            those.c.next_seq,
            func.count(run_events.c.seq),
            func.coalesce(func.min(run_events.c.seq), 0),
            func.coalesce(func.max(run_events.c.seq), 0),
        )
        .select_from(those.outerjoin(run_events, run_events.c.run_id == those.c.id))
        .group_by(those.c.id, those.c.next_seq)
        .order_by(those.c.id)
    )
    return [tuple(row) for row in connection.execute(statement)]


def of_numbers(found: Sequence[Numbers]) -> Iterator[Finding]:
    """Yield what is wrong with the numbers of runs' events."""
    for run_id, next_seq, count, _, last in found:
        if last > next_seq - 1:
            problem = f"its log goes to event {last}, and the next one would be {next_seq}"
            yield Finding("log", f"run {run_id}", problem, True)
        elif last < next_seq - 1:
            problem = f"its log ends at event {last or 'none'} of {next_seq - 1}: its end is lost"
            yield Finding("log", f"run {run_id}", problem, count > 0)


def mend_numbers(connection: Connection, run_id: str) -> None:
    """Let a run's next event follow its last one."""
    last = select(func.coalesce(func.max(run_events.c.seq), 0) + 1).where(run_events.c.run_id == run_id)
    behind = update(runs).where(runs.c.id == run_id).values(next_seq=connection.execute(last).scalar_one())
    connection.execute(behind)


def of_states(connection: Connection) -> list[Finding]:
    """Return runs that are over and not marked so, or the other way round."""
    is_final = runs.c.state.in_(sorted(TERMINAL_STATES))
    wrong = or_(and_(is_final, runs.c.finished.is_(False)), and_(~is_final, runs.c.finished.is_(True)))
    rows = connection.execute(select(runs.c.id, runs.c.state, runs.c.finished).where(wrong)).all()
    return [
        Finding(
            "projection",
            f"run {row.id}",
            f"its state is {row.state}, and it is marked as {'over' if row.finished else 'not over'}",
            True,
        )
        for row in rows
    ]


def mend_states(connection: Connection) -> None:
    """Mark runs by their states."""
    is_final = runs.c.state.in_(sorted(TERMINAL_STATES))
    for final, finished in ((is_final, True), (~is_final, False)):
        wrong = update(runs).where(final, runs.c.finished.is_(not finished))
        connection.execute(wrong.values(finished=finished))


def of_unreachable(connection: Connection) -> list[Finding]:
    """Return runs that nobody has, that are due never, and that wait for nothing."""
    rows = connection.execute(select(runs.c.id, runs.c.state, runs.c.agent).where(_is_unreachable())).all()
    return [
        Finding("unreachable", f"run {row.id}", f"it is {row.state}, and nobody will ever take it up", True)
        for row in rows
    ]


def mend_unreachable(connection: Connection) -> None:
    """Let whoever serves their agents take them up."""
    connection.execute(update(runs).where(_is_unreachable()).values(due=NOW))


def of_agents(connection: Connection, agents: Sequence[str]) -> list[Finding]:
    """Return runs that are not over, of agents that no config has."""
    strange = select(runs.c.agent, func.count()).where(
        runs.c.finished.is_(False), runs.c.agent.not_in(sorted(agents))
    )
    return [
        Finding(
            "unreachable",
            f"agent {agent!r}",
            f"the config has no such agent, and {count} of its runs are not over: they wait until one has",
        )
        for agent, count in connection.execute(strange.group_by(runs.c.agent))
    ]


def of_blobs(connection: Connection) -> list[Finding]:
    """Return events and artifacts whose content is gone, and contents that nothing refers to."""
    there = exists(select(literal(1)).where(blobs.c.id == run_events.c.blob_id))
    lost = select(run_events.c.run_id, run_events.c.seq).where(run_events.c.blob_id.is_not(None), ~there)
    found = [
        Finding("blob", f"run {run_id}", f"the content of event {seq} is gone; restore a backup")
        for run_id, seq in connection.execute(lost)
    ]
    orphans = connection.execute(select(func.count(func.distinct(blobs.c.id))).where(_is_orphan())).scalar()
    if orphans:
        found.append(Finding("blob", "table blobs", f"{orphans} contents belong to nothing", True))
    return found


def mend_blobs(connection: Connection) -> None:
    """Delete contents that nothing refers to."""
    ids = connection.execute(select(blobs.c.id).where(_is_orphan()).distinct()).scalars().all()
    for start in range(0, len(ids), PAGE):
        connection.execute(delete(blobs).where(blobs.c.id.in_(ids[start : start + PAGE])))


def _is_unreachable() -> Any:
    return and_(
        runs.c.finished.is_(False),
        runs.c.worker == "",
        runs.c.due >= NEVER,
        runs.c.state.not_in([*WAITING_STATES, *sorted(TERMINAL_STATES)]),
    )


def _is_orphan() -> Any:
    this = and_(run_events.c.run_id == blobs.c.run_id, run_events.c.blob_id == blobs.c.id)
    in_run = exists(select(literal(1)).where(this))
    of_artifact = exists(select(literal(1)).where(artifacts.c.place == literal(PIECES).concat(blobs.c.id)))
    return and_(~of_artifact, or_(blobs.c.run_id.is_(None), ~in_run))
