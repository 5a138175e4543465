"""A PgBouncer in front of a test's PostgreSQL, in transaction mode: each transaction in whichever session."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .databases import DatabaseServer

START_S = 15.0
NEEDED = "the test needs PgBouncer, which is not here: on Debian, apt-get install pgbouncer"


def program() -> str | None:
    """Return the path of PgBouncer; None when it is not installed."""
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@contextmanager
def in_front_of(server: DatabaseServer, *, sessions: int = 3) -> Iterator[int]:
    """Run a PgBouncer that has so many sessions for all clients; gives its port."""
    found = program()
    assert found is not None, NEEDED
    with tempfile.TemporaryDirectory(prefix="hector-bouncer-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), _free_port()
        (folder / "users.txt").write_text(f'"{server.user}" "{server.password}"\n')
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"* = host={server.socket} port={server.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder}/users.txt\n"
            f"pool_mode = transaction\ndefault_pool_size = {sessions}\nmax_client_conn = 200\n"
            f"logfile = {folder}/log\npidfile = {folder}/pid\nserver_lifetime = 5\n"
        )
        user = []
        if os.getuid() == 0:  # it refuses to be root
            nobody = pwd.getpwnam("nobody")
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            user = ["-u", "nobody"]
        process = subprocess.Popen(
            [found, *user, "-q", folder / "pgbouncer.ini"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port, process, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    gives_up = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < gives_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"PgBouncer did not start: {log.read_text() if log.exists() else ''}")
