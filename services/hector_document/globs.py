"""Globs over paths with `/` between names: `*.md`, `guides/**`, `*.{py,go}`."""

import re
from collections.abc import Iterable


class Globs:
    """Several patterns at once.

    A pattern without a slash is for a name at any depth; one with a slash is for the whole path, and `**`
    stands for any number of folders.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        names: list[str] = []
        paths: list[str] = []
        for pattern in patterns:
            plain = pattern.removeprefix("./").rstrip("/")
            (paths if "/" in plain else names).append(_regex(plain.lstrip("/")))
            if pattern.endswith("/"):
                paths.append(_regex(plain.lstrip("/") + "/**"))
        self._names = re.compile("|".join(names)) if names else None
        self._paths = re.compile("|".join(paths)) if paths else None

    def __bool__(self) -> bool:
        return bool(self._names or self._paths)

    def match(self, path: str) -> bool:
        """Return whether the path itself, or its last name, is meant."""
        name = path.rpartition("/")[2]
        return bool(
            (self._names and self._names.fullmatch(name)) or (self._paths and self._paths.fullmatch(path))
        )

    def match_any(self, path: str) -> bool:
        """Return whether the path or any folder above it is meant."""
        steps = path.split("/")
        return any(self.match("/".join(steps[:depth])) for depth in range(1, len(steps) + 1))


_TOKEN = re.compile(
    r"(?P<deep>\*\*/)|(?P<rest>\*\*)|(?P<star>\*)|(?P<one>\?)|(?P<set>\[!?[^/\]]+\])|(?P<brace>[{},])"
)


def _regex(pattern: str) -> str:
    regex, at, open_braces = "", 0, 0
    for token in _TOKEN.finditer(pattern):
        regex += re.escape(pattern[at : token.start()])
        at = token.end()
        match token.lastgroup:
            case "deep":
                regex += "(?:.*/)?"
            case "rest":
                regex += ".*"
            case "star":
                regex += "[^/]*"
            case "one":
                regex += "[^/]"
            case "set":
                inside = token[0][1:-1].replace("\\", "\\\\")
                regex += f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
            case _:
                if token[0] == "{":
                    open_braces += 1
                    regex += "(?:"
                elif open_braces and token[0] == "}":
                    open_braces -= 1
                    regex += ")"
                else:
                    regex += "|" if open_braces else re.escape(token[0])
    return f"(?:{regex}{re.escape(pattern[at:])}{')' * open_braces})"
