"""Extended cards that nobody would get: they are for callers who show a credential."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hector_config import Loaded, Problem
from hector_config.problem import Path, problem_at
from hector_gateway.admin_secret import must_authenticate

if TYPE_CHECKING:
    from .config import Config

SERVERS: Path = ("server", "a2a", "extended_card")
MESSAGE = "nobody will get the extended card, because nobody is asked for a credential"
HINT = "configure server.auth, or start it with --auth-secret"


def unheard(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Yield a warning for each place that asks for extended cards where nobody is asked for a credential.

    No more than a warning: what the command line and the environment say of server.auth is not known yet.
    """
    config = loaded.config
    asking: list[Path] = [
        ("agents", name, "a2a", "extended_card")
        for name, agent in config.agents.items()
        if agent.a2a.extended_card
    ]
    if config.server.a2a.extended_card:
        asking.append(SERVERS)
    if not asking or must_authenticate(config.server):
        return
    for path in asking:
        message = f"{MESSAGE}; hector serve refuses that" if path == SERVERS else MESSAGE
        yield problem_at(loaded.marks[path], path, message, hint=HINT)
