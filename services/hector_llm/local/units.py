"""Cuts Markdown into what can be quoted by itself: sentences, and code, lists and tables kept whole."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from hector_llm.local.passages import Passage

_fence = re.compile(r"^[ \t]*(```+|~~~+)")
_title = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t#]*$")
_item = re.compile(r"^[ \t]*(?:[-*+]|(\d+)[.)])[ \t]+(.*)$")
_row = re.compile(r"^[ \t]*\|.*\|[ \t]*$")
_proses = re.compile(r"#{1,6} |[*+-] |\d+[.)] |[A-Z*`\[].*\w \w+ \w+ \w+ \w+")
_columns = re.compile(r"\S {3,}\S")
_rule = re.compile(r"^[ \t]*(?:[-=*_][ \t]*){3,}$|^(?=.*\|)[ \t:|-]+$")
# A full stop ends a sentence before a space and something that can begin one; "e.g. this" and "1.0" do not.
_end = re.compile(
    r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\betc\.)[)\"'*_`]*\s+(?=[\"'(*_`\[]*[A-Z0-9`])"
)

LONG_ITEM = 40
"""Words of a list item above which its sentences are quoted one by one."""

LONG_LINE = 4000
"""Characters of a line above which it is data, and nobody's prose."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that can be quoted by itself."""

    text: str
    kind: str
    """`sentence`, `item`, `code` or `steps`."""
    heading: str
    """The headings above it, joined."""
    passage: int
    """Which passage it is from; lower is better, by the search's own judgement."""
    place: int
    """Which unit of its passage it is."""
    lead: str = ""
    """The sentence that introduces a block, as "Start it:"."""
    caption: str = ""
    """What introduces a block that no sentence does: its heading."""
    opens: bool = False
    """It is the first sentence under its heading."""

    @property
    def whole(self) -> str:
        return f"{self.lead} {self.text}" if self.lead else self.text


def units_of(passages: list[Passage]) -> list[Unit]:
    """Return the units of all passages, in their order."""
    return [unit for number, passage in enumerate(passages) for unit in _Cutter(number, passage).cut()]


class _Cutter:
    def __init__(self, number: int, passage: Passage) -> None:
        self._number = number
        self._lines = [line[:LONG_LINE] for line in passage.text.splitlines()]
        self._headings: dict[int, str] = {0: passage.title} if passage.title else {}
        self._place = 0
        self._lead = ""
        self._opens = True
        if _begins_in_code(self._lines):
            self._lines.insert(0, "```")

    def cut(self) -> Iterator[Unit]:
        at = 0
        while at < len(self._lines):
            line = self._lines[at]
            if _fence.match(line):
                end = self._end_of_fence(at)
                block = self._lines[at:end]
                closed = len(block) > 1 and _fence.match(block[-1])
                yield self._block("code", "\n".join(block if closed else [*block, "```"]))
            elif title := _title.match(line):
                level = len(title[1])
                self._headings = {depth: text for depth, text in self._headings.items() if depth < level}
                self._headings[level] = title[2]
                self._lead, self._opens = "", True
                end = at + 1
            elif _item.match(line):
                end = self._end_of(at, lambda text: bool(text.strip()))
                yield from self._list(self._lines[at:end])
            elif _row.match(line):
                end = self._end_of(at, lambda text: bool(_row.match(text)))
                yield from self._table(self._lines[at:end])
            elif not line.strip() or _rule.match(line):
                end = at + 1
            else:
                end = self._end_of(at, _is_prose)
                lines = self._lines[at:end]
                if sum(bool(_columns.search(line)) for line in lines) * 2 >= len(lines):
                    yield self._block("code", "\n".join(["```", *lines, "```"]))
                else:
                    yield from self._prose(" ".join(text.strip() for text in lines))
            at = end

    def _prose(self, text: str) -> Iterator[Unit]:
        for sentence in _end.split(text.lstrip("> ")):
            sentence = sentence.strip()
            if not sentence:
                continue
            yield self._unit("sentence", sentence)
            self._opens = False
            self._lead = sentence if sentence.endswith(":") else ""

    def _list(self, lines: list[str]) -> Iterator[Unit]:
        items: list[tuple[str, str]] = []
        for line in lines:
            if found := _item.match(line):
                items.append((found[1] or "", found[2].strip()))
            elif items:
                items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
        words = sum(len(text.split()) for _, text in items)
        if all(number for number, _ in items) and 1 < len(items) <= 8 and words <= 30 * len(items):
            yield self._block("steps", "\n".join(f"{number}. {text}" for number, text in items))
            return
        for _, text in items:
            for sentence in _end.split(text) if len(text.split()) > LONG_ITEM else [text]:
                yield self._unit("item", sentence.strip())
        self._lead = ""

    def _table(self, lines: list[str]) -> Iterator[Unit]:
        rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in lines
            if not _rule.match(line)
        ]
        for row in rows[1:] or rows:
            cells = [cell for cell in row if cell]
            if cells:
                yield self._unit(
                    "item", ": ".join([cells[0], "; ".join(cells[1:])]) if cells[1:] else cells[0]
                )

    def _block(self, kind: str, text: str) -> Unit:
        unit = self._unit(kind, text, self._lead)
        self._lead = ""
        return unit

    def _unit(self, kind: str, text: str, lead: str = "") -> Unit:
        self._place += 1
        # The title of the passage (level 0) says too little to introduce a block.
        above = next((text for level, text in reversed(self._headings.items()) if level), "")
        return Unit(
            text,
            kind,
            heading=" / ".join(self._headings.values()),
            passage=self._number,
            place=self._place,
            lead=lead,
            caption=f"{above}:" if above else "",
            opens=self._opens,
        )

    def _end_of_fence(self, at: int) -> int:
        fence = _fence.match(self._lines[at])
        assert fence is not None
        for end in range(at + 1, len(self._lines)):
            if self._lines[end].strip().startswith(fence[1]):
                return end + 1
        return len(self._lines)

    def _end_of(self, at: int, goes_on: Callable[[str], bool]) -> int:
        end = at + 1
        while end < len(self._lines) and goes_on(self._lines[end]):
            end += 1
        return end


def _is_prose(line: str) -> bool:
    return bool(line.strip()) and not (
        _fence.match(line) or _title.match(line) or _item.match(line) or _row.match(line)
    )


def _begins_in_code(lines: list[str]) -> bool:
    """Tell whether a passage was cut out in the middle of a block of code."""
    fences = [at for at, line in enumerate(lines) if _fence.match(line)]
    for number, at in enumerate(fences):
        if lines[at].strip(" \t`~"):
            return number % 2 == 1  # it names a language, so it opens a block
    edges = [-1, *fences, len(lines)]
    parts = [lines[begin + 1 : end] for begin, end in pairwise(edges)]
    return bool(fences) and _prose_in(parts[1::2]) > _prose_in(parts[::2])


def _prose_in(parts: list[list[str]]) -> float:
    """Return the share of lines that look like prose."""
    lines = [line for part in parts for line in part if line.strip()]
    return sum(bool(_proses.match(line)) for line in lines) / max(1, len(lines))
