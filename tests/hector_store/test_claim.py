import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from support.database_server import PASSWORD
from support.databases import DatabaseServer

from hector_store import Database, DatabaseInUse, opened
from hector_store.postgres import Postgres
from hector_store.server_errors import StorageNeedsTLS
from hector_store.server_url import ServerPlace
from hector_store.url import parse

HOLDER = """
import asyncio, sys
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


async def test_the_runs_of_a_database_have_one_owner_until_it_dies(lasting_url: str) -> None:
    with holding(lasting_url) as holder:
        async with asyncio.timeout(30), opened(lasting_url) as database:
            with pytest.raises(DatabaseInUse, match=f"process {holder.pid} .*works on the runs in") as caught:
                await database.claimed().__aenter__()
            assert database.name in str(caught.value)
            assert PASSWORD not in str(caught.value)
            holder.kill()
            holder.wait(10)
            async with database.claimed():
                pass


async def test_who_lets_go_of_the_runs_leaves_them_to_the_next(lasting_url: str) -> None:
    async with asyncio.timeout(30), opened(lasting_url) as database:
        for _ in range(2):
            async with database.claimed():
                pass


async def test_a_claim_is_taken_again_when_its_connection_was_ended(
    database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was restarted, or an administrator who ends connections."""
    monkeypatch.setattr("hector_store.server_claim.LOOK_S", 0.05)
    monkeypatch.setattr("hector_store.server_claim.PATIENCE_S", 0.0)
    taken = asyncio.Event()
    monkeypatch.setattr("hector_store.server_claim.log.info", lambda *_, **__: taken.set())
    with database_server.new_database() as name:
        url = database_server.url(name)
        async with asyncio.timeout(60), opened(url) as database, database.claimed():
            await asyncio.to_thread(database_server.disconnect, name)
            await taken.wait()
            other = Database(parse(url))
            await other.open()
            with pytest.raises(DatabaseInUse, match=f"process {os.getpid()} on host"):
                await other.claimed().__aenter__()
            await other.close()


async def test_a_claim_is_taken_again_however_often_that_fails(
    database_servers: Callable[[str], DatabaseServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is still starting, a certificate that is just being renewed."""
    monkeypatch.setattr("hector_store.server_claim.LOOK_S", 0.05)
    taken = asyncio.Event()
    monkeypatch.setattr("hector_store.server_claim.log.info", lambda *_, **__: taken.set())
    connect, refusals = Postgres.connect, list[Exception]()

    async def refused_first(server: Postgres) -> object:
        if refusals:
            raise refusals.pop()
        return await connect(server)

    monkeypatch.setattr(Postgres, "connect", refused_first)
    server = database_servers("postgresql")
    with server.new_database() as name:
        place = parse(server.url(name))
        assert isinstance(place, ServerPlace)
        async with asyncio.timeout(60), opened(server.url(name)) as database, database.claimed():
            refusals += [
                asyncpg.CannotConnectNowError("the database system is starting up"),
                StorageNeedsTLS(place, "no such file", "correct sslcert"),
            ]
            await asyncio.to_thread(server.disconnect, name)
            await taken.wait()
            assert not refusals


async def test_a_database_in_memory_needs_no_owner() -> None:
    async with opened("inmemory") as database, database.claimed(), database.claimed():
        pass
