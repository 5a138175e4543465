"""The keys of `mesh:`: where the roles are that run in other processes, and what they share."""

from collections.abc import Mapping
from typing import Self

from pydantic import field_validator

from hector_config import Misfit, Secret, Section

SCHEMES = ("dns", "unix", "xds", "ipv4", "ipv6")


class MeshConfig(Section):
    """Addresses as gRPC takes them: "dns:///llm:7010", "unix:///run/hector/llm.sock", "xds:///llm"."""

    agent: str | None = None
    """Where the agent role listens."""
    reasoning: str | None = None
    """Where the reasoning role listens."""
    llm: str | None = None
    """Where the llm role listens."""
    embedder: str | None = None
    """Where the embedder role listens."""
    vector: str | None = None
    """Where the vector role listens."""
    document: str | None = None
    """Where the document role listens."""
    tool: str | None = None
    """Where the tool role listens."""
    token: Secret | None = None
    """A secret that all roles share. A role that listens beyond unix sockets and loopback needs it."""
    advertise: str | None = None
    """Where other replicas dial the agent role of this process, as "${POD_IP}:7010": they show the runs that
    are at work here. Left out: as --listen says, unless that is every address of the machine."""

    @field_validator("agent", "reasoning", "llm", "embedder", "vector", "document", "tool", "advertise")
    @classmethod
    def _can_be_dialled(cls, address: str | None) -> str | None:
        scheme, found, _ = (address or "").partition("://")
        if address is not None and (not address or (found and scheme not in SCHEMES)):
            raise Misfit(
                "gRPC cannot dial this",
                hint='"dns:///host:port", "host:port", "unix:///path" or "xds:///name"',
            )
        return address

    def address(self, role: str) -> str | None:
        """Return where a role is, if it is said."""
        found: str | None = getattr(self, role, None)
        return found

    def elsewhere(self, addresses: Mapping[str, str]) -> Self:
        """Return the same with other addresses of some roles."""
        return self.model_copy(update=dict(addresses))


class MeshSection(Section):
    """What the runtime reads of a configuration for itself."""

    mesh: MeshConfig = MeshConfig()
    """Where the roles are that run in other processes."""
