"""The environment a config is filled from: the process's own, then `.env` files."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from hector_config.problem import Problem
from hector_config.reading import read_bytes

MAX_BYTES = 1024 * 1024

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
        (?:'(?P<literal>[^']*)'
          |"(?P<escaped>(?:[^"\\]|\\.)*)"
          |(?P<bare>[^\r\n]*))
        (?P<rest>[^\r\n]*)""",
    re.VERBOSE | re.DOTALL,
)
_IGNORED = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=\r?\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_environment(
    *folders: Path, environment: Mapping[str, str] | None = None, warnings: list[Problem] | None = None
) -> dict[str, str]:
    """Return the process's environment, completed from `.env` in each folder and in `~/.hector`.

    What is set already wins, then the first file. Nothing is exported to `os.environ`. A file that cannot be
    read, or a line that is not NAME=value, becomes one of `warnings`.
    """
    known = dict(os.environ if environment is None else environment)
    said: list[Problem] = [] if warnings is None else warnings
    for folder in dict.fromkeys([*folders, *_home()]):
        for name, value in _read(folder / ".env", said).items():
            known.setdefault(name, value)
    return known


def _home() -> list[Path]:
    try:
        return [Path.home() / ".hector"]
    except RuntimeError:
        return []  # a container's made-up user has none


def _read(file: Path, warnings: list[Problem]) -> dict[str, str]:
    try:
        content = read_bytes(file, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        warnings.append(Problem(str(file), 0, 0, "", f"not read: {error.strerror or 'unreadable'}"))
        return {}
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        warnings.append(Problem(str(file), 0, 0, "", "not read: it is not UTF-8"))
        return {}
    if len(content) > MAX_BYTES:
        warnings.append(Problem(str(file), 0, 0, "", f"not read: more than {MAX_BYTES} bytes"))
        return {}
    values, unclear = parse_dotenv(text)
    warnings += [
        Problem(str(file), line, 1, "", "ignored: this is not NAME=value", hint="quote what spans lines")
        for line in unclear
    ]
    return values


def parse_dotenv(text: str) -> tuple[dict[str, str], list[int]]:
    r"""Return the values of a `.env` text, and the numbers of the lines that mean nothing.

    `export` is optional; '…' is literal; "…" knows \n, \r, \t, \" and \\; both may span lines. Unquoted, a
    ` #` begins a comment. The last of several equal names counts.
    """
    values: dict[str, str] = {}
    unclear: list[int] = []
    position = 0
    while position < len(text):
        blank = _IGNORED.match(text, position)
        line = None if blank else _LINE.match(text, position)
        value = _value(line) if line else None
        if line and value is not None:
            values[line["name"]] = value
        elif not blank:
            unclear.append(text.count("\n", 0, position) + 1)
        end = blank.end() if blank else line.end() if line and value is not None else position
        position = text.find("\n", end) + 1 or len(text)
    return values, unclear


def _value(line: re.Match[str]) -> str | None:
    rest = line["rest"].strip()
    if line["bare"] is None:
        if rest and not rest.startswith("#"):
            return None
        if line["literal"] is not None:
            return line["literal"]
        return re.sub(
            r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), line["escaped"], flags=re.DOTALL
        )
    bare = line["bare"]
    if bare[:1] in ("'", '"'):
        return None  # a quote that never closes, or closes too early
    return re.split(r"(?:^|[ \t])#", bare, maxsplit=1)[0].strip()
