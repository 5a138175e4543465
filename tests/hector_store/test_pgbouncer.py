"""PostgreSQL behind PgBouncer in transaction mode: nothing of a session is relied on."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from support.databases import DatabaseServer
from support.pgbouncer import NEEDED, in_front_of, program

from hector_mesh import HectorError
from hector_store import EVENTS, Claim, NewEvent, NewRun, RunChanges, RunLog, Worker, Workers, opened
from hector_store.database import Database
from hector_store.history.passing import Pass
from hector_store.history.policy import Keep, Policy
from hector_store.server_url import ServerPlace
from hector_store.url import parse


@pytest.fixture(scope="module")
def server(database_servers: Callable[[str], DatabaseServer]) -> DatabaseServer:
    return database_servers("postgresql")


@pytest.fixture(scope="module")
def bouncer(server: DatabaseServer) -> Iterator[int]:
    if program() is None:
        pytest.fail(NEEDED, pytrace=False)
    with in_front_of(server, sessions=3) as port:
        yield port


@pytest.fixture
def url(server: DatabaseServer, bouncer: int) -> Iterator[str]:
    """The URL of a new database behind PgBouncer, by which notifications reach us around it."""
    with server.new_database() as name:
        who = server.url(name, tcp=True).partition("@")[0]
        options = f"sslmode=disable&pgbouncer=true&listen=127.0.0.1:{server.port}"
        yield f"{who}@127.0.0.1:{bouncer}/{name}?{options}"


def new(number: int = 0) -> NewRun:
    return NewRun(app="app", owner="ada", agent="writer", context_id=f"c{number}", state="RUN_STATE_WORKING")


async def test_many_clients_share_few_sessions(url: str) -> None:
    """Three sessions, and four processes with a writer, readers and a listener each."""
    databases = [Database(parse(url)) for _ in range(4)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(database.open() for database in databases))

        async def work(database: Database, mine: int) -> None:
            log = RunLog(database)
            for number in range(10):
                created = await log.create(new(mine), [NewEvent("message_received", b"x")])
                for _ in range(3):
                    await log.append(created.run_id, 1, [NewEvent("text_appended", b"y")])
                done = RunChanges(state="RUN_STATE_COMPLETED")
                await log.append(created.run_id, 1, [NewEvent("end", b"z" * 2_000_000)], done)
                assert len(await log.events("app", created.run_id)) == 5
                assert len(await log.conversation("app", "ada", f"c{mine}")) == 5 * (number + 1)

        await asyncio.gather(*(work(database, mine) for mine, database in enumerate(databases)))
        for database in databases:
            await database.close()


async def test_leases_and_claims_need_no_session(url: str) -> None:
    async with opened(url) as database, asyncio.timeout(30):
        log, workers = RunLog(database), Workers(database)
        run = (await log.create(new()._replace(due_us=0))).run_id
        await workers.join(Worker("one"), 1.0)
        (claimed,) = await workers.claim("one", Claim(limit=5))
        assert claimed.row.id == run
        assert await workers.renew("one", 1.0)
        assert await workers.release("one") == 1


async def test_old_history_goes(url: str) -> None:
    async with opened(url) as database, asyncio.timeout(30):
        await RunLog(database).create(new()._replace(state="RUN_STATE_COMPLETED"))
        done = await Pass(database, Policy(Keep(runs_s=0)), lambda rows: [], gently=False).run()
        assert done.counts["runs"] == 1


async def test_hints_come_around_it_from_process_to_process(url: str) -> None:
    one, other = Database(parse(url)), Database(parse(url))
    await one.open()
    await other.open()
    try:
        async with asyncio.timeout(30):
            with other.hints.subscribe(EVENTS, foreign=True) as flag:
                while not await flag.raised(within_s=0.2):
                    await RunLog(one).create(new())
    finally:
        await one.close()
        await other.close()


async def test_where_nobody_can_listen_nobody_waits_for_it(url: str) -> None:
    deaf = url.partition("&listen")[0]
    async with opened(deaf) as database, asyncio.timeout(30):
        with database.hints.subscribe(EVENTS, foreign=True):
            assert (await RunLog(database).create(new())).run_id


def test_the_options_are_understood_and_kept() -> None:
    url = "postgres://u:p@h:6432/d?pgbouncer=true&listen=db:5432"
    place = parse(url)
    assert isinstance(place, ServerPlace)
    assert (place.is_pooled, place.listen) == (True, "db:5432")
    assert parse(place.url) == place
    for wrong, why in (
        ("postgres://h/d?pgbouncer=yes", "true or false"),
        ("postgres://h/d?listen=db:5432", "add pgbouncer=true"),
        ("postgres://h/d?pgbouncer=true&listen=db", "a host and a port"),
        ("mysql://h/d?pgbouncer=true", "there is no option 'pgbouncer'"),
    ):
        with pytest.raises(HectorError, match=why):
            parse(wrong)
