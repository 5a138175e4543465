"""The agent that the rules are tried on: it does what the first word of a message tells it to."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict

import hector_a2a as a2a
from hector_agent import custom

let_go: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
"""What `hold KEY` waits for: a test sets it. `begun KEY` is set when it waits."""
tasks: dict[str, str] = {}
"""Which task waits for which key."""
SECRET = "password=hunter2 at /etc/secret"


async def act(turn: Any) -> AsyncIterator[Any]:
    """Answer one message."""
    word, _, rest = turn.message.parts[0].text.partition(" ")
    play = PLAYS.get(word)
    if play is None:
        yield f"you said: {turn.text}"
        return
    async for said in play(turn, rest):
        yield said


async def tell(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Tell what the agent knows."""
    known = {
        "message": MessageToDict(turn.message),
        "history": [MessageToDict(one) for one in turn.history],
        "extensions": list(turn.extensions),
        "acceptedOutputModes": list(turn.accepted_output_modes),
        "requestMetadata": dict(turn.request_metadata),
        "context": turn.context_id,
        "task": turn.task_id,
        "caller": turn.principal.id,
    }
    yield a2a.Artifact(artifact_id="known", parts=[ParseDict({"data": known}, a2a.Part())])


async def give_back(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Give back the message's other parts as an artifact."""
    artifact = a2a.Artifact(artifact_id="back", name="Back", description="As it came.")
    artifact.parts.extend(turn.message.parts[1:])
    artifact.metadata["k"] = {"deep": [1, None, "x"]}
    artifact.extensions.append("https://extensions.test/offered/v1")
    yield artifact


async def hold(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say something, wait until the test lets go, and say more."""
    tasks[rest] = turn.task_id
    yield "first "
    let_go[f"begun {rest}"].set()
    await let_go[rest].wait()
    yield "last"


async def let(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Let go what waits for a key, for tests that cannot do it themselves."""
    let_go[rest].set()
    yield "open"


async def count(turn: Any, rest: str) -> AsyncIterator[Any]:
    for number in range(int(rest)):
        yield f"{number} "
        await asyncio.sleep(0)


async def walk(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say something step by step, text and artifacts, and states between them; the last when it is let go."""
    steps, _, key = rest.partition(" ")
    for number in range(int(steps)):
        if number == int(steps) - 1:
            await let_go[key].wait()
        yield f"{number} "
        if number % 5 == 2:
            yield custom.working(f"at {number}")
        if number % 7 == 3:
            yield custom.artifact(f"n{number}", id=f"note-{number}")
        await asyncio.sleep(0.001)


async def ask(turn: Any, rest: str) -> AsyncIterator[Any]:
    yield "so far "
    yield custom.input_required("what do you want?")


async def login(turn: Any, rest: str) -> AsyncIterator[Any]:
    yield "so far "
    yield custom.auth_required("what do you want?")


async def fail(turn: Any, rest: str) -> AsyncIterator[Any]:
    yield custom.failed("it cannot be done")


async def reject(turn: Any, rest: str) -> AsyncIterator[Any]:
    yield custom.rejected("not for you")


async def plain(turn: Any, rest: str) -> AsyncIterator[Any]:
    yield custom.message("just this")


async def pieces(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say two artifacts in pieces, one between the pieces of the other."""
    yield custom.piece("report", "one", append=False, name="Report")
    yield custom.piece("list", "a", append=False)
    yield custom.piece("report", custom.data({"two": 2}))
    yield custom.piece("list", "b", last=True)
    yield custom.piece("report", "three", last=True)


async def replace(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say an artifact, and say it anew."""
    yield custom.artifact("first", "try", id="draft")
    yield custom.artifact("x", id="other")
    yield custom.artifact("second", id="draft")


async def append(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Add to what is not there."""
    yield custom.piece("nothing", "more", append=True)


async def nothing(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say an artifact that has nothing in it."""
    yield a2a.Artifact(artifact_id="empty")


async def note(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say something beside the answer, of the task and of a state."""
    yield custom.metadata({"note": {"of": "the agent"}})
    yield custom.working("on it", metadata={"note": {"of": "the agent"}})
    yield "done"


async def any_data(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Say data that is no object."""
    yield custom.artifact(custom.data([1, "two"]), custom.data("three"), id="data")


async def break_down(turn: Any, rest: str) -> AsyncIterator[Any]:
    """Fail as a bug does."""
    yield "so far "
    raise RuntimeError(SECRET)


PLAYS = {
    "tell": tell,
    "back": give_back,
    "hold": hold,
    "open": let,
    "count": count,
    "walk": walk,
    "ask": ask,
    "login": login,
    "fail": fail,
    "reject": reject,
    "plain": plain,
    "pieces": pieces,
    "replace": replace,
    "append": append,
    "nothing": nothing,
    "note": note,
    "any": any_data,
    "break": break_down,
}
