"""The tool `grep_search`: lines that match a pattern, in the files of a folder."""

import threading
import time
from dataclasses import dataclass, field

import orjson
from pydantic import Field

from hector.common.v1 import ToolAnnotations
from hector.tool.v1 import ExecuteToolResponse, ToolContext
from hector_mesh import current_call
from hector_tool.arguments import Arguments
from hector_tool.builtin import BuiltIn
from hector_tool.config import ToolConfig
from hector_tool.errors import ArgumentsInvalid
from hector_tool.extensions import Extensions
from hector_tool.folder import Folder, Opened
from hector_tool.glob import matcher
from hector_tool.matching import Line, matching_lines, with_context
from hector_tool.output import size_of
from hector_tool.regex import PatternInvalid, compiled
from hector_tool.text import decoded, is_binary, printable
from hector_tool.threads import Threads
from hector_tool.walk import Found, files_below


class GrepSearchArguments(Arguments):
    """What to look for, and where."""

    pattern: str = Field(
        min_length=1, max_length=1000, description="Regular expression (RE2), tried on each line."
    )
    path: str = Field(".", min_length=1, max_length=4096, description="Folder or file to search in.")
    file_pattern: str | None = Field(
        None, max_length=500, description='Only files like this: "*.py", "docs/**/*.{md,rst}".'
    )
    case_insensitive: bool = Field(False, description="Let upper and lower case be the same.")
    context_lines: int = Field(2, ge=0, le=10, description="Lines shown before and after each match.")
    max_results: int = Field(100, ge=1, le=1000, description="Most matching lines.")
    recursive: bool = Field(True, description="Search folders in the folder too.")


def grep_search(name: str, config: ToolConfig, threads: Threads) -> BuiltIn[GrepSearchArguments]:
    """Return the tool, held to the folder, the sizes and the time of `config`."""
    folder, extensions = Folder(config.working_directory), Extensions(config)

    async def run(arguments: GrepSearchArguments, context: ToolContext) -> ExecuteToolResponse:
        # A little less than the call has, so that what was found in time is not lost.
        seconds = current_call.get().remaining(config.timeout) or config.timeout
        search = _Search(name, config, arguments, extensions, time.monotonic() + 0.9 * seconds)
        return await threads.run(lambda stop: search.run(folder, stop))

    return BuiltIn(
        title="Search in files",
        description=(
            "Finds lines that match a regular expression in the project's files. "
            "Leaves out binary and very large files, secrets, and folders such as .git and node_modules."
        ),
        arguments=GrepSearchArguments,
        run=run,
        annotations=ToolAnnotations(read_only=True, idempotent=True),
    )


@dataclass(slots=True)
class _Result:
    """What was found so far, and what was left out."""

    text: list[str] = field(default_factory=list)
    matches: list[dict[str, object]] = field(default_factory=list)
    files: int = 0
    searched: int = 0
    binary: int = 0
    too_large: int = 0
    unreadable: int = 0
    full: str = ""
    """Why there may be more: a note for the model."""


