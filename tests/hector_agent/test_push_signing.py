"""Signatures of notifications: with the keys that sign cards, checked by a library that is not ours."""

from base64 import urlsafe_b64encode
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from hector_a2a.keys import KeyUnusable
from hector_a2a.push_config import PushConfig
from hector_a2a.signing_config import SigningConfig
from hector_agent.push.signing import JWS, signer_of


def key_file(folder: Path, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, name: str) -> Path:
    form, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = folder / name
    file.write_bytes(key.private_bytes(form, kind, serialization.NoEncryption()))
    return file


def checked(signature: str, body: bytes, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
    """Return what the library makes of it with the body put back in (RFC 7515, appendix F)."""
    head, left_out, tail = signature.split(".")
    assert left_out == ""
    whole = f"{head}.{urlsafe_b64encode(body).decode().rstrip('=')}.{tail}"
    return jwt.api_jws.decode_complete(whole, key.public_key(), algorithms=["EdDSA", "ES256"])


def test_every_key_signs_the_body_and_names_the_event(tmp_path: Path) -> None:
    keys = {"one": ed25519.Ed25519PrivateKey.generate(), "two": ec.generate_private_key(ec.SECP256R1())}
    entries = [
        SigningConfig(key_file=key_file(tmp_path, key, name), key_id=name) for name, key in keys.items()
    ]
    body = b'{"task":{"id":"t"}}'
    headers = signer_of(PushConfig(jws=True), entries).headers("t:2", 1700000000, body)
    assert list(headers) == [JWS]
    for signature, (name, key) in zip(headers[JWS].split(", "), keys.items(), strict=True):
        found = checked(signature, body, key)
        assert found["header"] == {
            "alg": "EdDSA" if name == "one" else "ES256",
            "kid": name,
            "typ": "JOSE",
            "iat": 1700000000,
            "jti": "t:2",
        }
        with pytest.raises(jwt.InvalidSignatureError):
            checked(signature, body + b" ", key)


def test_nothing_is_signed_unless_it_is_wanted(tmp_path: Path) -> None:
    file = key_file(tmp_path, ed25519.Ed25519PrivateKey.generate(), "k")
    signer = signer_of(PushConfig(), [SigningConfig(key_file=file, key_id="k")])
    assert signer.headers("t:2", 1, b"{}") == {}


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match=r"server\.a2a\.signing\[0\]\.key_file"):
        signer_of(PushConfig(jws=True), [SigningConfig(key_file=tmp_path / "none.pem", key_id="k")])
