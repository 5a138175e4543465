"""The first kind of sandbox: bubblewrap's command line, for a machine with almost nothing in it."""

from collections.abc import Sequence
from pathlib import Path

from .places import SYSTEM
from .view import View, parts

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_TEMPORARY_BYTES = 64 * 1024 * 1024
"""Of /tmp and of memory that processes share by name: both are the machine's memory."""


def command(
    program: str, view: View, files: Path, *, network: bool, capabilities: Sequence[str]
) -> list[str]:
    """Return what comes before the command that is to run inside.

    Args:
        program: The path of bwrap.
        view: What is there inside.
        files: A folder of the host's with what to show in place of /etc/hosts and the like.
        network: Whether it shares the host's network; else it gets an empty one.
        capabilities: What the shim may do inside before it gives that up.
    """
    words = [
        program,
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    if not network:
        words.append("--unshare-net")
    words += ["--die-with-parent", "--hostname", "plugin", "--cap-drop", "ALL"]
    for capability in capabilities:
        words += ["--cap-add", capability]
    words += ["--size", str(_TEMPORARY_BYTES), "--tmpfs", "/tmp", "--proc", "/proc"]
    words += _devices()
    links = [place for place in SYSTEM if place.is_symlink()]
    for place in links:
        words += ["--symlink", str(place.readlink()), str(place)]
    for place in view.readable:
        if place not in links:
            for part in parts(view, place):
                words += _shown(part)
    for place in filter(Path.exists, view.hidden):
        words += ["--tmpfs", str(place)] if place.is_dir() else ["--ro-bind", "/dev/null", str(place)]
    for place in sorted(view.granted):
        words += _shown(place)
    for place in sorted(view.writable):
        words += ["--bind", str(place.resolve()), str(place)]
    for file in sorted(files.iterdir()):
        words += ["--ro-bind", str(file), f"/etc/{file.name}"]
    for place in view.hidden:
        if place.is_dir():
            words += ["--remount-ro", str(place)]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(view.folder)]


def _shown(place: Path) -> list[str]:
    return ["--ro-bind", str(place.resolve()), str(place)]


def _devices() -> list[str]:
    """Return a /dev without terminals.

    For those bubblewrap would need one more user namespace, where nobody could listen below port 1024.
    """
    words = ["--tmpfs", "/dev"]
    for name in _DEVICES:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        words += ["--symlink", f"/proc/self/fd/{number}", f"/dev/{name}"]
    words += ["--symlink", "/proc/self/fd", "/dev/fd"]
    return [*words, "--size", str(_TEMPORARY_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"]
