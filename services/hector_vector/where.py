"""Translates a Filter into an SQL condition on a record's metadata; nothing is ever left out."""

from collections.abc import Sequence

from hector.common.v1 import Filter, Value
from hector_vector.errors import VectorRequestRefused

Sql = str | int | float
Condition = tuple[str, list[Sql]]
"""An expression that is never NULL, and what belongs in its question marks."""

_Op = Filter.Compare
_ORDER = {_Op.OP_LT: "<", _Op.OP_LE: "<=", _Op.OP_GT: ">", _Op.OP_GE: ">="}
_DEEPEST = 50
_MOST_VALUES = 10_000


def where(condition: Filter, depth: int = 0) -> Condition:
    """Return the SQL for a filter over the column `metadata`.

    Raises:
        VectorRequestRefused: An empty node, an unknown operator, or values that the operator cannot take.
    """
    if depth > _DEEPEST:
        raise VectorRequestRefused(f"the filter is nested deeper than {_DEEPEST} levels")
    match condition.WhichOneof("node"):
        case "all":
            return _joined([where(each, depth + 1) for each in condition.all.filters], " AND ", "1")
        case "any":
            return _joined([where(each, depth + 1) for each in condition.any.filters], " OR ", "0")
        case "not":
            # `not` is a Python word: the field is reachable by name only.
            sql, values = where(getattr(condition, "not"), depth + 1)
            return f"(NOT {sql})", values
        case "compare":
            return _compared(condition.compare)
    raise VectorRequestRefused("a filter has a node without a condition; leave the filter out to match all")


def _joined(parts: Sequence[Condition], word: str, nothing: str) -> Condition:
    if not parts:
        return f"({nothing})", []
    return "(" + word.join(sql for sql, _ in parts) + ")", [value for _, values in parts for value in values]


def _compared(compare: Filter.Compare) -> Condition:
    path, op, values = _path(compare.field), compare.op, list(compare.values)
    if op == _Op.OP_EXISTS:
        _count(compare, len(values) == 0, "no value")
        return "(json_type(metadata, ?) IS NOT NULL)", [path]
    if op in (_Op.OP_IN, _Op.OP_NOT_IN):
        _count(compare, len(values) <= _MOST_VALUES, f"at most {_MOST_VALUES} values")
        sql, bound = _joined([_equal(path, value) for value in values], " OR ", "0")
        return (sql if op == _Op.OP_IN else f"(NOT {sql})"), bound
    if op not in (_Op.OP_EQ, _Op.OP_NE, _Op.OP_CONTAINS, *_ORDER):
        raise VectorRequestRefused(
            f"the filter on {compare.field!r} has no operator that is known here: {op}"
        )
    _count(compare, len(values) == 1, "one value")
    if op == _Op.OP_CONTAINS:
        return _contains(path, values[0])
    if op in _ORDER:
        return _ordered(path, _ORDER[op], values[0])
    sql, bound = _equal(path, values[0])
    return (sql if op == _Op.OP_EQ else f"(NOT {sql})"), bound


def _equal(path: str, value: Value) -> Condition:
    kind, plain = _plain(value)
    if kind == "bool":
        return "(coalesce(json_type(metadata, ?), '') = ?)", [path, plain]
    types = _TYPES[kind]
    return f"(coalesce(json_type(metadata, ?), '') IN {types} AND metadata ->> ? = ?)", [path, path, plain]


def _ordered(path: str, sign: str, value: Value) -> Condition:
    kind, plain = _plain(value)
    if kind == "bool":
        raise VectorRequestRefused("truth values have no order; compare them with OP_EQ")
    types = _TYPES[kind]
    return (
        f"(coalesce(json_type(metadata, ?), '') IN {types} AND metadata ->> ? {sign} ?)",
        [path, path, plain],
    )


def _contains(path: str, value: Value) -> Condition:
    kind, plain = _plain(value)
    held = "type = ?" if kind == "bool" else f"type IN {_TYPES[kind]} AND value = ?"
    listed = (
        "(coalesce(json_type(metadata, ?), '') = 'array'"
        f" AND EXISTS (SELECT 1 FROM json_each(metadata, ?) WHERE {held}))"
    )
    if kind != "text":
        return listed, [path, path, plain]
    inside = "(coalesce(json_type(metadata, ?), '') = 'text' AND instr(metadata ->> ?, ?) > 0)"
    return f"({listed} OR {inside})", [path, path, plain, path, path, plain]


_TYPES = {"text": "('text')", "number": "('integer', 'real')"}


def _plain(value: Value) -> tuple[str, Sql]:
    match value.WhichOneof("kind"):
        case "string_value":
            return "text", value.string_value
        case "int_value":
            return "number", value.int_value
        case "double_value":
            return "number", value.double_value
        case "bool_value":
            return "bool", "true" if value.bool_value else "false"
    raise VectorRequestRefused("a filter compares with a value that is not set")


def _path(field: str) -> str:
    if not field or '"' in field or "\0" in field:
        raise VectorRequestRefused(f"a filter needs a field, a dotted path without quotes; found {field!r}")
    return "$" + "".join(f'."{step}"' for step in field.split("."))


def _count(compare: Filter.Compare, right: bool, wanted: str) -> None:
    if not right:
        op = Filter.Compare.Op.Name(compare.op)
        found = len(compare.values)
        raise VectorRequestRefused(f"{op} on {compare.field!r} takes {wanted}, found {found}", found=found)
