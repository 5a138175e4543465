"""The border: the only room that speaks A2A over HTTP/JSON, and the public gRPC port beside it."""

from typing import TYPE_CHECKING

from hector_gateway.config import GatewaySection

if TYPE_CHECKING:
    from hector_gateway.room import build

__all__ = ["GatewaySection", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_gateway.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
