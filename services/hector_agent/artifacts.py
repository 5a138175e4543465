"""Artifacts of tools, as A2A shows them."""

from google.protobuf.any_pb2 import Any as AnyMessage

import hector_a2a as a2a
from hector.common.v1 import Artifact


def to_a2a(artifact: Artifact, artifact_id: str) -> AnyMessage:
    """Return a tool's artifact as a packed lf.a2a.v1.Artifact."""
    shown = a2a.Artifact(artifact_id=artifact_id, name=artifact.name, description=artifact.description)
    for part in artifact.parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            shown.parts.add(text=part.text)
        elif kind == "data_json":
            shown.parts.add(text=part.data_json, media_type="application/json")
        elif kind == "blob" and part.blob.uri:
            shown.parts.add(url=part.blob.uri, media_type=part.blob.media_type, filename=part.blob.name)
        elif kind == "blob":
            shown.parts.add(raw=part.blob.data, media_type=part.blob.media_type, filename=part.blob.name)
    packed = AnyMessage()
    packed.Pack(shown)
    return packed
