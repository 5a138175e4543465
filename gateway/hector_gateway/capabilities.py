"""What an agent offers, and the refusal of everything else before anything else is looked at."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import hector_a2a as a2a
from hector.agent.v1 import Agent
from hector_a2a.codes import EDITIONS, Profile

from .a2a_config import A2AConfig
from .directory import is_gone
from .errors import AgentGone
from .media_types import EVERYTHING, OF_CONTENT, Modes
from .methods import Method
from .versions import SUPPORTED, Version

EXTENDED_CARD = "GetExtendedAgentCard"
"""The operation that the gateway answers itself."""


OF_TASKS = frozenset({"GetTask", "ListTasks", "CancelTask", "SubscribeToTask"})
"""What can be asked of an agent that is gone: its runs end as they began, and clients keep what they have."""


# By the type of agents of which nobody says more. text/plain is for clients that cannot read text/*.
_READ = {"llm": ("text/plain", "text/*", "application/json")}
_WRITTEN = {"llm": ("text/plain",)}


@dataclass(frozen=True, slots=True)
class Offer:
    """What one agent offers A2A clients: its own word, and where it has none the server's."""

    agent: Agent
    streaming: bool
    push_notifications: bool
    extended_card: bool
    extensions: tuple["a2a.AgentExtension", ...]
    known: frozenset[str]
    """The extensions' URIs."""
    required: tuple[str, ...]
    """Those of them without which nothing goes."""
    versions: tuple[Version, ...]
    preferred: str
    """The transport that its card lists first."""
    errors: Profile
    reads: Modes
    writes: Modes
    provider: tuple[str, str]
    """Name and URL of the organization behind it; ("", "") if nobody says."""

    def check_method(self, method: Method, version: Version = "1.0") -> None:
        """Let an operation pass, whatever it is asked with.

        Raises:
            UnsupportedOperation: A stream of an agent that does not stream, or an extended card that is not.
            ExtendedAgentCardNotConfigured: The latter, as 0.3 says it.
            PushNotificationNotSupported: Anything about push notifications.
            AgentGone: Anything but reading and cancelling tasks of an agent that is gone.
        """
        name = self.agent.name
        if is_gone(self.agent) and method.name not in OF_TASKS:
            raise AgentGone(name)
        if method.streams and not self.streaming:
            raise a2a.UnsupportedOperation(f"agent {name!r} does not stream; use SendMessage and GetTask")
        if "PushNotification" in method.name and not self.push_notifications:
            raise a2a.PushNotificationNotSupported
        if method.name == EXTENDED_CARD and not self.extended_card:
            if version == "0.3":
                raise a2a.ExtendedAgentCardNotConfigured(name)
            raise a2a.UnsupportedOperation(
                f"agent {name!r} has no extended card; its public card is complete"
            )

    def activated(self, wanted: Iterable[str], method: Method) -> list[str]:
        """Return the extensions that are in use when a client wants these. Unknown ones are nothing to us.

        Raises:
            ExtensionSupportRequired: One is missing without which nothing goes, but for reading the card.
        """
        found = [uri for uri in wanted if uri in self.known]
        if self.required and method.name != EXTENDED_CARD:
            missing = [uri for uri in self.required if uri not in found]
            if missing:
                raise a2a.ExtensionSupportRequired(missing)
        return found

    def check_request(self, request: Any) -> None:
        """Let a request pass that is otherwise complete.

        Raises:
            PushNotificationNotSupported: A message that wants them.
            ContentTypeNotSupported: A part that the agent does not read, or nothing that it writes would be
                accepted.
        """
        if not isinstance(request, a2a.SendMessageRequest):
            return
        if request.HasField("configuration"):
            asked = request.configuration
            if not self.push_notifications and asked.HasField("task_push_notification_config"):
                raise a2a.PushNotificationNotSupported
            accepted = asked.accepted_output_modes
            if accepted and not self.writes.overlap(accepted):
                raise a2a.ContentTypeNotSupported(
                    ", ".join(accepted)[:200],
                    self.writes.allowed,
                    field="configuration.acceptedOutputModes",
                )
        reads = self.reads
        if reads.everything:
            return
        for at, part in enumerate(request.message.parts):
            kind = part.WhichOneof("content")
            if not part.media_type and kind == "text" and reads.has_plain_text:
                continue
            found = part.media_type or OF_CONTENT.get(kind or "", "")
            if found and not reads.has(found):
                raise a2a.ContentTypeNotSupported(found[:200], reads.allowed, field=f"message.parts[{at}]")


class Offers:
    """Knows what each agent offers."""

    def __init__(self, config: A2AConfig, *, authenticates: bool) -> None:
        """Take the server's word: `errors` and `versions`, where it is not known which agent is meant.

        Args:
            config: What agents offer that do not say otherwise.
            authenticates: Callers must show a credential; who may not be known gets no extended card.
        """
        self._config, self._authenticates = config, authenticates
        self.errors: Profile = config.errors
        self.versions: tuple[Version, ...] = tuple(one for one in SUPPORTED if one in config.versions)
        self._extensions = tuple(
            _extension(one.uri, one.description, one.params, required=one.required)
            for one in config.extensions
        )
        self._known: dict[str, Offer] = {}

    def of(self, agent: Agent) -> Offer:
        """Return what an agent offers; the same as before for the same object."""
        known = self._known.get(agent.name)
        if known is None or known.agent is not agent:
            known = self._known[agent.name] = self._made(agent)
        return known

    def _made(self, agent: Agent) -> Offer:
        server, own = self._config, agent.offer
        extensions = self._extensions
        if own.HasField("extensions"):
            extensions = tuple(
                _extension(
                    one.uri, one.description, json.loads(one.params_json or "{}"), required=one.required
                )
                for one in own.extensions.extensions
            )
        wants_card = agent.extended_card if agent.HasField("extended_card") else server.extended_card
        versions = tuple(version for version in SUPPORTED if version in own.versions)
        provider = (own.provider_name, own.provider_url)
        if not own.provider_name and server.provider is not None:
            provider = (server.provider.name, server.provider.url)
        return Offer(
            agent=agent,
            streaming=_first(own, "streaming", lambda: server.streaming and agent.streaming),
            push_notifications=_first(own, "push_notifications", lambda: server.push_notifications),
            extended_card=wants_card and self._authenticates,
            extensions=extensions,
            known=frozenset(one.uri for one in extensions),
            required=tuple(one.uri for one in extensions if one.required),
            versions=versions or self.versions,
            preferred=own.preferred_transport or server.preferred_transport,
            errors=cast(Profile, own.errors) if own.errors in EDITIONS else server.errors,
            reads=Modes(
                agent.input_modes or server.input_modes or _READ.get(agent.type) or EVERYTHING,
                [mode for skill in agent.skills for mode in skill.input_modes],
            ),
            writes=Modes(
                agent.output_modes or server.output_modes or _WRITTEN.get(agent.type) or EVERYTHING,
                [mode for skill in agent.skills for mode in skill.output_modes],
            ),
            provider=provider,
        )


def _first(own: Any, name: str, otherwise: Callable[[], bool]) -> bool:
    return bool(getattr(own, name)) if own.HasField(name) else otherwise()


def _extension(uri: str, description: str, params: dict[str, Any], *, required: bool) -> "a2a.AgentExtension":
    found = a2a.AgentExtension(uri=uri, description=description, required=required)
    if params:
        found.params.update(params)
    return found
