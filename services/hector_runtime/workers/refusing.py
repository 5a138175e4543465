"""What several workers cannot do, said before any of them begins."""

import sys
from collections.abc import Sequence
from pathlib import Path

from grpc import StatusCode

from hector_mesh import HectorError
from hector_mesh.addresses import unix_path
from hector_runtime.config import Config
from hector_store.url import parse

from .member import LOCAL


class WorkersCannot(HectorError):
    """Several workers cannot be what is asked of them; one process can."""

    code, reason = StatusCode.FAILED_PRECONDITION, "WORKERS_CANNOT"

    def __init__(self, count: int, why: str, instead: str) -> None:
        super().__init__(f"{count} workers cannot run here: {why}; {instead}", workers=count)


def check(config: Config, roles: Sequence[str], listen: str | None) -> None:
    """Refuse what several workers cannot do.

    Raises:
        WorkersCannot: The message says what is in the way, and what to do.
    """
    count = config.server.workers
    one = "leave --workers and server.workers out"
    if sys.platform != "linux":
        raise WorkersCannot(count, "only Linux shares a port fairly between processes", one)
    if parse(config.storage.database, Path.cwd()).in_memory:
        why = "a database in memory belongs to one process"
        raise WorkersCannot(
            count, why, f"give them one with --database sqlite://FILE or a server's URL, or {one}"
        )
    if listen and unix_path(listen) is not None:
        why = f"a unix socket belongs to one process, and all would listen at {listen}"
        raise WorkersCannot(count, why, "let them listen at a TCP address, as --listen 127.0.0.1:7010")
    if local := [role for role in roles if role in LOCAL]:
        why = f"{' and '.join(local)} own files that only one process may have"
        flags = " ".join(f"--role {role}" for role in local)
        raise WorkersCannot(
            count, why, f"run them in a process of their own, with {flags} and without --workers"
        )
