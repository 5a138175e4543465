"""What this process says about the services it serves, on every transport alike."""

import asyncio
from collections.abc import Iterable
from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from .server import Context, Server

SERVICE: str = health.SERVICE_NAME
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class _Servicer(health.aio.HealthServicer):  # type: ignore[misc]  # grpc_health has no types
    """grpc's own, except that its watchers do not outlive the server's drain."""

    def __init__(self) -> None:
        super().__init__()
        self.leaving = asyncio.Event()

    async def Watch(self, request: Any, context: Context) -> None:
        watching = asyncio.ensure_future(super().Watch(request, context))
        leaving = asyncio.ensure_future(self.leaving.wait())
        try:
            await asyncio.wait((watching, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            leaving.cancel()
            await asyncio.wait((watching, leaving))
        if not watching.cancelled():
            watching.result()


class Health:
    """Health of services by full name, served as grpc.health.v1; "" is all of them together."""

    def __init__(self, services: Iterable[str] = ()) -> None:
        """Begin with `services` known and not serving. A process that expects none is serving."""
        self._servicer = _Servicer()
        self._serving: dict[str, bool] = dict.fromkeys(services, False)
        self._noted: dict[str, bool] = {}
        for service in ("", *self._serving) if self._serving else ():
            # Nobody watches yet, so there is nobody to wake.
            self._servicer._server_status[service] = _NOT_SERVING

    def register(self, server: Server) -> None:
        """Serve it on `server`; any number of servers can share one."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set(self, service: str, serving: bool) -> None:
        """Say whether `service` can be called now."""
        self._serving[service] = serving
        await self._servicer.set(service, _SERVING if serving else _NOT_SERVING)
        await self._servicer.set("", _SERVING if all(self._serving.values()) else _NOT_SERVING)

    async def note(self, part: str, *, well: bool) -> None:
        """Say how something behind the services is, as "database"; they are served all the same."""
        self._noted[part] = well
        await self._servicer.set(part, _SERVING if well else _NOT_SERVING)

    def noted(self, part: str) -> bool:
        """Return what was said of something behind the services; nothing said is well."""
        return self._noted.get(part, True)

    def serving(self, service: str = "") -> bool:
        """Return what would be answered."""
        return all(self._serving.values()) if not service else self._serving.get(service, False)

    def waiting_for(self) -> list[str]:
        """Return the services that cannot be called yet, or any more."""
        return [service for service, serving in self._serving.items() if not serving]

    async def leave(self) -> None:
        """Say for good that nothing is served any more, and let go of everybody who watches."""
        for service in self._serving:
            self._serving[service] = False
        await self._servicer.enter_graceful_shutdown()
        self._servicer.leaving.set()
