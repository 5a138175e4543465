"""Pieces of documents with their citations, wherever they stand in a conversation."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hector_llm.local.conversation import Conversation, Result

_heading = re.compile(r"^[ \t>#*-]*\[([^\[\]\n]+:\d+-\d+)\][ \t]*(.*)$", re.MULTILINE)
"""A hit as the search tool heads it: `[docs/guide.md:12-30] Title`."""
_numbered = re.compile(r"^[ \t]*(\d+)[ \t]?[\t|:→][ \t]?(.*)$")
"""A line as file tools show it, behind its number."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that may be quoted."""

    citation: str
    """Where it comes from, as "docs/guide.md:12-30"; empty for what needs none."""
    title: str
    text: str


def passages_in(conversation: Conversation) -> list[Passage]:
    """Return everything the conversation holds to answer from, the best first as tools gave it."""
    found: list[Passage] = []
    for result in conversation.results:
        if not result.failed:
            found += headed(result.text) or from_file(result)
    for name, text in conversation.attached:
        found.append(Passage(_lines(name, text) if name else "", "", text))
    # What was put into the instructions or the question by whoever runs the agent.
    found += headed(conversation.system) + headed(conversation.question)
    return found


def headed(text: str) -> list[Passage]:
    """Return the passages of a text in which each is headed by its citation."""
    heads = list(_heading.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)][: len(heads)]
    return [
        Passage(head[1], head[2].strip(" -:*\u2013\u2014"), text[head.end() : end].strip())
        for head, end in zip(heads, ends, strict=True)
    ]


def from_file(result: Result) -> list[Passage]:
    """Return what a tool that reads a file has read; nothing if it was another tool."""
    path = next((value for name, value in result.arguments.items() if _names_file(name)), None)
    if not isinstance(path, str) or not result.text:
        return []
    lines = [_numbered.match(line) for line in result.text.splitlines()]
    numbers = [int(line[1]) for line in lines if line]
    if len(numbers) * 2 < len(lines):
        return [Passage(_lines(path, result.text), "", result.text)]
    text = "\n".join(line[2] for line in lines if line)
    return [Passage(f"{path}:{min(numbers)}-{max(numbers)}", "", text)]


def _names_file(name: str) -> bool:
    return name.lower() in ("path", "file", "filename", "file_path", "filepath", "source")


def _lines(name: str, text: str) -> str:
    return f"{name}:1-{max(1, len(text.splitlines()))}"


def unheaded(results: Iterable[Result]) -> list[Result]:
    """Return the results that cite nothing: to be shown rather than quoted."""
    return [result for result in results if not result.failed and not headed(result.text)]
