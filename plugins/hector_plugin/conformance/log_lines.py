"""What a plugin logged while a rule was tried, for the author of a rule that failed."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

MOST_LINES = 12
WORSE = frozenset({"warn", "warning", "error", "fatal", "panic", "critical"})
HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6
_LONGEST = 300
_END_OF_STACK = 6
"""Lines of a traceback: its end says most."""


def log_lines(text: str, secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the last lines of a log as people read them, with tracebacks in lines of their own.

    Args:
        text: What the plugin wrote to standard error.
        secrets: What is not to be shown.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN).replace(json.dumps(secret)[1:-1], HIDDEN)
    records = [_read(line) for line in text.splitlines() if line.strip()]
    # What went wrong says more than what went on, of which there may be thousands.
    chosen = [lines for level, lines in records if level in WORSE] or [lines for _, lines in records]
    if not chosen:
        return ()
    shown = [line for lines in chosen[-MOST_LINES:] for line in lines][-MOST_LINES:]
    return tuple(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in shown)


def _read(line: str) -> tuple[str, list[str]]:
    """Return a line's level, empty if it says none, and what to show of it."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        word = line.removeprefix("[").partition("]")[0].lower() if line.startswith("[") else ""
        return word, [line.rstrip()]
    level = str(_first(found, "@level", "level", "severity", "lvl")).lower()
    message = str(_first(found, "@message", "msg", "message"))
    stack = str(_first(found, "stacktrace", "stack", "traceback", "err.stack")).rstrip()
    error = "" if stack else str(_first(found, "error", "err"))
    head = f"{level}: {message}" + (f": {error}" if error else "")
    frames = [one for one in stack.splitlines() if one.strip(" ^~")]
    return level, [head, *frames[-_END_OF_STACK:]]


def _first(found: Mapping[str, Any], *keys: str) -> Any:
    return next((found[key] for key in keys if found.get(key)), "")
