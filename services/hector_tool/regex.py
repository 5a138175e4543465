"""RE2: regular expressions in linear time. The only importer of `re2`, which has no types of its own."""

from typing import Protocol, cast

import re2  # type: ignore[import-untyped]


class Match(Protocol):
    """Where a pattern matched."""

    def start(self) -> int: ...


class Pattern(Protocol):
    """A compiled pattern; releases the interpreter's lock while it searches."""

    def search(self, text: bytes, pos: int, endpos: int) -> Match | None: ...

    def fullmatch(self, text: bytes) -> Match | None: ...


class PatternInvalid(ValueError):
    """RE2 does not take the pattern; the message says why."""


def compiled(pattern: str, *, case_sensitive: bool = True, lines: bool = False) -> Pattern:
    """Return a pattern for UTF-8 bytes.

    Args:
        pattern: RE2's syntax: no look-around, no back-references.
        case_sensitive: False: upper and lower case are the same.
        lines: `^` and `$` are ends of lines, and no match reaches over one.

    Raises:
        PatternInvalid: It is not RE2's syntax.
    """
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = case_sensitive
    options.never_nl = lines
    try:
        return cast(Pattern, re2.compile((b"(?m)" if lines else b"(?s)") + pattern.encode(), options))
    except re2.error as error:
        why = error.args[0] if error.args else b""
        raise PatternInvalid(why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)) from None


def escaped(text: str) -> str:
    """Return a pattern that matches just this text."""
    return str(re2.escape(text))
