"""Instructions with places for what a session knows: `{city}`, `{user:name?}`, `{artifact.notes.txt}`."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from hector.common.v1 import Artifact, Message

from .errors import InstructionKeyMissing

_PLACE = re.compile(
    r"(?<![${])\{(artifact\.[^{}?\n]{1,136}|(?:(?:app|user|temp):)?[^\W\d]\w{0,127})(\?)?\}(?!\})"
)
_ARTIFACT = "artifact."

Load = Callable[[str], Awaitable[Artifact | None]]
"""Returns an artifact by its name; None: there is none."""


class Instruction:
    """An agent's instruction. Text in braces that is no key stays as it is."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        """As it is written."""
        self.has_places = any(_PLACE.search(part.text) for message in messages for part in message.parts)
        """It says something else in each session."""

    async def filled(self, agent: str, state: Mapping[str, object], load: Load) -> Sequence[Message]:
        """Return the instruction with the state of a turn, and artifacts, in their places.

        Raises:
            InstructionKeyMissing: There is none of that name, and no `?` behind it.
        """
        found = []
        for message in self.messages:
            filled = Message()
            filled.CopyFrom(message)
            for part in filled.parts:
                part.text = await _filled(part.text, agent, state, load)
            found.append(filled)
        return found


async def _filled(text: str, agent: str, state: Mapping[str, object], load: Load) -> str:
    pieces, end = [], 0
    for place in _PLACE.finditer(text):
        key, may_be_missing = place[1], bool(place[2])
        value: str | None
        if key.startswith(_ARTIFACT):
            artifact = await load(key.removeprefix(_ARTIFACT))
            value = None if artifact is None else _text_of(artifact)
        else:
            value = _shown(state[key]) if key in state else None
        if value is None and not may_be_missing:
            raise InstructionKeyMissing(agent, key)
        pieces += [text[end : place.start()], value or ""]
        end = place.end()
    return "".join([*pieces, text[end:]])


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text_of(artifact: Artifact) -> str:
    told = []
    for part in artifact.parts:
        kind = part.WhichOneof("content")
        if kind == "blob":
            told.append(part.blob.data.decode("utf-8", "replace"))
        elif kind in ("text", "data_json"):
            told.append(part.text or part.data_json)
    return "\n".join(told)
