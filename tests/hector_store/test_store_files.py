"""The database's file: where it is, who may read it, and what is said when it cannot be used."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hector_config.loading import load
from hector_mesh import HectorError
from hector_store import NewEvent, NewRun, RunLog, StorageSection, opened
from hector_store.database import Database
from hector_store.errors import StorageGone
from hector_store.url import Place, parse, placed


async def refusal(url: str, *, busy_s: float = 0.2) -> HectorError:
    database = Database(parse(url), busy_s=busy_s)
    with pytest.raises(HectorError) as caught:
        await database.open()
    return caught.value


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite://.hector/hector.db", "/project/.hector/hector.db"),
        ("sqlite://data.db", "/project/data.db"),
        ("sqlite:///abs/path.db", "/abs/path.db"),
        ("sqlite:////abs/path.db", "/abs/path.db"),
        ("sqlite:///abs/with%20space%3F.db", "/abs/with space?.db"),
        ("sqlite+aiosqlite:///abs/path.db", "/abs/path.db"),
    ],
)
def test_a_url_means_a_file(url: str, file: str) -> None:
    place = parse(url, Path("/project"))
    assert place == Place(Path(file), "FULL")
    assert parse(placed(url, Path("/project"))) == place


def test_memory_and_speed_are_asked_for_by_name() -> None:
    assert parse("inmemory") == parse("sqlite://:memory:") == Place(None)
    assert parse("sqlite://x.db?synchronous=normal").synchronous == "NORMAL"
    assert placed("inmemory", Path("/project")) == "inmemory"
    assert placed("sqlite://x.db?synchronous=normal", Path("/p")) == "sqlite:///p/x.db?synchronous=normal"


def test_the_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert parse("sqlite://~/x.db", Path("/project")).file == Path("/home/ann/x.db")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("oracle://u:secret@h/db", "no database of that kind"),
        ("hector.db", "no database of that kind"),
        ("sqlite://", "path of the database file is missing"),
        ("sqlite:///folder/", "path of the database file is missing"),
        ("sqlite://x.db?mode=ro", "no option 'mode'"),
        ("sqlite://x.db?synchronous=off", "must be full or normal"),
    ],
)
def test_other_urls_are_refused_with_what_is_allowed(url: str, problem: str) -> None:
    with pytest.raises(HectorError, match=problem) as caught:
        parse(url)
    assert "sqlite://.hector/hector.db" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_config_places_the_database_in_the_project(tmp_path: Path) -> None:
    loaded = load("{}", StorageSection, project_dir=tmp_path)
    assert loaded.config.storage.database == f"sqlite://{tmp_path}/.hector/hector.db"
    loaded = load("storage: {database: inmemory}", StorageSection, project_dir=tmp_path)
    assert loaded.config.storage.database == "inmemory"
    loaded = load("storage: {database: 'postgres://h/db'}", StorageSection, project_dir=tmp_path)
    assert loaded.config.storage.database == "postgresql://h:5432/db"


def test_reading_a_config_does_not_load_sqlalchemy() -> None:
    code = "import sys; from hector_store import StorageSection; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


async def test_the_state_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened("sqlite://.hector/hector.db", folder=tmp_path) as database:
            await RunLog(database).create(NewRun(app="a", owner="", agent="a"))
            folder = tmp_path / ".hector"
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert modes == dict.fromkeys(
                ["hector.db", "hector.db-wal", "hector.db-shm", "hector.db-turn"], 0o600
            )
    finally:
        os.umask(before)


async def test_a_file_is_durable_by_default_and_can_be_told_otherwise(tmp_path: Path) -> None:
    for query, expected in (("", 2), ("?synchronous=normal", 1)):
        async with opened(f"sqlite://{tmp_path}/x.db{query}") as database:
            found = await database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar())
            mode = await database.read(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar())
            keys = await database.read(lambda c: c.exec_driver_sql("PRAGMA foreign_keys").scalar())
        assert (found, mode, keys) == (expected, "wal", 1)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = await refusal(f"sqlite://{tmp_path}/no/such/x.db")
    assert error.reason == "STORAGE_FOLDER_MISSING"
    assert f"{tmp_path}/no/such" in str(error)
    assert not (tmp_path / "no").exists()


async def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / ".hector").write_text("")
    error = await refusal(f"sqlite://{tmp_path}/.hector/hector.db")
    assert f"{tmp_path}/.hector for the database" in str(error)
    assert "is a file; move it away" in str(error)


async def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("my notes, " * 1000)
    error = await refusal(f"sqlite://{file}")
    assert error.reason == "STORAGE_CORRUPT"
    assert str(file) in str(error)
    assert file.read_text() == "my notes, " * 1000


@pytest.mark.parametrize("fate", ["removed", "replaced"])
async def test_nothing_is_acknowledged_into_a_file_that_is_gone(tmp_path: Path, fate: str) -> None:
    """Ours: a deleted file takes writes as well as any, and keeps none."""
    file, away = tmp_path / "x.db", tmp_path / "away.db"
    async with opened(f"sqlite://{file}") as database:
        log = RunLog(database)
        await log.create(NewRun(app="a", owner="", agent="a"), [])
        file.rename(away)
        if fate == "replaced":
            file.write_bytes(away.read_bytes())
        for _ in range(2):
            with pytest.raises(StorageGone, match=f"{file} was removed or replaced.*or restart"):
                await log.create(NewRun(app="a", owner="", agent="a"), [])
        assert file.exists() == (fate == "replaced")
        away.rename(file)
        await log.create(NewRun(app="a", owner="", agent="a"), [])


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    async with opened(f"sqlite://{file}") as database:
        log = RunLog(database)
        for _ in range(20):
            await log.create(NewRun(app="a", owner="", agent="a"), [NewEvent("e", b"x" * 3000)])
    content = bytearray(file.read_bytes())
    content[100:8000] = b"\xde\xad" * 3950
    file.write_bytes(content)
    error = await refusal(f"sqlite://{file}")
    assert error.reason == "STORAGE_CORRUPT"
    assert str(file) in str(error)
    assert "restore it from a backup" in str(error)


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    assert (await refusal(f"sqlite://{tmp_path}/x.db")).reason == "STORAGE_CORRUPT"


async def test_a_locked_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    async with opened(f"sqlite://{file}"):
        pass
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        error = await refusal(f"sqlite://{file}")
    finally:
        other.close()
    assert (error.reason, error.code.name) == ("STORAGE_BUSY", "UNAVAILABLE")
    assert str(file) in str(error)


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    async with opened(f"sqlite://{tmp_path}/x.db") as database:
        assert await RunLog(database).unfinished() == []


READ_ONLY = """
import asyncio, os, sys
import hector_store.sqlite_backend  # now: not everybody may read where Python is
from hector_mesh import HectorError
from hector_store import opened

async def main():
    try:
        async with opened(sys.argv[1]):
            print("opened")
    except HectorError as error:
        print(error.reason, error)

if os.getuid() == 0:  # root may write anywhere
    os.setgid(65534)
    os.setuid(65534)
asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_cannot_be_written_is_named(what: str) -> None:
    """A read-only disk or folder."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "x.db")
        if what == "file":
            asyncio.run(open_once(f"sqlite://{file}"))
            file.chmod(0o444)
        Path(folder).chmod(0o777 if what == "file" else 0o555)
        command = [sys.executable, "-c", READ_ONLY, f"sqlite://{file}"]
        done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
        Path(folder).chmod(0o700)
    assert done.stdout.startswith("STORAGE_READ_ONLY"), (done.stdout, done.stderr)
    assert str(file) in done.stdout


async def open_once(url: str) -> None:
    async with opened(url):
        pass
