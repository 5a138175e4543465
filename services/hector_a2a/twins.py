"""Messages of two contracts that mean the same, one copied into the other by a table."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .json_fields import is_map, is_repeated, message_of

Fill = Callable[[Any, Any], None]
"""Copies a message into one of the other contract."""


class Twins:
    """Copies fields by name. Unknown values of enums keep their number; who reads them may refuse them."""

    def __init__(self, names: Mapping[str, str], also: Mapping[str, Fill]) -> None:
        """Take a table.

        Args:
            names: What fields are called on the other side, by their full name; empty: they are not copied.
                The others have the same name there, or nobody to copy them to.
            also: What to do with messages of a type after their fields were copied, by its full name.
        """
        self._names, self._also = names, also
        self._fills: dict[tuple[Descriptor, Descriptor], Fill] = {}

    def fill(self, source: Any, target: Any) -> None:
        """Copy `source` into `target`, which is empty."""
        self._late(source.DESCRIPTOR, target.DESCRIPTOR)(source, target)

    def _late(self, source: Descriptor, target: Descriptor) -> Fill:
        """Return a copier that may still be in the making."""
        return self._fills.get((source, target)) or self._compile(source, target)

    def _compile(self, source: Descriptor, target: Descriptor) -> Fill:
        if source.full_name == target.full_name:
            return _copy
        steps: dict[int, Fill] = {}
        also = self._also.get(source.full_name)

        def fill(message: Any, into: Any) -> None:
            for field, value in message.ListFields():
                step = steps.get(field.number)
                if step is not None:
                    step(value, into)
            if also is not None:
                also(message, into)

        self._fills[source, target] = fill  # before its fields: types may hold themselves
        for field in source.fields:
            twin = target.fields_by_name.get(self._names.get(field.full_name, field.name))
            if twin is not None:
                steps[field.number] = self._step(field, twin)
        return fill

    def _step(self, field: FieldDescriptor, twin: FieldDescriptor) -> Fill:
        name = twin.name
        if is_map(field):
            return self._map_step(field, twin)
        if field.message_type is None:
            if is_repeated(field):
                return lambda values, into: getattr(into, name).extend(values)
            return lambda value, into: setattr(into, name, value)
        fill = self._late(message_of(field), message_of(twin))

        def fill_one(value: Any, into: Any) -> None:
            inner = getattr(into, name)
            inner.SetInParent()
            fill(value, inner)

        def fill_all(values: Any, into: Any) -> None:
            inner = getattr(into, name)
            for value in values:
                fill(value, inner.add())

        return fill_all if is_repeated(field) else fill_one

    def _map_step(self, field: FieldDescriptor, twin: FieldDescriptor) -> Fill:
        name = twin.name
        value_field, value_twin = (message_of(one).fields_by_name["value"] for one in (field, twin))
        if value_field.message_type is None:
            return lambda values, into: getattr(into, name).update(values)
        fill = self._late(message_of(value_field), message_of(value_twin))

        def fill_all(values: Any, into: Any) -> None:
            inner = getattr(into, name)
            for key, value in values.items():
                fill(value, inner[key])

        return fill_all


def _copy(message: Any, into: Any) -> None:
    into.CopyFrom(message)
