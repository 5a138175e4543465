"""How many connections fit into the files that the process may have open."""

from functools import lru_cache

RESERVED = 128
"""Files for everything else: the database, other roles, models."""

ENOUGH = 65_536


def raise_limit() -> None:
    """Let the process open as many files as the system lets it, as servers do."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        _open_files.cache_clear()


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
