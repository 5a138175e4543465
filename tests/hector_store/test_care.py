"""What operators do to a database: check and repair it, back it up while it is written, put a backup back."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, text, update

from hector_mesh import HectorError
from hector_store import Database, NewEvent, NewRun, RunLog, opened
from hector_store.artifacts import Artifacts
from hector_store.care import checking, dumping
from hector_store.care.backup import back_up, restore, verified
from hector_store.care.checking import Check
from hector_store.care.integrity import of_file
from hector_store.care.versions import schema_of
from hector_store.migrations import HEAD
from hector_store.schema import blobs, run_events, runs
from hector_store.server_url import ServerPlace
from hector_store.url import Place, parse


def as_told(row, rows):
    """Take the last event's payload for the state, as the agent service would."""
    states = [event.payload.decode() for event in rows if event.kind == "state"]
    return (states[-1] if states else ""), b"".join(event.payload for event in rows[:1])


def check(database):
    return Check(database, Artifacts(database), as_told)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def run_in_shell(command: str, **environment: str) -> None:
    subprocess.run(["/bin/sh", "-c", command], check=True, env={**os.environ, **environment}, timeout=60)


async def run_of(log, state="RUN_STATE_COMPLETED", **more):
    new = NewRun(app="app", owner="ada", agent="writer", state=state, view=b"hello", **more)
    events = [NewEvent("message_received", b"hello"), NewEvent("state", state.encode())]
    return (await log.create(new, events)).run_id


async def broken(database, *statements):
    await database.write(lambda db: [db.execute(statement) for statement in statements] and None)


async def problems(database):
    return {(one.kind, one.subject): one.problem for one in await check(database).findings()}


async def test_a_sound_database_has_no_findings(database: Database, log: RunLog) -> None:
    await run_of(log)
    await run_of(log, "RUN_STATE_WORKING", worker="me")
    await log.append(await run_of(log), 1, [NewEvent("large", b"x" * 3_000_000)])
    looked = check(database)
    assert await looked.findings() == []
    assert looked.looked_at == 3


async def test_a_row_that_says_something_else_than_its_log_is_found_and_put_right(database, log):
    good, wrong = await run_of(log), await run_of(log)
    await broken(
        database,
        update(runs)
        .where(runs.c.id == wrong)
        .values(worker="w", state="RUN_STATE_WORKING", finished=False, view=b"?"),
    )
    found = await check(database).findings()
    assert [(one.kind, one.subject, one.repairable) for one in found] == [
        ("projection", f"run {wrong}", True)
    ]
    assert found[0].problem == (
        "its log says RUN_STATE_COMPLETED, and its row RUN_STATE_WORKING; lists show something else than its"
        " log tells"
    )
    await check(database).repair(found)
    assert await check(database).findings() == []
    row = await log.get("app", "ada", wrong)
    assert (row.state, row.view, row.epoch) == ("RUN_STATE_COMPLETED", b"hello", 2)
    assert (await log.get("app", "ada", good)).epoch == 1


async def test_marks_numbers_and_blobs_that_do_not_fit_are_put_right(database, log):
    over, cut, ahead = await run_of(log), await run_of(log), await run_of(log)
    blob = {"id": "b", "part": 0, "app": "app", "run_id": over, "size_bytes": 1, "data": b"x"}
    await broken(
        database,
        update(runs).where(runs.c.id == over).values(finished=False),
        delete(run_events).where(run_events.c.run_id == cut, run_events.c.seq == 2),
        update(runs).where(runs.c.id == ahead).values(next_seq=1),
        insert(blobs).values(blob),
    )
    found = await problems(database)
    assert found == {
        ("projection", f"run {over}"): "its state is RUN_STATE_COMPLETED, and it is marked as not over",
        ("log", f"run {cut}"): "its log ends at event 1 of 2: its end is lost",
        ("log", f"run {ahead}"): "its log goes to event 2, and the next one would be 1",
        ("blob", "table blobs"): "1 contents belong to nothing",
    }
    await check(database).repair(await check(database).findings())
    assert await problems(database) == {}
    assert (await log.get("app", "ada", ahead)).next_seq == 3


async def test_a_run_that_nobody_would_ever_take_up_is_found_and_made_due(database, log):
    lost, waits = await run_of(log, "RUN_STATE_WORKING"), await run_of(log, "RUN_STATE_INPUT_REQUIRED")
    never = update(runs).values(worker="", due=2**62)
    await broken(database, never)
    assert set(await problems(database)) == {("unreachable", f"run {lost}")}
    await check(database).repair(await check(database).findings())
    assert await problems(database) == {}
    due = await database.read(lambda db: dict(db.execute(text("SELECT id, due FROM runs")).all()))
    assert due == {lost: 0, waits: 2**62}
    strange = await check(database).findings(agents=["reader"])
    assert [one.subject for one in strange] == ["agent 'writer'"]
    assert await check(database).findings(agents=["writer"]) == []


