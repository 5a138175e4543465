"""D, C and R: deadlines, cancelled calls, many at once, and what is left of them."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.plugin.v1 import (
    PLUGIN_KIND_AGENT,
    PLUGIN_KIND_DATABASE_PROVIDER,
    PLUGIN_KIND_TOOL_PROVIDER,
    PluginKind,
)
from hector.tool.v1 import ToolProviderStub
from hector.vector.v1 import DatabaseProviderStub, SearchVectorsRequest
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.connected import Plugin
from hector_plugin.conformance.kinds import Call, stream_of, work
from hector_plugin.conformance.planets import NAME, PLANETS, filled, packed
from hector_plugin.conformance.stage import Stage
from hector_plugin.conformance.tool_calls import slow

AT_ONCE = 64
CANCELLED = 100
CALLS = 5_000
ROUNDS, ROUND_S = 16, 5.0
LEAK_BYTES, NOISE_BYTES = 512, 1 << 20
CLEAR_BYTES = 8_000
FILLED_BYTES = 96 << 20
"""What no heap takes before it is swept: Node's takes 80 MiB, up to 15 kB a call that leaves nothing."""


@check(
    "D1",
    MUST,
    "a missed deadline leaves it healthy",
    rule="a call whose deadline is over ends there; the calls after it are served as before",
    mend="let deadlines cancel the work; do not keep locks over a cancelled call",
)
async def missed_deadline(stage: Stage) -> None:
    async with stage.connected() as plugin:
        for kind in _some(stage):
            call = await work(kind, plugin, stage.subject)
            for turn in range(20):  # the first may not even get there
                await plugin.answer(call.stub, call.rpc, call.request, timeout_s=0.001 * (turn + 1))
            await plugin.still_lives(f"{call.rpc} twenty times with a deadline of 1 to 20 ms")
            found = await plugin.answer(call.stub, call.rpc, call.request)
            if found.code in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED):
                raise Broken(str(found), f"{call.rpc} after twenty missed deadlines")


@check(
    "D2",
    SHOULD,
    "work stops with its call",
    rule="when a deadline is over or a call is cancelled, what it started stops: the plugin can leave at "
    "once",
    mend="write handlers that can be cancelled, and hand the cancellation on to what they wait for",
)
async def work_stops(stage: Stage) -> None:
    if PLUGIN_KIND_TOOL_PROVIDER not in stage.kinds:
        raise NotApplicable("only tools can be asked for slow work")
    async with stage.connected() as plugin:
        request = await slow(plugin, stage.subject)
        if request is None:
            raise NotApplicable("no slow call is known: name one with `slow` in --config, or --slow")
        process = plugin.process
        if process is None:
            raise NotApplicable("needs a command to start it, not an endpoint")
        found = await plugin.answer(ToolProviderStub, "ExecuteTool", request, timeout_s=0.5)
        if found.code is not StatusCode.DEADLINE_EXCEEDED:
            raise Broken(f"{found}, and not DEADLINE_EXCEEDED")
        sent = f"{plugin.sent} with a deadline of 0.5 s, then Shutdown(grace_s=15)"
        await plugin.shut_down(15)
        if await process.wait(5.0) is None:
            raise Broken("it still works on it after 5 s", sent)


@check(
    "D3",
    MUST,
    "a cancelled stream frees its place",
    rule="a hundred streams that are cancelled after their first message cost nothing: the next call is "
    "served",
    mend="release what a stream holds when it is cancelled, not only when it ends",
)
async def cancelled_streams(stage: Stage) -> None:
    async with stage.connected() as plugin:
        tried = False
        for kind in _some(stage):
            call = await stream_of(kind, plugin, stage.subject)
            if call is None:
                continue
            for number in range(CANCELLED):
                try:
                    async with plugin.streaming(call.stub, call.rpc, call.request) as messages:
                        # A stream may be silent for long: that it could be opened is enough.
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.05 if number > 2 else 1.0):
                                await messages.read()
                except AioRpcError as error:
                    if error.code() is StatusCode.UNIMPLEMENTED:
                        break
                    raise Broken(
                        f"stream {number + 1} of {CANCELLED}: {error.code().name}: {error.details()}"
                    ) from None
            else:
                tried = True
                await plugin.still_lives(f"{call.rpc}, cancelled {CANCELLED} times")
                after = await work(kind, plugin, stage.subject)
                found = await plugin.answer(after.stub, after.rpc, after.request)
                if found.code in (
                    StatusCode.RESOURCE_EXHAUSTED,
                    StatusCode.UNAVAILABLE,
                    StatusCode.DEADLINE_EXCEEDED,
                ):
                    raise Broken(f"the call after it: {found}", f"{call.rpc}, cancelled {CANCELLED} times")
        if not tried:
            raise NotApplicable("it has no stream that may be tried")


@check(
    "C1",
    MUST,
    "64 calls at once are served",
    rule="64 calls at once come to what one comes to, each within its deadline; those beyond max_concurrency "
    "may be "
    "RESOURCE_EXHAUSTED",
    mend="serve calls side by side; say max_concurrency in GetInfo if you can only serve some",
)
async def many_at_once(stage: Stage) -> None:
    async with stage.connected() as plugin:
        for kind in _some(stage):
            await _together(plugin, stage, kind, AT_ONCE)
        await plugin.still_lives(f"{AT_ONCE} calls at once")


