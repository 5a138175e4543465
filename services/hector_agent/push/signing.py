"""Signatures of notifications: HMAC as Standard Webhooks has it, and JWS with the keys that sign cards."""

import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from hector_a2a.push_config import PushConfig, hmac_key
from hector_a2a.signing_config import SigningConfig, signing_keys

if TYPE_CHECKING:
    from hector_a2a.keys import SigningKey

JWS = "X-A2A-Signature"


class Signer:
    """Signs with every key there is; none: not at all."""

    def __init__(self, hmac_keys: Sequence[bytes] = (), keys: "Sequence[SigningKey]" = ()) -> None:
        self._hmac_keys, self._keys = tuple(hmac_keys), tuple(keys)

    def headers(self, event_id: str, time_s: int, body: bytes) -> dict[str, str]:
        """Return the headers that let a receiver check who sent this, what and when.

        Source: https://www.standardwebhooks.com, and RFC 7515 with the body left out (appendix F).
        """
        found = {}
        if self._hmac_keys:
            said = f"{event_id}.{time_s}.".encode() + body
            signatures = (b64encode(hmac.digest(key, said, sha256)).decode() for key in self._hmac_keys)
            found = {
                "webhook-id": event_id,
                "webhook-timestamp": str(time_s),
                "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
            }
        if self._keys:
            found[JWS] = ", ".join(_jws(key, event_id, time_s, body) for key in self._keys)
        return found


def signer_of(push: PushConfig, signing: Sequence[SigningConfig]) -> Signer:
    """Return what signs notifications.

    Raises:
        KeyUnusable: A key cannot be used.
    """
    return Signer(
        [hmac_key(secret) for secret in push.hmac_secrets], signing_keys(signing) if push.jws else ()
    )


def _jws(key: "SigningKey", event_id: str, time_s: int, body: bytes) -> str:
    from hector_a2a.keys import b64

    header = {"alg": key.algorithm, "kid": key.key_id, "typ": "JOSE", "iat": time_s, "jti": event_id}
    protected = b64(json.dumps(header, separators=(",", ":")).encode())
    return f"{protected}..{b64(key.sign(f'{protected}.{b64(body)}'.encode()))}"
