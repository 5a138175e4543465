"""What this machine can confine plugins with, found out by trying, once for each process."""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import landlock, lending
from .syscalls import processor

_TRIAL_S = 10.0
_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is here, and what is missing, in words."""

    system: str
    """As sys.platform."""
    kernel: str
    bubblewrap: str = ""
    """The path of the program, if it works."""
    bubblewrap_missing: str = ""
    """Why it does not work; empty if it does."""
    landlock: int = 0
    """The version of Landlock; 0: none."""
    landlock_missing: str = ""
    """Why the second tier does not work; empty if it does."""
    filters: bool = False
    """Whether system calls can be filtered."""
    asks: bool = False
    """Whether a filter can ask the host before a process is made."""
    lends: bool = False
    """Whether the host can connect with a plugin's own sockets."""

    @property
    def best(self) -> str:
        """What confines a plugin whose configuration does not choose."""
        return "bubblewrap" if self.bubblewrap else "landlock" if self.landlock else "none"

    @property
    def linux(self) -> bool:
        """Whether anything here can be enforced at all."""
        return self.system == "linux"


@cache
def survey() -> Machine:
    """Look at this machine. Takes some ten milliseconds, as bubblewrap is tried; later calls take none."""
    kernel = platform.release()
    if sys.platform != "linux":
        missing = f"unavailable ({platform.system() or sys.platform}: it needs Linux)"
        return Machine(sys.platform, kernel, bubblewrap_missing=missing, landlock_missing=missing)
    actions = _actions()
    program, why = _bubblewrap()
    abi, why_not = _landlock(kernel)
    filters = "errno" in actions and processor() is not None
    if not filters and not why_not:
        why_not = f"unavailable (no filter for system calls on {platform.machine()} with this kernel)"
    if not filters and not why:
        why = f"unavailable (no filter for system calls on {platform.machine()} with this kernel)"
    asks = filters and "user_notif" in actions and _at_least(kernel, 5, 5)
    return Machine(
        sys.platform,
        kernel,
        bubblewrap=program if not why else "",
        bubblewrap_missing=why,
        landlock=abi if not why_not else 0,
        landlock_missing=why_not,
        filters=filters,
        asks=asks,
        lends=asks and lending.can_take(),
    )


def _bubblewrap() -> tuple[str, str]:
    program = shutil.which("bwrap")
    if program is None:
        return "", "unavailable (bwrap is not installed)"
    # All that a plugin's sandbox needs of it: some containers let it make namespaces but mount nothing.
    trial = [program, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--tmpfs", "/tmp"]
    trial += [
        "--proc",
        "/proc",
        "--cap-drop",
        "ALL",
        "--cap-add",
        "CAP_NET_BIND_SERVICE",
        "--",
        "/proc/self/exe",
        "--version",
    ]
    try:
        ended = subprocess.run(
            trial, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TRIAL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return program, f"bwrap: {error}"
    if ended.returncode == 0:
        return program, ""
    words = ended.stderr.decode(errors="replace").strip().splitlines()
    said = words[0] if words else f"bwrap: ended with code {ended.returncode}"
    return program, said + _hint(said)


def _hint(said: str) -> str:
    if "namespace" in said or "uid map" in said or "setting up" in said or "proc" in said:
        return "  (Docker's default seccomp profile, or kernel.apparmor_restrict_unprivileged_userns=1)"
    return ""


def _landlock(kernel: str) -> tuple[int, str]:
    try:
        return landlock.version(), ""
    except OSError as error:
        if processor() is None:
            return 0, f"unavailable ({error.strerror})"
        if not _at_least(kernel, 5, 13):
            return 0, f"unavailable (kernel {_short(kernel)} < 5.13)"
        return 0, f"unavailable (kernel {_short(kernel)} has it switched off: add landlock to its lsm= list)"


def _actions() -> frozenset[str]:
    try:
        return frozenset(_ACTIONS.read_text().split())
    except OSError:
        return frozenset()


def _at_least(kernel: str, major: int, minor: int) -> bool:
    numbers = [int(part) for part in _short(kernel).split(".") if part.isdecimal()]
    return [*numbers, 0, 0][:2] >= [major, minor]


def _short(kernel: str) -> str:
    return ".".join(kernel.split("-")[0].split(".")[:2])
