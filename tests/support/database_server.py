"""Runs one PostgreSQL or MariaDB for tests, until nobody holds its lock any more: then it is ended, and gone.

    python database_server.py {postgresql|mariadb} FOLDER [durable]

FOLDER gets `server.json` (how to reach it) or `failed` (why not). Whoever uses the server has a shared lock
on FOLDER/users; the kernel lets go of it however that process ends, so no server outlives its tests.
A server that is killed is started again, as an init system would.
"""

import contextlib
import datetime
import fcntl
import json
import os
import pwd
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
LOOK_S = 0.1
PASSWORD = "s3cret/p@ss"  # what a URL has to quote
NEEDED = (
    "the tests need PostgreSQL (initdb, postgres) and MariaDB (mariadbd, mariadb-install-db), and {missing}"
    " is not here: run scripts/databases.sh, or on Debian: apt-get install postgresql-15 mariadb-server"
)

Words = list[str | Path]


class Unavailable(Exception):
    """The server cannot be had on this machine."""


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    # Short, for a unix socket's path has 107 bytes; and where user nobody can look into.
    place = Path(tempfile.mkdtemp(prefix="hector-db-", dir="/tmp" if os.getuid() == 0 else None))
    process: subprocess.Popen[bytes] | None = None
    try:
        if os.getuid() == 0:
            shutil.chown(place, "nobody")
        place.chmod(0o755)
        certify(place)
        command, unix_socket, found = KINDS[kind](place)
        if "durable" not in sys.argv:
            command += HASTY[kind]
        while not _is_left(folder):
            if process is None or process.poll() is not None:
                process = _started(command, unix_socket, place / "log")
                _publish(folder / "server.json", json.dumps({"kind": kind, "pid": process.pid, **found}))
            time.sleep(LOOK_S)
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        _publish(folder / "failed", str(error))
    finally:
        if process is not None:
            _end(process, at_once=kind == "mariadb")
        shutil.rmtree(place, ignore_errors=True)


def postgresql(place: Path) -> tuple[Words, Path, Mapping[str, object]]:
    """Prepare PostgreSQL; its administrator hector has a password on TCP, and needs none on the socket."""
    bin_folder = _postgresql_folder()
    data, port, password = place / "data", _free_port(), place / "password"
    password.write_text(PASSWORD)
    _run(bin_folder / "initdb", "-D", data, "-U", "hector", "--pwfile", password, "--no-sync",
         "-E", "UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256")  # fmt: skip
    (data / "pg_hba.conf").write_text(
        "local all all trust\n"
        "hostnossl all encrypted 127.0.0.1/32 reject\n"
        "host all all 127.0.0.1/32 scram-sha-256\n"
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": place,
        "port": port,
        "max_connections": 300,
        "shared_buffers": "64MB",
        "ssl": "on",
        "ssl_cert_file": place / "certificate.pem",
        "ssl_key_file": place / "key.pem",
    }
    words: Words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    found = {"socket": str(place), "port": port, "user": "hector", "password": PASSWORD}
    return [bin_folder / "postgres", "-D", data, *words], place / f".s.PGSQL.{port}", found


def mariadb(place: Path) -> tuple[Words, Path, Mapping[str, object]]:
    """Prepare MariaDB, whose administrator hector has a password."""
    install, server = _found("mariadb-install-db"), _found("mariadbd")
    data, port, setup, unix_socket = place / "data", _free_port(), place / "setup.sql", place / "my.sock"
    _run(install, "--no-defaults", f"--datadir={data}", f"--tmpdir={place}",
         "--auth-root-authentication-method=normal", "--skip-test-db",
         "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0")  # fmt: skip
    setup.write_text(
        f"CREATE USER IF NOT EXISTS hector@'%' IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO hector@'%' WITH GRANT OPTION;\n"
        f"CREATE USER IF NOT EXISTS hector@localhost IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO hector@localhost WITH GRANT OPTION;\nFLUSH PRIVILEGES;\n"
    )
    command: Words = [
        server, "--no-defaults", f"--datadir={data}", f"--tmpdir={place}", f"--socket={unix_socket}",
        f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={place}/pid",
        f"--init-file={setup}", "--skip-name-resolve",
        f"--ssl-cert={place}/certificate.pem", f"--ssl-key={place}/key.pem",
        "--skip-log-bin", "--max-connections=300", "--performance-schema=OFF",
    ]  # fmt: skip
    found = {"socket": str(unix_socket), "port": port, "user": "hector", "password": PASSWORD}
    return command, unix_socket, found


KINDS = {"postgresql": postgresql, "mariadb": mariadb}
HASTY: dict[str, Words] = {
    "postgresql": ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off"],
    "mariadb": [
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-flush-method=nosync",
        "--innodb-doublewrite=0",
    ],
}
"""Durability in a power cut is not what tests are about. In a crash of the server all is kept."""


def certify(place: Path) -> None:
    """Write a key, and a certificate for 127.0.0.1 that signs itself."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hector-tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (place / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (place / "key.pem").write_bytes(secret)
    (place / "key.pem").chmod(0o600)
    if os.getuid() == 0:
        shutil.chown(place / "key.pem", "nobody")


def _postgresql_folder() -> Path:
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
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
    group = pwd.getpwnam("nobody").pw_gid
    return [*ending, "--reuid=nobody", f"--regid={group}", "--clear-groups", "--"]


def _run(*words: str | Path) -> None:
    command = [*_unprivileged(), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, cwd="/", check=False)
    if done.returncode:
        raise Unavailable(f"{words[0]} failed: {(done.stderr or done.stdout)[-2000:]}")


def _started(command: Words, unix_socket: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a server and wait until it can be reached."""
    gives_up = time.monotonic() + START_S
    while time.monotonic() < gives_up:
        unix_socket.unlink(missing_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_unprivileged(), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/"
            )
        while process.poll() is None and time.monotonic() < gives_up:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(unix_socket))
                if _is_ready(unix_socket.parent):
                    return process
            time.sleep(0.02)
        time.sleep(0.1)  # what the last one left behind may still be ending
    process.kill()
    process.wait()
    raise Unavailable(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _is_ready(place: Path) -> bool:
    """Whether a server that can be reached has started: PostgreSQL listens before, and notes it in a file."""
    noted = place / "data" / "postmaster.pid"
    return not noted.exists() or noted.read_text().split()[-1] == "ready"


def _end(process: subprocess.Popen[bytes], *, at_once: bool) -> None:
    """End a server whose data is of no use to anybody. PostgreSQL has children and memory to let go of."""
    if not at_once:
        process.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
    process.kill()
    process.wait()


def _is_left(folder: Path) -> bool:
    """Whether nobody uses the server any more."""
    try:
        with (folder / "users").open() as users:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _publish(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # who asked is gone already
        unfinished = path.with_suffix(".new")
        unfinished.write_text(text)
        unfinished.replace(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.fork() == 0:  # whoever starts this has nothing to wait for, and its terminal's Ctrl-C is not for us
        os.setsid()
        main()
