"""What an agent tells the border of what it offers A2A clients."""

import json

from hector.agent.v1 import Extension, Extensions, Offer

from .offer_config import OfferConfig


def offer_of(config: OfferConfig) -> Offer:
    """Return an agent's offer. What is not configured is unset, for the server to decide."""
    provider = config.provider
    found = Offer(
        streaming=config.streaming,
        push_notifications=config.push_notifications,
        versions=config.versions or (),
        preferred_transport=config.preferred_transport or "",
        errors=config.errors or "",
        version=config.version,
        provider_name=provider.name if provider else "",
        provider_url=provider.url if provider else "",
        documentation_url=config.documentation_url,
        icon_url=config.icon_url,
    )
    if config.extensions is not None:
        extensions = [
            Extension(
                uri=one.uri,
                description=one.description,
                required=one.required,
                params_json=json.dumps(one.params) if one.params else "",
            )
            for one in config.extensions
        ]
        found.extensions.CopyFrom(Extensions(extensions=extensions))
    return found
