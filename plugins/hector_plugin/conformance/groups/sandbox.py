"""X: whether a plugin can be confined."""

import shutil

from hector_plugin.conformance.checks import SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.stage import Stage

BUBBLEWRAP = (
    "bwrap",
    *("--unshare-all", "--die-with-parent", "--new-session"),
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *("--bind", "{folder}", "{folder}", "--"),
)
"""An empty network, no other processes, and nothing that can be written but its own folder."""


@check(
    "X1",
    SHOULD,
    "it starts without a network and with nothing to write to",
    rule="under bubblewrap (an empty network namespace, a read-only file system, its own folder) it starts "
    "and is well",
    mend="listen on a unix socket; write to data_dir or TMPDIR only; reach the network when you are asked "
    "to, not before",
)
async def starts_confined(stage: Stage) -> None:
    if shutil.which("bwrap") is None:
        raise NotApplicable("bubblewrap is not installed")
    async with stage.process(prefix=(*BUBBLEWRAP[:-1], "--", "true")) as trial:
        if await trial.wait(5.0) != 0:
            raise NotApplicable(f"bubblewrap does not work here: {trial.tail(1)}")
    try:
        async with stage.connected(prefix=BUBBLEWRAP):
            return
    except Broken as broken:
        raise Broken(broken.came, f"started it as {' '.join(BUBBLEWRAP)} COMMAND") from None


@check(
    "X2",
    SHOULD,
    "it starts with the memory that it says it needs",
    rule="with RLIMIT_DATA at its declared max_memory it starts and is well",
    mend="declare more, or tell the runtime its limit (GOMEMLIMIT, --max-old-space-size, -XX:MaxRAM)",
)
async def starts_with_its_memory(stage: Stage) -> None:
    most = stage.subject.max_memory_bytes
    if not most:
        raise NotApplicable("it declares no max_memory (--max-memory)")
    script = f'ulimit -d {most // 1024} && exec "$@"'
    try:
        async with stage.connected(prefix=("sh", "-c", script, "sh")):
            return
    except Broken as broken:
        raise Broken(broken.came, f"started it with RLIMIT_DATA {most:,}") from None
