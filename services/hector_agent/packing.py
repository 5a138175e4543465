"""A2A's messages as events hold them: as `Any` packs them, without the steps that it takes in Python."""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

PREFIX = "type.googleapis.com/"
_urls: dict[type[Message], str] = {}


def pack(held: AnyMessage, message: Message) -> None:
    """Have an event hold a message."""
    held.type_url, held.value = _url(message), message.SerializeToString()


def packed(message: Message) -> AnyMessage:
    """Return a message as events hold it."""
    return AnyMessage(type_url=_url(message), value=message.SerializeToString())


def unpack(held: AnyMessage, message: Message) -> bool:
    """Read what an event holds into a message of its kind; False: it is of another kind, or nothing."""
    if held.type_url == _url(message):
        message.ParseFromString(held.value)
        return True
    return held.Unpack(message)  # its URL may be spelled in another way


def _url(message: Message) -> str:
    kind = type(message)
    url = _urls.get(kind)
    if url is None:
        url = _urls[kind] = PREFIX + message.DESCRIPTOR.full_name
    return url
