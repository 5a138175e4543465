"""The agent behind the border's bench: it says so many words as it is asked for, or begins and then waits.

Words are text, which Hector joins for a reader who is behind; "pieces 20" are 20 events that nobody joins.

`hector serve` runs it as `type: custom`; peers/a2a_sdk_echo.py says the same.
"""

import asyncio
from typing import Any

from hector_agent import custom

WORDS = [f"w{number} " for number in range(1000)]


async def answer(turn: Any) -> Any:
    """Answer "20" with 20 pieces, each in a turn of the event loop of its own."""
    if turn.text == "wait":
        yield WORDS[0]
        await asyncio.Event().wait()  # a task that is at work and has nothing to say
    how, _, many = turn.text.rpartition(" ")
    for number, word in enumerate(WORDS[: int(many)]):
        yield custom.piece("list", word, append=number > 0) if how else word
        await asyncio.sleep(0)
