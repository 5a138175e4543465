"""What a handler gets: one message, and what it belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.json_format import MessageToDict

import hector_a2a as a2a
from hector_mesh import Principal
from hector_mesh.call import NOBODY


@dataclass(slots=True, kw_only=True, eq=False)
class Turn:
    """One turn of a conversation: the message that is to be answered, and everything it belongs to."""

    message: "a2a.Message"
    """What was said: an lf.a2a.v1.Message with parts, metadata, extensions and references."""
    task_id: str
    """The task that the answer becomes, unless it is one plain message."""
    context_id: str
    """The session."""
    history: Sequence["a2a.Message"] = ()
    """What was said in the session before, oldest first: users' messages and agents' answers."""
    state: dict[str, object] = field(default_factory=dict)
    """The session's state, a JSON object. Change it in place: what is in it is kept with the answer."""
    agent: str = ""
    """The agent's name, as the config has it."""
    app: str = "default"
    principal: Principal = NOBODY
    """Who asks: `id` and `roles`. An empty id is nobody in particular."""
    revision: str = ""
    """The revision of the config that the server ran when the message came."""
    extensions: Sequence[str] = ()
    """URIs of the extensions that the client wants (A2A-Extensions)."""
    accepted_output_modes: Sequence[str] = ()
    """Media types that the client can take; empty: any."""
    request_metadata: Mapping[str, object] = field(default_factory=dict)
    """What the client said beside its message."""

    @property
    def text(self) -> str:
        """The message's text, all parts of it."""
        return "".join(part.text for part in self.message.parts)

    @property
    def message_id(self) -> str:
        """The id that the client gave its message."""
        return self.message.message_id

    @property
    def metadata(self) -> dict[str, object]:
        """The message's metadata."""
        return MessageToDict(self.message.metadata)

    @property
    def reference_task_ids(self) -> Sequence[str]:
        """Tasks that the message is about."""
        return self.message.reference_task_ids
