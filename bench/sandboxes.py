"""What confining a plugin costs: its start and its calls, in each kind of sandbox beside none.

Rounds are interleaved, so that a machine that slows down does so for all; what is counted is the CPU time of
all processes, which others on the machine change little. What is told is medians, and ratios of them.
"""

import asyncio
import os
import resource
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from figures import Figure
from plan import Plan
from plugins import CALLERS, TEXT, _python, _running

from hector.embedder.v1 import EmbedderProviderStub, EmbedTextRequest
from hector_mesh import Mesh
from hector_plugin_host import PluginPlan, Security
from hector_plugin_host.host import PluginHost
from hector_plugin_host.sandbox import survey
from hector_plugin_host.sandbox.census import stat_of

MEBIBYTE = 1024 * 1024
LIMITED = Security(max_memory_bytes=1024 * MEBIBYTE, max_processes=16, max_cpu=1)
KINDS: dict[str, Security] = {
    "none": Security(),
    "none, three limits": LIMITED,
    "bubblewrap": Security(sandbox="bubblewrap"),
    "bubblewrap, three limits": replace(LIMITED, sandbox="bubblewrap"),
    "landlock": Security(sandbox="landlock"),
}
EACH = 150
"""Calls of each caller in each round."""


def sandboxes(plan: Plan, _: int) -> list[Figure]:
    """Start and calls of a Python plugin in each kind of sandbox."""
    import uvloop

    return uvloop.run(_measured(plan))


async def _measured(plan: Plan) -> list[Figure]:
    kinds = {name: one for name, one in KINDS.items() if _is_here(one)}
    taken: dict[str, list[_Taken]] = {name: [] for name in kinds}
    for number in range(plan.rounds + 1):  # the first warms up
        for name, security in kinds.items():
            one = await _round(security)
            taken[name] += [one] if number else []
    figures = []
    for name in kinds:
        for what, unit in (("start_ms", "ms"), ("start_cpu_ms", "ms"), ("call_cpu_us", "µs")):
            here, none = (statistics.median(getattr(one, what) for one in taken[of]) for of in (name, "none"))
            words = what.removesuffix("_ms").removesuffix("_us").replace("_", ", ").replace("cpu", "CPU")
            figures.append(Figure(f"{name}: {words}", here, unit))
            figures.append(Figure(f"{name}: {words}, of what it is with none", here / none))
    return figures


class _Taken(NamedTuple):
    """What one round took."""

    start_ms: float
    start_cpu_ms: float
    """Of this process and the plugin's."""
    call_cpu_us: float


async def _round(security: Security) -> _Taken:
    before, began = _own_cpu_s(), time.perf_counter()
    async with _confined(security) as host:
        start_s = time.perf_counter() - began
        start_cpu_s = _own_cpu_s() - before + _cpu_s_of(host)
        stub = EmbedderProviderStub(Mesh({"hector.embedder.v1.EmbedderProvider": host.channel("python")}))
        await _calls(stub)
        before = _own_cpu_s() + _cpu_s_of(host)
        await asyncio.gather(*(_calls(stub) for _ in range(CALLERS)))
        call_s = _own_cpu_s() + _cpu_s_of(host) - before
    return _Taken(start_s * 1e3, start_cpu_s * 1e3, call_s / CALLERS / EACH * 1e6)


async def _calls(stub: EmbedderProviderStub) -> None:
    request = EmbedTextRequest(text=TEXT)
    for _ in range(EACH):
        await stub.EmbedText(request)


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu_s_of(host: PluginHost) -> float:
    """Return what a plugin has used, with what stands between it and this process."""
    pid, used = host.status()[0].replicas[0].pid or 0, 0.0
    while pid not in (0, 1, os.getpid()) and (stat := stat_of(pid)) is not None:
        pid, used = stat.parent, used + stat.cpu_s
    return used


@asynccontextmanager
async def _confined(security: Security) -> AsyncIterator[PluginHost]:
    plan: PluginPlan = replace(_python("python"), security=security, hidden=(), folder=Path(__file__).parent)
    async with _running([plan]) as host:
        yield host


def _is_here(security: Security) -> bool:
    machine = survey()
    return {"bubblewrap": bool(machine.bubblewrap), "landlock": bool(machine.landlock)}.get(
        security.sandbox, True
    )
