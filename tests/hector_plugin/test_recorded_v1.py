"""Contract: what plugins of version 1 have ever sent and been sent is read for ever as it was meant."""

import base64
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.descriptor_pool import Default
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet
from support.plugin_examples import LANGUAGES, command
from support.plugin_process import started

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load(ROOT / "scripts/record_contracts.py")
LINES = script.recorded()
SERVICES = {service.full_name: service for service in script.services()}


def test_all_that_the_contracts_have_is_recorded() -> None:
    assert [line.get("message", line.get("rpc")) for line in script.missing()] == [], "run make generate"


def test_every_rpc_is_still_there_and_takes_and_gives_the_same() -> None:
    rpcs = [line for line in LINES if "rpc" in line]
    assert len(rpcs) > 30
    for line in rpcs:
        service, _, name = line["rpc"].partition("/")
        method = SERVICES[service].methods_by_name[name]
        found = (method.input_type.full_name, method.output_type.full_name, method.server_streaming)
        assert found == (line["takes"], line["gives"], line["streams"]), line["rpc"]


def test_every_message_is_read_as_it_was_meant() -> None:
    messages = [line for line in LINES if "message" in line]
    assert len(messages) > 100
    for line in messages:
        kind = GetMessageClass(Default().FindMessageTypeByName(line["message"]))
        wire = base64.b64decode(line["wire"])
        message = kind.FromString(wire)
        assert unknown_in(message) == [], line["message"]
        assert MessageToDict(message, preserving_proto_field_name=True) == line["json"], line["message"]
        written = ParseDict(line["json"], kind()).SerializeToString(deterministic=True)
        assert written == wire, line["message"]


def test_the_check_itself_sees_a_field_that_was_renamed_or_renumbered() -> None:
    tool = GetMessageClass(Default().FindMessageTypeByName("hector.tool.v1.ExecuteToolRequest"))
    renumbered = tool.FromString(b"\xfa\x01\x01x")
    assert unknown_in(renumbered) == [31]
    assert MessageToDict(tool(tool="x"), preserving_proto_field_name=True) == {"tool": "x"}


def unknown_in(message: Any) -> list[int]:
    """Return the numbers of fields that this version does not know, however deep they stand."""
    fields: Any = UnknownFieldSet(message)
    found = [field.field_number for field in fields]
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for inner in value if hasattr(value, "add") else [value]:
            found += unknown_in(inner)
    return found


SESSION = ROOT / "tests/contracts/recorded_v1_session.json"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_plugin_answers_a_host_of_version_1_as_it_always_did(language: str) -> None:
    exchanges = json.loads(SESSION.read_text())
    async with started(command(language, "tool")) as plugin:
        for exchange in exchanges:
            service, _, name = exchange["rpc"].partition("/")
            gives = GetMessageClass(SERVICES[service].methods_by_name[name].output_type)
            call = plugin.channel.unary_unary(f"/{exchange['rpc']}", bytes, bytes)
            answer = gives.FromString(await call(base64.b64decode(exchange["request"])))
            assert holds(MessageToDict(answer, preserving_proto_field_name=True), exchange["answer"]), (
                exchange
            )


def holds(found: Any, expected: Any) -> bool:
    """Say whether an answer holds all that it held once; what was added since does not count."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and holds(found[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) >= len(expected) and all(map(holds, found, expected))
    if isinstance(expected, str) and isinstance(found, str) and expected[:1] == "{":
        return holds(json.loads(found), json.loads(expected))
    return bool(found == expected)
