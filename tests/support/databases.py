"""Database servers for tests: each kind is started once for all of them, when the first one asks."""

import asyncio
import fcntl
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from .database_server import START_S

SERVERS = ("postgresql", "mariadb")


@dataclass(frozen=True)
class DatabaseServer:
    """A running server, whose user `hector` may do anything."""

    kind: str
    pid: int
    socket: str
    port: int
    user: str
    password: str

    @property
    def certificate(self) -> str:
        """The file of the certificate that it shows on TCP."""
        folder = Path(self.socket) if self.kind == "postgresql" else Path(self.socket).parent
        return str(folder / "certificate.pem")

    def url(
        self, database: str, *, tcp: bool = False, user: str = "", password: str = "", **options: str
    ) -> str:
        """Return the URL of a database on it."""
        who = f"{user or self.user}:{quote(password or self.password, safe='')}"
        if tcp:
            where = f"127.0.0.1:{self.port}"
        else:
            where, options = f":{self.port}", {"host": self.socket, **options}
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items())
        return f"{self.kind}://{who}@{where}/{database}" + (f"?{query}" if query else "")

    def run(self, *statements: str, database: str = "") -> list[tuple]:
        """Run statements as administrator, each by itself, and return the rows of the last."""
        run = _run_postgresql if self.kind == "postgresql" else _run_mariadb
        return _apart(lambda: run(self, statements, database))

    def empty(self, database: str) -> None:
        """Delete every row that the store keeps in a database, whose tables are made if there are none."""
        from hector_store.schema import metadata

        if not self.run(_TABLES.format(database=database), database=database):
            _apart(lambda: _migrate(self.url(database)))
        names = [table.name for table in reversed(metadata.sorted_tables)]
        if self.kind == "postgresql":
            self.run(f"TRUNCATE {', '.join(names)}", database=database)
        else:
            self.run(*(f"DELETE FROM {name}" for name in names), database=database)

    def disconnect(self, database: str) -> None:
        """End every connection to a database, as an administrator might, or a server that restarts."""
        if self.kind == "postgresql":
            found = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname"
            self.run(f"{found} = '{database}' AND pid <> pg_backend_pid()")
            return
        found = "SELECT id FROM information_schema.processlist WHERE db"
        for (number,) in self.run(f"{found} = '{database}'"):
            with suppress(Exception):  # it may have left by itself
                self.run(f"KILL {number}")

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """Make an empty database, and drop it at the end; gives its name."""
        name = f"t{uuid.uuid4().hex[:16]}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.run(f"DROP DATABASE {name}" + (" WITH (FORCE)" if self.kind == "postgresql" else ""))


_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_name = 'hector_schema' \
    AND '{database}' IN (table_catalog, table_schema)"


@pytest.fixture(scope="session")
def database_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], DatabaseServer]]:
    """Give the server of a kind. What cannot be had fails the test, with what to install."""
    folder = tmp_path_factory.getbasetemp()
    if folder.name.startswith("popen-"):
        folder = folder.parent  # the workers of a session share it
    running: dict[str, DatabaseServer] = {}
    held = []

    def server(kind: str) -> DatabaseServer:
        if kind not in running:
            mine = folder / f"server-{kind}"
            mine.mkdir(exist_ok=True)
            users = (mine / "users").open("a")
            held.append(users)
            fcntl.flock(users, fcntl.LOCK_SH)
            running[kind] = _started(kind, mine)
        return running[kind]

    yield server
    for users in held:
        users.close()


@pytest.fixture(scope="session")
def used_databases(
    database_servers: Callable[[str], DatabaseServer],
) -> Iterator[Callable[[str], tuple[DatabaseServer, str]]]:
    """Give a server of a kind and a database on it that this worker's tests use one after another, empty."""
    made: dict[str, str] = {}
    with ExitStack() as closing:

        def database(kind: str) -> tuple[DatabaseServer, str]:
            server = database_servers(kind)
            if kind not in made:
                made[kind] = closing.enter_context(server.new_database())
            server.empty(made[kind])
            return server, made[kind]

        yield database


@contextmanager
def server_of_its_own(kind: str, *, durable: bool = False) -> Iterator[DatabaseServer]:
    """Start a server for one test, which may do to it what it likes.

    Args:
        kind: One of SERVERS.
        durable: Whether a commit waits for the disk, as in production.
    """
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Path(folder, "users").open("a") as users,
    ):
        fcntl.flock(users, fcntl.LOCK_SH)
        yield _started(kind, Path(folder), durable=durable)


def _started(kind: str, folder: Path, *, durable: bool = False) -> DatabaseServer:
    found, failed = folder / "server.json", folder / "failed"
    with (folder / "starting").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not found.exists() and not failed.exists():
            subprocess.run(
                [
                    sys.executable,
                    Path(__file__).with_name("database_server.py"),
                    *(kind, folder, *(["durable"] if durable else [])),
                ],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                check=True, timeout=START_S,
            )  # fmt: skip
        gives_up = time.monotonic() + 2 * START_S
        while not found.exists():
            if failed.exists():
                pytest.fail(failed.read_text(), pytrace=False)
            if time.monotonic() > gives_up:
                pytest.fail(f"{kind} was not started within {2 * START_S:.0f} s", pytrace=False)
            time.sleep(0.02)
    return DatabaseServer(**json.loads(found.read_text()))


def _apart(function: Callable[[], "asyncio.Future"]) -> list[tuple]:
    """Run a coroutine to its end, whether or not a loop runs in this thread."""
    outcome: list = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(function()))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


async def _migrate(url: str) -> None:
    from hector_store import opened

    async with opened(url):
        pass


async def _run_postgresql(server: DatabaseServer, statements: tuple[str, ...], database: str) -> list[tuple]:
    import asyncpg

    connection = await asyncpg.connect(
        host=server.socket, port=server.port, user=server.user, database=database or "postgres", timeout=20
    )
    try:
        rows = []
        for statement in statements:
            rows = await connection.fetch(statement)
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def _run_mariadb(server: DatabaseServer, statements: tuple[str, ...], database: str) -> list[tuple]:
    import aiomysql

    connection = await aiomysql.connect(
        unix_socket=server.socket,
        user=server.user,
        password=server.password,
        db=database or None,
        autocommit=True,
    )
    try:
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
            return list(await cursor.fetchall() or ())
    finally:
        connection.close()
