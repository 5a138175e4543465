"""What is wrong with a file, where, and what would be right."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Where a value is: mapping keys and list positions, from the top."""


class Mark(NamedTuple):
    """A position in a file; line and column count from 1, and 0 means the file as a whole."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to repair (or, as a warning, to modernise). `str()` is one line for people."""

    file: str
    line: int
    column: int
    path: str
    """The key path as people write it, `agents.writer.tools[0]`; empty for the file as a whole."""
    message: str
    found: str = ""
    """What stands there. Never the value of a secret or of a variable."""
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        where = str(Mark(self.file, self.line, self.column))
        text = f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"
        if self.found:
            text += f": found {self.found}"
        if self.allowed:
            text += f", allowed: {self.allowed}"
        return f"{text} ({self.hint})" if self.hint else text


def problem_at(
    mark: Mark, path: Path, message: str, *, found: str = "", allowed: str = "", hint: str = ""
) -> Problem:
    return Problem(*mark, spelled(path), message, found, allowed, hint)


class Misfit(ValueError):
    """Something wrong that only the values together show; raised by validators, or returned by checks.

    `at` is where, relative to the section whose validator raises it and from the top in a check.
    `also` holds further misfits, so that one validator can name everything it sees.
    """

    def __init__(self, message: str, *, at: Path = (), hint: str = "", also: Iterable["Misfit"] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint
        self.also = tuple(also)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by position, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda one: (one.file, one.line, one.column)))


_BARE = re.compile(r"[^\s.\[\]\"'\x00-\x1f]+", re.ASCII)


def spelled(path: Path) -> str:
    """Return a path as people write it: `agents.writer.tools[0]`, odd keys in quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE.fullmatch(step) else quoted(step))
    return text


def quoted(text: str, limit: int = 60) -> str:
    """Return text in double quotes on one line, shortened to about `limit` characters."""
    return json.dumps(text if len(text) <= limit else text[: limit - 1] + "…", ensure_ascii=False)


def listed(names: Iterable[str], limit: int = 40) -> str:
    """Return names with commas between them, and how many more there are."""
    known = list(names)
    more = [f"… and {len(known) - limit} more"] if len(known) > limit else []
    return ", ".join([*known[:limit], *more]) or "nothing"
