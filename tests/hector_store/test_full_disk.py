"""A disk that is full, for real: a file system of a few pages."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hector_mesh import HectorError
from hector_store import NewEvent, NewRun, RunLog, opened
from hector_store.artifacts import Artifacts
from hector_store.care.backup import back_up
from hector_store.care.checking import Check
from hector_store.url import Place

SIZE_BYTES = 3 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own that holds three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "none", folder]
    if os.getuid() or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def ballast_in(folder: Path) -> Path:
    file = folder / "ballast"
    file.write_bytes(b"x" * (SIZE_BYTES // 3))
    return file


async def fill(log: RunLog, run: str) -> tuple[int, HectorError]:
    """Write until nothing fits any more; return how much was acknowledged, and what was said then."""
    written = 0
    while written < 10_000:
        try:
            await log.append(run, 1, [NewEvent("e", str(written).encode() + b"." * 30_000)])
        except HectorError as error:
            return written, error
        written += 1
    raise AssertionError("the disk was never full")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def nothing(row: object, rows: object) -> tuple[str, bytes]:
    return "", b""


async def test_what_does_not_fit_fails_by_name_and_all_goes_on_when_there_is_room(small_disk: Path) -> None:
    file, ballast = small_disk / "hector.db", ballast_in(small_disk)
    new = NewRun(app="a", owner="", agent="a", worker="w")
    async with opened(f"sqlite://{file}") as database:
        log = RunLog(database)
        run = (await log.create(new)).run_id
        written, error = await fill(log, run)
        assert written > 0
        assert error.reason == "STORAGE_FULL"
        assert str(file) in str(error)
        assert "free some space" in str(error)
        kept = await log.events("a", run)  # reading goes on
        assert [int(event.payload.split(b".")[0]) for event in kept] == list(range(written))
        with pytest.raises(HectorError, match=str(file)):
            await log.append(run, 1, [NewEvent("e", b"." * 500_000)])
        assert not await database.is_well()
        ballast.unlink()
        await log.append(run, 1, [NewEvent("e", str(written).encode() + b"." * 30_000)])
        assert await database.is_well()
        assert len(await log.events("a", run)) == written + 1
        assert await Check(database, Artifacts(database), nothing).findings() == []


async def test_a_backup_that_does_not_fit_leaves_nothing_behind(small_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "hector.db"
    async with opened(f"sqlite://{source}") as database:
        log = RunLog(database)
        run = (await log.create(NewRun(app="a", owner="", agent="a"))).run_id
        await log.append(run, 1, [NewEvent("e", b"x" * 2 * SIZE_BYTES)])
        with pytest.raises(HectorError) as caught:
            await back_up(Place(source), small_disk / "backup.db")
        assert caught.value.reason == "BACKUP_FAILED"
        assert str(small_disk / "backup.db") in str(caught.value)
        assert names_in(small_disk) == []
        await back_up(Place(source), tmp_path / "backup.db")
