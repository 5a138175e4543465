"""How many connections fit into the files that the process may have open."""

from functools import lru_cache

from grpc import StatusCode

from hector_mesh import HectorError

RESERVED = 128
"""Files for everything else: the database, other roles, models."""

ENOUGH = 65_536
LEAST = 64


class TooFewFiles(HectorError):
    """The system lets the process open hardly any files."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "TOO_FEW_FILES"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"this process may have only {limit} files open, and needs {LEAST} to begin with; raise the "
            "limit, as with `ulimit -n 4096` or LimitNOFILE= in its systemd unit",
            limit=limit,
        )


def raise_limit() -> None:
    """Let the process open as many files as the system lets it, as servers do.

    Raises:
        TooFewFiles: That is next to none; libraries below us would abort without a word.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        _open_files.cache_clear()
    if _open_files() < LEAST:
        raise TooFewFiles(_open_files())


def most_connections(configured: int) -> int:
    """Return how many connections to take: what is configured, or as many as there are files for."""
    return min(configured, max(1, _open_files() - RESERVED))


@lru_cache(maxsize=1)
def _open_files() -> int:
    try:
        import resource
    except ImportError:
        return ENOUGH
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
