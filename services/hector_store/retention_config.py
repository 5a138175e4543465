"""The keys of `storage.retention:`: how long what is kept."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hector_config import Duration, Section

if TYPE_CHECKING:
    from .history.policy import Keep, Policy

Age = Duration | Literal["never"]


class AgesConfig(Section):
    """Ages for some runs, in place of those said further out."""

    runs: Age | None = None
    """As `storage.retention.runs`. Left out, here and below: as said further out."""
    sessions: Age | None = None
    """As `storage.retention.sessions`."""
    compact_after: Age | None = None
    """As `storage.retention.compact_after`."""
    idempotency_keys: Age | None = None
    """As `storage.retention.idempotency_keys`."""
    signals: Age | None = None
    """As `storage.retention.signals`."""
    effects: Age | None = None
    """As `storage.retention.effects`."""
    push_configs: Age | None = None
    """As `storage.retention.push_configs`."""


class AppAgesConfig(AgesConfig):
    """Ages for the runs of one app."""

    agents: dict[str, AgesConfig] = {}
    """For some agents' runs in this app, by agent; these win over all others."""


class RetentionConfig(Section):
    """How long runs that are over are kept, and what belongs to them.

    What is not over, or pinned, or still to be told to a webhook, is always kept; ages count from the last
    change of a run's state.
    """

    runs: Age = "never"
    """When a run is deleted with all that belongs to it: `30d`, or never."""
    sessions: Age = "never"
    """When a session in which nothing happens any more is deleted, with all its runs, state and artifacts."""
    compact_after: Age = 86400.0
    """When a run's events are made fewer: text that came in pieces becomes one, progress that is over goes.
    No task or conversation changes by it; a stream can be picked up where it broke off until then."""
    idempotency_keys: Age = "never"
    """How long a message that is sent again with its key becomes no second task."""
    signals: Age = 7 * 86400.0
    """When what was said to a run is forgotten; the run's events tell of it as well."""
    effects: Age = "never"
    """When the list of a run's tool calls is forgotten; the run's events tell of them as well."""
    push_configs: Age = 7 * 86400.0
    """When the webhooks are forgotten that were told of a run, or given up."""
    interval: Annotated[Duration, Field(ge=1)] = 3600.0
    """How often one of the replicas looks whether it is time."""
    agents: dict[str, AgesConfig] = {}
    """For some agents' runs, by agent; these win over those of apps."""
    apps: dict[str, AppAgesConfig] = {}
    """For the runs of some apps, by app."""

    def policy(self) -> "Policy":
        """Return how long what is kept, with all ages filled in."""
        from .history.policy import Policy

        usual = _keep(self)
        apps = {name: _keep(ages, usual) for name, ages in self.apps.items()}
        return Policy(
            usual,
            apps,
            {name: _keep(ages, usual) for name, ages in self.agents.items()},
            {
                (app, agent): _keep(ages, apps[app])
                for app, of_app in self.apps.items()
                for agent, ages in of_app.agents.items()
            },
        )


def _keep(ages: AgesConfig | RetentionConfig, further_out: "Keep | None" = None) -> "Keep":
    from .history.policy import FOREVER, Keep

    usual = further_out or Keep()
    found = {}
    for field in Keep._fields:
        said: float | str | None = getattr(ages, field.removesuffix("_s"))
        found[field] = FOREVER if said == "never" else getattr(usual, field) if said is None else float(said)
    return Keep(**found)
