"""Who made a package: an Ed25519 signature of its sums."""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from .refused import PackageRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def signature_of(sums: bytes, key_file: Path) -> bytes:
    """Return what stands in a signed package: the maker's public key, and the signature.

    Raises:
        PackageRefused: The file holds no such key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise PackageRefused(f"{key_file} holds no private key: {error}; {_MAKE}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise PackageRefused(f"{key_file} holds another key than one of Ed25519; {_MAKE}")
    lines = (key.public_key().public_bytes_raw(), key.sign(sums))
    return b"".join(base64.b64encode(line) + b"\n" for line in lines)


def signer_of(signature: bytes, sums: bytes) -> str:
    """Return the fingerprint of the key that a package is signed with.

    Raises:
        PackageRefused: The signature is not of these sums.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public, signed = (base64.b64decode(line, validate=True) for line in signature.split())
        Ed25519PublicKey.from_public_bytes(public).verify(signed, sums)
    except (ValueError, binascii.Error, InvalidSignature):
        raise PackageRefused("the package's signature is not that of its contents: it was changed") from None
    return _fingerprint(public)


def fingerprint_of(key_file: Path) -> str:
    """Return the fingerprint of a public key.

    Raises:
        PackageRefused: The file holds none.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(key_file.read_bytes())
    except (OSError, ValueError) as error:
        raise PackageRefused(f"{key_file} holds no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise PackageRefused(f"{key_file} holds another key than one of Ed25519")
    return _fingerprint(_raw(key))


def _raw(key: "Ed25519PublicKey") -> bytes:
    return key.public_bytes_raw()


def _fingerprint(public: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


_MAKE = "make one with: openssl genpkey -algorithm ed25519 -out key.pem"
