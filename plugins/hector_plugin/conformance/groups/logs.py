"""L: what a plugin prints."""

import json

from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.kinds import quick
from hector_plugin.conformance.stage import Stage

LEVELS = ("@level", "level", "severity", "lvl")
MESSAGES = ("@message", "msg", "message")


@check(
    "L1",
    SHOULD,
    "its log has levels and messages",
    rule="lines on standard error are JSON objects with a level and a message (hclog, zap, zerolog, slog, "
    "pino, logrus), "
    'or "[LEVEL] text"; other lines count as debug',
    mend="log JSON lines to stderr; an SDK does it for you",
)
async def structured(stage: Stage) -> None:
    async with stage.connected() as plugin:
        process = plugin.process
        if process is None:
            raise NotApplicable("needs a command to start it, not an endpoint")
        for kind in stage.kinds:
            call = quick(kind)
            await plugin.answer(call.stub, call.rpc, call.request)
        await plugin.shut_down(1)
        await process.wait(5.0)
        await process.drained()
        lines = [line for line in process.log().splitlines() if line.strip()]
        if not lines:
            raise NotApplicable("it logs nothing, at HECTOR_LOG_LEVEL=debug neither")
        plain = [line for line in lines if not _structured(line)]
        if len(plain) > len(lines) / 2:
            raise Broken(
                f"{len(plain)} of {len(lines)} lines are plain, as {plain[0][:120]!r}", "read its log"
            )


@check(
    "L2",
    MUST,
    "nothing stands before its line",
    rule="the first line on standard output is go-plugin's; whatever else is printed goes to standard error",
    mend="keep a copy of file descriptor 1 for the line, and point 1 at 2 before anything can print",
)
async def nothing_before(stage: Stage) -> None:
    async with stage.listening() as process:
        if process.before:
            raise Broken(f"{process.before[0][:200]!r} stands before it", "read its standard output")


def _structured(line: str) -> bool:
    if line.startswith("[") and "]" in line:
        return True
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return (
        isinstance(found, dict)
        and any(key in found for key in LEVELS)
        and any(key in found for key in MESSAGES)
    )
