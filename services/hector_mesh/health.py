"""What this process says about the services it serves, on every transport alike."""

from collections.abc import AsyncIterator, Iterable

import grpc

from .flag import Flag
from .health_contract import NOT_SERVING, SERVICE_UNKNOWN, SERVING, add_health_to_server
from .server import Context, Server
from .wire_pb2 import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse


class Health:
    """Health of services by full name, served as grpc.health.v1; "" is all of them together."""

    def __init__(self, services: Iterable[str] = ()) -> None:
        """Begin with `services` known and not serving. A process that expects none is serving."""
        self._serving: dict[str, bool] = dict.fromkeys(services, False)
        self._noted: dict[str, bool] = {}
        self._left = False
        self._watchers: set[Flag] = set()

    def register(self, server: Server) -> None:
        """Serve it on `server`; any number of servers can share one."""
        add_health_to_server(self, server)

    async def set(self, service: str, serving: bool) -> None:
        """Say whether `service` can be called now."""
        self._serving[service] = serving
        self._changed()

    async def note(self, part: str, *, well: bool) -> None:
        """Say how something behind the services is, as "database"; they are served all the same."""
        self._noted[part] = well
        self._changed()

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
        self._left = True
        self._changed()

    async def Check(self, request: HealthCheckRequest, context: Context) -> HealthCheckResponse:
        """Answer how a service is now."""
        status = self._status(request.service)
        if status == SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return HealthCheckResponse(status=status)

    async def List(self, request: HealthListRequest, context: Context) -> HealthListResponse:
        """Answer how everything is now that has a name here."""
        known = ("", *self._serving, *self._noted)
        statuses = {name: HealthCheckResponse(status=self._status(name)) for name in known}
        return HealthListResponse(statuses=statuses)

    async def Watch(
        self, request: HealthCheckRequest, context: Context
    ) -> AsyncIterator[HealthCheckResponse]:
        """Tell how a service is, and again whenever that changes; it ends when this process leaves."""
        told, change = None, Flag()
        self._watchers.add(change)
        try:
            while True:
                change.clear()
                status = self._status(request.service)
                if status != told:
                    yield HealthCheckResponse(status=status)
                    told = status  # what happened meanwhile is looked at before anything is waited for
                elif self._left:
                    return
                else:
                    await change.wait()
        finally:
            self._watchers.discard(change)

    def _status(self, service: str) -> HealthCheckResponse.ServingStatus.ValueType:
        if service and service not in self._serving and service not in self._noted:
            return SERVICE_UNKNOWN
        is_well = self.serving(service) if service not in self._noted else self._noted[service]
        return SERVING if is_well and not self._left else NOT_SERVING

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher.set()
