"""Whether a database says that it is well."""

import sqlite3

import pytest
from sqlalchemy import text

from hector_mesh import HectorError
from hector_store import database as database_module
from hector_store import opened, writer

WORDS = "planted-words"


async def write(database):
    await database.write(lambda connection: connection.exec_driver_sql("SELECT 1"))


async def test_a_commit_that_fails_is_remembered_until_another_succeeds(tmp_path, monkeypatch):
    async with opened(f"sqlite://{tmp_path}/hector.db") as database:
        assert await database.is_well()
        commit = writer.commit

        def fails(*_):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

        monkeypatch.setattr(writer, "commit", fails)
        with pytest.raises(HectorError, match="no space left"):
            await write(database)
        assert not await database.is_well()
        monkeypatch.setattr(writer, "commit", commit)
        await write(database)
        assert await database.is_well()


async def test_damage_is_remembered_although_other_writes_succeed(tmp_path, monkeypatch):
    async with opened(f"sqlite://{tmp_path}/hector.db") as database:
        commit = writer.commit

        def fails(*_):
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorname = "SQLITE_CORRUPT"
            raise error

        monkeypatch.setattr(writer, "commit", fails)
        with pytest.raises(HectorError) as refused:
            await write(database)
        assert refused.value.reason == "STORAGE_CORRUPT"
        monkeypatch.setattr(writer, "commit", commit)
        await write(database)
        assert not await database.is_well()


async def test_damage_that_a_read_finds_is_remembered_too(tmp_path):
    def fails(_):
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error

    async with opened(f"sqlite://{tmp_path}/hector.db") as database:
        with pytest.raises(HectorError):
            await database.read(fails)
        assert not await database.is_well()


async def test_a_failure_that_is_long_past_is_forgotten_so_that_somebody_tries_again(tmp_path, monkeypatch):
    async with opened(f"sqlite://{tmp_path}/hector.db") as database:
        database._queue.failed_at = database_module.perf_counter()
        assert not await database.is_well()
        monkeypatch.setattr(database_module, "TROUBLE_S", 0.0)
        assert await database.is_well()


async def test_a_failure_does_not_quote_what_was_to_be_written(database, monkeypatch, caplog):
    def wrong(connection):
        connection.execute(text("INSERT INTO no_such_table VALUES (:words)"), {"words": WORDS})

    with pytest.raises(Exception, match="no_such_table") as refused:
        await database.write(wrong)
    assert WORDS not in str(refused.value)

    if database.file is not None:

        def fails(connection, *_):
            wrong(connection)

        monkeypatch.setattr(writer, "commit", fails)
        monkeypatch.setattr(writer, "fault_of", lambda error: writer.Fault.OF_STORAGE)
        with pytest.raises(Exception, match="no_such_table"):
            await write(database)
        (record,) = [each for each in caplog.records if each.getMessage() == "batch was not written"]
        assert WORDS not in str(vars(record))


async def test_a_database_that_is_closed_is_not_well(tmp_path):
    async with opened(f"sqlite://{tmp_path}/hector.db") as database:
        pass
    with pytest.raises(HectorError):
        await database.is_well()
