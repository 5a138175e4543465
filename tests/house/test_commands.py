"""Ours: every command line that a page shows is one that `hector` and `make` accept."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

FENCE = re.compile(r"^ *```(?:sh|bash|console|text)? *\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
PLACEHOLDERS = {"FOLDER": "docs"}
"""What a page leaves for the reader to fill in where the command looks at it while parsing."""


def test_hector_accepts_every_command_line_in_a_page(
    root: Path, pages: dict[Path, str], parsed: Callable[[list[str]], dict[str, Any]]
) -> None:
    refused = []
    for page, text in pages.items():
        for words in commands_in(text, "hector"):
            try:
                parsed([PLACEHOLDERS.get(word, word) for word in words])
            except click.exceptions.Exit:
                pass  # --help
            except click.ClickException as error:
                refused.append(
                    f"{page.relative_to(root)}: hector {shlex.join(words)}: {error.format_message()}"
                )
    assert refused == []


def test_make_has_every_target_in_a_page(root: Path, pages: dict[Path, str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    missing = [
        f"{page.relative_to(root)}: make {word}"
        for page, text in pages.items()
        for words in commands_in(text, "make")
        for word in words
        if "=" not in word and word not in targets
    ]
    assert missing == []


def test_the_check_itself_finds_commands() -> None:
    lines = [
        '$ A=1 .venv/bin/hector call "a; b" &  # ask',
        "cd x && hector serve \\",
        "  --port 1",
        "hector: no",
    ]
    page = "\n".join(["```sh", *lines, "```", ""])
    assert list(commands_in(page, "hector")) == [["call", "a; b"], ["serve", "--port", "1"]]


def commands_in(page: str, program: str) -> Iterator[list[str]]:
    """Give the words behind each call of a program in the fences of a page that hold shell commands."""
    for fence in FENCE.finditer(page):
        for line in fence["text"].replace("\\\n", " ").splitlines():
            if re.search(rf"(?:^|[;&|])\s*(?:\$ )?(?:\w+=\S+ )*(?:\S*/)?{program} ", line):
                yield from calls_in(line, program)


def calls_in(line: str, program: str) -> Iterator[list[str]]:
    """Give the words behind each call of a program in one line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = [*lexer, ";"]
    while ";" in words:
        end = next(at for at, word in enumerate(words) if set(word) <= set("();<>|&"))
        command, words = words[:end], words[end + 1 :]
        while command and (command[0] == "$" or re.match(r"[A-Z_]+=", command[0])):
            command = command[1:]
        if command and Path(command[0]).name == program:
            yield command[1:]
