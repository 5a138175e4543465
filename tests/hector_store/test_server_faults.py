"""Servers that are away, hang, or refuse: what is written is written once, and what is said helps."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import text
from support.cutting_proxy import CuttingProxy
from support.database_server import PASSWORD
from support.databases import SERVERS, DatabaseServer, server_of_its_own

from hector_mesh import HectorError
from hector_store import Database, NewEvent, NewRun, RunChanges, RunLog, opened
from hector_store.server import server_of
from hector_store.server_url import ServerPlace
from hector_store.url import parse

A_RUN = NewRun(app="a", owner="", agent="a", context_id="c")


async def refusal(url: str) -> HectorError:
    with pytest.raises(HectorError) as caught:
        async with asyncio.timeout(30), opened(url):
            pass
    said = f"{caught.value} {caught.value.facts}"
    assert PASSWORD not in said
    assert "Traceback" not in said
    return caught.value


@pytest.fixture
def name(database_server: DatabaseServer) -> Iterator[str]:
    with database_server.new_database() as name:
        yield name


@contextmanager
def user(server: DatabaseServer, **privileges: str) -> Iterator[str]:
    """Make a user of the server with the password of all."""
    server.run(privileges.get("create", "") or f"CREATE USER limited {_identified(server)}")
    try:
        yield "limited"
    finally:
        server.run("DROP USER limited")


def _identified(server: DatabaseServer) -> str:
    return f"PASSWORD '{PASSWORD}'" if server.kind == "postgresql" else f"IDENTIFIED BY '{PASSWORD}'"


@pytest.mark.parametrize("scheme", ["postgres", "mysql", "mariadb"])
async def test_a_server_that_does_not_run_is_named_with_its_port(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        error = await refusal(f"{scheme}://u:{PASSWORD}@127.0.0.1:{port}/db?connect_timeout=1")
    assert (error.reason, error.code.name) == ("STORAGE_UNREACHABLE", "UNAVAILABLE")
    assert f"127.0.0.1:{port}/db" in str(error)
    assert "refused" in str(error)


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
async def test_a_host_that_nobody_knows_is_named(scheme: str) -> None:
    error = await refusal(f"{scheme}://u@no-such-host.invalid/db?connect_timeout=1")
    assert error.reason == "STORAGE_UNREACHABLE"
    assert "no-such-host.invalid" in str(error)


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
async def test_a_socket_that_is_not_there_is_named(scheme: str) -> None:
    error = await refusal(f"{scheme}://u@/db?host=/nowhere/at/all&connect_timeout=1")
    assert error.reason == "STORAGE_UNREACHABLE"
    assert "/nowhere/at/all" in str(error)


async def test_a_server_without_tls_is_asked_once_for_it() -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(8))
        writer.write(b"N")  # PostgreSQL's answer to SSLRequest
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"postgres://u@127.0.0.1:{port}/db?sslmode=require&connect_timeout=2")
    assert error.reason == "STORAGE_NEEDS_TLS"
    assert "switch TLS on at the server, or add ?sslmode=disable" in str(error)
    assert len(asked) == 1


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
async def test_a_server_that_says_nothing_is_given_up_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with asyncio.timeout(10):
            error = await refusal(f"{scheme}://u@127.0.0.1:{port}/db?connect_timeout=1")
    assert error.reason == "STORAGE_UNREACHABLE"
    assert "no answer in time" in str(error)


async def test_a_wrong_password_is_said_to_be_wrong(database_server: DatabaseServer, name: str) -> None:
    error = await refusal(database_server.url(name, tcp=True, password="wrong"))
    assert error.reason == "STORAGE_ACCESS_DENIED"
    assert "user 'hector'" in str(error)
    assert f"127.0.0.1:{database_server.port}" in str(error)


async def test_a_database_that_is_not_there_is_named(database_server: DatabaseServer) -> None:
    error = await refusal(database_server.url("nothing"))
    assert error.reason == "STORAGE_MISSING"
    assert "CREATE DATABASE nothing" in str(error)


async def test_a_user_who_may_not_create_tables_is_told_what_to_grant(
    database_server: DatabaseServer, name: str
) -> None:
    with user(database_server):
        if database_server.kind == "mariadb":
            database_server.run(f"GRANT SELECT ON {name}.* TO limited")
        error = await refusal(database_server.url(name, tcp=True, user="limited"))
    assert error.reason == "STORAGE_FORBIDDEN"
    assert ("OWNER TO limited" if database_server.kind == "postgresql" else "GRANT ALL ON") in str(error)


async def test_too_many_connections_are_said_to_be_too_many(
    database_server: DatabaseServer, name: str
) -> None:
    limit = "CONNECTION LIMIT 1" if database_server.kind == "postgresql" else "WITH MAX_USER_CONNECTIONS 1"
    with user(database_server):
        if database_server.kind == "postgresql":
            database_server.run(f"ALTER USER limited {limit}", f"ALTER DATABASE {name} OWNER TO limited")
        else:
            database_server.run(f"ALTER USER limited {limit}", f"GRANT ALL ON {name}.* TO limited")
        url = database_server.url(name, tcp=True, user="limited")
        async with opened(url) as database:
            with pytest.raises(HectorError) as caught:
                await RunLog(database).unfinished()
        database_server.run(*_freeing(database_server), database=name)
    assert (caught.value.reason, caught.value.code.name) == ("STORAGE_CROWDED", "RESOURCE_EXHAUSTED")
    assert "lower pool_size" in str(caught.value)


def _freeing(server: DatabaseServer) -> list[str]:
    return ["REASSIGN OWNED BY limited TO hector"] if server.kind == "postgresql" else ["SELECT 1"]


async def test_readers_that_hold_every_connection_are_said_to(
    database_server: DatabaseServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.server.POOL_S", 0.2)
    sleep = "SELECT pg_sleep(2)" if database_server.kind == "postgresql" else "SELECT sleep(2)"
    async with opened(database_server.url(name, pool_size="1")) as database:
        holding = asyncio.create_task(database.read(lambda c: c.execute(text(sleep)).scalar()))
        await asyncio.sleep(0)
        with pytest.raises(HectorError, match="raise pool_size") as caught:
            await RunLog(database).unfinished()
        assert caught.value.reason == "STORAGE_CROWDED"
        await holding


async def test_a_server_that_may_only_be_read_is_a_replica(
    database_server: DatabaseServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_server.kind == "postgresql":
        database_server.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        error = await refusal(database_server.url(name))
    else:
        with server_of_its_own("mariadb") as server:
            server.run(f"CREATE DATABASE {name}", "SET GLOBAL read_only = 1")
            error = await refusal(server.url(name))
    assert error.reason == "STORAGE_READ_ONLY"
    assert "name the primary server" in str(error)


@pytest.mark.parametrize(
    ("kind", "module", "oldest"),
    [
        ("postgresql", "hector_store.postgres.OLDEST", 990000),
        ("mariadb", "hector_store.mysql.OLDEST", {"MariaDB": (99, 0), "MySQL": (99, 0)}),
    ],
)
async def test_a_server_of_long_ago_is_refused(
    database_servers, kind: str, module: str, oldest: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, oldest)
    with database_servers(kind).new_database() as name:
        error = await refusal(database_servers(kind).url(name))
    assert error.reason == "STORAGE_TOO_OLD"
    assert "or newer is needed" in str(error)


async def test_a_mariadb_that_takes_only_small_packets_is_refused(
    database_servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.mysql.PACKET_BYTES", 1 << 40)
    with database_servers("mariadb").new_database() as name:
        error = await refusal(database_servers("mariadb").url(name))
    assert error.reason == "STORAGE_UNSUITABLE"
    assert "SET GLOBAL max_allowed_packet" in str(error)


async def test_what_is_too_long_for_mariadb_fails_alone(database_servers) -> None:
    with database_servers("mariadb").new_database() as name:
        async with asyncio.timeout(60), opened(database_servers("mariadb").url(name)) as database:
            log = RunLog(database)
            made = await asyncio.gather(*(log.create(A_RUN) for _ in range(3)))
            outcomes = await asyncio.gather(
                log.append(made[0].run_id, 1, [NewEvent("a")], RunChanges(view=b"small")),
                log.append(made[1].run_id, 1, [NewEvent("b")], RunChanges(view=b"'" * 8_500_000)),
                log.append(made[2].run_id, 1, [NewEvent("c")], RunChanges(view=b"small")),
                return_exceptions=True,
            )
            assert [getattr(outcome, "reason", "") for outcome in outcomes] == ["", "PAYLOAD_TOO_LARGE", ""]
            assert "raise the server's max_allowed_packet" in str(outcomes[1])
            for run, count in zip(made, (1, 0, 1), strict=True):
                assert len(await log.events("a", run.run_id)) == count


async def test_tls_is_used_and_who_the_server_is_can_be_asked(
    database_server: DatabaseServer, name: str
) -> None:
    root = database_server.certificate
    cipher = (
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        if database_server.kind == "postgresql"
        else "SHOW STATUS LIKE 'Ssl_cipher'"
    )
    for options in (
        {},
        {"sslmode": "require"},
        {"sslmode": "verify-ca", "sslrootcert": root},
        {"sslmode": "verify-full", "sslrootcert": root},
    ):
        async with opened(database_server.url(name, tcp=True, **options)) as database:
            found = await database.read(lambda c: c.execute(text(cipher)).one()[-1])
            assert found, options
    async with opened(database_server.url(name, tcp=True, sslmode="disable")) as database:
        assert not await database.read(lambda c: c.execute(text(cipher)).one()[-1])
    error = await refusal(database_server.url(name, tcp=True, sslmode="verify-full"))  # signed by itself
    assert error.reason == "STORAGE_NEEDS_TLS"
    assert "sslrootcert" in str(error)
    error = await refusal(database_server.url(name, tcp=True, sslmode="require", sslrootcert="/no.pem"))
    assert error.reason == "STORAGE_NEEDS_TLS"
    assert "/no.pem" in str(error)


async def test_a_user_who_must_encrypt_is_told_so(database_server: DatabaseServer, name: str) -> None:
    if database_server.kind == "postgresql":
        create, grant = f"CREATE USER encrypted PASSWORD '{PASSWORD}'", "SELECT 1"
    else:
        create = f"CREATE USER encrypted IDENTIFIED BY '{PASSWORD}' REQUIRE SSL"
        grant = f"GRANT ALL ON {name}.* TO encrypted"
    database_server.run(create, grant)
    try:
        error = await refusal(database_server.url(name, tcp=True, user="encrypted", sslmode="disable"))
    finally:
        database_server.run("DROP USER encrypted")
    if database_server.kind == "postgresql":
        assert error.reason == "STORAGE_NEEDS_TLS"
        assert "sslmode=require" in str(error)
    else:  # MariaDB does not say why
        assert error.reason == "STORAGE_ACCESS_DENIED"


# What follows cuts lines


@asynccontextmanager
async def through_a_proxy(server: DatabaseServer, name: str) -> AsyncIterator[tuple[CuttingProxy, Database]]:
    async with CuttingProxy(server.port).running() as proxy:
        url = server.url(name, tcp=True, sslmode="disable", connect_timeout="2")
        async with opened(url.replace(f":{server.port}/", f":{proxy.port}/")) as database:
            yield proxy, database


def commits(data: bytes) -> bool:
    """Whether a client says COMMIT; not that it begins to read what is COMMITTED."""
    return re.search(rb"COMMIT(?!TED)", data) is not None


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_line_that_breaks_at_the_commit_loses_nothing_and_repeats_nothing(
    database_server: DatabaseServer, name: str, when: str
) -> None:
    """The outcome of a COMMIT whose answer never came is looked up, not guessed."""
    async with asyncio.timeout(60), through_a_proxy(database_server, name) as (proxy, database):
        log = RunLog(database)
        created = await log.create(A_RUN)
        for number in range(1, 6):
            setattr(proxy, when, commits)
            appended = await log.append(created.run_id, 1, [NewEvent("e", str(number).encode())])
            assert appended.last_seq == number
        assert proxy.cuts == 5
        events = await log.events("a", created.run_id)
        assert [int(event.payload) for event in events] == [1, 2, 3, 4, 5]


async def test_a_commit_that_nobody_can_tell_of_is_in_doubt_and_said_to_be(
    database_server: DatabaseServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.server_writer.AWAY_S", 0.5)
    monkeypatch.setattr("hector_store.server_writer.BATCH_S", 1.0)
    async with asyncio.timeout(60), through_a_proxy(database_server, name) as (proxy, database):
        log = RunLog(database)
        created = await log.create(A_RUN)

        def then_nothing(data: bytes) -> bool:
            if commits(data):
                proxy.flowing.clear()
            return commits(data)

        proxy.after = then_nothing
        with pytest.raises(HectorError, match="read before you repeat it") as caught:
            await log.append(created.run_id, 1, [NewEvent("e")])
        assert caught.value.reason == "STORAGE_IN_DOUBT"
        with pytest.raises(HectorError) as caught:
            await log.append(created.run_id, 1, [NewEvent("e")])
        assert caught.value.reason == "STORAGE_UNREACHABLE"  # of this one nothing was ever sent
        proxy.flowing.set()
        assert (await log.append(created.run_id, 1, [NewEvent("e")])).last_seq == 2  # it was there


async def test_a_server_that_falls_silent_while_it_is_connected_to_is_left(
    database_server: DatabaseServer, name: str
) -> None:
    async with asyncio.timeout(20), CuttingProxy(database_server.port).running() as proxy:
        url = database_server.url(name, tcp=True, sslmode="disable", connect_timeout="1")
        place = parse(url.replace(f":{database_server.port}/", f":{proxy.port}/"))
        assert isinstance(place, ServerPlace)

        def settles(data: bytes) -> bool:
            if b"lock_timeout" in data or b"lock_wait_timeout" in data:
                proxy.flowing.clear()
            return False

        proxy.after = settles
        with pytest.raises(TimeoutError):
            await server_of(place).connect()
        assert not proxy.flowing.is_set()
        proxy.flowing.set()
        await proxy.nobody.wait()


async def test_a_line_that_breaks_in_the_middle_is_mended(database_server: DatabaseServer, name: str) -> None:
    async with asyncio.timeout(60), through_a_proxy(database_server, name) as (proxy, database):
        log = RunLog(database)
        created = await log.create(A_RUN)
        proxy.before = lambda data: b"run_events" in data or b"Bind" in data or b"B\x00" in data
        assert (await log.append(created.run_id, 1, [NewEvent("e")])).last_seq == 1
        proxy.cut()
        assert len(await log.events("a", created.run_id)) == 1
        proxy.cut()
        appends = [log.append(created.run_id, 1, [NewEvent("e")]) for _ in range(5)]
        assert [outcome.last_seq for outcome in await asyncio.gather(*appends)] == [2, 3, 4, 5, 6]


async def test_a_server_that_hangs_holds_nobody_for_ever(
    database_server: DatabaseServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.server_writer.BATCH_S", 0.5)
    monkeypatch.setattr("hector_store.server_writer.AWAY_S", 1.0)
    monkeypatch.setattr("hector_store.server_backend.READ_S", 0.5)
    async with asyncio.timeout(60), through_a_proxy(database_server, name) as (proxy, database):
        log = RunLog(database)
        created = await log.create(A_RUN)
        proxy.flowing.clear()
        for ask in (log.append(created.run_id, 1, [NewEvent("lost")]), log.events("a", created.run_id)):
            with pytest.raises(HectorError) as caught:
                await ask
            assert caught.value.reason == "STORAGE_UNREACHABLE"
            assert f"127.0.0.1:{proxy.port}" in str(caught.value)
        monkeypatch.undo()
        proxy.flowing.set()
        assert (await log.append(created.run_id, 1, [NewEvent("kept")])).last_seq == 1
        assert [event.kind for event in await log.events("a", created.run_id)] == ["kept"]


async def test_a_server_that_hangs_does_not_hold_up_a_stop(
    database_server: DatabaseServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.server_writer.CLOSING_S", 0.5)
    monkeypatch.setattr("hector_store.server.CLOSE_S", 0.5)
    async with asyncio.timeout(20), CuttingProxy(database_server.port).running() as proxy:
        url = database_server.url(name, tcp=True, sslmode="disable")
        database = Database(parse(url.replace(f":{database_server.port}/", f":{proxy.port}/")))
        await database.open()
        await database.is_well()  # so that a reader's connection waits in the pool
        proxy.flowing.clear()
        writes = [asyncio.create_task(RunLog(database).create(A_RUN)) for _ in range(3)]
        await asyncio.sleep(0)
        await database.close()
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert {getattr(outcome, "reason", outcome) for outcome in outcomes} == {"STORAGE_UNREACHABLE"}


async def test_a_server_that_is_gone_does_not_hold_up_a_stop(
    database_server: DatabaseServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of the time it is between two attempts that the stop comes."""
    monkeypatch.setattr("hector_store.server_writer.CLOSING_S", 0.5)
    again = asyncio.Event()
    monkeypatch.setattr("hector_store.server_writer.log.debug", lambda *_, **__: again.set())
    async with asyncio.timeout(20):
        async with CuttingProxy(database_server.port).running() as proxy:
            url = database_server.url(name, tcp=True, sslmode="disable")
            database = Database(parse(url.replace(f":{database_server.port}/", f":{proxy.port}/")))
            await database.open()
        write = asyncio.create_task(RunLog(database).create(A_RUN))
        await again.wait()
        await database.close()
        with pytest.raises(HectorError) as caught:
            await write
    assert caught.value.reason == "STORAGE_UNREACHABLE"


