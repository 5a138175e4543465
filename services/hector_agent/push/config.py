"""What this room reads of `server:`: the keys of push notifications. The rest of it is the gateway's."""

from hector_a2a.push_config import PushConfig
from hector_a2a.signing_config import SigningConfig
from hector_config import Section


class _A2APart(Section):
    """Of `server.a2a`."""

    push: PushConfig = PushConfig()
    """How push notifications are sent."""
    signing: list[SigningConfig] = []
    """Keys that sign them, where `push.jws` says so."""


class _ServerPart(Section):
    """Of `server`."""

    a2a: _A2APart = _A2APart()
    """What concerns A2A."""


class PushSection(Section):
    """What push notifications need of a configuration."""

    server: _ServerPart = _ServerPart()
    """Where it stands."""
