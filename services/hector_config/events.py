"""Reads YAML's syntax, and explains what breaks it."""

import re
from collections.abc import Iterator

import yaml
from yaml.events import Event
from yaml.reader import Reader

from hector_config.problem import Mark, Problem, quoted

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where the wheel has it
_BYTE_ORDER_MARK = re.compile("\ufeff")


class Unreadable(Exception):
    """What follows in the document cannot be made sense of."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def events_of(text: str, file: str) -> Iterator[Event]:
    """Yield what YAML's parser sees, in order.

    Raises:
        Unreadable: It is no YAML; the position and, where one is known, a way out.
    """
    text = text.removeprefix("\ufeff")
    # PyYAML's own pattern: a second one like it would cost every start 12 ms.
    bad = Reader.NON_PRINTABLE.search(text) or _BYTE_ORDER_MARK.search(text)
    if bad:
        raise Unreadable(
            Problem(
                *_mark_of(text, bad.start(), file),
                "",
                f"the character U+{ord(bad[0]):04X} cannot stand in a YAML file",
                hint="in a quoted string it can be written with a backslash",
            )
        )
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line, column = (place.line, place.column) if place else (0, 0)
        lines = text.splitlines() or [""]
        written = lines[line] if line < len(lines) else ""
        message, hint = _explained(error.problem or error.context or "not readable", written, column)
        began = error.context_mark
        if error.context and began and began.line != line:
            message += f" {error.context} that begins on line {began.line + 1}"
        raise Unreadable(
            Problem(file, line + 1, column + 1, "", f"not valid YAML: {message}", hint=hint)
        ) from None
    except yaml.YAMLError as error:
        raise Unreadable(Problem(file, 1, 1, "", f"not valid YAML: {error}")) from None


def _explained(problem: str, written: str, column: int) -> tuple[str, str]:
    """Return libyaml's finding in the words of somebody who edits a config file, and a way out."""
    if "\t" in written[: column + 1] and not written[:column].strip():
        return "a tab cannot indent", "use spaces"
    if re.search(r"[\[{,].*\$\{", written):
        return problem, 'inside [ ] and { } a variable needs quotes: "${NAME}"'
    if "mapping values are not allowed" in problem:
        return 'a second ": " in one line', 'quote a value that holds ": "; check the indentation'
    if "cannot start any token" in problem:
        return f"{quoted(written[column : column + 1])} cannot begin a value", "quote the value"
    if "expected ':'" in problem:
        return "a key without its colon", "write key: value"
    if "did not find expected" in problem:
        return problem, "check the indentation and the quotes of this line and the one before"
    return problem, ""


def _mark_of(text: str, index: int, file: str) -> Mark:
    before = text[:index]
    line_start = before.rfind("\n") + 1
    return Mark(file, before.count("\n") + 1, index - line_start + 1)
