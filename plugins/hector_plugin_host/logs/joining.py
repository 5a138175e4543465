"""Puts the lines of a traceback or a panic together again, in the shapes of five languages.

A line is held back until the next one says whether it belongs to it; whoever reads lets go of it (`quiet`)
when none comes.
"""

import re
from typing import NamedTuple

MOST_LINES = 400
MOST_CHARACTERS = 64 * 1024
"""Of one block; what is longer goes on as another one."""

_PYTHON = re.compile(r"^(?:\s*[+|] )*(?:Exception Group )?Traceback \(most recent call last\):")
_PYTHON_CHAIN = re.compile(
    r"^(?:During handling of the above exception|The above exception was the direct cause)"
)
_GO = re.compile(r"^(?:panic: |fatal error: |SIG[A-Z]+: |unexpected fault address )")
_RUST = re.compile(r"^thread '.*'(?: \(\d+\))? panicked at ")
_RUST_MORE = re.compile(r"^(?:note: |stack backtrace:|\s+\d+: |\s+at )")
_THROWN = re.compile(r"^(?:Exception in thread |Uncaught )")
_FRAMES = re.compile(r"^(?:\s+at \S|Caused by: |\s+\.\.\. \d+ (?:more|common frames)|\s+Suppressed: )")


class Block(NamedTuple):
    """One line, or several that belong together."""

    lines: list[str]
    crash: bool
    """Whether it is a traceback, a panic, or what else programs die with."""

    @property
    def headline(self) -> str:
        """Return the line that says what happened: Python says it last, others first."""
        if self.crash and _PYTHON.match(self.lines[0]):
            told = [line for line in self.lines if line.strip() and not line[0].isspace()]
            return told[-1] if told else self.lines[-1].strip()
        return self.lines[0]

    @property
    def text(self) -> str:
        """Return all of it."""
        return "\n".join(self.lines)


class Joining:
    """Takes lines of plain text one by one, and gives them back as blocks."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._shape = ""
        self._size = 0

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return bool(self._lines)

    def feed(self, line: str) -> list[Block]:
        """Take a line, and return what is complete."""
        if self._lines and self._belongs(line):
            full = len(self._lines) >= MOST_LINES or self._size + len(line) > MOST_CHARACTERS
            done, shape = (self.quiet(), self._shape) if full else ([], self._shape)
            self._shape = shape
            self._add(line)
            return done
        done = self.quiet()
        self._shape = _shape_of(line)
        self._add(line)
        return done

    def quiet(self) -> list[Block]:
        """Return what is held back: nothing came after it."""
        lines, self._lines, self._size = self._lines, [], 0
        while len(lines) > 1 and not lines[-1].strip():
            lines.pop()
        return [Block(lines, bool(self._shape))] if lines else []

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)

    def _belongs(self, line: str) -> bool:
        if self._shape == "python":
            return self._belongs_to_python(line)
        if (
            self._shape == "go"
        ):  # what dies of a panic says nothing else; what survives one goes on in its dialect
            return True
        if self._shape == "rust":
            return len(self._lines) == 1 or bool(_RUST_MORE.match(line)) or not line.strip()
        if _FRAMES.match(line):
            self._shape = "frames"
            return True
        return False

    def _belongs_to_python(self, line: str) -> bool:
        if not line.strip() or line[0].isspace() or _PYTHON.match(line) or _PYTHON_CHAIN.match(line):
            return True
        last = next((said for said in reversed(self._lines) if said.strip()), "")
        return last[:1].isspace() or bool(_PYTHON.match(last))


def _shape_of(line: str) -> str:
    for shape, pattern in (("python", _PYTHON), ("go", _GO), ("rust", _RUST), ("frames", _THROWN)):
        if pattern.match(line):
            return shape
    return ""
