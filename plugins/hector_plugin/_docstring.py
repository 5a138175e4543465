"""What a docstring says: what a thing is for, and what its arguments are."""

import inspect
import re
from collections.abc import Mapping
from typing import NamedTuple

_SECTION = re.compile(r"(Args|Arguments|Parameters|Attributes|Returns|Yields|Raises|Examples?|Notes?):\s*$")
_ARGUMENT = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


class Documented(NamedTuple):
    """A docstring, read."""

    description: str
    """All of it before its first section."""
    arguments: Mapping[str, str]
    """What `Args:` (or `Attributes:`) says of each."""


def documented(thing: object) -> Documented:
    """Read a docstring in Google's style; without one everything is empty."""
    written = thing.__doc__ or ""
    if isinstance(thing, type) and written.startswith(f"{thing.__name__}("):
        written = ""  # what dataclass() made up
    lines = inspect.cleandoc(written).splitlines()
    description: list[str] = []
    arguments: dict[str, str] = {}
    section, last, indent = "", "", 0
    for line in lines:
        if found := _SECTION.match(line):
            section, last = found[1], ""
        elif not section:
            description.append(line)
        elif section in ("Args", "Arguments", "Parameters", "Attributes") and line.strip():
            depth = len(line) - len(line.lstrip())
            argument = _ARGUMENT.match(line.strip())
            if argument and (not last or depth <= indent):
                last, indent = argument[1], depth
                arguments[last] = argument[2].strip()
            elif last:
                arguments[last] = f"{arguments[last]} {line.strip()}".strip()
    return Documented("\n".join(description).strip(), arguments)
