"""The agent that both servers run, as Hector's handler: it does what the first word of a message says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from hector_agent import custom

SECRET = "password=hunter2 at /etc/secret"


async def answer(turn: Any) -> AsyncIterator[Any]:
    """Answer one message."""
    word, _, rest = turn.message.parts[0].text.partition(" ")
    match word:
        case "count":
            for number in range(int(rest)):
                yield f"{number} "
                await asyncio.sleep(0.02)  # so that neither server shows two pieces as one
        case "give-back":
            yield custom.artifact(*turn.message.parts[1:], id="back", name="Back")
        case "pieces":
            yield custom.piece("report", "one", append=False, name="Report")
            yield custom.piece("list", "a", append=False)
            yield custom.piece("report", "two", last=True)
        case "ask":
            yield custom.input_required("what do you want?")
        case "login":
            yield custom.auth_required("who are you?")
        case "fail":
            yield custom.failed("it cannot be done")
        case "reject":
            yield custom.rejected("not for you")
        case "plain":
            yield custom.message("just this")
        case "begin-late":
            yield custom.working("soon")
            yield "done"
        case "break":
            raise RuntimeError(SECRET)
        case "hold":
            yield "first "
            await asyncio.Event().wait()
        case _:
            yield f"you said: {turn.text}"
