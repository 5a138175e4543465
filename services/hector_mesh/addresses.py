"""Where a server listens: what may be written, and making the place ready."""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from grpc import StatusCode

from .errors import HectorError
from .occupant import occupant

UNIX_PATH_BYTES = 107
"""The longest path that a unix socket can have on Linux."""


class CannotListen(HectorError):
    """The address cannot be listened on."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CANNOT_LISTEN"

    def __init__(self, listen: str, why: str) -> None:
        super().__init__(f"cannot listen on {listen}: {why}", address=listen)


def unix_path(listen: str) -> Path | None:
    """Return the path in "unix:path" or "unix:///path"; None if `listen` is no unix address."""
    if not listen.startswith("unix:"):
        return None
    return Path(listen.removeprefix("unix:").replace("//", "", 1) if "//" in listen else listen[5:])


class UnixSocket:
    """A unix socket's place: bound beside it, moved there when it is served, taken away when it is left.

    grpc unlinks the path it has bound whenever its server dies, be it somebody else's by then. The
    move also replaces a dead socket in one step, and lets nobody in before the mode is right.
    """

    def __init__(self, listen: str, path: Path) -> None:
        """Check that the place is free, and make its folder if there is none.

        Raises:
            CannotListen: Somebody listens there, what is there is no socket, or the path is too long.
        """
        self._listen = listen
        self._path = path
        self.bound = path.with_name(f".{os.urandom(4).hex()}")
        """The path to bind."""
        self._inode = 0
        if max(len(os.fsencode(path)), len(os.fsencode(self.bound))) > UNIX_PATH_BYTES:
            why = f"the path is longer than {UNIX_PATH_BYTES} bytes; choose a shorter folder"
            raise CannotListen(listen, why)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = path.stat(follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise CannotListen(listen, error.strerror or str(error)) from error
        if not stat.S_ISSOCK(mode):
            raise CannotListen(listen, "something that is no socket is in the way; move it")
        if _answers(path):
            raise CannotListen(listen, "another process listens there; stop it, or choose another path")

    def open(self) -> None:
        """Let callers in: its owner's processes, and nobody else's."""
        self.bound.chmod(0o600)
        self._inode = self.bound.stat().st_ino
        self.bound.replace(self._path)

    def close(self) -> None:
        """Take the socket away, unless it is another server's by now."""
        with suppress(FileNotFoundError):
            if self._path.stat(follow_symlinks=False).st_ino == self._inode:
                self._path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # we cannot tell, so we do not take it away
    return True


def why_not(listen: str) -> str:
    """Return why a TCP address cannot be bound, as the system says it; grpc does not."""
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except ValueError:
        return "it is not host:port, [ip6]:port or unix:/path"
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        by = occupant(int(port)) if error.errno == errno.EADDRINUSE else ""
        return f"{why} by {by}" if by else why
    return "the address cannot be bound"
