"""How services find, call and fail each other, in one process or many."""

from .call import Call, Principal, current_call, scope, streaming
from .errors import HectorError, info_of, status_of
from .interceptor import CallInterceptor
from .local import LocalChannel, LocalServer
from .mesh import Mesh
from .room import Room
from .server import Context, Server

__all__ = [
    "Call",
    "CallInterceptor",
    "Context",
    "HectorError",
    "LocalChannel",
    "LocalServer",
    "Mesh",
    "Principal",
    "Room",
    "Server",
    "current_call",
    "info_of",
    "scope",
    "status_of",
    "streaming",
]
