"""Runs one PostgreSQL or MariaDB for tests, until nobody holds its lock any more: then it is ended, and gone.

    python database_server.py {postgresql|mariadb} FOLDER

FOLDER gets `server.json` (how to reach it) or `failed` (why not). Whoever uses the server has a shared lock
on FOLDER/users; the kernel lets go of it however that process ends, so no server outlives its tests.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

START_S = 60.0
PASSWORD = "s3cret/p@ss"  # what a URL has to quote
NEEDED = (
    "the tests need PostgreSQL (initdb, postgres) and MariaDB (mariadbd, mariadb-install-db), and {missing}"
    " is not here: run scripts/databases.sh, or on Debian: apt-get install postgresql-15 mariadb-server"
)


class Unavailable(Exception):
    """The server cannot be had on this machine."""


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    place = Path(tempfile.mkdtemp(prefix="hector-db-"))  # short: a unix socket's path has 107 bytes
    process: subprocess.Popen[bytes] | None = None
    try:
        if os.getuid() == 0:
            shutil.chown(place, "nobody")
        place.chmod(0o755)
        process, found = KINDS[kind](place)
        _publish(folder / "server.json", json.dumps({"kind": kind, "pid": process.pid, **found}))
        with (folder / "users").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        _publish(folder / "failed", str(error))
    finally:
        if process is not None:
            process.kill()  # its data is of no use to anybody
            process.wait()
        shutil.rmtree(place, ignore_errors=True)


def postgresql(place: Path) -> tuple[subprocess.Popen[bytes], Mapping[str, object]]:
    """Start PostgreSQL; its administrator hector has a password on TCP, and needs none on the socket."""
    bin_folder = _postgresql_folder()
    data, port = place / "data", _free_port()
    password = place / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    _run(bin_folder / "initdb", "-D", data, "-U", "hector", "--pwfile", password, "--no-sync",
         "-E", "UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256")  # fmt: skip
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": place,
        "port": port,
        "max_connections": 300,
        "shared_buffers": "64MB",
        # Durability in a power cut is not what these tests are about; in a crash of the process all is kept.
        "fsync": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    process = _start(bin_folder / "postgres", "-D", data, *words, log=place / "log")
    _wait(process, place / f".s.PGSQL.{port}", place / "log")
    return process, {
        "socket": str(place), "port": port, "user": "hector", "password": PASSWORD,
    }  # fmt: skip


def mariadb(place: Path) -> tuple[subprocess.Popen[bytes], Mapping[str, object]]:
    """Start MariaDB; hector is an administrator with a password."""
    install, server = _found("mariadb-install-db"), _found("mariadbd")
    data, port, setup = place / "data", _free_port(), place / "setup.sql"
    _run(install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
         "--skip-test-db", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0")  # fmt: skip
    setup.write_text(
        f"CREATE USER hector@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO hector@'%';\n"
        f"CREATE USER hector@localhost IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO hector@localhost;\nFLUSH PRIVILEGES;\n"
    )
    process = _start(
        server, "--no-defaults", f"--datadir={data}", f"--socket={place}/my.sock", f"--port={port}",
        "--bind-address=127.0.0.1", f"--pid-file={place}/pid", f"--init-file={setup}", "--skip-name-resolve",
        # As for PostgreSQL: what a crash of the process alone would lose is not risked.
        "--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--sync-binlog=0", "--skip-log-bin",
        "--innodb-flush-method=nosync", "--max-connections=300", "--performance-schema=OFF",
        log=place / "log",
    )  # fmt: skip
    _wait(process, place / "my.sock", place / "log")
    return process, {
        "socket": f"{place}/my.sock", "port": port, "user": "hector", "password": PASSWORD,
    }  # fmt: skip


KINDS = {"postgresql": postgresql, "mariadb": mariadb}


def _postgresql_folder() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    return versions[-1].parent if versions else Path(_found("initdb")).resolve().parent


def _found(program: str) -> str:
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    where = shutil.which(program, path=path)
    if where is None:
        raise Unavailable(NEEDED.format(missing=program))
    return where


def _unprivileged() -> list[str]:
    """Neither server runs as root. And should this process be killed, they go with it."""
    ending = [_found("setpriv"), "--pdeathsig=KILL"] if sys.platform == "linux" else []
    if os.getuid() != 0:
        return ending
    return [*ending, "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]


def _run(*words: object) -> None:
    done = subprocess.run(
        [*_unprivileged(), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=START_S,
        cwd="/",
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"{words[0]} failed: {(done.stderr or done.stdout)[-2000:]}")


def _start(*words: object, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [*_unprivileged(), *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
        )  # fmt: skip


def _wait(process: subprocess.Popen[bytes], unix_socket: Path, log: Path) -> None:
    gives_up = time.monotonic() + START_S
    while time.monotonic() < gives_up and process.poll() is None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(unix_socket))
            return
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise Unavailable(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _publish(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.fork() == 0:  # whoever starts this has nothing to wait for, and its terminal's Ctrl-C is not for us
        os.setsid()
        main()