async def test_content_that_is_gone_is_told_and_nothing_pretends_to_repair_it(database, log):
    run = await run_of(log)
    await log.append(run, 1, [NewEvent("large", b"x" * 3_000_000)])
    await broken(database, delete(blobs))
    (found,) = [one for one in await check(database).findings() if one.kind == "blob"]
    assert (found.subject, found.repairable) == (f"run {run}", False)


async def test_an_index_that_is_missing_is_made_anew(database, log):
    drop = "DROP INDEX ix_runs_status_time" + (" ON runs" if "maria" in database.name else "")
    await checking._by_itself(database, lambda db: db.exec_driver_sql(drop).rowcount)
    found = await check(database).findings()
    assert [(one.subject, one.repairable) for one in found] == [("index ix_runs_status_time of runs", True)]
    await check(database).repair(found)
    assert await check(database).findings() == []


async def test_the_schema_is_told_without_changing_anything(new_url: str) -> None:
    assert await schema_of(parse(new_url)) == ""
    async with opened(new_url):
        pass
    assert await schema_of(parse(new_url)) == HEAD


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "hector.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{number}" * 500,) for number in range(200)])
        connection.commit()
    assert of_file(Place(file), quick=False) == []
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + os.urandom(8192) + whole[16384:])
    found = of_file(Place(file), quick=True)
    assert found
    assert all(one.kind == "damaged" for one in found)
    assert "restore a backup" in found[0].problem


async def writing(log: RunLog, run_id: str, until: Callable[[], bool]) -> int:
    """Write events until somebody says that it is enough."""
    count = 0
    while not until() or count < 50:
        await log.append(run_id, 1, [NewEvent("text_appended", b"x" * 10_000)])
        count += 1
    return count


async def test_a_backup_of_a_file_is_one_moment_of_it_while_it_is_written(tmp_path: Path) -> None:
    source, file = Place(tmp_path / "hector.db"), tmp_path / "backup.db"
    async with opened(f"sqlite://{source.file}") as database:
        log = RunLog(database)
        run = await run_of(log, "RUN_STATE_WORKING", worker="w")
        await writing(log, run, lambda: True)
        async with asyncio.timeout(60):
            taking = asyncio.create_task(back_up(source, file))
            written = await writing(log, run, taking.done)
            taken = await taking
        assert written >= 50
        assert (taken.runs, taken.schema) == (1, HEAD)
        assert file.stat().st_mode & 0o777 == 0o600
        assert names_in(tmp_path) == {
            "hector.db",
            "hector.db-wal",
            "hector.db-shm",
            "hector.db-turn",
            "backup.db",
        }
    async with opened(f"sqlite://{file}") as copy:
        assert await check(copy).findings() == []
        assert len(await RunLog(copy).events("app", run)) >= 52


async def test_a_backup_replaces_nothing_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    place, file = Place(tmp_path / "hector.db"), tmp_path / "backup.db"
    with pytest.raises(HectorError) as caught:
        await back_up(place, file)
    assert caught.value.reason == "NO_DATABASE"
    async with opened(f"sqlite://{place.file}"):
        pass
    file.write_text("mine")
    with pytest.raises(HectorError, match="is there already"):
        await back_up(place, file)
    assert file.read_text() == "mine"
    with pytest.raises(HectorError, match="could not be written"):
        await back_up(place, tmp_path / "nowhere" / "backup.db")
    with pytest.raises(HectorError, match=r"in no file of this machine"):
        await back_up(Place(None), file)
    assert names_in(tmp_path) == {"hector.db", "hector.db-turn", "backup.db"}


async def test_a_backup_is_put_back_and_what_was_there_is_kept(tmp_path: Path) -> None:
    place, file = Place(tmp_path / "hector.db"), tmp_path / "backup.db"
    url = f"sqlite://{place.file}"
    async with opened(url) as database:
        run = await run_of(RunLog(database))
    await back_up(place, file)
    async with opened(url) as database:
        later = await run_of(RunLog(database))
        with pytest.raises(HectorError) as caught:
            await restore(place, file)
        assert caught.value.reason == "DATABASE_STILL_IN_USE"
        assert await RunLog(database).get("app", "ada", later)
    aside = await restore(place, file)
    async with opened(url) as database:
        assert await RunLog(database).get("app", "ada", run)
        assert await RunLog(database).get("app", "ada", later) is None
    async with opened(f"sqlite://{aside}") as database:
        assert await RunLog(database).get("app", "ada", later)