class _Search:
    """One search, in a thread."""

    def __init__(
        self, name: str, config: ToolConfig, wanted: GrepSearchArguments, extensions: Extensions, until: float
    ) -> None:
        self._config = config
        self._wanted = wanted
        self._extensions = extensions
        self._until = until
        self._limit = min(wanted.max_results, config.max_results)
        self._room = config.max_output_size - 1024  # what is kept for the notes at the end
        self._result = _Result()
        self._stop = threading.Event()
        try:
            self._regex = compiled(wanted.pattern, case_sensitive=not wanted.case_insensitive, lines=True)
        except PatternInvalid as error:
            allowed = "regular expressions as RE2 has them, without look-around and back-references"
            raise ArgumentsInvalid(name, [f'argument "pattern": {error} (allowed: {allowed})']) from error
        try:
            self._glob = matcher(wanted.file_pattern) if wanted.file_pattern else None
        except ValueError as error:
            raise ArgumentsInvalid(name, [f'argument "file_pattern": {error}']) from error

    def run(self, folder: Folder, stop: threading.Event) -> ExecuteToolResponse:
        self._stop = stop
        with folder.opened(self._wanted.path) as place:
            if place.is_folder:
                self._search_folder(place)
            else:
                self._search(Found(place.fd, place.path, place.size_bytes))
        return self._response(place)

    def _search_folder(self, place: Opened) -> None:
        depth = len(place.path)

        def wanted(path: tuple[str, ...]) -> bool:
            if not self._extensions.allow(path[-1]):
                return False
            return (
                self._glob is None
                or self._glob.fullmatch("/".join(path[depth:]).encode("utf-8", "replace")) is not None
            )

        for found in files_below(place, recursive=self._wanted.recursive, wanted=wanted, stopped=self._over):
            self._search(found)

    def _search(self, file: Found) -> None:
        limit = self._config.max_file_size
        if file.size_bytes > limit:
            self._result.too_large += 1
            return
        try:
            with open(file.fd, "rb", closefd=False) as stream:
                data = stream.read(limit)
        except OSError:
            self._result.unreadable += 1
            return
        self._result.searched += 1
        if is_binary(data):
            self._result.binary += 1
            return
        if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) or b"\r" in data:
            data = decoded(data)[0].encode()
        matches: dict[int, int] = {}
        for number, at in matching_lines(self._regex, data, self._over):
            matches[number] = at
            if len(self._result.matches) + len(matches) >= self._limit:
                self._result.full = f"Only the first {self._limit} matching lines are shown"
                break
        if matches:
            self._show(
                printable("/".join(file.path)), with_context(data, matches, self._wanted.context_lines)
            )

    def _show(self, name: str, blocks: list[list[Line]]) -> None:
        if self._add(f"\n{name}" if self._result.text else name):
            self._result.files += 1
        for number, block in enumerate(blocks):
            if number and self._wanted.context_lines:
                self._add("--")
            for line in block:
                if self._add(f"{line.number}{':' if line.matches else '-'} {line.text}") and line.matches:
                    self._result.matches.append({"path": name, "line": line.number, "text": line.text})

    def _add(self, line: str) -> bool:
        """Add a line to the answer, if it still fits; nothing is added after one that did not."""
        self._room -= size_of(line) + 1
        if self._room < 0:
            self._room = -1
            self._result.full = "The rest would be too long to show"
            return False
        self._result.text.append(line)
        return True

    def _over(self) -> bool:
        """Tell whether to stop, and remember why."""
        if self._stop.is_set():
            return True
        if not self._result.full and time.monotonic() > self._until:
            self._result.full = "The time was up before all files were searched"
        return bool(self._result.full)

    def _response(self, place: Opened) -> ExecuteToolResponse:
        result = self._result
        count = len(result.matches)
        lines = f"{count} matching line{'s' * (count != 1)} in {result.files} file{'s' * (result.files != 1)}"
        if not count:
            lines = f"Nothing in {place.name} matches {self._wanted.pattern!r}"
            if self._wanted.file_pattern:
                lines += f" in files like {self._wanted.file_pattern}"
        skipped = [
            f"{number} {what}"
            for number, what in (
                (result.binary, "binary"),
                (result.too_large, f"larger than {self._config.max_file_size:,} bytes"),
                (result.unreadable, "unreadable"),
            )
            if number
        ]
        notes = [f"{result.searched:,} files searched."]
        if skipped:
            notes.append(f"Left out: {', '.join(skipped)}.")
        if result.full:
            notes.append(f"{result.full}: search for less, or in a smaller folder.")
        text = (
            [f"{lines}:", "", *result.text, "", f"[{' '.join(notes)}]"]
            if count
            else [f"{lines}.", f"[{' '.join(notes)}]"]
        )
        structured = {"matches": result.matches, "total": count, "complete": not result.full}
        return ExecuteToolResponse(result="\n".join(text), structured_json=orjson.dumps(structured).decode())
