"""Where other replicas dial the agent role of this process."""

from collections.abc import Callable
from pathlib import Path

from grpc import StatusCode

from hector_mesh import HectorError
from hector_mesh.addresses import unix_path
from hector_mesh.whereabouts import is_everywhere


class AdvertisesNothing(HectorError):
    """An address is advertised at which nobody listens."""

    code, reason = StatusCode.FAILED_PRECONDITION, "ADVERTISES_NOTHING"

    def __init__(self, advertise: str) -> None:
        super().__init__(
            f"mesh.advertise says that others dial the agent role here at {advertise}, and this process does "
            "not listen for them: add --listen, as --listen 0.0.0.0:7010, or take mesh.advertise out",
            advertise=advertise,
        )


def advertised(advertise: str | None, listen: str | None, bound: Callable[[], str]) -> Callable[[], str]:
    """Return what says how others dial this process; it says "" if nobody can.

    Args:
        advertise: What `mesh.advertise` says.
        listen: Where this process listens for others, as it was said.
        bound: Where it really does.

    Raises:
        AdvertisesNothing: Others would dial where nobody listens.
    """
    if advertise:
        if not listen:
            raise AdvertisesNothing(advertise)
        return lambda: advertise
    if not listen or is_everywhere(listen):
        return lambda: ""
    path = unix_path(listen)
    if path is not None:
        return lambda: f"unix:{Path(path).absolute()}"
    return bound
