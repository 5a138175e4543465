"""The keys of `storage.queue:`: who gets on first when there is more to do than processes can do."""

from typing import Annotated

from pydantic import Field

from hector_config import Section


class QueueConfig(Section):
    """Which of the runs that nobody has are taken first: after a restart, when timers end, on answers.

    A run that begins in the process that its client asked is worked on there and waits for nobody.
    """

    weights: dict[str, Annotated[float, Field(gt=0, le=1000)]] = {}
    """How much more than others an app gets while several have runs to do, by its name; 1 if not named."""
    per_app: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Most runs of an app that are taken to be worked on at once, in all processes together, by its name."""
    per_agent: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Likewise of an agent."""