async def test_readers_cannot_write(database_server: DatabaseServer, name: str) -> None:
    forget = text("DELETE FROM runs")
    async with opened(database_server.url(name)) as database:
        with pytest.raises(HectorError) as caught:
            await database.read(lambda connection: connection.execute(forget).rowcount)
    assert caught.value.reason == "STORAGE_READ_ONLY"


async def test_connections_that_an_administrator_ends_are_made_anew(
    database_server: DatabaseServer, name: str
) -> None:
    async with asyncio.timeout(60), opened(database_server.url(name)) as database:
        log = RunLog(database)
        created = await log.create(A_RUN)
        for number in range(1, 4):
            await asyncio.to_thread(database_server.disconnect, name)
            assert (await log.append(created.run_id, 1, [NewEvent("e")])).last_seq == number
            assert len(await log.events("a", created.run_id)) == number


async def test_two_processes_that_begin_runs_in_one_context_get_every_position_once(
    database_server: DatabaseServer, name: str
) -> None:
    first, second = (Database(parse(database_server.url(name))) for _ in range(2))
    await first.open()
    await second.open()
    async with asyncio.timeout(60):
        creations = [RunLog(database).create(A_RUN) for _ in range(40) for database in (first, second)]
        made = await asyncio.gather(*creations)
        assert sorted(created.context_position for created in made) == list(range(1, 81))
        await asyncio.gather(first.close(), second.close())


