"""What the shim is told: limits, rules and filters of one plugin, as it hands them to the kernel."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hector_plugin_host import executable
from hector_plugin_host.plan import PluginPlan

from . import landlock, seccomp
from .inside import Layout
from .machine import Machine
from .networks import Policy
from .runtimes import FLOORS, OTHER_FLOOR, runtime_of
from .syscalls import processor
from .tiers import Tier
from .view import View, listable, outside
from .watchdog import processors_for

FILES, FILE_BYTES = 8192, 4 << 30
"""Descriptors that a confined plugin may have open, and the largest file that it may write."""
_PROC = (
    *("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys/kernel", "sys/vm", "uptime", "version"),
)
_PUBLIC = (
    *(Path("/etc", name) for name in ("group", "hosts", "nsswitch.conf", "passwd", "resolv.conf")),
    *(Path("/proc", name) for name in _PROC),
    Path("/sys/devices/system/cpu"),
)
"""Where no namespace shows it something else: of the machine, not of its users."""
_NAMES = (Path("/run/systemd/resolve"), Path("/run/NetworkManager"))
_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom"))


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Everything that was decided about one life of a plugin."""

    plan: PluginPlan
    machine: Machine
    tier: Tier
    policy: Policy
    layout: Layout
    view: View | None
    """None of a plugin that sees everything."""


def orders_for(sandbox: Sandbox) -> dict[str, Any]:
    """Return the orders, as `shim.py` reads them."""
    here, security = processor(), sandbox.plan.security
    confine = sandbox.tier != "none"
    counts = sandbox.machine.asks and bool(security.max_processes)
    pinned = processors_for(security.max_cpu)
    orders: dict[str, Any] = {
        "confine": confine,
        "limits": _limits(sandbox),
        "processors": pinned,
        "addresses": list(sandbox.layout.addresses),
        "listeners": sandbox.layout.places,
        "filter": b"",
        "asks": counts or is_mediated(sandbox),
        "ruleset": b"",
        "checksum": _checksum(sandbox.plan),
    }
    if here is None or not (confine or counts):
        return orders
    orders["filter"] = seccomp.program(_filter(sandbox, counts=counts, pinned=bool(pinned)), here)
    orders["seccomp_call"] = here.numbers["seccomp"]
    if sandbox.tier == "landlock":
        names = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
        orders["landlock_calls"] = [here.numbers[name] for name in names]
        orders |= _rules(sandbox)
    elif _shares_network(sandbox) and sandbox.machine.landlock >= landlock.CONTROLS_SCOPE:
        names = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
        orders["landlock_calls"] = [here.numbers[name] for name in names]
        orders |= {"ruleset": landlock.abstract_sockets_alone(), "rules": [], "own_rules": []}
    return orders


def _checksum(plan: PluginPlan) -> tuple[str, ...]:
    return (str(executable.pinned(plan)), plan.sha256.lower()) if plan.sha256 else ()


def _filter(sandbox: Sandbox, *, counts: bool, pinned: bool) -> seccomp.Filter:
    if sandbox.tier != "landlock" or sandbox.policy.anywhere:
        return seccomp.Filter(
            confined=sandbox.tier != "none",
            unix_streams_only=sandbox.tier == "landlock",
            asks_connects=is_mediated(sandbox),
            counts_processes=counts,
            pinned=pinned,
        )
    reaches = not sandbox.policy.nowhere
    internet = (seccomp.AF_INET, seccomp.AF_INET6) if _listens(sandbox) or reaches else ()
    mediated = is_mediated(sandbox)
    return seccomp.Filter(
        families=(seccomp.AF_UNIX, *internet),
        streams_only=True,
        connects=not sandbox.plan.grants.nothing,
        asks_connects=mediated,
        counts_processes=counts,
        pinned=pinned,
    )


def is_mediated(sandbox: Sandbox) -> bool:
    """Say whether the host connects in the plugin's place: it may connect to something, and never to all.

    Even with all networks, this machine's unix sockets are not for it.
    """
    if sandbox.tier != "landlock" or not sandbox.machine.asks:
        return False
    if sandbox.policy.anywhere:
        return sandbox.machine.lends
    return not sandbox.policy.nowhere or not sandbox.plan.grants.nothing


def _shares_network(sandbox: Sandbox) -> bool:
    """Say whether a plugin shares the network to which the host's sockets without a file belong."""
    return sandbox.tier == "bubblewrap" and sandbox.policy.anywhere


def _listens(sandbox: Sandbox) -> bool:
    """Say whether a plugin without a network of its own may listen at a TCP port all the same."""
    return sandbox.plan.mode == "listen" and sandbox.machine.landlock >= landlock.CONTROLS_TCP


def _rules(sandbox: Sandbox) -> dict[str, Any]:
    abi, view = sandbox.machine.landlock, sandbox.view
    assert view is not None
    readable = [*outside(view), *_PUBLIC, *(_NAMES if sandbox.policy.anywhere else ())]
    rules = landlock.rules(abi, readable, [*view.writable, *_DEVICES])
    return {
        "ruleset": landlock.ruleset(abi, tcp=not sandbox.policy.anywhere),
        "rules": [*rules, *((str(place), landlock.READ_DIR) for place in listable(view))],
        "own_rules": [("/proc/self", landlock.READ)],
    }


def _limits(sandbox: Sandbox) -> list[tuple[int, int, int]]:
    limits = [(resource.RLIMIT_CORE, 0, 0)]
    plan = sandbox.plan
    if sandbox.tier != "none":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        limits += [(resource.RLIMIT_NOFILE, files, files), (resource.RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES)]
    if plan.security.max_memory_bytes:
        path = plan.env.get("PATH") or os.environ.get("PATH", os.defpath)
        floor = FLOORS.get(runtime_of(plan.command, path), OTHER_FLOOR)
        most = max(plan.security.max_memory_bytes, floor)
        limits.append((resource.RLIMIT_DATA, most, most))
    return limits
