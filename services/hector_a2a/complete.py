"""What A2A demands of a request that arrived as protobuf: the same, in the same words, as of one in JSON."""

from collections.abc import Callable
from math import isfinite
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from .errors import InvalidParams
from .json_fields import described, is_map, is_repeated, is_required, message_of
from .json_scalars import parser
from .json_values import FIRST_SECOND, LAST_SECOND, MAX_DEPTH, Unfit

Violations = list[tuple[str, str]]
"""What is wrong, by path within the message."""

Check = Callable[[Any, Violations], None]

MOST_VIOLATIONS = 20
"""More than anybody reads; a hostile request could hold millions."""


def check(message: Message) -> None:
    """Let a message pass that has what the contract calls REQUIRED, and no value the contract does not know.

    Raises:
        InvalidParams: With what is wrong, by field, as `json_in.from_json` has it.
    """
    violations: Violations = []
    _late(described(message))(message, violations)
    if violations:
        raise InvalidParams(first_of_each(violations))


def required(field: FieldDescriptor) -> Check:
    """Return what notes that a field is missing."""
    name, shown = field.name, field.json_name

    def check(message: Any, violations: Violations) -> None:
        if not (message.HasField(name) if field.has_presence else getattr(message, name)):
            violations.append((shown, "required"))

    return check


def chosen(oneof: str, names: list[str]) -> Check:
    """Return what notes that none of several fields is there."""

    def check(message: Any, violations: Violations) -> None:
        if message.WhichOneof(oneof) is None:
            violations.append(("", f"one of {', '.join(names)} is required"))

    return check


def demands_of(descriptor: Descriptor) -> list[Check]:
    """Return what looks for everything that a message must have itself."""
    checks = [required(field) for field in descriptor.fields if is_required(field)]
    for oneof in descriptor.oneofs:
        if len(oneof.fields) > 1:
            checks.append(chosen(oneof.name, [field.json_name for field in oneof.fields]))
    return checks


def within(outer: str, violations: Violations, start: int) -> None:
    """Put the violations from `start` on below a field."""
    for index in range(start, len(violations)):
        path, wrong = violations[index]
        joined = f"{outer}{path}" if path.startswith("[") or not path else f"{outer}.{path}"
        violations[index] = joined, wrong


def first_of_each(violations: Violations) -> dict[str, str]:
    """Return as many as anybody reads, one of each field."""
    found: dict[str, str] = {}
    for path, wrong in violations[:MOST_VIOLATIONS]:
        found.setdefault(path, wrong)
    return found


_checks: dict[Descriptor, Check] = {}


def _late(descriptor: Descriptor) -> Check:
    """Return a check that may still be in the making."""
    return _checks.get(descriptor) or _compile(descriptor)


def _compile(descriptor: Descriptor) -> Check:
    special = _SPECIAL.get(descriptor.full_name)
    if special is not None:
        _checks[descriptor] = special
        return special
    fields: dict[int, Check] = {}
    demands = demands_of(descriptor)

    def check_message(message: Any, violations: Violations) -> None:
        before = len(violations)
        for field, value in message.ListFields():
            inner = fields.get(field.number)
            if inner is not None:
                inner(value, violations)
        if len(violations) == before:
            for demand in demands:
                demand(message, violations)

    _checks[descriptor] = check_message  # before its fields: types may hold themselves
    for field in descriptor.fields:
        if (inner := _field_check(field)) is not None:
            fields[field.number] = inner
    return check_message


def _field_check(field: FieldDescriptor) -> Check | None:
    one = _value_check(field)
    if one is None or is_map(field):
        return None
    shown = field.json_name

    def check_one(value: Any, violations: Violations) -> None:
        before = len(violations)
        one(value, violations)
        if len(violations) != before:
            within(shown, violations, before)

    def check_all(values: Any, violations: Violations) -> None:
        for index, value in enumerate(values):
            before = len(violations)
            one(value, violations)
            if len(violations) != before:
                within(f"{shown}[{index}]", violations, before)
                if len(violations) >= MOST_VIOLATIONS:
                    return

    return check_all if is_repeated(field) else check_one


def _value_check(field: FieldDescriptor) -> Check | None:
    if field.message_type is not None:
        return _late(message_of(field))
    if field.enum_type is None:
        return None
    parse = parser(field)

    def check_enum(number: int, violations: Violations) -> None:
        try:
            parse(number)
        except Unfit as wrong:
            violations.append(("", str(wrong)))

    return check_enum


def _check_struct(struct: Any, violations: Violations) -> None:
    _note(_wrong_in(struct.fields.values(), 1), violations)


def _check_value(value: Any, violations: Violations) -> None:
    _note(_wrong_in((value,), 0), violations)


def _check_timestamp(time: Any, violations: Violations) -> None:
    if not (FIRST_SECOND <= time.seconds <= LAST_SECOND and 0 <= time.nanos < 1_000_000_000):
        violations.append(("", "a time in the years 1 to 9999 is needed here"))


def _note(wrong: str, violations: Violations) -> None:
    if wrong:
        violations.append(("", wrong))


def _wrong_in(values: Any, depth: int) -> str:
    """Say what JSON could not hold, or is too deep to be passed on. Parsing has capped it at a hundred."""
    for value in values:
        kind = value.WhichOneof("kind")
        if kind == "number_value":
            wrong = "" if isfinite(value.number_value) else "a finite number is needed here"
        elif kind not in ("struct_value", "list_value"):
            wrong = ""
        elif depth >= MAX_DEPTH:
            wrong = f"nested deeper than {MAX_DEPTH} levels"
        elif kind == "struct_value":
            wrong = _wrong_in(value.struct_value.fields.values(), depth + 1)
        else:
            wrong = _wrong_in(value.list_value.values, depth + 1)
        if wrong:
            return wrong
    return ""


_SPECIAL: dict[str, Check] = {
    "google.protobuf.Struct": _check_struct,
    "google.protobuf.Value": _check_value,
    "google.protobuf.Timestamp": _check_timestamp,
}
