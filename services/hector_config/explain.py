"""Says what pydantic found wrong in the words of somebody who edits a config file."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from hector_config.problem import Misfit, Path, Problem, listed, problem_at, quoted
from hector_config.scalars import resolve
from hector_config.shape import Place, Shape
from hector_config.tree import Map, Node, Scalar, Seq, mark_at, node_at

_WHOLE, _NUMBER, _STRING = "a whole number", "a number", "a string"
_KINDS = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": _STRING,
    "secret_type": _STRING,
    "text": _STRING,
    "as_written": _STRING,
    "path": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "nothing",
}
_LIMITS = {
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "what matches {pattern}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}
_OURS = {"duration", "byte_size"}  # their message is what is allowed
_SHAPES = {"a list", "a mapping"}
REREADABLE = {*_KINDS, "literal_error", "enum", *_OURS}
"""The errors that another reading of the same text (`"5"` or 5) may cure."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One error of pydantic, and where it belongs in the file."""

    error: ErrorDetails
    place: Place
    node: Node | None

    @property
    def is_about_shape(self) -> bool:
        return self.error["type"] in _KINDS or self.error["type"] in ("literal_error", "enum", *_OURS)


class Explanation:
    """The problems behind a list of pydantic's errors."""

    def __init__(
        self, shape: Shape, root: Map, settled: Sequence[Path] = (), private: Mapping[str, str] | None = None
    ) -> None:
        """Take the model and the file; the paths already spoken of; the values to hide, and what to show."""
        self._shape = shape
        self._root = root
        self._settled = settled
        self._private = private or {}

    def of(self, errors: Iterable[ErrorDetails]) -> list[Problem]:
        """Return one problem for each thing to repair, without those that follow from a doubtful value."""
        located: list[_Found] = []
        for error in errors:
            place = self._shape.locate(error["loc"])
            located.append(_Found(error, place, node_at(self._root, place.path)))
        groups: dict[Path, list[_Found]] = defaultdict(list)
        for found in _best_arms([found for found in located if not self._is_noise(found)], 0):
            groups[found.place.path].append(found)
        return [problem for group in groups.values() for problem in self._problems(group)]

    def _is_noise(self, found: _Found) -> bool:
        tag = found.error.get("ctx", {}).get("discriminator")
        node, path = found.node, found.place.path
        if any(path[: len(prefix)] == prefix for prefix in self._settled):
            return True
        if tag and isinstance(node, Map):
            node = node.entries.get(str(tag).strip("'"))
        return isinstance(node, Scalar) and node.doubtful

    def _problems(self, group: list[_Found]) -> list[Problem]:
        """Return the problems at one path; the arms of a union that want another shape become one."""
        about_shape = [found for found in group if found.is_about_shape]
        problems = [self._wrong_shape(about_shape)] if about_shape else []
        for found in group:
            if not found.is_about_shape:
                problems += self._other(found)
        return problems

    def _wrong_shape(self, group: list[_Found]) -> Problem:
        place, node = group[0].place, group[0].node
        schemas = [schema for found in group for schema in found.place.schemas]
        allowed = list(dict.fromkeys(_allowed(found.error) for found in group))
        hidden = self._shape.is_secret(tuple(schemas)) or set(allowed) <= _SHAPES
        hint = "" if hidden else _hint(node, group, allowed)
        return problem_at(
            mark_at(self._root, place.path),
            place.path,
            "wrong value",
            found=_shown(node, hidden=hidden),
            allowed=" or ".join(allowed),
            hint=hint,
        )

    def _other(self, found: _Found) -> list[Problem]:
        kind, context = found.error["type"], found.error.get("ctx", {})
        path, mark = found.place.path, mark_at(self._root, found.place.path)
        if kind == "extra_forbidden":
            return [self._unknown_key(found)]
        if kind == "missing":
            return [problem_at(mark, path, "required, but not there")]
        if kind in ("union_tag_invalid", "union_tag_not_found"):
            return [self._wrong_tag(found)]
        if kind == "dangling_reference":
            return [self._dangling(found)]
        if kind in _LIMITS:
            allowed = _LIMITS[kind].format(**context)
            hidden = self._shape.is_secret(found.place.schemas)
            return [
                problem_at(
                    mark, path, "wrong value", found=_shown(found.node, hidden=hidden), allowed=allowed
                )
            ]
        raised = context.get("error")
        if isinstance(raised, Misfit):
            return misfits([raised], self._root, path, self._private)
        return [problem_at(mark, path, scrubbed(str(raised or found.error["msg"]), self._private))]

    def _unknown_key(self, found: _Found) -> Problem:
        path = found.place.path
        key, holder = str(path[-1]), node_at(self._root, path[:-1])
        mark = holder.keys.get(key) if isinstance(holder, Map) else None
        names = self._shape.keys_at(found.place.holders)
        taken = set(holder.entries) if isinstance(holder, Map) else set()
        return problem_at(
            mark or mark_at(self._root, path),
            path,
            "unknown key",
            allowed=listed(names),
            hint=nearest(key, [name for name in names if name not in taken]),
        )

    def _wrong_tag(self, found: _Found) -> Problem:
        context = found.error["ctx"]
        path = (*found.place.path, str(context["discriminator"]).strip("'"))
        node = node_at(self._root, path)
        names = _words(str(context.get("expected_tags", "")))
        if node is None:
            return problem_at(
                mark_at(self._root, path), path, "required, but not there", allowed=listed(names)
            )
        word = node.text if isinstance(node, Scalar) and not node.variables else ""
        return problem_at(
            mark_at(self._root, path),
            path,
            "wrong value",
            found=_shown(node),
            allowed=listed(names),
            hint=nearest(word, names),
        )

    def _dangling(self, found: _Found) -> Problem:
        context, node = found.error["ctx"], found.node
        declared, sections = context["declared"], " or ".join(f"{name}:" for name in context["sections"])
        name = node.text if isinstance(node, Scalar) else str(context["name"])
        shown = _shown(node) if isinstance(node, Scalar) else quoted(name)
        return problem_at(
            mark_at(self._root, found.place.path),
            found.place.path,
            f"{shown} is not declared under {sections}",
            allowed=listed(declared),
            hint="" if isinstance(node, Scalar) and node.variables else nearest(name, declared),
        )


