"""What exactly is signed of an agent card: its canonical JSON (RFC 8785), in the forms that are in use."""

from typing import Literal

from a2a.utils._jcs import CanonicalizationError, canonicalize

from . import AgentCard
from .errors import InvalidParams
from .json_in import from_json
from .json_out import to_json
from .json_values import Json

Form = Literal["1.0", "document", "a2a-sdk"]
"""How a card becomes bytes.

"1.0" is A2A's own: the members of A2A 1.0; empty ones are left out unless they are REQUIRED, or optional and
set. "document": every member as it is written, those of A2A 0.3 too. "a2a-sdk": as "1.0", but without empty
strings, lists and objects wherever they are; the reference SDK signs and checks that.
"""


def forms_of(document: dict[str, Json]) -> dict[Form, bytes]:
    """Return what a signature of a card may be over, the best one first; forms that are equal stand once.

    Args:
        document: The card as JSON. Its signatures are no part of any form.
    """
    unsigned = {name: value for name, value in document.items() if name != "signatures"}
    found: dict[Form, bytes] = {}
    if unsigned.get(
        "supportedInterfaces"
    ):  # else it is a card of 0.3, of which 1.0 would cover next to nothing
        try:
            known: Json = to_json(from_json(unsigned, AgentCard, complete=False))
        except InvalidParams:
            known = None
        if known is not None:
            _add(found, "1.0", known)
            _add(found, "document", unsigned)
            _add(found, "a2a-sdk", _without_empty(known))
            return found
    _add(found, "document", unsigned)
    return found


def _add(found: dict[Form, bytes], form: Form, value: Json) -> None:
    try:
        data = canonicalize(value).encode()
    except CanonicalizationError:
        return  # nobody can have signed it
    if data not in found.values():
        found[form] = data


def _without_empty(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            name: kept
            for name, one in value.items()
            if (kept := _without_empty(one)) not in ("", [], {}, None)
        }
    if isinstance(value, list):
        return [kept for one in value if (kept := _without_empty(one)) not in ("", [], {}, None)]
    return value
