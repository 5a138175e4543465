"""The words in which errors are told: what was found, what is allowed, what was probably meant."""

import difflib
import re
from collections.abc import Mapping, Sequence

from pydantic_core import ErrorDetails

from hector_config.problem import listed, quoted
from hector_config.scalars import resolve
from hector_config.tree import Map, Node, Scalar, Seq

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
LIMITS = {
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
_UNITS = ((r"^\d.*(ms|[smhd])$", " s"), (r"(?i)^\d.*[bkmgt]$", " bytes"))
_LONGEST = 80  # characters of a word that may be a slip of the pen
MISSING = "required, but not there"
_OURS = {"duration", "byte_size"}  # their message is what is allowed
SHAPES = {"a list", "a mapping"}
REREADABLE = {*_KINDS, "literal_error", "enum", *_OURS}
"""The errors that another reading of the same text (`"5"` or 5) may cure."""


def allowed_by(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind in ("literal_error", "enum"):
        return listed(map(quoted, words_of(str(context["expected"])))) or str(context["expected"])
    return error["msg"]


def limit_of(kind: str, context: Mapping[str, object], text: str = "") -> str:
    """Return what a bound allows, in words, and in the unit that `text` is counted in: 500ms, 20KB."""
    plain = {
        name: int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        for name, bound in context.items()
    }
    limit = LIMITS[kind].format(**plain)
    if not limit.startswith("a number "):
        return limit
    unit = next((unit for pattern, unit in _UNITS if re.search(pattern, text)), "")
    return limit.replace("a number ", "", 1).removeprefix("of ") + unit if unit else limit


def hint_for(node: Node | None, errors: list[ErrorDetails], allowed: list[str]) -> str:
    if not isinstance(node, Scalar) or node.variables:
        return ""
    text = node.text
    for error in errors:
        words = words_of(str(error.get("ctx", {}).get("expected", "")))
        if near := nearest(text, words):
            return did_you_mean(near)
    if "true or false" in allowed and text.lower() in ("yes", "on", "no", "off"):
        return "write " + ("true" if text.lower() in ("yes", "on") else "false")
    if not node.plain and {_WHOLE, _NUMBER, "true or false"} & set(allowed):
        return "without quotes" if not isinstance(resolve(text), str) else ""
    if _STRING in allowed and not isinstance(node.value, str) and text:
        return f"in quotes: {quoted(text)}"
    if {_WHOLE, _NUMBER} & set(allowed) and re.fullmatch(r"0[0-9]+", text):
        return "a number begins with no zero; octal is written 0o755"
    return ""


def shown(node: Node | None, *, hidden: bool = False) -> str:
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


def words_of(expected: str) -> list[str]:
    r"""Return the words of pydantic's `'a', 'b' or 'c'`."""
    return [word.replace("\\'", "'") for word in re.findall(r"'((?:[^'\\]|\\.)*)'", expected)]


def nearest(word: str, known: Sequence[str]) -> str:
    """Return the known word that is most like this one, or nothing."""
    if len(word) > _LONGEST:
        return ""
    plain = {re.sub(r"[-_ ]", "", name).lower(): name for name in reversed(known)}
    found = difflib.get_close_matches(re.sub(r"[-_ ]", "", word).lower(), plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else ""


def did_you_mean(word: str) -> str:
    return f"did you mean {quoted(word)}?" if word else ""
