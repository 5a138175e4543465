"""Decisions, Configuration: every config is an immutable revision, numbered in order."""

import asyncio
import sys

import pytest

from hector_mesh import HectorError
from hector_store import Database, Revisions, opened

TEXT = "agents:\n  a: {instruction: 'grüß dich 💥'}  # a comment stays\n"


@pytest.fixture
def revisions(database: Database) -> Revisions:
    return Revisions(database)


async def test_the_first_config_is_number_one_and_kept_as_written(revisions: Revisions) -> None:
    put = await revisions.put("h1", TEXT, source="/srv/hector.yaml", applicable=True)
    assert (put.number, put.id, put.text, put.source, put.applicable) == (
        1,
        "h1",
        TEXT,
        "/srv/hector.yaml",
        True,
    )
    assert put.time_us > 1_700_000_000_000_000
    assert await revisions.get("h1") == await revisions.get(1) == put


async def test_the_same_content_is_the_same_revision_wherever_it_comes_from(revisions: Revisions) -> None:
    first = await revisions.put("h1", TEXT, source="a.yaml", applicable=True)
    await revisions.put("h2", "{}", source="a.yaml", applicable=True)
    assert await revisions.put("h1", TEXT, source="b.yaml", applicable=True) == first
    assert [one.number for one in await revisions.list()] == [2, 1]


async def test_a_config_without_its_secrets_says_so(revisions: Revisions) -> None:
    await revisions.put("h1", "x", source="", applicable=False)
    found = await revisions.get("h1")
    assert found is not None
    assert found.applicable is False


async def test_a_list_is_paged_from_the_latest_and_brings_no_texts(revisions: Revisions) -> None:
    for number in range(1, 6):
        await revisions.put(f"h{number}", TEXT, source="", applicable=True)
    first = await revisions.list(limit=2)
    assert [(one.number, one.text) for one in first] == [(5, ""), (4, "")]
    rest = await revisions.list(before=first[-1].number)
    assert [one.number for one in rest] == [3, 2, 1]


async def test_apps_are_numbered_apart(database: Database) -> None:
    one, other = Revisions(database, "one"), Revisions(database, "other")
    await one.put("h1", TEXT, source="", applicable=True)
    assert (await other.put("h2", TEXT, source="", applicable=True)).number == 1
    assert await one.get("h2") is None
    assert await one.get(2) is None


async def test_what_there_is_not_is_none(revisions: Revisions) -> None:
    for which in ("h1", 0, 1, -1, 2**40):
        assert await revisions.get(which) is None
    assert await revisions.list() == []


async def test_a_large_config_and_a_long_path_are_kept(revisions: Revisions) -> None:
    text = "# " + "ü" * 2_000_000
    put = await revisions.put("h1", text, source="/x" * 3000, applicable=True)
    found = await revisions.get("h1")
    assert found == put
    assert found is not None
    assert found.text == text


async def test_an_id_that_is_none_is_refused(revisions: Revisions) -> None:
    for wrong in ("", "x" * 200):
        with pytest.raises(HectorError):
            await revisions.put(wrong, TEXT, source="", applicable=True)


async def test_many_writers_give_each_number_once(revisions: Revisions) -> None:
    async with asyncio.timeout(60):
        put = await asyncio.gather(
            *(revisions.put(f"h{number % 10}", TEXT, source="", applicable=True) for number in range(40))
        )
    assert sorted({one.number for one in put}) == list(range(1, 11))
    assert len({(one.id, one.number) for one in put}) == 10


PROGRAM = """
import asyncio, sys
from hector_store import Revisions, opened

async def main(url, name):
    async with opened(url) as database:
        print("open", flush=True)
        sys.stdin.readline()
        revisions = Revisions(database)
        for number in range(8):
            await revisions.put(f"{name}-{number}", "x", source=name, applicable=True)
            await revisions.put(f"both-{number}", "x", source=name, applicable=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_at_the_same_time_leave_no_number_out(lasting_url: str) -> None:
    """Ours: replicas start together, and each writes down what it runs on."""
    async with opened(lasting_url) as database, asyncio.timeout(90):
        processes = [await started(lasting_url, name) for name in ("one", "other", "third")]
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"open\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.close()
        assert [await process.wait() for process in processes] == [0, 0, 0]
        found = await Revisions(database).list(limit=100)
    assert [one.number for one in found] == list(range(32, 0, -1))
    assert len({one.id for one in found}) == 32


async def started(url: str, name: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        url,
        name,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
