"""Looks at a plugin's process from outside, and says whether it is confined as it should be."""

from pathlib import Path

from .tiers import Tier


def why_not_held(pid: int, tier: Tier, *, own_network: bool) -> str:
    """Return what does not hold of a plugin's sandbox; empty: everything that can be seen does.

    Args:
        pid: The plugin's own process.
        tier: What is to confine it.
        own_network: Whether it is to have a network of its own.
    """
    if tier == "none":
        return ""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""  # it has ended already, which others will notice
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    for name, wanted in (("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapEff", "0" * 16), ("CapPrm", "0" * 16)):
        if status.get(name, "") != wanted:
            return f"{name} of process {pid} is {status.get(name, 'not to be seen')}, and should be {wanted}"
    if tier == "bubblewrap":
        for name in ("user", "mnt", "pid", "ipc", *(("net",) if own_network else ())):
            if _namespace(pid, name) == _namespace("self", name):
                return f"process {pid} shares the host's {name} namespace"
    return ""


def _namespace(pid: int | str, name: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/{name}").readlink())
    except OSError as error:
        return f"{pid}: {error}"
