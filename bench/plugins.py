"""What a call of a plugin costs, and a plugin that nobody calls: real processes, called through the mesh.

The host is this process, with uvloop as `hector serve` has it; plugins share the machine with it. One in Go
is measured where scripts/plugins.sh can build it.
"""

import asyncio
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from figures import Figure
from plan import Plan

from hector.common.v1 import ROLE_USER, Message, Part
from hector.embedder.v1 import EmbedBatchRequest, EmbedderProviderStub, EmbedTextRequest
from hector.llm.v1 import LLMProviderStub, StreamTextRequest
from hector_mesh import Mesh, streaming
from hector_plugin_host import Limits, PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.premises import Premises

ROOT = Path(__file__).parents[1]
GO = ROOT / "build/plugins/go"
PROGRAM = Path(__file__).with_name("plugin_program.py")
CALLERS = 32
TEXT = "x" * 1000
BATCH = EmbedBatchRequest(texts=["x"] * 128)
MEBIBYTE = 1024 * 1024


def plugins(plan: Plan, _: int) -> list[Figure]:
    """Calls, streams and vectors of plugins in Python and Go, their start, and what idle ones cost."""
    import uvloop

    return uvloop.run(_measured(plan))


async def _measured(plan: Plan) -> list[Figure]:
    figures = []
    async with _running([_python("python")]) as host:
        unary = await _unary(host, "python", plan)
        figures += [
            Figure("Python plugin, one call, p50", unary[0], "ms", 0.8),
            Figure("Python plugin, calls, 32 callers", unary[1], "/s", 2_500, more_is_better=True),
        ]
        words = StreamTextRequest(prompt=str(_words(plan)))
        rate = await _streamed(host, "python", words, plan)
        figures.append(Figure("Python plugin, streamed deltas", rate, "/s", 10_000, more_is_better=True))
        vectors_ms = await _vectors(host, "python", plan)
        figures.append(Figure("128 vectors of 1536 from a Python plugin", vectors_ms, "ms", 5))
    figures.append(Figure("Python plugin, start to ready", await _ready_s(_python, plan), "s", 0.3))
    many = 10 if plan.rounds == 1 else 50
    figures.append(Figure(f"{many} Python plugins at once", await _all_ready_s(_python, many), "s", 8))
    if _has_go(plan):
        figures += await _of_go(plan, many)
    else:
        print("plugins in Go are left out: none are built here", file=sys.stderr)
    return figures


async def _of_go(plan: Plan, many: int) -> list[Figure]:
    async with _running([_go("embedder"), _go("llm")]) as host:
        unary = await _unary(host, "embedder", plan)
        words = " ".join(["word"] * _words(plan))
        request = StreamTextRequest(messages=[Message(role=ROLE_USER, parts=[Part(text=words)])])
        rate = await _streamed(host, "llm", request, plan)
    return [
        Figure("Go plugin, one call, p50", unary[0], "ms"),
        Figure("Go plugin, calls, 32 callers", unary[1], "/s", 8_000, more_is_better=True),
        Figure("Go plugin, streamed deltas", rate, "/s", 10_000, more_is_better=True),
        Figure("Go plugin, start to ready", await _ready_s(lambda name: _go("embedder"), plan), "s"),
        Figure(f"{many} Go plugins at once", await _all_ready_s(_go_named, many), "s", 8),
        Figure("an idle plugin, in the host", await _idle_mebibytes(many), "MiB", 2),
    ]


async def _unary(host: PluginHost, name: str, plan: Plan) -> tuple[float, float]:
    """Return the median milliseconds of calls one after the other, and calls a second of many callers."""
    stub = EmbedderProviderStub(Mesh({"hector.embedder.v1.EmbedderProvider": host.channel(name)}))
    request = EmbedTextRequest(text=TEXT)

    async def call() -> None:
        await stub.EmbedText(request)

    await _for(plan.warm_up_s, call)
    singles = [await _for(plan.seconds / 2, call) for _ in range(plan.rounds)]
    crowds = []
    for _ in range(plan.rounds):
        began = time.perf_counter()
        taken = await asyncio.gather(*(_for(plan.seconds, call) for _ in range(CALLERS)))
        crowds.append(sum(map(len, taken)) / (time.perf_counter() - began))
    return statistics.median(map(statistics.median, singles)) * 1000, statistics.median(crowds)


