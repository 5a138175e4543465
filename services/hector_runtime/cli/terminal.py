"""Reads lines from a person or a pipe, without holding anything else up."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


async def line(prompt: str) -> str | None:
    """Return the next line without its end; None at the end of the input.

    A line that ends in a backslash goes on in the next one. On a terminal the prompt is shown, and lines can
    be edited and called back.
    """
    text = await _one(prompt)
    while text is not None and text.endswith("\\"):
        more = await _one("… ")
        text = f"{text[:-1]}\n{more or ''}"
    return text


async def _one(prompt: str) -> str | None:
    loop = asyncio.get_running_loop()
    coming: asyncio.Future[str | None] = loop.create_future()

    def arrive(text: str | None) -> None:
        if not coming.done():
            coming.set_result(text)

    def read() -> None:
        text = _read(prompt)
        with contextlib.suppress(RuntimeError):  # the conversation is over meanwhile
            loop.call_soon_threadsafe(arrive, text)

    # Not a thread of the loop's own: those are waited for, and this one may wait for ever.
    threading.Thread(target=read, name="stdin", daemon=True).start()
    return await coming


def _read(prompt: str) -> str | None:
    try:
        if not sys.stdin.isatty():
            text = sys.stdin.readline()
            return text.rstrip("\n") if text else None
        if sys.stdout.isatty():
            return input(prompt)
        sys.stderr.write(prompt)  # what is written to a file is the answers
        sys.stderr.flush()
        return input()
    except (EOFError, OSError, ValueError):
        return None


_before: list[Any] = []


@contextmanager
def editable() -> Iterator[None]:
    """Let lines be edited and called back, and leave the terminal as it was; the lines are kept nowhere."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        with contextlib.suppress(ImportError):  # Windows has its own
            import readline
            import termios

            readline.parse_and_bind("set enable-bracketed-paste off")
            _before[:] = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        restore()


def restore() -> None:
    """Give the terminal back as it was; a thread that waits for a line has it in another state."""
    if _before:
        import termios

        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, _before)
