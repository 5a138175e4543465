"""Backups of databases on servers, by their own programs; no password stands in a program's arguments."""

import asyncio
import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hector_store.server_url import POSTGRESQL, ServerPlace

from .errors import BackupExists, BackupFailed, BackupUnusable, ProgramMissing

END_S = 5.0
_COMPLETE = b"-- Dump completed"
_TAIL_BYTES = 4096


def dump_command(place: ServerPlace, file: str) -> str:
    """Return the command that backs a database up, for people to run; without the password."""
    ask = "--password" if place.kind != POSTGRESQL and place.password else ""
    words = [*_dump_words(place, file), *([ask] if ask else [])]
    return shlex.join(words) + ("" if place.kind == POSTGRESQL else f" > {shlex.quote(file)}")


def restore_command(place: ServerPlace, file: str) -> str:
    """Return the command that puts a backup back, for people to run; without the password."""
    if place.kind == POSTGRESQL:
        words = ["pg_restore", "--clean", "--if-exists", "--single-transaction", *_postgresql(place)]
        return shlex.join([*words, f"--dbname={place.database}", file])
    ask = ["--password"] if place.password else []
    return shlex.join(["mariadb", *_mysql(place), *ask, place.database]) + f" < {shlex.quote(file)}"


async def dump(place: ServerPlace, file: Path) -> int:
    """Back a database up into a file, see that it is whole, and return its size in bytes.

    Raises:
        HectorError: There is no backup: BackupExists, ProgramMissing, BackupFailed, BackupUnusable.
    """
    program = _program(place)
    if shutil.which(program) is None:
        raise ProgramMissing(program, dump_command(place, str(file)))
    with _appearing(file) as partial:
        with _credentials(place) as (first, environment), partial.open("wb") as out:
            words = _dump_words(place, "")
            await _run([words[0], *first, *words[1:]], environment, file, out.fileno())
        if place.kind == POSTGRESQL:
            await _see_list(partial, file)
        else:
            _see_end(partial, file)
        return partial.stat().st_size


@contextmanager
def _appearing(file: Path) -> Iterator[Path]:
    """Give a file to write; it gets its name when the block ends well, and replaces nothing."""
    if os.path.lexists(file):
        raise BackupExists(str(file))
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield partial
        os.link(partial, file)
    except FileExistsError:
        raise BackupExists(str(file)) from None
    except OSError as error:
        raise BackupFailed(str(file), error.strerror or type(error).__name__) from error
    finally:
        partial.unlink(missing_ok=True)


def _program(place: ServerPlace) -> str:
    if place.kind == POSTGRESQL:
        return "pg_dump"
    return "mysqldump" if place.kind == "mysql" and shutil.which("mysqldump") else "mariadb-dump"


def _dump_words(place: ServerPlace, file: str) -> list[str]:
    if place.kind == POSTGRESQL:
        to = [f"--file={file}"] if file else []
        return ["pg_dump", "--format=custom", *_postgresql(place), *to, place.database]
    # One moment of all tables, and rows as they are: no client's character set in between.
    words = ["--single-transaction", "--quick", "--hex-blob", "--default-character-set=utf8mb4"]
    return [_program(place), *_mysql(place), *words, place.database]


def _postgresql(place: ServerPlace) -> list[str]:
    host, port = place.socket or place.host, place.port
    return [
        *([f"--host={host}"] if host else []),
        *([f"--port={port}"] if port else []),
        *([f"--username={place.user}"] if place.user else []),
        "--no-password",
    ]


def _mysql(place: ServerPlace) -> list[str]:
    if place.socket:
        where = [f"--socket={place.socket}"]
    else:
        where = [f"--host={place.host}", f"--port={place.port}", "--protocol=tcp"]
    tls = place.tls
    if tls.mode in ("require", "verify-ca", "verify-full"):
        where.append("--ssl")
    if tls.mode == "verify-full":
        where.append("--ssl-verify-server-cert")
    where += [f"--ssl-ca={tls.root}"] if tls.root else []
    where += [f"--ssl-cert={tls.certificate}", f"--ssl-key={tls.key}"] if tls.certificate else []
    return [*where, *([f"--user={place.user}"] if place.user else [])]


@contextmanager
def _credentials(place: ServerPlace) -> Iterator[tuple[Sequence[str], Mapping[str, str]]]:
    """Give a program the password: where nobody but this user can read it, and for as long as it runs."""
    if place.kind != POSTGRESQL:
        if not place.password:
            yield [], {}
            return
        with tempfile.TemporaryDirectory(prefix="hector-") as folder:
            options = Path(folder, "my.cnf")
            quoted = place.password.replace("\\", "\\\\").replace('"', '\\"')
            options.touch(mode=0o600)
            options.write_text(f'[client]\npassword="{quoted}"\n')
            yield [f"--defaults-extra-file={options}"], {}
        return
    tls = place.tls
    found = {
        "PGPASSWORD": place.password,
        "PGSSLMODE": "" if place.socket else tls.mode,
        "PGSSLROOTCERT": tls.root,
        "PGSSLCERT": tls.certificate,
        "PGSSLKEY": tls.key,
        "PGCONNECT_TIMEOUT": str(int(place.connect_s)),
    }
    yield [], {name: value for name, value in found.items() if value}


async def _run(words: Sequence[str], environment: Mapping[str, str], file: Path, out: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=out,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        _, told = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
        raise
    if process.returncode:
        lines = told.decode(errors="replace").strip().splitlines()
        raise BackupFailed(str(file), lines[-1] if lines else f"{words[0]} ended with {process.returncode}")


def _see_end(partial: Path, file: Path) -> None:
    """See that a dump of MariaDB or MySQL is whole: its last line says so."""
    with partial.open("rb") as dumped:
        dumped.seek(max(0, partial.stat().st_size - _TAIL_BYTES))
        if _COMPLETE not in dumped.read():
            raise BackupUnusable(str(file), "its end is missing")


async def _see_list(partial: Path, file: Path) -> None:
    """See that PostgreSQL's own program finds the runs in a dump."""
    if shutil.which("pg_restore") is None:
        return
    checking = await asyncio.create_subprocess_exec(
        *("pg_restore", "--list", str(partial)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    listed, told = await checking.communicate()
    if checking.returncode or b" runs " not in listed:
        raise BackupUnusable(str(file), told.decode(errors="replace").strip() or "it holds no runs")
