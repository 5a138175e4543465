"""The chunker `simple`: passages that end where the text pauses. Nothing is lost, nothing is said twice."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hector_document.config import ChunkingConfig
from hector_document.structure import Block, blocks_of

VERSION = 1
"""Changes when the same text would be cut otherwise."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage. Without overlap, all passages of a text joined are the text, but for pages of blanks."""

    start: int
    end: int
    text: str
    start_line: int
    end_line: int
    """Lines that have something on them, from 1, both included."""
    path: tuple[str, ...] = ()
    """The headings it is under; of several the first."""


# Best place first: after a line, a sentence, a word.
_PAUSES = (re.compile(r"\n"), re.compile(r"[.!?…。！？][)\"'»”]*\s+"), re.compile(r"\s+|(?<=[,;:/|])"))  # noqa: RUF001


def chunks_of(text: str, config: ChunkingConfig, *, markdown: bool = False) -> list[Chunk]:
    """Cut a text into passages.

    A passage has at most `max_size` characters, and about `size` if its text allows it. One smaller than
    `min_size` stays only where joining it with a neighbour would make that larger than `max_size`.
    """
    parts = [part for block in blocks_of(text, markdown=markdown) for part in _fitting(text, block, config)]
    spans = _joined(_packed(parts, config), config)
    feeds = [found.start() for found in re.finditer("\n", text)]
    chunks: list[Chunk] = []
    for number, span in enumerate(spans):
        start = (
            _overlapped(text, spans[number - 1], span, config) if number and config.overlap else span.start
        )
        passage = text[start : span.end]
        if not passage.strip():
            continue  # nothing but blanks: nobody looks for them
        first = start + len(passage) - len(passage.lstrip())
        last = start + len(passage.rstrip()) - 1
        lines = bisect_right(feeds, first - 1) + 1, bisect_right(feeds, last - 1) + 1
        chunks.append(Chunk(start, span.end, passage, *lines, span.path))
    return chunks


def _fitting(text: str, block: Block, config: ChunkingConfig) -> Iterator[Block]:
    """Cut a block that is too large; a code block may be as large as a passage can be."""
    limit = config.max_size if block.kind == "code" else config.size
    if block.size <= limit:
        yield block
        return
    start = block.start
    while block.end - start > config.size:
        end = _pause(text, start, start + config.size, config.preserve_words)
        yield replace(block, start=start, end=end)
        start = end
    yield replace(block, start=start)


def _pause(text: str, start: int, limit: int, preserve_words: bool) -> int:
    """Return where to cut at best, after `start` and not after `limit`."""
    # A cut in the first half would leave a stump: then a lesser pause further on is better.
    half = start + (limit - start) // 2
    for pause in _PAUSES if preserve_words else ():
        for earliest in (half, start) if pause is _PAUSES[-1] else (half,):
            ends = [found.end() for found in pause.finditer(text, earliest, limit)]
            ends = [end for end in ends if start < end <= limit]
            if ends:
                return ends[-1]
    return limit


def _packed(parts: Sequence[Block], config: ChunkingConfig) -> list[Block]:
    """Put parts together up to the size aimed at; a heading begins a passage, and is never left at an end."""
    spans: list[Block] = []
    held: list[Block] = []

    def flush(keep: int = 0) -> None:
        taken = held[: len(held) - keep]
        if taken:
            spans.append(replace(taken[0], end=taken[-1].end))
        del held[: len(taken)]

    for part in parts:
        size = part.end - held[0].start if held else 0
        headings = _trailing_headings(held)
        if part.kind == "heading" and held and headings < len(held) and size - part.size >= config.min_size:
            flush()
        elif held and size > config.size:
            if headings < len(held):
                flush(headings)
                if held and part.end - held[0].start > config.max_size:
                    flush()
            elif size > config.max_size:
                flush()
        held.append(part)
    flush()
    return spans


def _trailing_headings(held: Sequence[Block]) -> int:
    count = 0
    for block in reversed(held):
        if block.kind != "heading":
            break
        count += 1
    return count


def _joined(spans: Sequence[Block], config: ChunkingConfig) -> list[Block]:
    """Join passages that are too small with a neighbour, the one after first."""
    joined: list[Block] = []
    for span in spans:
        before = joined[-1] if joined else None
        if (
            before is not None
            and (before.size < config.min_size or span.size < config.min_size)
            and span.end - before.start <= config.max_size
        ):
            joined[-1] = replace(before, end=span.end)
        else:
            joined.append(span)
    return joined


def _overlapped(text: str, before: Block, span: Block, config: ChunkingConfig) -> int:
    """Return where a passage begins that repeats some of the one before, from a word's beginning on."""
    spare = min(config.overlap, config.max_size - span.size)
    earliest = max(before.start + 1, span.start - spare)
    if spare <= 0 or not config.preserve_words or text[earliest - 1].isspace():
        return min(earliest, span.start)
    gap = re.compile(r"\s+").search(text, earliest, span.start)
    return gap.end() if gap else span.start
