"""The keys of `server.a2a:`: what agents offer, what their cards show, and who vouches for them."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hector_a2a.push_config import PushConfig
from hector_a2a.signing_config import SigningConfig
from hector_config import Misfit, Section
from hector_config.offer_config import (
    A2AVersions,
    ErrorEdition,
    Extensions,
    MediaType,
    ProviderConfig,
    Transport,
)


class A2AConfig(Section):
    """What agents offer A2A clients, and how their cards look. An agent's own word is `agents.<name>.a2a`."""

    card: Literal["dual", "1.0", "0.3"] = "dual"
    """Whose members a card has where the client names no version: of A2A 1.0 and 0.3 side by side, or of one
    alone, for clients that refuse what they do not know."""
    streaming: bool = True
    """Let clients have streams. An agent that does not stream has none in any case."""
    push_notifications: bool = True
    """Tell clients of a task's progress at a URL that they name; `push` says which may be named."""
    extended_card: bool = False
    """Offer authenticated callers a second card of each agent, with its internal skills. It needs
    `server.auth`."""
    extensions: Extensions = []
    """Extensions of A2A that the agents know."""
    input_modes: Annotated[list[MediaType], Field(min_length=1)] | None = None
    """Media types that agents read which do not say. Left out: every text and JSON, and for agents of type
    custom everything."""
    output_modes: Annotated[list[MediaType], Field(min_length=1)] | None = None
    """Media types that agents write which do not say. Left out: text/plain, and for agents of type custom
    everything."""
    versions: A2AVersions = ["1.0", "0.3"]
    """Versions of A2A that are spoken."""
    preferred_transport: Transport = "json-rpc"
    """Which one cards list first, as the best; all of them are served."""
    errors: ErrorEdition = "1.0.1"
    """Which edition of A2A 1.0 decides the codes of errors."""
    provider: ProviderConfig | None = None
    """Who is behind the agents, as their cards say."""
    signing: list[SigningConfig] = []
    """Keys that sign cards; each one signs all of them. Two while one replaces the other."""

    push: PushConfig = PushConfig()
    """How push notifications are sent."""

    @field_validator("signing")
    @classmethod
    def _tell_keys_apart(cls, keys: list[SigningConfig]) -> list[SigningConfig]:
        seen: dict[str, int] = {}
        for index, key in enumerate(keys):
            if key.key_id in seen:
                raise Misfit(f"the same name as entry {seen[key.key_id]}", at=(index, "key_id"))
            seen[key.key_id] = index
        return keys

    @model_validator(mode="after")
    def _show_what_is_spoken(self) -> Self:
        if self.card != "dual" and self.card not in self.versions:
            raise Misfit(f"A2A {self.card} is not among server.a2a.versions", at=("card",))
        return self

    @model_validator(mode="after")
    def _sign_with_something(self) -> Self:
        if self.push.jws and not self.signing:
            raise Misfit("there are no keys to sign with: it needs server.a2a.signing", at=("push", "jws"))
        return self
