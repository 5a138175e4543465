"""Signed cards: canonical JSON by RFC 8785, signatures by JWS, with the official SDK as the other side."""

import copy
import json
import struct
from typing import Any

import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.types import a2a_pb2
from a2a.utils import signing as sdk
from a2a.utils._jcs import canonicalize
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from google.protobuf import json_format
from jwt import PyJWK

from hector.agent.v1 import Agent, Skill
from hector_a2a.canonical import forms_of
from hector_a2a.card import Offered, View, card_json, card_of
from hector_a2a.card_signing import check, signatures_of
from hector_a2a.keys import Algorithm, KeyUnusable, SigningKey, b64, from_b64, public_keys, signing_key

AGENT = Agent(
    name="helper",
    title="Hélper €",
    description="Helps.",
    streaming=False,
    skills=[Skill(id="s", name="S", description="Does S.")],  # without tags, which are REQUIRED
)


def pem(private: Any, password: bytes | None = None) -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    found: bytes = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return found


def key(algorithm: Algorithm, key_id: str = "one") -> SigningKey:
    private: Any = ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    return signing_key(pem(private), key_id, where="card.pem")


def document(view: View = "both", *keys: SigningKey, authenticated: bool = True) -> dict[str, Any]:
    card = card_of(
        AGENT,
        Offered(streaming=AGENT.streaming),
        url="http://x/agents/helper",
        version="1",
        grpc_address="x:1",
        authenticated=authenticated,
    )
    found = json.loads(json.dumps(card_json(card, view)))
    if keys:
        found["signatures"] = signatures_of(found, keys)
    return found


NUMBERS = [  # RFC 8785, appendix B
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_a_number_is_written_as_rfc_8785_has_it(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonicalize(number) == text


def test_a_document_is_written_as_rfc_8785_has_it() -> None:
    """RFC 8785, sections 3.2.2 to 3.2.4: text, names in the order of their UTF-16 units, UTF-8."""
    first = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonicalize(first) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    second = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonicalize(second)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_what_is_required_is_signed_though_it_is_empty() -> None:
    """A2A 1.0 section 8.4.1, whose own example this is; optional members are signed when they are set."""
    found = {
        "name": "Example Agent",
        "description": "",
        "supportedInterfaces": [{"url": "x", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": False, "pushNotifications": False, "extensions": []},
        "skills": [],
        "documentationUrl": None,
        "securityRequirements": [],
    }
    signed = json.loads(forms_of(found)["1.0"])
    assert signed["capabilities"] == {"pushNotifications": False, "streaming": False}
    assert (signed["description"], signed["skills"]) == ("", [])
    assert not {"documentationUrl", "securityRequirements", "signatures"} & signed.keys()


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
@pytest.mark.parametrize("view", ["1.0", "both"])
def test_the_official_sdk_accepts_our_signatures(algorithm: Algorithm, view: View) -> None:
    """Ours: though the SDK leaves REQUIRED members out when they are empty, and security without scopes."""
    ours = key(algorithm)
    verify = sdk.create_signature_verifier(lambda kid, jku: PyJWK(ours.jwk()), [algorithm])
    card = document(view, ours)
    verify(parse_agent_card(copy.deepcopy(card)))
    card["description"] = "Harms."
    with pytest.raises(sdk.InvalidSignaturesError):
        verify(parse_agent_card(card))


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_we_accept_what_the_official_sdk_signs(algorithm: Algorithm) -> None:
    private: Any = ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    message = json_format.ParseDict(document("1.0"), a2a_pb2.AgentCard())
    header: Any = {"kid": "theirs", "alg": algorithm, "jku": "https://evil.example/jwks.json", "typ": "JOSE"}
    sdk.create_agent_card_signer(pem(private), header)(message)
    signed = json_format.MessageToDict(message)
    trusted = public_keys(pem(private), where="theirs.pem")
    (found,) = check(signed, trusted)
    assert (found.key_id, found.algorithm, found.form) == ("theirs", algorithm, "a2a-sdk")


@pytest.mark.parametrize("view", ["1.0", "0.3", "both"])
def test_two_keys_make_a_signature_each_and_either_is_enough(view: View) -> None:
    """Ours: so a key can be replaced while others still know the old one only."""
    old, new = key("ES256", "old"), key("EdDSA", "new")
    card = document(view, old, new)
    for trusted in (old, new):
        valid = [one for one in check(card, [trusted.public]) if one.form]
        assert {one.key_id for one in valid} == {trusted.key_id}
        assert "document" in {one.form for one in valid} or view == "1.0"


@pytest.mark.parametrize("view", ["1.0", "0.3"])
def test_a_signature_covers_every_member(view: View) -> None:
    """Ours: the SDK's form does not see security without scopes, which is why ours comes first."""
    ours = key("EdDSA")
    card = document(view, ours)
    for name in card.keys() - {"signatures"}:
        changed = copy.deepcopy(card)
        changed[name] = "changed" if isinstance(changed[name], str) else []
        unseen = {"a2a-sdk"} if (view, name) == ("1.0", "securityRequirements") else set()
        assert {one.form for one in check(changed, [ours.public])} <= {None, *unseen}, name


def test_a_change_of_what_only_the_old_version_reads_is_seen() -> None:
    ours = key("EdDSA")
    card = document("both", ours)
    card["url"] = "https://evil.example"
    assert "document" not in {one.form for one in check(card, [ours.public])}


def test_a_signature_that_says_nonsense_is_not_valid() -> None:
    ours, other = key("EdDSA"), key("EdDSA", "other")
    card = document("1.0", ours)
    good = card["signatures"][0]
    header = json.loads(from_b64(good["protected"]))
    assert header == {"alg": "EdDSA", "kid": "one", "typ": "JOSE"}

    def with_header(**more: Any) -> dict[str, Any]:
        return good | {"protected": b64(json.dumps(header | more).encode())}

    for nonsense, why in (
        ("text", "no JWS signature"),
        ({}, "no JWS signature"),
        (good | {"signature": "!"}, "no JWS signature"),
        (with_header(alg="none"), "key is for EdDSA"),
        (with_header(crit=["b64"]), "crit"),
        (with_header(kid="somebody"), "has this id"),
        (good | {"signature": b64(b"\0" * 64)}, "changed"),
    ):
        (found,) = check(card | {"signatures": [nonsense]}, [ours.public])
        assert found.form is None
        assert why in found.why
    (found,) = check(card | {"signatures": [good]}, [other.public])
    assert found.form is None
    assert check({**card, "signatures": "x"}, [ours.public])[0].form is None


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_key_set_holds_public_parts_only_and_is_read_again(algorithm: Algorithm) -> None:
    ours = key(algorithm)
    jwk = ours.jwk()
    assert not {"d", "k", "p", "q"} & jwk.keys()
    others = [{"kty": "RSA", "n": "x", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, 7]
    (found,) = public_keys(json.dumps({"keys": [*others, jwk]}).encode(), where="jwks.json")
    assert (found.key_id, found.algorithm) == ("one", algorithm)
    assert found.verifies(ours.sign(b"data"), b"data")
    assert not found.verifies(ours.sign(b"data"), b"other")


def test_the_same_card_has_the_same_signature() -> None:
    """Ours: else every answer would have another ETag."""
    for algorithm in ("ES256", "EdDSA"):
        ours = key(algorithm)  # type: ignore[arg-type]
        assert ours.sign(b"data") == ours.sign(b"data")


def test_a_key_of_no_use_is_refused_with_what_to_do() -> None:
    es256 = pem(ec.generate_private_key(ec.SECP256R1()))
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    public_pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for data, algorithm, why in (
        (b"", None, "no private key"),
        (public_pem, None, "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None, "cannot be read"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), None, "password"),
        (pem(ec.generate_private_key(ec.SECP384R1())), None, "secp384r1"),
        (pem(rsa.generate_private_key(65537, 2048)), None, "RSA"),
        (es256, "EdDSA", "a key for ES256"),
    ):
        with pytest.raises(KeyUnusable, match=why) as refused:
            signing_key(data, "one", algorithm, where="keys/card.pem")  # type: ignore[arg-type]
        assert "keys/card.pem" in str(refused.value)
    for data, why in ((b"{", "neither"), (b"{}", "no key"), (b'{"keys": 7}', "no key"), (b"[]", "no key")):
        with pytest.raises(KeyUnusable, match=why):
            public_keys(data, where="jwks.json")
