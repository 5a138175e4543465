"""The tool `read_file`: lines of one file, numbered."""

import difflib
import os
from collections.abc import Sequence
from typing import Self

import orjson
from pydantic import Field, model_validator

from hector.common.v1 import ToolAnnotations
from hector.tool.v1 import ExecuteToolResponse, ToolContext
from hector_tool.arguments import Arguments
from hector_tool.builtin import BuiltIn
from hector_tool.config import ToolConfig
from hector_tool.errors import ToolDenied, ToolFailed
from hector_tool.extensions import Extensions
from hector_tool.folder import Folder, Opened
from hector_tool.output import capped, size_of
from hector_tool.secret_names import is_secret
from hector_tool.text import decoded, is_binary, lines_of, printable
from hector_tool.threads import Threads

SHOWN_NAMES = 50
"""Names shown of a folder that was taken for a file."""


class ReadFileArguments(Arguments):
    """Which lines of which file."""

    path: str = Field(min_length=1, max_length=4096, description="The file, relative to the project folder.")
    start_line: int | None = Field(None, ge=1, description="First line to read, from 1. Left out: the first.")
    end_line: int | None = Field(None, ge=1, description="Last line to read. Left out: the last.")
    line_numbers: bool = Field(True, description="Put its number before each line.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_line and self.end_line and self.end_line < self.start_line:
            raise ValueError(f"end_line {self.end_line} is before start_line {self.start_line}")
        return self


def read_file(config: ToolConfig, threads: Threads) -> BuiltIn[ReadFileArguments]:
    """Return the tool, held to the folder and the sizes of `config`."""
    reader = _Reader(config)

    async def run(arguments: ReadFileArguments, context: ToolContext) -> ExecuteToolResponse:
        return await threads.run(lambda stop: reader.read(arguments))

    return BuiltIn(
        title="Read a file",
        description=(
            "Reads a text file of the project. "
            "Long files are cut, and the answer says at which line to go on. "
            "A folder's path is answered with the names in it."
        ),
        arguments=ReadFileArguments,
        run=run,
        annotations=ToolAnnotations(read_only=True, idempotent=True),
    )


class _Reader:
    def __init__(self, config: ToolConfig) -> None:
        self._config = config
        self._folder = Folder(config.working_directory)
        self._extensions = Extensions(config)

    def read(self, arguments: ReadFileArguments) -> ExecuteToolResponse:
        try:
            with self._folder.opened(arguments.path) as file:
                if file.is_folder:
                    raise ToolFailed(_contents(file))
                data = self._bytes(file)
        except ToolFailed as failure:
            raise ToolFailed(f"{failure}{self._meant(arguments.path)}") from failure
        if is_binary(data):
            raise ToolFailed(f"{file.name} is no text: it holds bytes that no text has")
        text, encoding = decoded(data)
        response = self._shown(file.name, lines_of(text), arguments)
        if encoding != "UTF-8":
            response.result += f"\n[Read as {encoding}.]"
        return response

    def _bytes(self, file: Opened) -> bytes:
        if not self._extensions.allow(file.path[-1]):
            raise ToolDenied(f"{file.name}: {self._extensions.rule}", path=file.name)
        limit = self._config.max_file_size
        with open(file.fd, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            size = f"{max(file.size_bytes, len(data)):,} bytes"
            raise ToolFailed(
                f"{file.name} has {size}, the limit is {limit:,}; grep_search may find the lines"
            )
        return data

    def _shown(self, name: str, lines: Sequence[str], wanted: ReadFileArguments) -> ExecuteToolResponse:
        total = len(lines)
        if not total:
            return ExecuteToolResponse(result=f"[{name} is empty.]")
        first, last = wanted.start_line or 1, min(wanted.end_line or total, total)
        if first > total:
            raise ToolFailed(f"{name} ends at line {total:,}; start_line was {first:,}")
        # Room for the note at the end, which comes to less than 200 bytes and a name.
        room = self._config.max_output_size - 256 - size_of(name)
        shown: list[str] = []
        for number in range(first, last + 1):
            line = f"{number:6}\t{lines[number - 1]}" if wanted.line_numbers else lines[number - 1]
            room -= size_of(line) + 1
            if room < 0:
                break
            shown.append(line)
        end = first + len(shown) - 1
        if not shown:
            rest = "The line goes on; grep_search may find what is in it."
            shown, end = [capped(lines[first - 1], self._config.max_output_size - 512, rest)], first
        if end < last:
            shown.append(f"[Lines {first:,} to {end:,} of {total:,}; go on with start_line {end + 1}.]")
        elif (first, end) != (1, total):
            shown.append(f"[Lines {first:,} to {end:,} of {total:,}.]")
        place = {"path": name, "start_line": first, "end_line": end, "total_lines": total}
        return ExecuteToolResponse(result="\n".join(shown), structured_json=orjson.dumps(place).decode())

    def _meant(self, path: str) -> str:
        """Return a hint if something beside a path that is not there has nearly its name."""
        parent, _, name = path.rpartition("/")
        try:
            with self._folder.opened(parent or ".") as folder:
                names = os.listdir(folder.fd) if folder.is_folder else []  # noqa: PTH208  a descriptor has no Path
                near = [
                    name
                    for name in difflib.get_close_matches(name, names, 3)
                    if not is_secret([*folder.path, name])
                ]
        except (ToolFailed, ToolDenied, OSError):
            return ""
        return f"; did you mean {', '.join(map(printable, near))}?" if near and name not in names else ""


def _contents(folder: Opened) -> str:
    """Return the names in a folder, those of folders with a slash."""
    with os.scandir(folder.fd) as entries:
        names = sorted(
            printable(entry.name) + ("/" if entry.is_dir(follow_symlinks=False) else "")
            for entry in entries
            if not is_secret([*folder.path, entry.name])
        )
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return f"{folder.name} is a folder; in it: {', '.join(names[:SHOWN_NAMES]) or 'nothing'}{more}"
