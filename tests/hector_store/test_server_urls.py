"""URLs of databases on servers: what they mean, what is refused, and that no password gets out."""

import subprocess
import sys
from pathlib import Path

import pytest

from hector_config import dump
from hector_config.loading import load
from hector_mesh import HectorError
from hector_store import StorageSection
from hector_store.server_url import MARIADB, MYSQL, POSTGRESQL, ServerPlace, Tls
from hector_store.url import parse, placed


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgres://h/db", ServerPlace(POSTGRESQL, "db", "h", 5432)),
        ("postgresql://ann@h:6000/db", ServerPlace(POSTGRESQL, "db", "h", 6000, user="ann")),
        ("postgresql+asyncpg:///db", ServerPlace(POSTGRESQL, "db", "localhost", 5432)),
        ("mysql://ann:pw@h/db", ServerPlace(MYSQL, "db", "h", 3306, user="ann", password="pw")),
        ("mariadb://[::1]:3307/my%20db", ServerPlace(MARIADB, "my db", "::1", 3307)),
        ("postgres://a@/db?host=/run/pg", ServerPlace(POSTGRESQL, "db", "", 0, "/run/pg", "a")),
        ("postgres://a@:6000/db?host=/run/pg", ServerPlace(POSTGRESQL, "db", "", 6000, "/run/pg", "a")),
        ("mysql://a@/db?unix_socket=/run/my.sock", ServerPlace(MYSQL, "db", "", 0, "/run/my.sock", "a")),
        (
            "postgres://h/db?pool_size=9&connect_timeout=3&sslmode=verify-full&sslrootcert=ca.pem",
            ServerPlace(
                POSTGRESQL,
                "db",
                "h",
                5432,
                pool_size=9,
                connect_s=3,
                tls=Tls("verify-full", "/project/ca.pem"),
            ),
        ),
    ],
)
def test_a_url_means_a_database_on_a_server(url: str, place: ServerPlace) -> None:
    assert parse(url, Path("/project")) == place
    assert parse(placed(url, Path("/project"))) == place
    assert not place.in_memory


@pytest.mark.parametrize("password", ["plain", "p@ss/w#rd?x=1:2", "100%", "äöü", "a%40b"])
def test_a_password_may_hold_anything_quoted_or_not(password: str) -> None:
    place = parse(f"postgres://ann:{password}@h/db?pool_size=2")
    assert isinstance(place, ServerPlace)
    assert (place.user, place.host, place.database, place.pool_size) == ("ann", "h", "db", 2)
    assert place.password == password.replace("%40", "@")
    again = parse(place.url)
    assert again == place
    assert password not in f"{place} {place!r} {place.name} {place.server}"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgres://u:secret@h", "the name of the database is missing"),
        ("postgres://u:secret@h/", "the name of the database is missing"),
        ("mysql://u:secret@h/a/b", "no slash"),
        ("postgres://u:secret@h:x/db", "no number from 1 to 65535"),
        ("postgres://u:secret@h:99999/db", "no number from 1 to 65535"),
        ("postgres://u:secret@h/db?pool_size=0", "pool_size must be a number from 1 to 100"),
        ("postgres://u:secret@h/db?sslmode=yes", "sslmode must be one of disable, prefer"),
        ("postgres://u:secret@h/db?password=secret", "there is no option 'password', only pool_size"),
        ("mysql://u:secret@h/db?host=other", "path of a unix socket"),
        ("oracle://u:secret@h/db", "no database of that kind"),
        ("postgres:u:secret@h/db", "no database of that kind"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(HectorError, match=problem) as caught:
        parse(url)
    assert "postgres://user:password@host" in str(caught.value) or "mysql://user" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.facts}"


def test_the_config_shows_no_password(tmp_path: Path) -> None:
    text = "storage: {database: 'postgres://ann:se/cr@t@h/db?pool_size=2'}"
    loaded = load(text, StorageSection, project_dir=tmp_path)
    assert parse(loaded.config.storage.database) == parse("postgres://ann:se%2Fcr%40t@h/db?pool_size=2")
    shown = dump(loaded)
    assert "postgresql://ann:***@h:5432/db?pool_size=2" in shown
    assert "cr@t" not in shown + repr(loaded.config)
    assert "cr%40t" not in shown + repr(loaded.config)


def test_a_bad_url_in_the_config_is_told_without_its_password(tmp_path: Path) -> None:
    text = "storage: {database: 'postgres://ann:se/cr@t@h:port/db'}"
    with pytest.raises(HectorError, match="no number from 1 to 65535") as caught:
        load(text, StorageSection, project_dir=tmp_path)
    assert "cr@t" not in f"{caught.value} {caught.value.facts}"
    assert str(caught.value).count("storage.database") == 1


WITHOUT_DRIVER = """
import asyncio, sys
from hector_mesh import HectorError
from hector_store import opened
sys.modules[sys.argv[1]] = None
async def main():
    try:
        async with opened(sys.argv[2]):
            pass
    except HectorError as error:
        print(error.reason, error)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("module", "url", "extra"),
    [
        ("asyncpg", "postgres://h/db", "hector[postgres]"),
        ("aiomysql", "mysql://h/db", "hector[mysql]"),
        ("aiomysql", "mariadb://h/db", "hector[mysql]"),
        ("greenlet", "postgres://h/db", "hector[postgres]"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_what_installs_it(
    module: str, url: str, extra: str
) -> None:
    command = [sys.executable, "-c", WITHOUT_DRIVER, module, url]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    assert done.stdout.startswith("DATABASE_DRIVER_MISSING"), (done.stdout, done.stderr)
    assert f"pip install '{extra}'" in done.stdout


def test_no_driver_is_loaded_for_a_file(tmp_path: Path) -> None:
    """Start-up is a feature: nobody pays for a database that he does not use."""
    code = (
        "import asyncio, sys\n"
        "from hector_store import opened\n"
        "async def main():\n"
        "    async with opened(sys.argv[1]):\n"
        "        pass\n"
        "asyncio.run(main())\n"
        "heavy = {'asyncpg', 'aiomysql', 'pymysql', 'greenlet', 'sqlalchemy.ext.asyncio'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)\n"
    )
    command = [sys.executable, "-c", code, f"sqlite://{tmp_path}/x.db"]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
