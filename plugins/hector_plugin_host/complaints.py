"""Takes a plugin's secrets out of what an answer, though it came as OK, says about itself: errors above all.

What the answer brings, as texts, results, documents and pictures, is its caller's and stays as it is.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default

from .redacting import redacted

WORDS = frozenset({"error", "error_reason", "message", "status", "warnings"})
"""What fields of the contracts are called that hold words about how it went, where they are strings."""
_A2A_STATUS = "lf.a2a.v1.TaskStatus"
_WENT_WRONG = (4, 7)  # TASK_STATE_FAILED, TASK_STATE_REJECTED
_NO_CONTRACT = "google.protobuf."


class Complaints:
    """The words of one type of message."""

    __slots__ = ("_below", "_is_a2a_status", "_lists", "_words", "heard")

    def __init__(self, kind: Descriptor) -> None:
        words = [one for one in kind.fields if one.name in WORDS and one.type == FieldDescriptor.TYPE_STRING]
        self._words = tuple(one.name for one in words if not one.is_repeated)
        self._lists = tuple(one.name for one in words if one.is_repeated)
        self._below = tuple((one.name, one.is_repeated) for one in kind.fields if _has_words(one))
        self._is_a2a_status = kind.full_name == _A2A_STATUS
        plain = len(self._words) == 1 and not (self._lists or self._below or self._is_a2a_status)
        self.heard: Callable[[Any], object] = attrgetter(*self._words) if plain else _maybe
        """Says in no time whether an answer may have any: most are pieces of a text, and have none."""

    def hide(self, answer: Any, secrets: frozenset[str]) -> None:
        """Take secrets out of an answer."""
        for name in self._words:
            if text := getattr(answer, name):
                setattr(answer, name, redacted(text, secrets))
        for name in self._lists:
            if texts := getattr(answer, name):
                texts[:] = [redacted(text, secrets) for text in texts]
        for name, is_repeated in self._below:
            if is_repeated:
                for one in getattr(answer, name):
                    _complaints_of(one.DESCRIPTOR).hide(one, secrets)
            elif answer.HasField(name):
                one = getattr(answer, name)
                _complaints_of(one.DESCRIPTOR).hide(one, secrets)
        if self._is_a2a_status and answer.state in _WENT_WRONG:
            for part in answer.message.parts:
                if part.text:
                    part.text = redacted(part.text, secrets)


def _maybe(answer: Any) -> bool:
    return True


def complaints(method: str) -> Complaints | None:
    """Return what the answers of a method can say about themselves; None: nothing, or nobody knows it.

    Args:
        method: As gRPC calls it, "/hector.llm.v1.LLMProvider/GenerateText".
    """
    try:
        return _known(method)
    except KeyError:  # which may be known later, and is not kept
        return None


@cache
def _known(method: str) -> Complaints | None:
    answer = Default().FindMethodByName(method.strip("/").replace("/", ".")).output_type
    return _complaints_of(answer) if _says_words(answer) else None


@cache
def _complaints_of(kind: Descriptor) -> Complaints:
    return Complaints(kind)


def _has_words(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and not kind.GetOptions().map_entry and _says_words(kind)


@cache
def _says_words(kind: Descriptor) -> bool:
    """Say whether a message has words, or holds one that has, however deep: contracts go round in circles."""
    seen: dict[str, None] = {}
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        if one.full_name in seen or one.full_name.startswith(_NO_CONTRACT):
            continue
        seen[one.full_name] = None
        if one.full_name == _A2A_STATUS:
            return True
        for field in one.fields:
            if field.name in WORDS and field.type == FieldDescriptor.TYPE_STRING:
                return True
            if field.message_type is not None:
                waiting.append(field.message_type)
    return False
