"""How callers of the gRPC port write a method's messages: as the mesh does, or as A2A 0.3 has them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

import hector_a2a as a2a
from hector_a2a import v03_grpc

from .edge import Wording
from .errors import Unreadable
from .methods import Method
from .versions import Version

Check = Callable[[Any, int], None]
"""Takes a request as it came, and how many bytes it took; raises what refuses it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A method of the mesh, in the words of one service of the gRPC port."""

    method: Method
    service: str
    """The service it is called at."""
    version: Version | None
    """A2A's; None: it is another contract of the mesh."""
    read: Callable[[bytes], Any]
    """Returns the request for the mesh. Raises Unreadable, and InvalidParams."""
    write: Callable[[Any], bytes]
    """Takes an answer or event of the mesh."""
    wording: Wording | None = None
    """What a failure's message is here; None: as it is."""

    @property
    def rewritten(self) -> Callable[[bytes], bytes] | None:
        """Takes an event of the mesh as it travels; None: it goes on as it is."""
        if self.version != "0.3":
            return None
        read, write = self.method.response.FromString, self.write
        return lambda wire: write(read(wire))


def spoken(methods: Mapping[str, Method], service: str, check: Check) -> dict[str, Spoken]:
    """Return methods in their own words; those of A2A with requests that pass a check."""
    version: Version | None = "1.0" if service == a2a.SERVICE else None
    look = check if version else _anything
    return {
        name: Spoken(
            method, service, version, _reader(method.request, look), method.response.SerializeToString
        )
        for name, method in methods.items()
    }


def spoken_v03(methods: Mapping[str, Method], check: Check) -> dict[str, Spoken]:
    """Return the methods of A2A in the words of 0.3, by their names there."""
    rpcs = v03_grpc.SERVICE_DESCRIPTOR.methods_by_name
    return {old: _spoken_v03(rpcs[old], methods[new], check) for old, new in v03_grpc.METHODS.items()}


def _spoken_v03(rpc: Any, method: Method, check: Check) -> Spoken:
    parse, response = _reader(GetMessageClass(rpc.input_type), check), GetMessageClass(rpc.output_type)

    def read(wire: bytes) -> Any:
        return v03_grpc.request_to_v1(parse(wire), method.request)

    def write(answer: Any) -> bytes:
        wire: bytes = v03_grpc.answer_from_v1(answer, response).SerializeToString()
        return wire

    return Spoken(method, v03_grpc.SERVICE, "0.3", read, write, v03_grpc.worded)


def _reader(kind: Any, check: Check) -> Callable[[bytes], Any]:
    # Not grpc's own: it answers what it cannot read with INTERNAL, and the parser's words.
    def read(wire: bytes) -> Any:
        try:
            found = kind.FromString(wire)
        except DecodeError:
            raise Unreadable(kind.DESCRIPTOR.full_name) from None
        check(found, len(wire))
        return found

    return read


def _anything(request: Any, size_bytes: int) -> None:
    """Let a request pass."""
