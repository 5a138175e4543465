"""The keys of `agents.<name>.a2a:`: what one agent offers A2A clients, other than `server.a2a` says."""

from hector_config import Section
from hector_config.offer_config import (
    A2AVersions,
    ErrorEdition,
    Extensions,
    ProviderConfig,
    Transport,
    WebAddress,
)


class OfferConfig(Section):
    """What an agent offers A2A clients. What is left out is as `server.a2a` says."""

    streaming: bool | None = None
    """Answer as it comes, and let clients follow tasks. Left out: as the agent's `streaming` says, unless
    server.a2a.streaming is false."""
    push_notifications: bool | None = None
    """Tell clients of a task's progress at a URL that they name."""
    extended_card: bool | None = None
    """Offer authenticated callers a second card, with the agent's internal skills. It needs `server.auth`."""
    extensions: Extensions | None = None
    """Extensions of A2A that it knows, in place of the server's. []: none."""
    versions: A2AVersions | None = None
    """Versions of A2A that it speaks."""
    preferred_transport: Transport | None = None
    """Which one its card lists first, as the best."""
    errors: ErrorEdition | None = None
    """Which edition of A2A 1.0 decides the codes of its errors."""
    version: str = ""
    """The agent's own version, as its card says. Left out: Hector's."""
    provider: ProviderConfig | None = None
    """Who is behind the agent, as its card says."""
    documentation_url: WebAddress = ""
    """Where people can read about it."""
    icon_url: WebAddress = ""
    """Its picture."""
