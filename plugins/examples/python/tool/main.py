"""Two tools: one that is done at once, and one that takes its time."""

import asyncio
from typing import Annotated

from hector_plugin import Invocation, ToolFailed, config, serve, tool

settings = config(suffix="")


@tool(read_only=True, idempotent=True, blocking=False)
def upper(text: Annotated[str, "The text."]) -> str:
    """Turns a text into upper case."""
    return f"{text.upper()}{settings.value.suffix}"


@tool(read_only=True, idempotent=True)
async def wait(seconds: Annotated[float, "How long."], invocation: Invocation) -> str:
    """Waits for some seconds."""
    if seconds < 0:
        raise ToolFailed("seconds must not be negative")
    invocation.progress(0, seconds, "waiting")
    await asyncio.sleep(seconds)
    return "waited"


if __name__ == "__main__":
    serve(name="example-tool", version="1.0.0")
