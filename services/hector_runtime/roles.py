"""The table of contents of the running system: every role, what serves it and what it calls."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib import import_module

from grpc import StatusCode

from hector_mesh import HectorError, Mesh, Room

from .config import Config

Needed = Callable[[Config], bool]


def always(_: Config) -> bool:
    """Every mesh has this role."""
    return True


def with_documents(config: Config) -> bool:
    """Only a mesh that has documents has this role; what is not used is not even imported."""
    return bool(config.document_stores)


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of work. `package` has the one public `build(config, mesh) -> Room`."""

    package: str
    serves: tuple[str, ...]
    """Full names of its services."""
    calls: tuple[str, ...] = ()
    """Roles that it calls."""
    needed: Needed = always
    """Whether a mesh with this configuration has the role at all."""
    reads: tuple[str, ...] = ()
    """Keys of the config that are its own, with all below them."""
    takes_over: tuple[str, ...] = ()
    """Keys of the config that it takes over while it runs, with all below them; the rest needs a restart."""

    def build(self, config: Config, mesh: Mesh, **more: object) -> Room:
        """Import the package and build its room; `more` is what this role alone is given."""
        room: Room = import_module(self.package).build(config, mesh, **more)
        return room


# In the order in which they start; they stop in reverse, so that the border closes first.
ROLES: Mapping[str, Role] = {
    "embedder": Role(
        "hector_embedder",
        ("hector.embedder.v1.EmbedderProvider",),
        needed=with_documents,
        reads=("embedders",),
    ),
    "vector": Role(
        "hector_vector",
        ("hector.vector.v1.DatabaseProvider",),
        needed=with_documents,
        reads=("vector_stores",),
    ),
    "document": Role(
        "hector_document",
        ("hector.document.v1.DocumentStore", "hector.document.v1.DocumentParser"),
        calls=("embedder", "vector"),
        needed=with_documents,
        reads=("document_stores", "storage"),
    ),
    "llm": Role("hector_llm", ("hector.llm.v1.LLMProvider",), reads=("llms",), takes_over=("llms",)),
    "tool": Role(
        "hector_tool",
        ("hector.tool.v1.ToolProvider",),
        calls=("document",),
        reads=("tools",),
        takes_over=("tools",),
    ),
    "reasoning": Role("hector_reasoning", ("hector.reasoning.v1.ReasoningStrategy",)),
    "agent": Role(
        "hector_agent",
        ("lf.a2a.v1.A2AService", "hector.agent.v1.AgentService", "hector.agent.v1.HistoryService"),
        calls=("reasoning", "llm", "tool"),
        reads=("agents", "storage", "server.a2a.push", "server.a2a.signing"),
        takes_over=("agents", "defaults.llm", "storage.retention", "storage.checkpoint"),
    ),
    "gateway": Role("hector_gateway", (), calls=("agent",), reads=("server",), takes_over=("server.a2a",)),
}


class UnknownRole(HectorError):
    """There is no role of that name."""

    code, reason = StatusCode.INVALID_ARGUMENT, "UNKNOWN_ROLE"

    def __init__(self, role: str) -> None:
        super().__init__(f"there is no role {role!r}; the roles are {', '.join(ROLES)}", role=role)


class RoleWithoutAddress(HectorError):
    """Roles here call others that are neither here nor have an address."""

    code, reason = StatusCode.FAILED_PRECONDITION, "ROLE_WITHOUT_ADDRESS"

    def __init__(self, roles: Collection[str], callers: Collection[str]) -> None:
        names = " and ".join(map(repr, roles))
        subject, them = (f"role {names} has", "it") if len(roles) == 1 else (f"roles {names} have", "them")
        addresses = ", ".join(f'{role}: "dns:///HOST:PORT"' for role in roles)
        super().__init__(
            f"{subject} no address, and {' and '.join(callers)} here must call {them}: add "
            f'`mesh: {{{addresses}}}` (or "unix:///PATH") to the config, '
            f"or run {them} here with {' '.join(f'--role {role}' for role in roles)}",
            role=" ".join(roles),
        )


def chosen(names: Collection[str], config: Config) -> list[str]:
    """Return the roles to run here, in the order in which they start; no names means all of them.

    Raises:
        UnknownRole: One of the names is none.
    """
    for name in names:
        if name not in ROLES:
            raise UnknownRole(name)
    return [name for name, role in ROLES.items() if (name in names if names else role.needed(config))]


def elsewhere(here: Collection[str], config: Config) -> dict[str, str]:
    """Return the address of every role that roles here call and that is not here.

    The gateway also gets those it does not call, as far as they have an address: it asks all of them how
    they are before it says that the mesh is ready.

    Raises:
        RoleWithoutAddress: Some that are called have none.
    """
    found: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    for name, role in ROLES.items():
        if name in here or not role.needed(config):
            continue
        callers = [caller for caller in here if name in ROLES[caller].calls]
        address = config.mesh.address(name)
        if callers and address is None:
            missing[name] = callers
        if address is not None and (callers or "gateway" in here):
            found[name] = address
    if missing:
        raise RoleWithoutAddress(missing, dict.fromkeys(one for each in missing.values() for one in each))
    return found