async def test_two_processes_that_lock_the_same_runs_both_go_on(
    database_server: DatabaseServer, name: str
) -> None:
    """Fencing takes locks in one order; and whoever is in a deadlock all the same tries again."""
    first, second = (Database(parse(database_server.url(name))) for _ in range(2))
    await first.open()
    await second.open()
    async with asyncio.timeout(90):
        runs = [(await RunLog(first).create(A_RUN)).run_id for _ in range(8)]

        async def write(database: Database, order: list[str]) -> None:
            for _ in range(15):
                appends = (RunLog(database).append(run_id, 1, [NewEvent("e")]) for run_id in order)
                signals = (RunLog(database).signal("a", run_id, "s") for run_id in reversed(order))
                await asyncio.gather(*appends, *signals)

        await asyncio.gather(write(first, runs), write(second, runs[::-1]))
        for run_id in runs:
            events = await RunLog(first).events("a", run_id)
            assert [event.seq for event in events] == list(range(1, 31))
            assert len(await RunLog(second).signals(run_id)) == 30
        await asyncio.gather(first.close(), second.close())


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_that_is_killed_and_starts_again_is_written_to_again(kind: str) -> None:
    """Every acknowledged event is there, in order, none twice; nobody had to do anything."""
    with server_of_its_own(kind) as server:
        server.run("CREATE DATABASE lasting")
        async with asyncio.timeout(100), opened(server.url("lasting")) as database:
            log = RunLog(database)
            acknowledged = dict.fromkeys([(await log.create(A_RUN)).run_id for _ in range(10)], 0)
            stop, more = asyncio.Event(), asyncio.Condition()

            async def write(run_id: str) -> None:
                while not stop.is_set():
                    appended = await log.append(
                        run_id, 1, [NewEvent("e", str(acknowledged[run_id]).encode())]
                    )
                    acknowledged[run_id] += 1
                    assert appended.last_seq == acknowledged[run_id]
                    async with more:
                        more.notify_all()

            async def every(count: dict[str, int]) -> None:
                async with more:
                    await more.wait_for(
                        lambda: all(acknowledged[run_id] >= count[run_id] for run_id in count)
                    )

            async with asyncio.TaskGroup() as group:
                for run_id in acknowledged:
                    group.create_task(write(run_id))
                await every(dict.fromkeys(acknowledged, 5))
                os.kill(server.pid, signal.SIGKILL)
                await every({run_id: count + 5 for run_id, count in acknowledged.items()})
                stop.set()
            for run_id, count in acknowledged.items():
                events = await log.events("a", run_id)
                assert [int(event.payload) for event in events] == list(range(count))
