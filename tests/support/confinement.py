"""Runs a small program as a confined plugin would be run, and tells what it could do.

Also a program: `confinement.py JSON` does so as whoever runs it, and prints the outcome as JSON.
"""

import asyncio
import json
import os
import sys
import tempfile
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LIMIT_S = 60
ATTEMPTS = """
import json, os, socket, sys

told = {}

def attempt(name, what):
    try:
        told[name] = what()
    except BaseException as error:
        told[name] = "!" + type(error).__name__

def greeted(host, port):
    with socket.create_connection((host, port), 5) as line:
        return line.recv(100).decode()

def by_socks(host, port):
    with socket.create_connection(("127.77.0.1", 3128), 5) as line:
        line.sendall(bytes([5, 1, 0]))
        line.recv(2)
        line.sendall(bytes([5, 1, 0, 3, len(host)]) + host.encode() + port.to_bytes(2, "big"))
        answer = line.recv(10)
        return line.recv(100).decode() if answer[1] == 0 else f"refused {answer[1]}"

def tell():
    print(json.dumps(told))
"""
"""What programs begin with that try things: `attempt(NAME, FUNCTION)` for each, and `tell()` at the end."""


@dataclass
class Outcome:
    """What became of a program."""

    tier: str = ""
    memory: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    """What its attempts gave; "!" and the name of an error for those that failed."""
    printed: str = ""
    code: int | None = None
    hits: list[tuple[str, bool]] = field(default_factory=list)
    """Limits that it hit, and whether that was its end."""
    left: int = 0
    """Processes that outlived it."""


async def confined(source: str, folder: Path, *, command: tuple[str, ...] = (), **plan: Any) -> Outcome:
    """Run a program to its end.

    Args:
        source: Python, put into `folder` as plugin.py.
        folder: Where it is run.
        command: What to run instead of Python.
        plan: What else its plan says; `security` as a dict.
    """
    from hector_plugin_host import sandbox
    from hector_plugin_host.plan import PluginPlan, Security
    from hector_plugin_host.scratch import scratch_folder

    program = folder / "plugin.py"
    program.write_text(ATTEMPTS + textwrap.dedent(source))
    security = Security(**plan.pop("security", {}))
    made = PluginPlan(
        "tried", command=command or (sys.executable, str(program)), folder=folder, security=security, **plan
    )
    outcome = Outcome()
    async with asyncio.timeout(LIMIT_S):
        with scratch_folder() as scratch:
            async with sandbox.confine(made, scratch) as around:
                await _run(around, made, scratch, outcome)
    return outcome


async def _run(around: Any, plan: Any, scratch: Path, outcome: Outcome) -> None:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch), **plan.env}
    process = await asyncio.create_subprocess_exec(
        *around.argv,
        env=around.environment(environment),
        cwd=plan.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        await around.check(process.pid)
        outcome.tier, outcome.memory = around.tier, around.memory
        async for hit in around.watch():
            outcome.hits.append((hit.limit, hit.fatal))
        outcome.printed = (await process.stdout.read()).decode()
        outcome.code = await process.wait()
        outcome.left = await _left(around)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
            await process.wait()
    for line in outcome.printed.splitlines():
        if line.startswith("{"):
            outcome.told = json.loads(line)


async def _left(around: Any) -> int:
    """Return how many outlive the program by five seconds; who was killed may take a moment to go."""
    for _ in range(250):
        if not around.members():
            return 0
        await asyncio.sleep(0.02)
    return len(around.members())


def main() -> None:
    """Do what the first argument says."""
    wanted = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="plugin-") as folder:
        outcome = asyncio.run(confined(wanted["source"], Path(folder), security=wanted["security"]))
    sys.stdout.write(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