def misfits(
    raised: Iterable[Misfit], root: Map, base: Path = (), private: Mapping[str, str] | None = None
) -> list[Problem]:
    """Return what validators and checks found, at its place in the file."""
    problems: list[Problem] = []
    for misfit in raised:
        path = (*base, *misfit.at)
        message, hint = scrubbed(misfit.message, private or {}), scrubbed(misfit.hint, private or {})
        problems.append(problem_at(mark_at(root, path), path, message, hint=hint))
        problems += misfits(misfit.also, root, base, private)
    return problems


def scrubbed(text: str, private: Mapping[str, str]) -> str:
    """Return a message that others worded, without the values that must not be shown."""
    for value, instead in private.items():
        text = text.replace(value, instead)
    return text


def nearest(word: str, known: Sequence[str]) -> str:
    """Return `did you mean "…"?` for the known word that is most like this one, or nothing."""
    plain = {re.sub(r"[-_ ]", "", name).lower(): name for name in reversed(known)}
    found = difflib.get_close_matches(re.sub(r"[-_ ]", "", word).lower(), plain, n=1, cutoff=0.6)
    return f"did you mean {quoted(plain[found[0]])}?" if found else ""


def _best_arms(errors: list[_Found], depth: int) -> list[_Found]:
    """Keep, of each union, the arm that the file comes nearest to; all arms when none fits its shape."""
    unions: dict[Path, dict[str, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    kept: list[_Found] = []
    for found in errors:
        if len(found.place.arms) > depth:
            path, arm = found.place.arms[depth]
            unions[path][arm].append(found)
        else:
            kept.append(found)
    for path, arms in unions.items():
        fitting = [
            group
            for group in arms.values()
            if not any(found.place.path == path and found.is_about_shape for found in group)
        ]
        chosen = [min(fitting, key=len)] if fitting else list(arms.values())
        for group in chosen:
            kept += _best_arms(group, depth + 1)
    return kept


def _allowed(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind in ("literal_error", "enum"):
        return listed(map(quoted, _words(str(context["expected"])))) or str(context["expected"])
    return error["msg"]


def _hint(node: Node | None, group: list[_Found], allowed: list[str]) -> str:
    if not isinstance(node, Scalar) or node.variables:
        return ""
    text = node.text
    for found in group:
        words = _words(str(found.error.get("ctx", {}).get("expected", "")))
        if near := nearest(text, words):
            return near
    if "true or false" in allowed and text.lower() in ("yes", "on", "no", "off"):
        return "write " + ("true" if text.lower() in ("yes", "on") else "false")
    if not node.plain and {_WHOLE, _NUMBER, "true or false"} & set(allowed):
        return "without quotes" if not isinstance(resolve(text), str) else ""
    if _STRING in allowed and not isinstance(node.value, str) and text:
        return f"in quotes: {quoted(text)}"
    if {_WHOLE, _NUMBER} & set(allowed) and re.fullmatch(r"0[0-9]+", text):
        return "a number begins with no zero; octal is written 0o755"
    return ""


def _shown(node: Node | None, *, hidden: bool = False) -> str:
    """Return what stands somewhere, without showing what may be secret."""
    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, Seq):
        return "a list"
    if node is None:
        return ""
    if node.variables:
        return "a value from " + ", ".join(f"${{{name}}}" for name in node.variables)
    if node.value is None:
        return "nothing"
    if isinstance(node.value, str):
        return "a string" if hidden else quoted(node.text)
    if isinstance(node.value, bool):
        return node.text
    return "a number" if hidden else node.text


def _words(expected: str) -> list[str]:
    r"""Return the words of pydantic's `'a', 'b' or 'c'`."""
    return [word.replace("\\'", "'") for word in re.findall(r"'((?:[^'\\]|\\.)*)'", expected)]
