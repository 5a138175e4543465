"""How services find, call and fail each other, in one process or many."""

from .call import Call, Principal, current_call, scope, streaming
from .coalescing import coalesce
from .dialing import wire_channel
from .errors import HectorError, info_of, status_of
from .forwarding import forwarding
from .generations import Generations
from .health import Health
from .interceptor import CallInterceptor, interceptors
from .listening import WireServer, wire_server
from .local import LocalChannel, LocalServer
from .local_serving import gives_away
from .mesh import Mesh
from .peers import Peers
from .room import Prepare, Prepared, Renewal, Room
from .server import Context, Server
from .whereabouts import Whereabouts, can_dial, this_host

__all__ = [
    "Call",
    "CallInterceptor",
    "Context",
    "Generations",
    "Health",
    "HectorError",
    "LocalChannel",
    "LocalServer",
    "Mesh",
    "Peers",
    "Prepare",
    "Prepared",
    "Principal",
    "Renewal",
    "Room",
    "Server",
    "Whereabouts",
    "WireServer",
    "can_dial",
    "coalesce",
    "current_call",
    "forwarding",
    "gives_away",
    "info_of",
    "interceptors",
    "scope",
    "status_of",
    "streaming",
    "this_host",
    "wire_channel",
    "wire_server",
]
