"""Whether a condition holds for a record's metadata."""

from collections.abc import Mapping
from typing import Any

from hector.common.v1 import Filter
from hector_plugin.errors import InvalidArgument

Op = Filter.Compare
MISSING = object()


def holds(condition: Filter, metadata: Mapping[str, Any]) -> bool:
    node = condition.WhichOneof("node")
    if node == "all":
        return all(holds(one, metadata) for one in condition.all.filters)
    if node == "any":
        return any(holds(one, metadata) for one in condition.any.filters)
    if node == "not":
        return not holds(getattr(condition, "not"), metadata)
    return _compared(condition.compare, metadata)


def _compared(compare: Filter.Compare, metadata: Mapping[str, Any]) -> bool:
    found: Any = metadata
    for name in compare.field.split("."):
        found = found.get(name, MISSING) if isinstance(found, Mapping) else MISSING
    values: list[Any] = [
        getattr(value, value.WhichOneof("kind") or "string_value") for value in compare.values
    ]
    if compare.op == Op.OP_EXISTS:
        return found is not MISSING
    if compare.op in (Op.OP_IN, Op.OP_NOT_IN):
        return (found in values) is (compare.op == Op.OP_IN)
    if len(values) != 1 or compare.op not in _OPERATORS:
        raise InvalidArgument(f"{compare.field}: one value is needed, and an operator that is known")
    if found is MISSING:
        return compare.op == Op.OP_NE
    try:
        return bool(_OPERATORS[compare.op](found, values[0]))
    except TypeError:  # a text and a number have no order
        return False


_OPERATORS = {
    Op.OP_EQ: lambda found, value: found == value,
    Op.OP_NE: lambda found, value: found != value,
    Op.OP_LT: lambda found, value: found < value,
    Op.OP_LE: lambda found, value: found <= value,
    Op.OP_GT: lambda found, value: found > value,
    Op.OP_GE: lambda found, value: found >= value,
    Op.OP_CONTAINS: lambda found, value: value in found,
}
