"""Signatures of agent cards: JWS (RFC 7515) with the card itself as the payload that is left out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .canonical import Form, forms_of
from .json_values import Json
from .keys import PublicKey, SigningKey, b64, from_b64


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one signature."""

    key_id: str
    algorithm: str
    form: Form | None = None
    """What it covers; None: it is not valid, or cannot be checked."""
    why: str = ""
    """Why it is not valid."""
    is_broken: bool = False
    """A given key is said to have made it, and it does not fit the card."""


def signatures_of(document: dict[str, Json], keys: Iterable[SigningKey]) -> list[dict[str, Json]]:
    """Return the signatures of a card: of each key over each form, so that every reader finds its own."""
    forms = forms_of(document).values()
    return [_signature(data, key) for key in keys for data in forms]


def check(document: Mapping[str, Json], keys: Sequence[PublicKey]) -> list[Checked]:
    """Check every signature of a card against keys that somebody trusts; `jku` in it is not looked at."""
    entries = document.get("signatures") or ()
    if not isinstance(entries, list):
        return [Checked("", "", why="signatures is not a list")]
    forms = forms_of(dict(document))
    return [_checked(entry, keys, forms) for entry in entries]


def signer_in(entry: Json) -> str:
    """Return the id of the key that a signature names; empty if it names none."""
    try:
        return str(json.loads(from_b64(entry["protected"])).get("kid", ""))
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def _signature(data: bytes, key: SigningKey) -> dict[str, Json]:
    header = {"alg": key.algorithm, "kid": key.key_id, "typ": "JOSE"}
    protected = b64(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
    return {"protected": protected, "signature": b64(key.sign(_input(protected, data)))}


def _input(protected: str, data: bytes) -> bytes:
    return f"{protected}.{b64(data)}".encode()


def _checked(entry: Json, keys: Sequence[PublicKey], forms: Mapping[Form, bytes]) -> Checked:
    try:
        protected, signature = entry["protected"], from_b64(entry["signature"])
        header = json.loads(from_b64(protected))
        key_id, algorithm = str(header.get("kid", "")), str(header["alg"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return Checked("", "", why="it is no JWS signature")
    if "crit" in header:
        return Checked(key_id, algorithm, why="its header demands something that is not known here (crit)")
    named = [key for key in keys if key.key_id in ("", key_id)]
    if not named:
        return Checked(key_id, algorithm, why="none of the given keys has this id")
    fitting = [key for key in named if key.algorithm == algorithm]
    if not fitting:
        return Checked(key_id, algorithm, why=f"the given key is for {named[0].algorithm}")
    for form, data in forms.items():
        if any(key.verifies(signature, _input(protected, data)) for key in fitting):
            return Checked(key_id, algorithm, form)
    return Checked(key_id, algorithm, why="the card was changed, or another key signed it", is_broken=True)
