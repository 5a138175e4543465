"""The keys of `server.a2a.push:`: where push notifications may go, and how patiently."""

import binascii
import ipaddress
from base64 import b64decode
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from hector_config import Duration, Misfit, Secret, Section

LEAST_SECRET_BYTES = 24


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise Misfit(f'this is no network: {error}; as "10.1.0.0/16", or "10.1.2.3"') from None
    return text


class PushConfig(Section):
    """How agents tell webhooks what becomes of tasks. Who may have webhooks: `push_notifications`."""

    allowed_networks: list[Annotated[str, AfterValidator(_network)]] = []
    """Networks that webhooks may be in although they are not public, as "10.1.0.0/16". Everything else that
    is private, loopback, link-local or a cloud's metadata service is refused, whatever name leads there."""
    allow_http: bool = False
    """Also take webhooks without TLS. Their tokens and what tasks hold can then be read on the way."""
    timeout: Annotated[Duration, Field(ge=1, le=120)] = 15.0
    """How long a receiver may take to confirm a notification."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 15
    """How often one notification is tried before its webhook is given up, until somebody drives it anew."""
    retry_delay: Annotated[Duration, Field(gt=0, le=3600)] = 1.0
    """Longest wait before the second attempt; it doubles from attempt to attempt, and is drawn at random
    below that."""
    max_delay: Annotated[Duration, Field(gt=0, le=86400)] = 3600.0
    """It grows no longer than this."""
    max_concurrent: Annotated[int, Field(ge=1, le=100)] = 64
    """Most notifications under way at once, an eighth of them to one receiver."""
    hmac_secrets: list[Secret] = []
    """Sign notifications with these, as Standard Webhooks has it: "whsec_" and at least 24 bytes in base64,
    as `echo whsec_$(openssl rand -base64 32)` prints. Two while one replaces the other."""
    jws: bool = False
    """Sign notifications with the keys of `server.a2a.signing` as well; receivers find their public parts at
    `/.well-known/jwks.json`."""

    @field_validator("hmac_secrets")
    @classmethod
    def _usable(cls, secrets: list[Secret]) -> list[Secret]:
        for index, secret in enumerate(secrets):
            try:
                size = len(hmac_key(secret))
            except (ValueError, binascii.Error):
                raise Misfit('"whsec_" with base64 behind it is needed', at=(index,)) from None
            if size < LEAST_SECRET_BYTES:
                wrong = f"a secret of {LEAST_SECRET_BYTES} bytes or more is needed, found {size}"
                raise Misfit(wrong, at=(index,))
        return secrets

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.max_delay < self.retry_delay:
            raise Misfit("shorter than retry_delay, the first wait", at=("max_delay",))
        return self


def hmac_key(secret: Secret) -> bytes:
    """Return the bytes that a secret stands for; raises ValueError."""
    return b64decode(secret.reveal().removeprefix("whsec_"), validate=True)
