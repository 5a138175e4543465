"""Keys that agent cards are signed and checked with: PEM files and JSON Web Keys, ES256 and EdDSA.

`cryptography` is loaded when a key is, so that who signs nothing does not wait for it.
"""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from grpc import StatusCode

from hector_mesh import HectorError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Algorithm = Literal["ES256", "EdDSA"]
HALF = 32  # bytes of each of the two numbers of an ES256 signature
MAKE_ONE = "make one with `openssl genpkey -algorithm ed25519 -out card.pem`"


class KeyUnusable(HectorError):
    """A key is none, or none of a kind that cards are signed with."""

    code, reason = StatusCode.FAILED_PRECONDITION, "SIGNING_KEY_UNUSABLE"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the name under which others find its public part."""

    key_id: str
    algorithm: Algorithm
    private: "EllipticCurvePrivateKey | Ed25519PrivateKey"

    def sign(self, data: bytes) -> bytes:
        """Return a signature as JWS has it; the same data gives the same one wherever OpenSSL can do that."""
        if self.algorithm == "EdDSA":
            return cast("Ed25519PrivateKey", self.private).sign(data)
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec, utils
        from cryptography.hazmat.primitives.hashes import SHA256

        private = cast("EllipticCurvePrivateKey", self.private)
        try:
            der = private.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))
        except UnsupportedAlgorithm:  # OpenSSL before 3.2
            der = private.sign(data, ec.ECDSA(SHA256()))
        return b"".join(number.to_bytes(HALF, "big") for number in utils.decode_dss_signature(der))

    @property
    def public(self) -> "PublicKey":
        """Its public part, under the same name."""
        return PublicKey(self.key_id, self.algorithm, self.private.public_key())

    def jwk(self) -> dict[str, str]:
        """Return the public part as a JSON Web Key."""
        about = {"kid": self.key_id, "alg": self.algorithm, "use": "sig"}
        public = self.private.public_key()
        if self.algorithm == "EdDSA":
            x = cast("Ed25519PublicKey", public).public_bytes_raw()
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(x), **about}
        numbers = cast("EllipticCurvePublicKey", public).public_numbers()
        x, y = (number.to_bytes(HALF, "big") for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y), **about}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is checked with."""

    key_id: str
    """Empty: the key fits whatever key the signature names."""
    algorithm: Algorithm
    public: "EllipticCurvePublicKey | Ed25519PublicKey"

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Say whether this key made the signature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, utils
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if self.algorithm == "EdDSA":
                cast("Ed25519PublicKey", self.public).verify(signature, data)
                return True
            if len(signature) != 2 * HALF:
                return False
            halves = (int.from_bytes(half, "big") for half in (signature[:HALF], signature[HALF:]))
            der = utils.encode_dss_signature(*halves)
            cast("EllipticCurvePublicKey", self.public).verify(der, data, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def signing_key(pem: bytes, key_id: str, algorithm: Algorithm | None = None, *, where: str) -> SigningKey:
    """Return the private key that a PEM file holds.

    Args:
        pem: What the file holds.
        key_id: Its name in signatures.
        algorithm: What it must be for; None: whatever it is for.
        where: How errors call the file.

    Raises:
        KeyUnusable: It is none, locked, or for something else; the message says how to get one.
    """
    if b"PRIVATE KEY-----" not in pem:
        raise KeyUnusable(
            f"{where} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); {MAKE_ONE}"
        )
    serialization = _serialization()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        found = serialization.load_pem_private_key(pem, None)
    except TypeError as error:
        raise KeyUnusable(
            f"{where} is protected by a password, and nobody is there to type it; "
            "write it without one: `openssl pkey -in KEY.pem -out card.pem`"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{where} holds a private key that cannot be read; {MAKE_ONE}") from error
    kind = _algorithm_of(found, where)
    if algorithm not in (None, kind):
        raise KeyUnusable(
            f"{where} is a key for {kind}, not for {algorithm}; say {kind}, or leave algorithm out"
        )
    return SigningKey(key_id, kind, found)


def public_keys(data: bytes, *, where: str) -> list[PublicKey]:
    """Return the keys of a JWKS, of one JSON Web Key, or of a PEM file with a public or private key.

    Keys of a JWKS that are for something else are left out.

    Raises:
        KeyUnusable: There is none.
    """
    if b"-----BEGIN" in data:
        return [_of_pem(data, where)]
    try:
        found: Any = json.loads(data)
    except ValueError as error:
        raise KeyUnusable(f"{where} is neither a PEM file nor a JSON Web Key Set") from error
    entries = found.get("keys", [found]) if isinstance(found, dict) else None
    listed = entries if isinstance(entries, list) else []
    keys = [key for entry in listed if isinstance(entry, dict) and (key := _of_jwk(entry)) is not None]
    if not keys:
        raise KeyUnusable(f"{where} holds no key for ES256 (EC, P-256) or EdDSA (OKP, Ed25519)")
    return keys


def b64(data: bytes) -> str:
    """Return bytes in base64url without padding, as all of JOSE has them."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64(text: str) -> bytes:
    """Return what stands in base64url; raises ValueError."""
    if not text.isascii() or "=" in text:
        raise ValueError("base64url without padding is needed")
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _of_pem(data: bytes, where: str) -> PublicKey:
    if b"PRIVATE KEY-----" in data:
        return signing_key(data, "", where=where).public
    serialization = _serialization()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        found = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{where} holds no public key (-----BEGIN PUBLIC KEY-----)") from error
    return PublicKey("", _algorithm_of(found, where), found)


def _of_jwk(entry: Mapping[str, Any]) -> PublicKey | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if entry.get("use", "sig") != "sig":
        return None
    key_id = str(entry.get("kid", ""))
    try:
        match entry.get("kty"), entry.get("crv"), entry.get("alg"):
            case "OKP", "Ed25519", None | "EdDSA" | "Ed25519":
                public = ed25519.Ed25519PublicKey.from_public_bytes(from_b64(entry["x"]))
                return PublicKey(key_id, "EdDSA", public)
            case "EC", "P-256", None | "ES256":
                x, y = (int.from_bytes(from_b64(entry[name]), "big") for name in ("x", "y"))
                numbers = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())
                return PublicKey(key_id, "ES256", numbers.public_key())
    except (KeyError, ValueError, AttributeError):
        return None
    return None


def _algorithm_of(key: Any, where: str) -> Algorithm:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        if key.curve.name == "secp256r1":
            return "ES256"
        raise KeyUnusable(f"{where} is on the curve {key.curve.name}; ES256 is on P-256: {MAKE_ONE}")
    kind = type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
    raise KeyUnusable(
        f"{where} is of another kind ({kind}); cards are signed with ES256 or EdDSA: {MAKE_ONE}"
    )


def _serialization() -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise KeyUnusable(
            "signing cards needs the package cryptography, which is not installed: `pip install cryptography`"
        ) from error
    return serialization
