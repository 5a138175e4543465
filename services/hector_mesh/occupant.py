"""Who has a port that is taken, as far as Linux tells: only processes of the same user can be looked at."""

from collections.abc import Iterator
from pathlib import Path

_LISTENING = "0A"


def occupant(port: int, proc: Path = Path("/proc")) -> str:
    """Return "hector (process 123)" for who listens on a port; empty if that cannot be known."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not wanted:
        return ""
    for process in proc.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                return f"{name} (process {process.name})"
        except OSError:  # it has ended, or is somebody else's
            continue
    return ""


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