@check(
    "C2",
    MUST,
    "it keeps to its max_concurrency",
    rule="as many calls at once as GetInfo says are all served; the host never sends more",
    mend="say the number that you really serve",
)
async def keeps_to_its_number(stage: Stage) -> None:
    async with stage.connected() as plugin:
        most = plugin.info.max_concurrency if plugin.info else 0
        if not most:
            raise NotApplicable("it says no max_concurrency")
        for kind in _some(stage):
            for _ in range(3):
                await _together(plugin, stage, kind, min(most, 256))


@check(
    "R1",
    MUST,
    "5,000 calls leave nothing behind",
    rule="when its work is asked for 5,000 times, or as often as five seconds allow, and again, its "
    "memory stops growing: one of sixteen rounds adds less than 512 bytes a call, or less than 1 MiB",
    mend="look for lists and caches that only grow, and for tasks that nobody ends",
)
async def leaves_nothing_behind(stage: Stage) -> None:
    async with _at_work(stage) as (plugin, calls):
        if plugin.process is None or not sys.platform.startswith("linux"):
            raise NotApplicable("memory can only be measured of a process on Linux")
        begun = time.monotonic()
        warm = await _many(plugin, calls, CALLS // 5, ROUND_S)
        most = min(CALLS, int(warm * ROUND_S / (time.monotonic() - begun)) + 1)
        sizes, grown = [_memory(plugin)], list[float]()
        for _ in range(ROUNDS):
            made = await _many(plugin, calls, most, ROUND_S)
            sizes.append(_memory(plugin))
            # A heap may be filled before it is swept: what counts is whether it goes on growing.
            if sizes[-1] - sizes[-2] < max(NOISE_BYTES, LEAK_BYTES * made):
                return
            grown.append((sizes[-1] - sizes[-2]) / made)
            if is_clear(sizes, grown):
                break
        asked = " and ".join(call.rpc for call in calls)
        came = f"MiB: {' → '.join(f'{size >> 20}' for size in sizes)}; some {grown[-1] / 1000:.1f} kB a call"
        raise Broken(came, f"{len(grown)} rounds of {made:,} calls of {asked}")


def is_clear(sizes: Sequence[int], grown: Sequence[float]) -> bool:
    """Tell whether a process whose memory grew so many bytes a call leaks for sure, with no more rounds."""
    return len(grown) > 2 and min(grown[-3:]) > CLEAR_BYTES and sizes[-1] - sizes[0] > FILLED_BYTES


def _some(stage: Stage) -> tuple["PluginKind.ValueType", ...]:
    if not stage.kinds:
        raise NotApplicable("it is of no known kind")
    return stage.kinds


async def _together(plugin: Plugin, stage: Stage, kind: "PluginKind.ValueType", number: int) -> None:
    call = await work(kind, plugin, stage.subject)
    alone = await plugin.answer(call.stub, call.rpc, call.request)
    most = (plugin.info.max_concurrency if plugin.info else 0) or number
    begun = time.monotonic()
    limit_s = 4 * plugin.timeout_s
    found = await asyncio.gather(
        *(plugin.answer(call.stub, call.rpc, call.request, timeout_s=limit_s) for _ in range(number))
    )
    codes = [one.code for one in found]
    served = codes.count(alone.code)
    refused = codes.count(StatusCode.RESOURCE_EXHAUSTED)
    if served + refused < number or served < min(number, most):
        other = next(one for one in found if one.code is not alone.code)
        took = time.monotonic() - begun
        raise Broken(
            f"{served} of {number} came to {alone.code.name} in {took:.1f} s; another one: {other}",
            f"{call.rpc}, {number} at once",
        )


@asynccontextmanager
async def _at_work(stage: Stage) -> AsyncIterator[tuple[Plugin, list[Call]]]:
    """Give a plugin, and for each of its kinds a call that makes it work."""
    kinds = _some(stage)
    # A store is searched where there is something to find.
    is_store = PLUGIN_KIND_DATABASE_PROVIDER in kinds
    async with filled(stage) if is_store else stage.connected() as plugin:
        calls = []
        for kind in kinds:
            if kind == PLUGIN_KIND_DATABASE_PROVIDER:
                found = SearchVectorsRequest(collection=NAME, vector_f32=packed(PLANETS[0].vector), limit=3)
                calls.append(Call(DatabaseProviderStub, "SearchVectors", found))
            else:
                streaming = (
                    await stream_of(kind, plugin, stage.subject) if kind == PLUGIN_KIND_AGENT else None
                )
                calls.append(streaming or await work(kind, plugin, stage.subject))
        yield plugin, calls


async def _many(plugin: Plugin, calls: Sequence[Call], number: int, most_s: float) -> int:
    """Make calls, sixteen at once, until there were so many or the time is over; return how many."""
    ends = time.monotonic() + most_s
    turns = iter(range(number))
    made = 0

    async def some() -> None:
        nonlocal made
        for turn in turns:
            call = calls[turn % len(calls)]
            ask = plugin.streamed if call.stream else plugin.answer
            await ask(call.stub, call.rpc, call.request)
            made += 1
            if time.monotonic() > ends:
                return

    await asyncio.gather(*(some() for _ in range(16)))
    return made


def _memory(plugin: Plugin) -> int:
    assert plugin.process is not None
    return sum(map(_proportional, plugin.process.relatives()))


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
