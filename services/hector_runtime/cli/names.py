"""Names that are not there, with the nearest that is."""

from collections.abc import Collection
from difflib import get_close_matches

from grpc import StatusCode

from hector_mesh import HectorError


class NoSuchAgent(HectorError):
    """There is no agent of that name."""

    code, reason = StatusCode.NOT_FOUND, "AGENT_NOT_FOUND"

    def __init__(self, name: str, known: Collection[str]) -> None:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(
            f"there is no agent {name!r} (agents: {', '.join(known) or 'none'}){hint}", agent=name
        )
