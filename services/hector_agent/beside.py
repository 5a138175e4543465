"""What a client says beside its message, for agents that look at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import hector_a2a as a2a
from hector_a2a.json_out import to_json
from hector_a2a.parameters import Parameters
from hector_mesh import Context


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands in a request besides the message."""

    metadata: Mapping[str, object] = field(default_factory=dict)
    output_modes: Sequence[str] = ()
    """Media types that the client can take; empty: any."""
    extensions: Sequence[str] = ()
    """URIs of the extensions that it wants."""
    at_once: bool = False
    """It hears of the run when something of it is written, and not before."""
    reads: bool = False
    """It wants to see the run from its beginning."""

    @classmethod
    def of(
        cls,
        request: "a2a.SendMessageRequest",
        context: Context,
        at_once: bool = False,
        reads: bool = False,
    ) -> "Beside":
        """Return what stands beside a request's message."""
        extensions = Parameters.of(context).extensions
        modes = request.configuration.accepted_output_modes
        if not (extensions or modes or request.HasField("metadata")):
            return _BARE[at_once, reads]
        metadata = cast("dict[str, Any]", to_json(request.metadata))
        return cls(metadata, tuple(modes), extensions, at_once, reads)


_BOTH = (False, True)
_BARE = {(at_once, reads): Beside(at_once=at_once, reads=reads) for at_once in _BOTH for reads in _BOTH}
NOTHING = _BARE[False, False]
