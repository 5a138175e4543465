"""The names that servicers and whoever registers them need from grpc."""

from typing import Any, TypeAlias

import grpc.aio

Server: TypeAlias = grpc.aio.Server
"""What a generated `add_*_to_server` needs: a LocalServer, a wire server, or grpc's own."""

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
"""The second argument of every servicer method."""
