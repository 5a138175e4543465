"""What a claim costs does not depend on how many runs are stored, or wait: on every database."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from hector_store import NEVER, Claim, Database, NewRun, RunLog, Worker, Workers, claiming, compiled, leases
from hector_store.schema import runs

FEW, MANY = 300, 3_000
INDEX = "ix_runs_claim"
LOOK: Callable[[Connection], object] = partial(claiming.look, claim=Claim(limit=20, per_app={"default": 50}))


@pytest.fixture
async def workers(database: Database) -> AsyncIterator[Workers]:
    """Two apps with two agents each, each with a run to do, one at work, and one that a dead worker has."""
    async with asyncio.timeout(120):
        workers, log = Workers(database), RunLog(database)
        await workers.join(Worker("living"), 60)
        for app in ("default", "other"):
            for agent in ("helper", "writer"):
                for worker in ("", "living", "gone"):
                    await log.create(NewRun(app=app, owner="", agent=agent, worker=worker, due_us=1))
        yield workers


async def fill(database: Database, first: int, last: int) -> None:
    """Store that many runs that are over, and as many that wait: for an answer, or for a time to come."""
    base = {column.name: "" for column in runs.columns if column.type.python_type is str}
    base |= {column.name: 0 for column in runs.columns if column.type.python_type in (int, bool)}
    base |= {"view": b"", "strategy_state": b"", "app": "default", "agent": "helper"}
    base |= {"context_position": None, "idempotency_key": None, "folded": None}
    rows = []
    for number in range(first, last):
        over = {"id": f"over-{number}", "finished": True, "worker": "living", "due": NEVER}
        waits = {
            "id": f"waits-{number}",
            "finished": False,
            "due": NEVER if number % 2 else NEVER // 2 + number,
        }
        rows += [base | over, base | waits]

    def write(connection: Connection) -> None:
        connection.execute(insert(runs), rows)
        if connection.dialect.name in ("sqlite", "postgresql"):  # MariaDB does it by itself
            connection.exec_driver_sql("ANALYZE runs")

    await database.write(write)


async def test_a_claim_reads_as_many_rows_however_many_there_are(
    workers: Workers, database: Database
) -> None:
    async def effort() -> list[int]:
        everything = [LOOK, partial(leases.waiting_signals, worker_id="living")]
        return [await database.read(partial(effort_of, function=function)) for function in everything]

    await fill(database, 0, FEW)
    await effort()  # what is done once only: reading the tables' shapes
    with_few = await effort()
    await fill(database, FEW, MANY)
    with_many = await effort()
    for few, many in zip(with_few, with_many, strict=True):
        assert many <= few * 1.2 + 4, f"{few} with {FEW} runs, {many} with {MANY}"


def effort_of(connection: Connection, function: Callable[[Connection], object]) -> int:
    """Return how many rows a database reads for something; steps of its machine on SQLite."""
    return {"sqlite": sqlite_steps, "postgresql": postgresql_rows}.get(connection.dialect.name, mariadb_rows)(
        connection, function
    )


def sqlite_steps(connection: Connection, function: Callable[[Connection], object]) -> int:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(count, 1)
    try:
        function(connection)
    finally:
        driver.set_progress_handler(None, 0)
    return steps


def postgresql_rows(connection: Connection, function: Callable[[Connection], object]) -> int:
    total = 0
    for sql, values in said(connection, function):
        (found,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values).one()
        total += sum(rows_of(node) for node in nodes_of(parsed(found)[0]["Plan"]))
    return total


def mariadb_rows(connection: Connection, function: Callable[[Connection], object]) -> int:
    def read() -> int:
        shown = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all()
        return sum(int(row[1]) for row in shown)

    before = read()
    between = read()  # showing reads rows, too
    function(connection)
    return read() - between - (between - before)


async def test_what_looks_for_runs_uses_the_index_for_it(workers: Workers, database: Database) -> None:
    await fill(database, 0, MANY)
    plans = await database.read(plans_of)
    assert len(plans) > 10
    for sql, plan in plans:
        assert INDEX in plan, f"{sql}\n{plan}"
        for slow in ("Seq Scan", "SCAN runs", "TEMP B-TREE", "filesort", "temporary"):
            assert slow not in plan, f"{sql}\n{plan}"


def plans_of(connection: Connection) -> list[tuple[str, str]]:
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [
        (sql, "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {sql}", values)))
        for sql, values in said(connection, LOOK)
        if "FROM runs" in sql and "count(" not in sql
    ]


def said(
    connection: Connection, function: Callable[[Connection], object]
) -> list[tuple[str, tuple[object, ...]]]:
    """Return the statements that a function makes, with their values."""
    execute, found = compiled._execute, list[tuple[str, tuple[object, ...]]]()

    def remember(connection: Connection, sql: str, values: Any, *, many: bool = False) -> Any:
        found.append((sql, values))
        return execute(connection, sql, values, many=many)

    compiled._execute = remember
    try:
        function(connection)
    finally:
        compiled._execute = execute
    return found


def parsed(plan: Any) -> Any:
    return json.loads(plan) if isinstance(plan, str) else plan


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes_of(below))]


def rows_of(node: dict[str, Any]) -> int:
    return int(node["Actual Rows"]) + int(node.get("Rows Removed by Filter", 0))
