"""Signatures of notifications: HMAC as Standard Webhooks has it, and JWS with the keys that sign cards."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256


class Signer:
    """Signs with every key there is; none: not at all."""

    def __init__(self, hmac_keys: Sequence[bytes] = ()) -> None:
        self._hmac_keys = tuple(hmac_keys)

    def headers(self, event_id: str, time_s: int, body: bytes) -> dict[str, str]:
        """Return the headers that let a receiver check who sent this, what and when.

        Source: https://www.standardwebhooks.com
        """
        if not self._hmac_keys:
            return {}
        said = f"{event_id}.{time_s}.".encode() + body
        signatures = (b64encode(hmac.digest(key, said, sha256)).decode() for key in self._hmac_keys)
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(time_s),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }
