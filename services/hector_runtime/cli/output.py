"""What commands print: answers on standard output, everything beside them dim on standard error."""

import contextlib
import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .answer import ToolUse

NARROWEST = 20


def prepare_streams() -> None:
    """Make standard input and output usable, whatever the program was started with.

    A character that the terminal lacks is shown as "?". A stream that is closed leads nowhere: else the next
    file or socket would take its number, and be written to as if it were the terminal.
    """
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                if os.open(os.devnull, os.O_RDWR) == number:
                    setattr(sys, name, os.fdopen(number, mode, closefd=False))
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def wants_color() -> bool | None:
    """Return what click is to do about colours: none where NO_COLOR says so, else as the terminal can."""
    return False if os.environ.get("NO_COLOR") else None


def is_watched() -> bool:
    """Tell whether a person looks at what is said beside the answer."""
    return sys.stderr.isatty()


def columns() -> int:
    """Return how many characters a line of the terminal has."""
    return max(NARROWEST, shutil.get_terminal_size().columns)


def aside(line: str) -> None:
    """Print a line that is not the answer."""
    click.echo(click.style(line, dim=True), err=True)


class Writer:
    """Prints an answer as it comes, and the tools it uses between its lines."""

    def __init__(self, *, tools: bool = True) -> None:
        self._tools = tools
        self._mid_line = False

    def text(self, piece: str) -> None:
        """Print the next piece of the answer."""
        if piece:
            click.echo(piece, nl=False)
            self._mid_line = not piece.endswith("\n")

    def tool(self, use: "ToolUse") -> None:
        """Print a line about a tool's call that has ended."""
        if not self._tools:
            return
        if self._mid_line and sys.stdout.isatty():
            self.end()
        aside(tool_line(use, columns() if is_watched() else None))

    def end(self) -> None:
        """End the line, if something stands on it."""
        if self._mid_line:
            click.echo()
            self._mid_line = False


def tool_line(use: "ToolUse", width: int | None = None) -> str:
    """Return a call of a tool on one line: its name, its arguments, how long it took, what came of it."""
    end = f" · {(use.duration_ms or 0) / 1000:.2f} s · " + (use.error or f"{sized(use.size)}")
    arguments = " ".join(use.arguments.split())
    begin = f"{use.tool} {arguments}" if arguments not in ("", "{}") else use.tool
    if width is None:
        return f"[{begin}{end}]"
    end = cut(end, width // 2)
    return f"[{cut(begin, width - len(end) - 2)}{end}]"


def sized(size: int) -> str:
    """Return a number of characters as people say it."""
    return f"{size} chars" if size < 1000 else f"{size / 1000:.1f}k chars"


def cut(text: str, limit: int) -> str:
    """Return a text that is no longer than a limit."""
    return text if len(text) <= limit else f"{text[: max(1, limit - 1)]}…"
