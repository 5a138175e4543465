import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hector_store import DatabaseInUse, opened

HOLDER = """
import asyncio, sys
from pathlib import Path
from hector_store import opened

async def hold():
    async with opened(sys.argv[1]) as database:
        async with database.claimed():
            print("held", flush=True)
            sys.stdin.read()

asyncio.run(hold())
"""


@contextmanager
def holding(url: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


async def test_the_runs_of_a_database_have_one_owner_until_it_dies(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/runs.db"
    with holding(url) as holder:
        async with opened(url) as database:
            with pytest.raises(DatabaseInUse, match=f"process {holder.pid} works on the runs in .*runs.db"):
                await database.claimed().__aenter__()
            holder.kill()
            holder.wait(10)
            async with database.claimed():
                pass


async def test_a_database_in_memory_needs_no_owner() -> None:
    async with opened("inmemory") as database, database.claimed(), database.claimed():
        pass
