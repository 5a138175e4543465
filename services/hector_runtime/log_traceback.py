"""Tracebacks as they may stand in a log: where it happened and what kind of error, without its words.

What a library says of a failure quotes what it was given: a prompt, a document, a key.
"""

import os
import traceback
from types import TracebackType

from hector_mesh import HectorError

DEPTH = 10
"""Most errors of one chain that are shown."""

TELLING = (AttributeError, ImportError, NameError, ZeroDivisionError, RecursionError)
"""Errors whose words are the interpreter's own, and name code only."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def traced(info: ExcInfo) -> str:
    """Return an exception as a log may have it; HECTOR_DEBUG=1 shows everything."""
    error = info[1]
    if error is None:
        return ""
    if os.environ.get("HECTOR_DEBUG"):
        return "".join(traceback.format_exception(error)).rstrip()
    return "\n".join(_lines(error, DEPTH))


def _lines(error: BaseException, depth: int) -> list[str]:
    if depth == 0:
        return ["…"]
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        how = "was the cause of" if error.__cause__ else "came before"
        lines += [*_lines(before, depth - 1), f"which {how}:"]
    lines.append("Traceback (most recent call last):")
    lines += "".join(traceback.format_tb(error.__traceback__)).rstrip("\n").splitlines()
    lines.append(f"{_name(error)}{_words(error)}")
    if isinstance(error, BaseExceptionGroup):
        for inside in error.exceptions[:DEPTH]:
            lines += [f"  {line}" for line in _lines(inside, depth - 1)]
    return lines


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _words(error: BaseException) -> str:
    if isinstance(error, HectorError):
        return f" [{error.reason}]"
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    if isinstance(error, TELLING) and str(error):
        return f": {error}"
    code = getattr(error, "code", None)
    name = getattr(code() if callable(code) else code, "name", None)
    return f": {name}" if isinstance(name, str) else ""
