"""The messages of v1.9.9's plugins, as they are on the wire; made when one is met, and not before.

`content` of a message is a string, as in the Go stubs that v1.9.9 shipped and its plugins were built with.
The .proto beside them, from which nothing had been generated, had a list of parts in its place.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "hector.plugin"

_FIELDS = {
    "Empty": "",
    "ConfigEntry": "string key, string value",
    "InitializeRequest": "map ConfigEntry config",
    "Outcome": "bool success, string error",
    "Manifest": "string name, string version, string author, string description, string type",
    "ToolCall": "string id, string name, string arguments_json",
    "ToolDefinition": "string name, string description, string parameters_json",
    "Message": "string role, string content, repeated ToolCall tool_calls, string tool_call_id",
    "GenerateRequest": "repeated Message messages, repeated ToolDefinition tools",
    "GenerateResponse": "string text, repeated ToolCall tool_calls, int32 tokens_used",
    "StreamChunk": "int32 type, string text, ToolCall tool_call, string error, int32 tokens_used",
    "ModelInfo": "string model_name, int32 max_tokens, double temperature",
    "EmbedRequest": "string text",
    "EmbedResponse": "repeated float vector, string error",
    "EmbedderInfo": "string model_name, int32 dimension",
    "MetadataEntry": "string key, string value",
    "UpsertRequest": "string collection, string id, repeated float vector, map MetadataEntry metadata",
    "SearchRequest": "string collection, repeated float vector, int32 top_k",
    "SearchResult": "string id, float score, string content, repeated float vector, "
    "map MetadataEntry metadata",
    "SearchResponse": "repeated SearchResult results, string error",
    "DeleteRequest": "string collection, string id",
    "CreateCollectionRequest": "string collection, uint64 vector_size",
    "DeleteCollectionRequest": "string collection",
    "ParseDocumentRequest": "string file_path, int64 file_size, string mime_type, map ConfigEntry config, "
    "int32 timeout_seconds",
    "ParseDocumentResponse": "bool success, string content, string title, string author, string created, "
    "string modified, int32 pages, int32 word_count, map MetadataEntry metadata, string error, "
    "repeated string warnings",
    "Extensions": "repeated string extensions, repeated string mime_types",
}
"""Fields by message, numbered from 1 in their order."""


def message(name: str) -> Any:
    """Return a message's class."""
    return _classes()[name]


@cache
def _classes() -> dict[str, Any]:
    name = "hector/plugin/v1_9_9.proto"
    file = descriptor_pb2.FileDescriptorProto(name=name, package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        described = file.message_type.add(name=name)
        for number, field in enumerate(filter(None, fields.split(", ")), 1):
            _describe(described, number, field.split())
    pool = descriptor_pool.DescriptorPool()  # of its own: today's contracts have names like these
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _describe(described: Any, number: int, words: list[str]) -> None:
    *rule, kind, name = words
    field = described.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if rule else field.LABEL_OPTIONAL
    if kind in _FIELDS:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
