"""The schema: made from nothing, by many at once, refused when newer, the same for all three databases."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, LargeBinary, Text, event, text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from support.databases import DatabaseServer

import hector_store.migrations
from hector_mesh import HectorError
from hector_store import (
    NEVER,
    Claim,
    Database,
    DocumentIndex,
    DocumentRow,
    Effect,
    NewEvent,
    NewRun,
    RunChanges,
    RunLog,
    Worker,
    Workers,
    opened,
)
from hector_store.compiled import ManyRows, Rows
from hector_store.migrate import migrate
from hector_store.schema import INLINE_BYTES, metadata
from hector_store.server import server_of, writer_engine
from hector_store.server_url import ServerPlace
from hector_store.url import parse

DIALECTS: dict[str, Any] = {
    "postgresql": postgresql.asyncpg.dialect,
    "mysql": mysql.aiomysql.dialect,
}


@pytest.fixture(autouse=True)
def _really_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here gets what other tests get instead of migrations: see `support.made_tables`."""
    monkeypatch.setattr("hector_store.sqlite_backend.migrate", migrate)


def test_the_revisions_known_are_those_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(hector_store.migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [hector_store.migrations.HEAD]
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == hector_store.migrations.KNOWN


def is_other_type(context: Any, column: Any, expected: Any, found: Any, wanted: Any) -> bool | None:
    """Alembic cannot know what MySQL makes of a BLOB or TEXT that is told its length."""
    made = {LargeBinary: LargeBinary | mysql.LONGBLOB, Text: mysql.LONGTEXT}
    return False if type(wanted) in made and isinstance(found, made[type(wanted)]) else None


async def test_migrations_end_at_the_tables_that_the_code_uses(database: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": is_other_type, "version_table": hector_store.migrations.VERSION_TABLE}
        found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        return found

    assert await database.write(differences) == []


def test_a_database_that_is_current_is_opened_without_alembic(tmp_path: Path) -> None:
    """Start-up time: alembic takes longer to import than everything else here."""
    url = f"sqlite://{tmp_path}/x.db"
    code = (
        "import asyncio, sys\n"
        "from hector_store import opened\n"
        "async def main():\n"
        "    async with opened(sys.argv[1]):\n"
        "        pass\n"
        "asyncio.run(main())\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, url]
    outcomes = [subprocess.run(command, timeout=60, check=False).returncode for _ in range(2)]
    assert outcomes == [1, 0]  # the first one migrates


async def test_a_newer_database_is_refused_and_left_alone(new_url: str) -> None:
    async with opened(new_url) as database:
        newer = f"UPDATE {hector_store.migrations.VERSION_TABLE} SET version_num = '0999'"
        await database.write(lambda connection: connection.exec_driver_sql(newer).rowcount)
    with pytest.raises(HectorError, match="newer version") as caught:
        async with opened(new_url):
            pass
    assert caught.value.reason == "STORAGE_NEWER"
    assert caught.value.facts["found"] == "0999"
    assert parse(new_url).name in str(caught.value)


async def test_an_older_database_is_migrated_and_keeps_what_it_holds(new_url: str) -> None:
    first = {"runs", "run_events", "run_signals", "effects", "revisions", "blobs", "documents"}
    later = [table.name for table in reversed(metadata.sorted_tables) if table.name not in first]

    def become_old(connection: Connection) -> None:
        for table in later:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        of_table = " ON runs" if new_url.startswith("mariadb") else ""
        connection.exec_driver_sql(f"DROP INDEX ix_runs_claim{of_table}")
        connection.exec_driver_sql("CREATE INDEX ix_runs_unfinished ON runs (finished, lease_until)")
        for column in ("due", "folded"):
            connection.exec_driver_sql(f"ALTER TABLE runs DROP COLUMN {column}")
        connection.exec_driver_sql(f"UPDATE {hector_store.migrations.VERSION_TABLE} SET version_num = '0001'")

    async with opened(new_url) as database:
        log, new = RunLog(database), NewRun(app="a", owner="", agent="a", worker="old")
        created = await log.create(new, [NewEvent("e", b"x")])
        waiting = await log.create(new._replace(state="RUN_STATE_INPUT_REQUIRED"))
        nobodys = await log.create(new._replace(worker=""))
    await alter(new_url, become_old)
    async with opened(new_url) as database:
        log, workers = RunLog(database), Workers(database)
        assert len(await log.events("a", created.run_id)) == 1
        row = await log.get("a", None, waiting.run_id)
        assert row is not None
        assert (row.worker, row.due_us) == ("", NEVER)
        await workers.join(Worker("new"), 30)
        claimed = await workers.claim("new", Claim(limit=9))
        assert {one.row.id for one in claimed} == {created.run_id, nobodys.run_id}
        found = await database.read(lambda c: c.execute(text("SELECT count(*) FROM writers")).scalar())
        assert found == (0 if database.file else 1)


async def test_tables_of_somebody_else_are_left_alone(new_url: str) -> None:
    await alter(new_url, lambda c: c.exec_driver_sql("CREATE TABLE documents (title VARCHAR(20))"))
    with pytest.raises(HectorError, match=r"table 'documents' that is not Hector's") as caught:
        async with opened(new_url):
            pass
    assert caught.value.reason == "STORAGE_OCCUPIED"
    await alter(new_url, lambda c: c.exec_driver_sql("DROP TABLE documents"))
    async with opened(new_url):
        pass


async def alter(url: str, function: Callable[[Connection], object]) -> None:
    """Do something to a database before the store looks at it."""
    place = parse(url)
    if not isinstance(place, ServerPlace):
        with closing(sqlite3.connect(str(place.file))) as connection:
            function(SimpleNamespace(exec_driver_sql=connection.execute))  # type: ignore[arg-type]
            connection.commit()
        return
    engine = writer_engine(server_of(place))
    async with engine.begin() as connecting:
        await connecting.run_sync(function)
    await engine.dispose()


WORKER = """
import asyncio, sys
from hector_store import NewRun, RunLog, opened
async def main():
    sys.stdin.readline()
    async with opened(sys.argv[1]) as database:
        created = await RunLog(database).create(NewRun(app="a", owner="", agent="a", context_id="c"))
        print(created.context_position)
asyncio.run(main())
"""


async def test_many_processes_may_migrate_at_once(new_url: str) -> None:
    """decisions.md: migrations are safe to run from many replicas at once; so are positions."""
    command = [sys.executable, "-c", WORKER, new_url]
    async with asyncio.timeout(90):
        workers = [
            await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, stderr=-1) for _ in range(4)
        ]
        said = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    assert sorted(out.decode().strip() for out, _ in said) == ["1", "2", "3", "4"], said


@pytest.mark.parametrize("kept", [0, 1, 4, 7])
async def test_a_migration_that_was_killed_is_gone_on_with(
    database_servers: Callable[[str], DatabaseServer], kept: int
) -> None:
    """MariaDB commits each change of a table by itself: the next process finds some of them."""
    server = database_servers("mariadb")
    with server.new_database() as name:
        async with opened(server.url(name)):
            pass
        for table in [table.name for table in reversed(metadata.sorted_tables)][: 8 - kept]:
            server.run(f"DROP TABLE {table}", database=name)
        server.run(f"DELETE FROM {hector_store.migrations.VERSION_TABLE}", database=name)
        async with opened(server.url(name)) as database:
            assert await RunLog(database).unfinished() == []


async def test_two_databases_may_be_migrated_at_once_in_one_process(tmp_path: Path) -> None:
    async def use(n: int) -> int:
        async with opened(f"sqlite://{tmp_path}/{n}.db") as database:
            return len(await RunLog(database).unfinished())

    assert await asyncio.gather(*(use(n) for n in range(4))) == [0] * 4


async def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: Connection, database: str) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise RuntimeError("power cut")

    url = f"sqlite://{tmp_path}/x.db"
    with monkeypatch.context() as patched:
        patched.setattr("hector_store.sqlite_backend.migrate", broken)
        with pytest.raises(RuntimeError):
            async with opened(url):
                pass
    async with opened(url) as database:
        names = await database.read(
            lambda c: c.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        )
    assert "half" not in names
    assert "runs" in names


def test_mariadb_tells_ids_apart_as_the_others_do(
    used_databases: Callable[[str], tuple[DatabaseServer, str]],
) -> None:
    """MySQL compares text without case unless told otherwise, and only InnoDB keeps what was committed."""
    server, name = used_databases("mariadb")
    told = "SELECT table_name, engine, table_collation FROM information_schema.tables WHERE table_schema"
    found = {table: rest for table, *rest in server.run(f"{told} = '{name}'")}
    assert found.keys() >= metadata.tables.keys()
    for table in metadata.tables:
        assert found[table] == ["InnoDB", "utf8mb4_bin"], table


@pytest.mark.parametrize("name", DIALECTS)
def test_the_tables_can_be_said_in(name: str) -> None:
    dialect = DIALECTS[name]()
    for table in metadata.sorted_tables:
        said = str(CreateTable(table).compile(dialect=dialect))
        if name == "mysql":
            assert " BLOB " not in said.replace("BLOB(4294967295)", "LONGBLOB")
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


def test_every_key_fits_into_innodb() -> None:
    """InnoDB's longest key is 3072 bytes, at four bytes a character."""
    for table in metadata.tables.values():
        keys: list[Any] = [*table.indexes, *table.constraints]
        for key in keys:
            lengths = [4 * (getattr(column.type, "length", None) or 2) for column in key.columns]
            assert sum(lengths) <= 3072, (table.name, key.name)
            assert not any(isinstance(column.type, Text) for column in key.columns)


def test_names_are_no_longer_than_postgresql_keeps() -> None:
    for table in metadata.tables.values():
        things: list[Any] = [*table.constraints, *table.indexes]
        for thing in things:
            assert thing.name is not None
            assert len(str(thing.name)) <= 63


async def use_everything(database: Database) -> None:
    """Make the store say every statement that it has."""
    log, index = RunLog(database), DocumentIndex(database, "a", "s")
    new = NewRun(app="a", owner="o", agent="g", context_id="c", idempotency_key="k")
    created = await log.create(new, [NewEvent("e", b"x" * (INLINE_BYTES + 1))])
    await log.create(new)
    signal = await log.signal("a", created.run_id, "s")
    effects = [Effect(effect_id="1"), Effect(effect_id="1", state="done")]
    everything = RunChanges(
        state="RUN_STATE_WORKING", is_task=True, priority=1, wake_at_us=1, deadline_us=1, attempt=1, view=b"",
        strategy_name="s", strategy_version=1, strategy_state=b"",
    )  # fmt: skip
    await log.append(created.run_id, 1, [NewEvent("e")], everything, consume=[signal], effects=effects)
    await log.take_over(created.run_id, "w")
    for owner in ("o", None):
        await log.get("a", owner, created.run_id)
        page = await log.list("a", owner)
        for token in ("", "MQAxAGE"):
            await log.list(
                "a", owner, context_id="c", agent="g", states=["x"], kinds=["turn"], parent="",
                status_after_us=1, only_tasks=True, page_size=1, page_token=token,
            )  # fmt: skip
        for token in ("", "MQAxAGEAYg"):
            await log.contexts("a", owner, agent="g", page_token=token)
        await log.context("a", owner, "c")
    assert page.total_size == 1
    await log.story("a", "o", created.run_id, ["e"])
    await log.events("a", created.run_id)
    await log.events("a", created.run_id, after=1, limit=1)
    await log.conversation("a", "o", "c", before_position=2, kinds=["e"], limit=1)
    await log.signals(created.run_id)
    await log.effects(created.run_id)
    await log.unfinished("w")
    with pytest.raises(HectorError):
        await log.create(NewRun(id=created.run_id, app="a", owner="o", agent="g"))
    await index.put([DocumentRow(app="a", store="s", document_id="d")])
    await index.get("d")
    await index.list(after="a", limit=1)
    await index.states()
    await index.delete(["d"])
    await index.clear()
    await log.append(created.run_id, 2, [], RunChanges(state="RUN_STATE_COMPLETED"))
    await log.delete_context("a", "o", "c")
    await use_workers(log, Workers(database))


async def use_workers(log: RunLog, workers: Workers) -> None:
    for worker in ("w1", "w2"):
        await workers.join(Worker(worker), 30)
        await log.create(NewRun(app="a", owner="o", agent="g", worker=f"gone {worker}"))
    claim = Claim(limit=1, per_app={"a": 2}, per_agent={"g": 1})
    claimed = [*await workers.claim("w1", claim), *await workers.claim("w2", claim)]
    assert len(claimed) == 1
    await log.append(claimed[0].row.id, claimed[0].row.epoch, changes=RunChanges(worker="", due_us=NEVER))
    assert await workers.take("w1", claimed[0].row.id) is not None
    assert await workers.of("w1") is not None
    assert await workers.renew("w1", 30)
    assert await workers.waiting_signals("w1") == []
    await workers.release("w1")


async def test_every_statement_can_be_said_in_every_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    execute, find = ManyRows.execute, Rows.all

    def remember(many: ManyRows, connection: Connection, rows: Any) -> None:
        said.append(many._statement)
        execute(many, connection, rows)

    def remember_rows(rows: Rows, connection: Connection, *values: object) -> Any:
        said.append(rows._statement)
        return find(rows, connection, *values)

    def listen(connection: Connection, statement: Any, *_: object) -> None:
        said.append(statement)

    async with opened("inmemory") as database:
        monkeypatch.setattr(ManyRows, "execute", remember)
        monkeypatch.setattr(Rows, "all", remember_rows)
        event.listen(Engine, "before_execute", listen)
        try:
            await use_everything(database)
        finally:
            event.remove(Engine, "before_execute", listen)
    assert len({str(statement) for statement in said}) > 30
    for name, make in DIALECTS.items():
        for statement in said:
            assert str(statement.compile(dialect=make())), name


def test_a_counted_key_counts_in_every_dialect() -> None:
    table = metadata.tables["run_signals"]
    said = {name: str(CreateTable(table).compile(dialect=make())) for name, make in DIALECTS.items()}
    assert "BIGINT NOT NULL AUTO_INCREMENT" in said["mysql"]
    assert "BIGSERIAL NOT NULL" in said["postgresql"]
    assert "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT" in str(
        CreateTable(table).compile(dialect=sqlite.dialect())
    )
