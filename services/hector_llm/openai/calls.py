"""Tool calls that arrive in fragments, told apart whatever a provider leaves out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from hector.llm.v1 import ToolCallDelta


@dataclass(slots=True)
class _Call:
    index: int
    """Our own, counted from 0 in the order of appearance."""
    id: str
    name: str = ""
    early: str = ""
    """Arguments that came before the name."""


class CallReader:
    """Turns the fragments of one answer's tool calls into deltas.

    By the book a fragment says by `index` which call it belongs to, and the first one brings id and name.
    In the wild the index is missing, or the same for all; ids are missing, or repeated with every fragment;
    arguments come whole, or as an object instead of its text.
    """

    __slots__ = ("_by_key", "_calls", "_last")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_key: dict[int, _Call] = {}
        self._last: _Call | None = None

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def unnamed(self) -> bool:
        """A call never got its name."""
        return any(not call.name for call in self._calls)

    def take(self, fragment: Mapping[str, Any], deltas: list[ToolCallDelta]) -> None:
        """Append what a fragment adds; consecutive pieces of the same arguments become one delta."""
        function = fragment.get("function") or {}
        name = function.get("name") or ""
        text = function.get("arguments")
        if text is None:
            text = ""
        elif not isinstance(text, str):
            text = orjson.dumps(text).decode()
        call = self._find(fragment.get("index"), fragment.get("id") or "", name)
        if not call.name:
            call.early += text
            if not name:
                return
            call.name = name
            delta = ToolCallDelta(index=call.index, id=call.id, name=name, arguments_json_fragment=call.early)
            deltas.append(delta)
        elif deltas and deltas[-1].index == call.index:
            deltas[-1].arguments_json_fragment += text
        elif text:
            deltas.append(ToolCallDelta(index=call.index, arguments_json_fragment=text))

    def _find(self, key: Any, id_: str, name: str) -> _Call:
        call = self._by_key.get(key) if isinstance(key, int) else self._last
        if call is not None:
            another = bool(id_) and bool(call.id) and id_ != call.id
            # Without an index and an id, a name is all that tells a new call.
            another = another or (not isinstance(key, int) and not id_ and bool(name) and bool(call.name))
            if not another:
                self._last = call
                return call
        call = _Call(len(self._calls), id_ or f"call_{secrets.token_hex(8)}")
        self._calls.append(call)
        self._last = call
        if isinstance(key, int):
            self._by_key[key] = call
        return call