async def test_a_backup_that_cannot_be_put_back_leaves_what_was_there(tmp_path: Path, monkeypatch) -> None:
    place, file = Place(tmp_path / "hector.db"), tmp_path / "backup.db"
    async with opened(f"sqlite://{place.file}") as database:
        run = await run_of(RunLog(database))
    await back_up(place, file)
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name.endswith(".restoring"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(HectorError) as caught:
        await restore(place, file)
    assert caught.value.reason == "BACKUP_FAILED"
    there = names_in(tmp_path)
    assert not [name for name in there if "before" in name or "restoring" in name]
    assert "hector.db" in there
    async with opened(f"sqlite://{place.file}") as database:
        assert await RunLog(database).get("app", "ada", run)


async def test_a_damaged_database_is_replaced_and_a_damaged_backup_is_not_used(tmp_path: Path) -> None:
    place, file = Place(tmp_path / "hector.db"), tmp_path / "backup.db"
    async with opened(f"sqlite://{place.file}") as database:
        run = await run_of(RunLog(database))
    await back_up(place, file)
    assert place.file
    place.file.write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    with pytest.raises(HectorError, match="restore it from a backup"):
        async with opened(f"sqlite://{place.file}"):
            pass
    await restore(place, file)
    async with opened(f"sqlite://{place.file}") as database:
        assert await RunLog(database).get("app", "ada", run)
    file.write_bytes(file.read_bytes()[:20_000])
    for doing in (restore(place, file), verified(file), verified(tmp_path / "none")):
        with pytest.raises(HectorError) as caught:
            await doing
        assert caught.value.reason == "BACKUP_UNUSABLE"
    async with opened(f"sqlite://{place.file}") as database:
        assert await RunLog(database).get("app", "ada", run)


async def test_a_servers_own_program_backs_it_up_and_sees_no_password_in_its_arguments(
    database_server, tmp_path, monkeypatch
):
    """`ps` shows arguments to everybody on the machine."""
    seen = []
    run = asyncio.create_subprocess_exec

    async def watched(*words, **more):
        seen.extend(words)
        return await run(*words, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    with database_server.new_database() as name, database_server.new_database() as other:
        place = parse(database_server.url(name, tcp=True, sslmode="require"))
        assert isinstance(place, ServerPlace)
        async with opened(place.url) as database:
            made = await run_of(RunLog(database))
            file = tmp_path / "dump"
            size = await dumping.dump(place, file)
        assert size == file.stat().st_size > 1000
        assert file.stat().st_mode & 0o777 == 0o600
        assert database_server.password not in " ".join(map(str, seen))
        told = dumping.dump_command(place, "x y.dump"), dumping.restore_command(place, "x y.dump")
        assert all(database_server.password not in command for command in told)
        with pytest.raises(HectorError, match="is there already"):
            await dumping.dump(place, file)
        into = parse(database_server.url(other, tcp=True))
        assert isinstance(into, ServerPlace)
        command = dumping.restore_command(into, str(file))
        words = {"PGPASSWORD": database_server.password, "MYSQL_PWD": database_server.password}
        command = command.replace(" --password", "").replace("pg_restore --clean --if-exists", "pg_restore")
        await asyncio.to_thread(run_in_shell, command, **words)
        async with opened(into.url) as copy:
            assert await check(copy).findings() == []
            assert await RunLog(copy).get("app", "ada", made)


async def test_a_program_that_is_missing_or_fails_is_named(database_server, tmp_path, monkeypatch):
    with database_server.new_database() as name:
        place = parse(database_server.url(name))
        assert isinstance(place, ServerPlace)
        wrong = parse(database_server.url("nothing_there"))
        assert isinstance(wrong, ServerPlace)
        with pytest.raises(HectorError) as caught:
            await dumping.dump(wrong, tmp_path / "dump")
        assert caught.value.reason == "BACKUP_FAILED"
        assert "nothing_there" in str(caught.value)
        monkeypatch.setattr(shutil, "which", lambda program: None)
        with pytest.raises(HectorError) as caught:
            await dumping.dump(place, tmp_path / "dump")
        assert caught.value.reason == "BACKUP_PROGRAM_MISSING"
        assert "dump" in caught.value.facts["command"]
    assert names_in(tmp_path) == set()
