"""Finds the lines of a text that match a pattern, in time linear in both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hector_tool.regex import Pattern

PIECE_BYTES = 256 << 10
"""How much is searched between two looks at the clock."""
WIDEST = 400
"""Bytes shown of one line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line to show."""

    number: int
    text: str
    matches: bool


def matching_lines(regex: Pattern, data: bytes, stopped: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    """Yield (line number from 1, offset of the match in the line) for each line that matches."""
    begin, number, counted = 0, 1, 0
    while begin < len(data) and not stopped():
        end = data.find(b"\n", begin + PIECE_BYTES)
        end = len(data) if end < 0 else end
        while begin < end and (found := regex.search(data, begin, end)) is not None:
            line = data.rfind(b"\n", 0, found.start()) + 1
            if line >= len(data):
                return  # the nothing after the last line break is no line
            number += data.count(b"\n", counted, line)
            counted = line
            yield number, found.start() - line
            after = data.find(b"\n", found.start())
            begin = len(data) if after < 0 else after + 1
        begin = max(begin, end + 1)


def shown(line: bytes, at: int) -> str:
    """Return a line for people, cut around the match if it is too long."""
    line = line.rstrip(b"\r")
    if len(line) <= WIDEST:
        return line.decode("utf-8", "replace")
    begin = max(0, min(at - WIDEST // 4, len(line) - WIDEST))
    text = line[begin : begin + WIDEST].decode("utf-8", "ignore")
    return ("…" if begin else "") + text + ("…" if begin + WIDEST < len(line) else "")


def with_context(data: bytes, matches: dict[int, int], context: int) -> list[list[Line]]:
    """Return blocks of neighbouring lines around `matches` (line number to offset)."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    blocks: list[list[Line]] = []
    last = -1
    for match in sorted(matches):
        for number in range(max(match - context, last + 1, 1), min(match + context, len(lines)) + 1):
            if number != last + 1 or not blocks:
                blocks.append([])
            text = shown(lines[number - 1], matches.get(number, 0))
            blocks[-1].append(Line(number, text, number in matches))
            last = number
    return blocks
