"""X: whether a plugin can be confined."""

import shutil
import sys

from hector_plugin.conformance import landlocked
from hector_plugin.conformance.checks import SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.stage import Stage

BUBBLEWRAP = (
    "bwrap",
    *("--unshare-all", "--die-with-parent", "--new-session"),
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *("--bind", "{folder}", "{folder}", "--"),
)
"""An empty network, no other processes, and nothing that can be written but its own folder."""
LANDLOCK = (sys.executable, "-IS", landlocked.__file__, "{folder}")
"""Nothing that can be written but its own folder, and no TCP."""
TIERS = {"bubblewrap": BUBBLEWRAP, "landlock": LANDLOCK}
"""What hosts confine by: the first one where it works, else the second."""


@check(
    "X1",
    SHOULD,
    "it starts without a network and with nothing to write to",
    rule="under bubblewrap (an empty network namespace, a read-only file system, its own folder) and under "
    "landlock (no TCP, nothing to write but its own folder), as far as this machine has them, it starts and "
    "is well",
    mend="listen on a unix socket; write to data_dir or TMPDIR only; reach the network when you are asked "
    "to, not before",
)
async def starts_confined(stage: Stage) -> None:
    missing = []
    for tier, prefix in TIERS.items():
        if why := await _missing(stage, prefix):
            missing.append(f"{tier} does not work here: {why}")
            continue
        try:
            async with stage.connected(prefix=prefix):
                pass
        except Broken as broken:
            sent = f"started it confined by {tier}: {' '.join(prefix)} COMMAND"
            raise Broken(broken.came, sent) from None
    if len(missing) == len(TIERS):
        raise NotApplicable("; ".join(missing))


async def _missing(stage: Stage, prefix: tuple[str, ...]) -> str:
    """Return why this machine cannot confine so; empty: it can."""
    if shutil.which(prefix[0]) is None:
        return f"{prefix[0]} is not installed"
    async with stage.process(instead=(*prefix, "true")) as trial:
        return "" if await trial.wait(5.0) == 0 else trial.tail(1)


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