async def _for(seconds: float, call: Callable[[], Awaitable[None]]) -> list[float]:
    """Call again and again, and return how long each call took."""
    taken, until = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        await call()
        taken.append(time.perf_counter() - began)
    return taken


async def _streamed(host: PluginHost, name: str, request: StreamTextRequest, plan: Plan) -> float:
    stub = LLMProviderStub(Mesh({"hector.llm.v1.LLMProvider": host.channel(name)}))
    rates = []
    for _ in range(plan.rounds + 1):  # the first warms up
        count, began = 0, time.perf_counter()
        async with streaming(stub.StreamText(request)) as pieces:
            async for piece in pieces:
                count += bool(piece.text)
        rates.append(count / (time.perf_counter() - began))
        assert count == _words(plan)
    return statistics.median(rates[1:])


async def _vectors(host: PluginHost, name: str, plan: Plan) -> float:
    import numpy as np

    stub = EmbedderProviderStub(Mesh({"hector.embedder.v1.EmbedderProvider": host.channel(name)}))

    async def call() -> None:
        answer = await stub.EmbedBatch(BATCH)
        vectors = np.frombuffer(b"".join(one.vector_f32 for one in answer.embeddings), "<f4")
        assert vectors.size == 128 * 1536

    await _for(plan.warm_up_s, call)
    return statistics.median(await _for(plan.seconds, call)) * 1000


async def _ready_s(made: Callable[[str], PluginPlan], plan: Plan) -> float:
    return statistics.median([await _all_ready_s(made, 1) for _ in range(plan.starts)])


async def _all_ready_s(made: Callable[[str], PluginPlan], count: int) -> float:
    began = time.perf_counter()
    async with _running([made(f"plugin-{number}") for number in range(count)]):
        return time.perf_counter() - began


async def _idle_mebibytes(count: int) -> float:
    async with _running([_go_named("first")]):
        pass  # what is imported and allocated once
    gc.collect()
    before = _resident()
    async with _running([_go_named(f"plugin-{number}") for number in range(count)]):
        gc.collect()
        return (_resident() - before) / count / MEBIBYTE


@asynccontextmanager
async def _running(plans: Sequence[PluginPlan]) -> AsyncIterator[PluginHost]:
    with tempfile.TemporaryDirectory(prefix="hector-bench-") as folder:
        host = PluginHost(plans, Premises(state_dir=Path(folder)))
        async with host.running():
            async with asyncio.timeout(60):
                await host.settled()
            unwell = [f"{one.name}: {one.reason}" for one in host.status() if one.state != "ready"]
            assert not unwell, unwell
            yield host


def _python(name: str) -> PluginPlan:
    command = (sys.executable, str(PROGRAM))
    return PluginPlan(name, command=command, folder=PROGRAM.parent, limits=Limits(start_timeout_s=60))


def _go(name: str) -> PluginPlan:
    return PluginPlan(name, command=(str(GO / name),), folder=GO, limits=Limits(start_timeout_s=60))


def _go_named(name: str) -> PluginPlan:
    return PluginPlan(name, command=_go("embedder").command, folder=GO, limits=Limits(start_timeout_s=60))


def _has_go(plan: Plan) -> bool:
    """Say whether there are plugins in Go; a quick round takes what has been built before."""
    if plan.rounds == 1:
        return (GO / "embedder").exists() and (GO / "llm").exists()
    built = subprocess.run([ROOT / "scripts/plugins.sh", "go"], check=False, stdout=sys.stderr)
    return built.returncode == 0


def _words(plan: Plan) -> int:
    return 5_000 if plan.rounds == 1 else 20_000


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
