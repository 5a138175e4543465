"""How clients outside see this server."""

from dataclasses import dataclass
from urllib.parse import quote

from hector.agent.v1 import Agent


@dataclass(frozen=True, slots=True)
class Public:
    """Where the server is for others, and what it says of itself."""

    url: str
    """Of the HTTP port, without a slash at the end."""
    grpc_address: str
    """host:port of the gRPC port; empty if there is none."""
    version: str
    """Hector's."""
    authenticates: bool
    """Callers must show a credential."""

    def url_of(self, agent: Agent) -> str:
        """Return where an agent takes requests."""
        return f"{self.url}/agents/{quote(agent.name, safe='')}"


def reachable(host: str) -> str:
    """Return a host as it stands in a URL; "every address" is called localhost, which is one of them."""
    if host in ("0.0.0.0", "::", "*"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
