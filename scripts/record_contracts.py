"""Records what plugins of version 1 send and are sent, in tests/contracts/recorded_v1.jsonl.

Part of `make generate`. Every later version has to read each line as this one did. So lines are only ever
added: for messages and rpcs that are new, and for messages that have got a field. Never change one, unless
its contract was never released.
"""

import base64
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "tests" / "contracts" / "recorded_v1.jsonl"
DEEPEST = 3
"""Messages within messages that are filled in."""
FILES = {
    "agent": ("provider",),
    "document": ("document",),
    "embedder": ("embedder",),
    "guardrail": ("guardrail",),
    "llm": ("llm",),
    "plugin": ("plugin", "host"),
    "reasoning": ("reasoning",),
    "tool": ("tool",),
    "vector": ("vector",),
}
"""The contracts that plugins serve or call; what others of them mention is recorded with them."""


def main() -> None:
    """Add what is new, and say how much that is."""
    new = missing()
    with FILE.open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(line, ensure_ascii=False, sort_keys=True)}\n" for line in new)
    if new:
        print(f"{FILE.relative_to(ROOT)}: {len(new)} lines added")


def missing() -> list[dict[str, Any]]:
    """Return what stands in the contracts and was not recorded."""
    known = {_key(line) for line in recorded()}
    return [line for line in current() if _key(line) not in known]


def recorded() -> list[dict[str, Any]]:
    """Return all lines of the file."""
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def current() -> Iterator[dict[str, Any]]:
    """Give what would be recorded now: each rpc, and each message with all of its fields."""
    seen: set[str] = set()
    for service in services():
        for method in service.methods:
            yield {
                "rpc": f"{service.full_name}/{method.name}",
                "takes": method.input_type.full_name,
                "gives": method.output_type.full_name,
                "streams": method.server_streaming,
            }
            for message in (method.input_type, method.output_type):
                yield from _messages(message, seen)


def services() -> Iterator[Any]:
    """Give the services that plugins serve or call."""
    for contract, files in FILES.items():
        for file in files:
            module = importlib.import_module(f"hector.{contract}.v1.{file}_pb2")
            yield from module.DESCRIPTOR.services_by_name.values()


def _messages(kind: Any, seen: set[str]) -> Iterator[dict[str, Any]]:
    from google.protobuf.json_format import MessageToDict

    if kind.full_name in seen or kind.full_name.startswith("google.") or kind.GetOptions().map_entry:
        return
    seen.add(kind.full_name)
    for variant in range(max([len(oneof.fields) for oneof in kind.oneofs], default=1)):
        message = filled(kind, variant)
        yield {
            "message": kind.full_name,
            "wire": base64.b64encode(message.SerializeToString(deterministic=True)).decode(),
            "json": MessageToDict(message, preserving_proto_field_name=True),
        }
    for field in kind.fields:
        if field.message_type is not None:
            yield from _messages(field.message_type, seen)


def filled(kind: Any, variant: int, depth: int = 0) -> Any:
    """Return a message with a value in every field; of a oneof, in the field of that number."""
    from google.protobuf.message_factory import GetMessageClass

    message = GetMessageClass(kind)()
    for field in kind.fields:
        oneof = field.containing_oneof
        if oneof is not None and oneof.fields[variant % len(oneof.fields)] is not field:
            continue
        _fill(message, field, variant, depth)
    return message


def _fill(message: Any, field: Any, variant: int, depth: int) -> None:
    kind, place = field.message_type, getattr(message, field.name)
    if kind is not None and depth >= DEEPEST and not kind.GetOptions().map_entry:
        return
    if kind is not None and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"]
        if value.message_type is not None:
            place[f"key {field.number}"].MergeFrom(filled(value.message_type, variant, depth + 1))
        else:
            place[f"key {field.number}"] = _scalar(value, field.number)
    elif kind is not None and _is_repeated(field):
        place.extend([filled(kind, variant, depth + 1)])
    elif kind is not None:
        place.MergeFrom(filled(kind, variant, depth + 1))
        place.SetInParent()
    elif _is_repeated(field):
        place.extend([_scalar(field, field.number), _scalar(field, field.number + 1)])
    else:
        setattr(message, field.name, _scalar(field, field.number))


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def _scalar(field: Any, number: int) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.cpp_type == field.CPPTYPE_STRING:
        return (
            b"\x00\xff" + bytes([number % 256])
            if field.type == field.TYPE_BYTES
            else f"{field.name} ü {number}"
        )
    if field.cpp_type == field.CPPTYPE_BOOL:
        return True
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return number + 0.5
    return number + 1


def _key(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True)


if __name__ == "__main__":
    main()
