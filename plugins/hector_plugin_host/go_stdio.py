"""Reads what go-plugin's newer releases take off standard output and error, and offer as a stream instead.

Somebody has to: a plugin that prints stands still once nobody reads what it printed.
"""

from typing import Any

import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from hector_mesh import streaming

from .logs import Printed
from .process import Metadata

STREAM = "/plugin.GRPCStdio/StreamStdio"
_CHANNEL, _DATA = 1, 2
"""Fields of its one message."""
_STDOUT, _STDERR = 1, 2


async def read(channel: grpc.aio.Channel, metadata: Metadata, printed: Printed) -> None:
    """Read until the plugin ends; return at once if it has no such stream."""
    call: Any = channel.unary_stream(STREAM, bytes, bytes)(b"", metadata=metadata)
    try:
        async with streaming(call):
            async for message in call:
                which, data = decoded(message)
                if data and which in (_STDOUT, _STDERR):
                    (printed.stdout if which == _STDOUT else printed.stderr)(data)
    except grpc.aio.AioRpcError:
        return  # UNIMPLEMENTED of most; whatever else ends it ends the plugin too, and is seen elsewhere


def decoded(message: bytes) -> tuple[int, bytes]:
    """Return which stream a message is of, and what was written; zero of one that cannot be read."""
    try:
        fields: Any = UnknownFieldSet(Empty.FromString(message))
    except DecodeError:
        return 0, b""
    found = {field.field_number: field.data for field in fields}
    which, data = found.get(_CHANNEL, 0), found.get(_DATA, b"")
    return (which, data) if isinstance(which, int) and isinstance(data, bytes) else (0, b"")
