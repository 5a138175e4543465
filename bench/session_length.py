"""What one turn costs in a session of 10, 1,000 and 10,000 events.

    python bench/session_length.py [--turns 200] [--servers]

Measured is what a turn reads before it begins (the store's read, and the events made into messages), and a
whole turn of an agent of code that answers at once, asked through the mesh in this process. "Window" is
`context: {strategy: buffer_window}`; "all" is the default, where a model is shown everything.
"""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import uvloop
from databases import SERVERS, durable

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_WORKING,
    ModelAnswered,
    RunEvent,
    StateChanged,
    StatusChanged,
    TextAppended,
)
from hector.common.v1 import ROLE_ASSISTANT, Message
from hector_agent.conversation import messages_of
from hector_agent.ledger import events_of
from hector_agent.rows import row_of
from hector_agent.sessions.reading import SAID
from hector_agent.sessions.scopes import kept_of
from hector_mesh import Call, Principal, scope
from hector_store import NewRun, RunLog, opened

SIZES = (10, 1000, 10_000)
EACH = 5
"""Events of one turn."""
WINDOW = 20
OWNER = "bench"
HANDLER = """
async def echo(turn):
    turn.state["turns"] = turn.state.get("turns", 0) + 1
    yield f"{len(turn.history)} messages before"
"""


async def fill(log: RunLog, context: str, events: int, agent: str) -> None:
    """Write a session as turns do."""
    for number in range(events // EACH):
        asked = a2a.Message(message_id="m", role=a2a.ROLE_USER, context_id=context)
        asked.parts.add(text=f"question {number}: what is the weather like in some town or other?")
        told = [
            RunEvent(),
            RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING)),
            RunEvent(
                text_appended=TextAppended(artifact_id="answer-1", text="It is as it was. " * 12, last=True)
            ),
            RunEvent(
                model_answered=ModelAnswered(message=Message(role=ROLE_ASSISTANT), artifact_id="answer-1")
            ),
            RunEvent(state_changed=StateChanged(delta_json=f'{{"turns": {number}}}')),
            RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED)),
        ]
        told[0].message_received.message.Pack(asked)
        kept = kept_of(told, "default", OWNER, context)
        run = NewRun(app="default", owner=OWNER, agent=agent, context_id=context, state="RUN_STATE_COMPLETED")
        await log.create(run, [row_of(event) for event in told], kept)


async def read(log: RunLog, context: str, window: int | None) -> int:
    """Read what a turn at the end of a session begins with."""
    latest = await log.latest("default", OWNER, context)
    assert latest is not None
    after = 0 if window is None else max(0, latest[0] - window)
    told = await log.told("default", OWNER, context, after_position=after, kinds=SAID)
    return len(messages_of(events_of(told.events)))


async def measure(url: str, name: str, turns: int) -> None:
    async with opened(url) as database:
        log = RunLog(database)
        for size in SIZES:
            await fill(log, f"read-{size}", size, "a")
            for agent in ("window", "all"):
                await fill(log, f"{agent}-{size}", size, agent)
        for label, window in (("window", WINDOW), ("all", None)):
            took = []
            for size in SIZES:
                times = []
                for _ in range(turns if window or size < SIZES[-1] else max(3, turns // 20)):
                    began = time.perf_counter()
                    await read(log, f"read-{size}", window)
                    times.append(time.perf_counter() - began)
                took.append(statistics.median(times))
            show(f"{name}: read, {label}", took)
    await whole_turns(url, name, turns)


async def whole_turns(url: str, name: str, turns: int) -> None:
    """Ask agents of code, which read the session and change its state."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.mesh import MeshUnderTest

    import hector_agent
    from hector_agent.custom.handler_name import Named
    from hector_agent.room import Config

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "handlers.py").write_text(HANDLER)
        custom = {"type": "custom", "handler": Named("handlers", "echo", folder)}
        window = {"strategy": "buffer_window", "window_size": WINDOW}
        config = Config.model_validate(
            {"agents": {"all": custom, "window": {**custom, "context": window}}, "storage": {"database": url}}
        )
        mesh = MeshUnderTest("local", folder)
        room = hector_agent.build(config, mesh.mesh)
        stack.push_async_callback(mesh.close)
        await stack.enter_async_context(room.running())
        await mesh.serve(room.register)
        stub = a2a.A2AServiceStub(mesh.mesh)
        for agent in ("window", "all"):
            took = []
            for size in SIZES:
                times = []
                for number in range(turns if agent == "window" or size < SIZES[-1] else max(3, turns // 20)):
                    request = a2a.SendMessageRequest(tenant=agent)
                    request.message.message_id, request.message.role = f"{number}", a2a.ROLE_USER
                    request.message.context_id = f"{agent}-{size}"
                    request.message.parts.add(text="and now?")
                    began = time.perf_counter()
                    with scope(Call(principal=Principal(OWNER))):
                        await stub.SendMessage(request)
                    times.append(time.perf_counter() - began)
                took.append(statistics.median(times))
            show(f"{name}: turn, {agent}", took)


def show(name: str, took_s: list[float]) -> None:
    print(f"{name:<40}" + "".join(f"{one * 1e3:>12.2f}" for one in took_s), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=200, help="how many are measured of each")
    parser.add_argument("--servers", action="store_true", help="measure PostgreSQL and MariaDB, too")
    options = parser.parse_args()
    print(f"{'median ms, by events in the session':<40}" + "".join(f"{size:>12,}" for size in SIZES))
    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        uvloop.run(measure(f"sqlite://{folder}/bench.db", "SQLite, FULL", options.turns))
        for kind, name in SERVERS.items() if options.servers else ():
            uvloop.run(measure(closing.enter_context(durable(kind)), name, options.turns))


if __name__ == "__main__":
    main()
