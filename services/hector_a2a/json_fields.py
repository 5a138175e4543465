"""What descriptors say about messages and fields, as far as JSON cares."""

from google.api import field_behavior_pb2  # type: ignore[import-untyped]  # ships no types
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message


def described(message: Message | type[Message]) -> Descriptor:
    descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment]  # one of two twins in its stubs
    return descriptor


def message_of(field: FieldDescriptor) -> Descriptor:
    """Return the type of a field that holds messages."""
    assert field.message_type is not None
    return field.message_type


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """Return the type of a field that holds an enum."""
    assert field.enum_type is not None
    return field.enum_type


def is_repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def is_map(field: FieldDescriptor) -> bool:
    """Say whether the field is a map, which on the wire is a list of entries."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def is_required(field: FieldDescriptor) -> bool:
    """Say whether the contract marks the field as REQUIRED."""
    behaviour = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviour
