"""The agent behind the border's bench: it says so many words as it is asked for, or begins and then waits.

`hector serve` runs it as `type: custom`; peers/a2a_sdk_echo.py says the same.
"""

import asyncio
from typing import Any

WORDS = [f"w{number} " for number in range(1000)]


async def answer(turn: Any) -> Any:
    """Answer "20" with 20 pieces, each in a turn of the event loop of its own."""
    if turn.text == "wait":
        yield WORDS[0]
        await asyncio.Event().wait()  # a task that is at work and has nothing to say
    for word in WORDS[: int(turn.text)]:
        yield word
        await asyncio.sleep(0)
