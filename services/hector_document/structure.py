"""What a text is made of: headings, code blocks and paragraphs, which together are the text again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "code", "text"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text, blank lines after it included."""

    start: int
    end: int
    """Where it is in the text, in characters; the next block begins where it ends."""
    kind: Kind = "text"
    path: tuple[str, ...] = ()
    """The headings above it, outermost first; a heading is in its own path."""
    level: int = 0
    """Depth of a heading, from 1."""

    @property
    def size(self) -> int:
        return self.end - self.start


_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*\r?\n?")
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})([^`\n]*)\r?\n?")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*\r?\n?")
_FRONT = re.compile(r"---[ \t]*\r?\n")
_LONGEST_HEADING = 1000
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def blocks_of(text: str, *, markdown: bool) -> list[Block]:
    """Return the blocks of a text in order; joined they are the text, to the last character."""
    lines = text.splitlines(keepends=True) if "\n" in text else [text]
    found = list(_markdown(_merged(lines)) if markdown else _plain(_merged(lines)))
    return [block for block in found if block.size]


def title_of(text: str, blocks: list[Block]) -> str:
    """Return a Markdown document's own title: its first heading of the highest level there is."""
    headings = [block for block in blocks if block.kind == "heading"]
    return min(headings, key=lambda block: block.level).path[-1] if headings else ""


def _merged(lines: list[str]) -> list[str]:
    """Undo what splitlines does beyond line feeds: form feeds and the like are no lines in an editor."""
    merged: list[str] = []
    for line in lines:
        if merged and not merged[-1].endswith("\n"):
            merged[-1] += line
        else:
            merged.append(line)
    return merged


def _plain(lines: list[str]) -> Iterator[Block]:
    start = end = 0
    blank = False
    for line in lines:
        if blank and line.strip():
            yield Block(start, end)
            start = end
        blank = not line.strip()
        end += len(line)
    yield Block(start, end)


def _markdown(lines: list[str]) -> Iterator[Block]:
    path: list[tuple[int, str]] = []
    at = number = 0
    start, kind = 0, "text"

    def until(end: int) -> Iterator[Block]:
        nonlocal start, kind
        if end > start:
            yield Block(start, end, "code" if kind == "code" else "text", tuple(title for _, title in path))
        start, kind = end, "text"

    def heading(level: int, title: str, begin: int, end: int) -> Block:
        nonlocal start
        while path and path[-1][0] >= level:
            path.pop()
        path.append((level, _LINK.sub(r"\1", title).strip()))
        start = end
        return Block(begin, end, "heading", tuple(title for _, title in path), level)

    if lines and _FRONT.fullmatch(lines[0]):
        closing = next((n for n, line in enumerate(lines[1:60], 1) if line.strip() in ("---", "...")), 0)
        at, number = sum(map(len, lines[: closing + 1])) if closing else 0, closing + 1 if closing else 0
        yield from until(at)
    while number < len(lines):
        line = lines[number]
        fence = _FENCE.fullmatch(line)
        # What is longer is no heading; and the pattern takes its time with a long row of spaces.
        titled = _HEADING.fullmatch(line) if len(line) <= _LONGEST_HEADING else None
        if fence:
            yield from until(at)
            kind = "code"
            close = re.compile(rf"[ \t>]*{re.escape(fence[1][0])}{{{len(fence[1])},}}[ \t]*\r?\n?")
            at, number = at + len(line), number + 1
            while number < len(lines):
                at, number = at + len(lines[number]), number + 1
                if close.fullmatch(lines[number - 1]):
                    break
            at, number = _past_blanks(lines, at, number)
            yield from until(at)
        elif titled:
            yield from until(at)
            end, number = _past_blanks(lines, at + len(line), number + 1)
            yield heading(len(titled[1]), titled[2] or "", at, end)
            at = end
        elif at == start and number + 1 < len(lines) and _underlined(line, lines[number + 1]):
            mark = lines[number + 1]
            end, number = _past_blanks(lines, at + len(line) + len(mark), number + 2)
            yield heading(1 if "=" in mark else 2, line.strip(), at, end)
            at = end
        else:
            at, number = at + len(line), number + 1
            if not line.strip():
                at, number = _past_blanks(lines, at, number)
                yield from until(at)
    yield from until(at)


def _underlined(line: str, mark: str) -> bool:
    # A list, a quotation or a table row above a rule is no heading.
    return (
        0 < len(line.strip()) <= _LONGEST_HEADING
        and bool(_UNDERLINE.fullmatch(mark))
        and not re.match(r"\s*([-*+>|#]|\d+[.)])", line)
    )


def _past_blanks(lines: list[str], at: int, number: int) -> tuple[int, int]:
    while number < len(lines) and not lines[number].strip():
        at, number = at + len(lines[number]), number + 1
    return at, number
