"""Fills `${NAME}` from the environment, before anything is typed."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hector_config.problem import Mark, Path, Problem, problem_at
from hector_config.scalars import resolve
from hector_config.tree import Map, Node, Scalar, scalars_of

_START = re.compile(r"\$\$\{|\$\{")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ONLY = re.compile(r"(?:\$\{[A-Za-z0-9_]+\})+")
_BRACE = re.compile(r"[{}]")
_MAX_NESTING = 16
_MAX_FAULTS = 20  # in one string: more would only hide the others


@dataclass(slots=True)
class _Filled:
    """What becomes of one string."""

    pieces: list[str] = field(default_factory=list)
    variables: dict[str, None] = field(default_factory=dict)  # in order, each once
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)  # message: which `${` first, and a hint
    seen: int = 0

    def fault(self, which: int, message: str, hint: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.setdefault(message, (which, hint))


def interpolate(root: Map, document: str, environment: Mapping[str, str], problems: list[Problem]) -> None:
    """Replace every reference in the tree's values; keys, comments and lone `$` are left alone.

    `${A}` must be set; `${A:-b}` and `${A:b}` mean b when A is unset or empty (b may hold references too);
    `$${` is a literal `${`. An unquoted value means afterwards what it would mean had it been written out.
    """
    for path, scalar in scalars_of(root):
        if "${" not in scalar.text or scalar.doubtful:
            continue
        filled = _fill(scalar.text, environment)
        for message, (which, hint) in filled.faults.items():
            mark = _mark_of(scalar, document, which)
            problems.append(problem_at(mark, path, message, hint=hint))
            scalar.doubtful = True
        scalar.only_variables = _ONLY.fullmatch(scalar.text) is not None
        scalar.text = "".join(filled.pieces)
        scalar.value = resolve(scalar.text) if scalar.plain else scalar.text
        scalar.variables = tuple(filled.variables)
    _check_keys(root, (), problems)


def _fill(text: str, environment: Mapping[str, str], depth: int = 0) -> _Filled:
    result, position = _Filled(), 0
    while found := _START.search(text, position):
        result.pieces.append(text[position : found.start()])
        position = found.end()
        result.seen += 1
        if found[0] == "$${":
            result.pieces.append("${")
            continue
        end = _closing(text, position)
        if end < 0 or depth > _MAX_NESTING:
            message = "${ without its }" if end < 0 else "${ nested too deep"
            result.fault(result.seen, message, "a literal ${ is written $${")
            position = len(text)
            break
        _expand(text[position:end], environment, result, depth)
        position = end + 1
    result.pieces.append(text[position:])
    return result


def _expand(inside: str, environment: Mapping[str, str], result: _Filled, depth: int) -> None:
    which = result.seen
    result.seen += inside.count("${")
    name = _NAME.match(inside)
    rest = inside[name.end() :] if name else ""
    if not name or (rest and rest[0] != ":"):
        hint = "write ${NAME} or ${NAME:-default}; a literal ${ is written $${"
        result.fault(which, "this is no reference to a variable", hint)
        return
    if rest[1:2] in ("?", "+", "="):
        hint = f"write ${{{name[0]}:-default}}"
        result.fault(which, f"the form ${{{name[0]}:{rest[1]}…}} is not supported", hint)
        return
    value = environment.get(name[0])
    if rest and not value:
        default = _fill(rest[2:] if rest.startswith(":-") else rest[1:], environment, depth + 1)
        result.pieces += default.pieces
        result.variables |= {name[0]: None, **default.variables}
        for message, (nested, hint) in default.faults.items():
            result.fault(which + nested, message, hint)
        return
    result.variables[name[0]] = None
    if value is None:
        result.fault(which, f"the variable {name[0]} is not set", _advice(name[0], environment))
    elif any("\ud800" <= letter <= "\udfff" for letter in value):
        result.fault(which, f"the variable {name[0]} does not hold UTF-8", "")
    else:
        result.pieces.append(value)


def _closing(text: str, position: int) -> int:
    """Return where the brace that opened before `position` closes, or -1."""
    depth = 1
    for brace in _BRACE.finditer(text, position):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return -1


def _advice(name: str, environment: Mapping[str, str]) -> str:
    alike = [other for other in environment if other[0:1] == name[0] and abs(len(other) - len(name)) <= 3]
    near = difflib.get_close_matches(name, alike, n=1, cutoff=0.7)
    if near:
        return f"did you mean {near[0]}?"
    return f"set it, put it into .env, or write ${{{name}:-default}}"


def _mark_of(scalar: Scalar, document: str, which: int) -> Mark:
    """Return where the `which`-th reference of a string stands; the string may run over many lines."""
    found = scalar.start
    for _ in range(which):
        found = document.find("${", found, scalar.end) + 1
        if not found:
            return scalar.mark
    at = found - 1
    line_start = document.rfind("\n", 0, at) + 1
    return Mark(scalar.mark.file, document.count("\n", 0, at) + 1, at - line_start + 1)


def _check_keys(node: Node, path: Path, problems: list[Problem]) -> None:
    if isinstance(node, Scalar):
        return
    if isinstance(node, Map):
        for key, mark in node.keys.items():
            if "${" in key:
                hint = "only values are filled from variables"
                problems.append(problem_at(mark, (*path, key), "a variable in a key", hint=hint))
        for key, child in node.entries.items():
            _check_keys(child, (*path, key), problems)
    else:
        for position, child in enumerate(node.items):
            _check_keys(child, (*path, position), problems)
