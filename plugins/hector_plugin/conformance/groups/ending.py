"""S: how a plugin ends, and what it leaves."""

import asyncio
import signal

from grpc import StatusCode

from hector.plugin.v1 import PLUGIN_KIND_TOOL_PROVIDER
from hector.tool.v1 import ToolProviderStub
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.connected import Answer, Plugin
from hector_plugin.conformance.kinds import quick, work
from hector_plugin.conformance.launching import Process
from hector_plugin.conformance.stage import Stage
from hector_plugin.conformance.tool_calls import SECONDS, listed, schema_of, slow


@check(
    "S1",
    MUST,
    "Shutdown ends it well, and calls in flight are finished",
    rule="after Plugin.Shutdown (or go-plugin's) the calls in flight are answered, and the process exits "
    "with 0 "
    "within grace_s",
    mend="on Shutdown stop the server gracefully, and leave main with 0",
)
async def shutdown_ends_it(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = _process(plugin)
        flying = await _in_flight(stage, plugin)
        found = await plugin.shut_down(10)
        if found.code is StatusCode.UNIMPLEMENTED:
            found = await plugin.raw("/plugin.GRPCController/Shutdown", b"")
        if found.code not in (StatusCode.OK, StatusCode.UNAVAILABLE, StatusCode.CANCELLED):
            raise Broken(str(found))
        sent = "Shutdown(grace_s=10)" + (" with a call in flight" if flying else "")
        if flying is not None:
            answer = await flying
            if answer.code is not StatusCode.OK:
                raise Broken(f"the call in flight came to {answer}", sent)
        code = await process.wait(12.0)
        if code != 0:
            raise Broken(
                "it still runs after 12 s" if code is None else f"it ended with {code}; {process.tail()}",
                sent,
            )


@check(
    "S2",
    MUST,
    "it leaves no socket",
    rule="when it has ended, its folder is as it was found",
    mend="unlink the socket on the way out",
)
async def leaves_no_socket(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = _process(plugin)
        await _ended(plugin, process)
        left = sorted(path.name for path in process.folder.iterdir() if path.is_socket())
        if left:
            raise Broken(f"there are still {', '.join(left)}", "Shutdown, then looked into its folder")


@check(
    "S3",
    MUST,
    "SIGTERM ends it within 6 s",
    rule="SIGTERM is as Shutdown; whoever ignores it is killed",
    mend="handle SIGTERM: stop the server, leave",
)
async def sigterm_ends_it(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = _process(plugin)
        process.signal(signal.SIGTERM)
        if await process.wait(6.0) is None:
            raise Broken("it still runs after 6 s", "SIGTERM")


@check(
    "S4",
    SHOULD,
    "it ends when its host is gone",
    rule="with HECTOR_STDIN_WATCH=1 the end of standard input means that the host is gone: the plugin leaves",
    mend="read standard input in a thread; at its end stop the server and leave",
)
async def ends_with_its_host(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = _process(plugin)
        assert process.process.stdin is not None
        process.process.stdin.close()
        if await process.wait(6.0) is None:
            raise Broken("it still runs after 6 s", "closed its standard input")


@check(
    "S5",
    MUST,
    "it leaves no processes",
    rule="when it has ended, so has everything that it started",
    mend="end your children on the way out, or start them so that they end with you",
)
async def leaves_no_processes(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = _process(plugin)
        for kind in stage.kinds:
            call = await work(kind, plugin, stage.subject)
            await plugin.answer(call.stub, call.rpc, call.request)
        await _ended(plugin, process)
        for _ in range(20):
            left = process.relatives()
            if not left:
                return
            await asyncio.sleep(0.1)
        raise Broken(
            f"processes {', '.join(map(str, left))} still run", "Shutdown, then looked for its processes"
        )


@check(
    "S6",
    SHOULD,
    "it survives being stopped for a while",
    rule="after SIGSTOP and SIGCONT it serves as before",
    mend="do not take the time that has passed for somebody's failure",
)
async def survives_a_pause(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = _process(plugin)
        process.signal(signal.SIGSTOP)
        await asyncio.sleep(1.0)
        process.signal(signal.SIGCONT)
        await plugin.still_lives("SIGSTOP, a second later SIGCONT")
        for kind in stage.kinds:
            call = quick(kind)
            found = await plugin.answer(call.stub, call.rpc, call.request)
            if found.code in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED):
                raise Broken(str(found), "SIGSTOP, a second later SIGCONT, then a call")


def _process(plugin: Plugin) -> Process:
    if plugin.process is None:
        raise NotApplicable("needs a command to start it, not an endpoint")
    return plugin.process


async def _ended(plugin: Plugin, process: Process) -> None:
    found = await plugin.shut_down(2)
    if found.code is StatusCode.UNIMPLEMENTED:
        process.signal(signal.SIGTERM)
    if await process.wait(8.0) is None:
        process.signal(signal.SIGTERM)
        if await process.wait(6.0) is None:
            raise Broken("it still runs after Shutdown and SIGTERM", "Shutdown(grace_s=2), then SIGTERM")


async def _in_flight(stage: Stage, plugin: Plugin) -> "asyncio.Task[Answer] | None":
    """Begin a call that takes about a second, where there is one."""
    if PLUGIN_KIND_TOOL_PROVIDER not in stage.kinds:
        return None
    request = await slow(plugin, stage.subject)
    if request is None or stage.subject.slow is not None:
        return None
    tool = next(tool for tool in await listed(plugin) if tool.name == request.tool)
    argument = next(name for name in SECONDS if name in schema_of(tool).get("properties", {}))
    request.parameters_json = f'{{"{argument}": 1}}'
    flying = asyncio.ensure_future(plugin.answer(ToolProviderStub, "ExecuteTool", request))
    await asyncio.sleep(0.3)
    return flying
