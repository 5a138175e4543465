"""Another config for a running server: what a file says now, as far as it goes without a restart."""

from dataclasses import dataclass

from hector_config import ConfigInvalid, Loaded
from hector_runtime.config import Config, completed
from hector_runtime.renewing import held

from .settings import Overrides, environment_of, overridden


@dataclass(frozen=True, slots=True)
class Proposal:
    """A config that was read, and goes by no process yet; it can be sent to others as it is."""

    found: Loaded[Config]
    wanted: Config
    """What the file says, with the command line's own on top."""
    said: Config
    """The same, with what runs in the place of all that waits for a restart."""
    config: Config
    """That with its gaps filled."""


async def proposed(found: Loaded[Config], before: Config, running: Config, overrides: Overrides) -> Proposal:
    """Return what becomes of a file that was read.

    Args:
        found: The file.
        before: What the last one said; see `Proposal.said`.
        running: The config in effect, all of it.
        overrides: The command line's own.

    Raises:
        HectorError: It cannot take the place of what runs.
    """
    wanted = overridden(found.config, overrides)
    said = held(before, wanted)
    config, _ = await completed(said, environment_of(found))
    config = config.model_copy(update={"document_stores": running.document_stores})
    return Proposal(found, wanted, said, config)


def problems_of(error: Exception) -> tuple[str, ...]:
    """Return an error of a config as sentences, one for each thing that is wrong."""
    if isinstance(error, ConfigInvalid):
        return tuple(str(problem) for problem in error.problems)
    return (str(error),)
