"""A2A's messages as events hold them: as `Any` packs them, without the steps that it takes in Python."""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

PREFIX = "type.googleapis.com/"


class _Urls(dict[type[Message], str]):
    """What kinds of messages are called; each is spelled once."""

    def __missing__(self, kind: type[Message]) -> str:
        url = self[kind] = PREFIX + kind.DESCRIPTOR.full_name
        return url


_urls = _Urls()


def url_of(kind: type[Message]) -> str:
    """Return by what name events hold messages of a kind."""
    return _urls[kind]


def pack(held: AnyMessage, message: Message) -> None:
    """Have an event hold a message."""
    held.type_url, held.value = _urls[type(message)], message.SerializeToString()


def packed(message: Message) -> AnyMessage:
    """Return a message as events hold it."""
    return AnyMessage(type_url=_urls[type(message)], value=message.SerializeToString())


def unpack(held: AnyMessage, message: Message) -> bool:
    """Read what an event holds into a message of its kind; False: it is of another kind, or nothing."""
    if held.type_url == _urls[type(message)]:
        message.ParseFromString(held.value)
        return True
    return held.Unpack(message)  # its URL may be spelled in another way
