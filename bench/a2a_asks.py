"""What the border's clients ask, in bytes, over each binding; and how they know a whole answer."""

import json
import re
from dataclasses import dataclass

JSON_RPC, REST, GRPC = "JSON-RPC", "HTTP+JSON", "gRPC"
BINDINGS = (JSON_RPC, REST, GRPC)
KINDS = {
    "sends": ("SendMessage", 1),
    "streams": ("SendStreamingMessage", 1),
    "chunks": ("SendStreamingMessage", 20),
    "pieces": ("SendStreamingMessage", 20),
    "immediate": ("SendMessage", 1),
    "gets": ("GetTask", 1),
    "lists": ("ListTasks", 1),
}
"""What can be asked for: A2A's method, and how many words the answer has."""
PAGE = 10
"""Tasks that a list shows."""
WORD = re.compile(rb"w(\d+) ")
SERVICE = "/lf.a2a.v1.A2AService/"


@dataclass(frozen=True)
class Ask:
    """One request, as it is sent again and again."""

    kind: str
    binding: str
    request: bytes
    """Over HTTP all of it, over gRPC the message."""
    known: bytes = b""
    """The task or context that is asked for."""

    @property
    def streams(self) -> bool:
        return KINDS[self.kind][0] == "SendStreamingMessage"

    @property
    def path(self) -> str:
        """Over gRPC."""
        return SERVICE + KINDS[self.kind][0]

    def is_whole(self, answer: bytes) -> bool:
        """Say whether an answer's body has everything that was asked for."""
        if self.kind == "immediate":
            return b'"task"' in answer or (self.binding == GRPC and len(answer) > 30)
        if self.kind == "lists":
            return answer.count(self.known) >= PAGE
        words = WORD.findall(answer)
        return words == [b"%d" % number for number in range(KINDS[self.kind][1])]

    def events_in(self, answer: bytes) -> int:
        """Count the events of a stream."""
        if self.binding != GRPC:
            return answer.count(b"data: ")
        at = count = 0
        while at < len(answer):
            at += 5 + int.from_bytes(answer[at + 1 : at + 5])
            count += 1
        return count


def ask(kind: str, binding: str, *, agent: str = "bench", known: str = "", text: str = "") -> Ask:
    """Return a request to an agent; `known` is the task to get, or the context to list."""
    text = text or ("pieces " if kind == "pieces" else "") + str(KINDS[kind][1])
    if binding == GRPC:
        return Ask(kind, binding, _message(kind, agent, known, text), known.encode())
    method = KINDS[kind][0]
    params: dict[str, object] = {
        "message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}
    }
    if kind == "immediate":
        params["configuration"] = {"returnImmediately": True}
    if kind == "gets":
        params = {"id": known}
    if kind == "lists":
        params = {"contextId": known, "pageSize": PAGE}
    if binding == JSON_RPC:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return Ask(kind, binding, _http("POST", f"/agents/{agent}", body), known.encode())
    verb, path, body = {
        "gets": ("GET", f"/tasks/{known}", ""),
        "lists": ("GET", f"/tasks?contextId={known}&pageSize={PAGE}", ""),
        "streams": ("POST", "/message:stream", json.dumps(params)),
        "chunks": ("POST", "/message:stream", json.dumps(params)),
        "pieces": ("POST", "/message:stream", json.dumps(params)),
    }.get(kind, ("POST", "/message:send", json.dumps(params)))
    return Ask(kind, binding, _http(verb, f"/agents/{agent}{path}", body), known.encode())


def _http(verb: str, path: str, body: str) -> bytes:
    head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nA2A-Version: 1.0\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body}".encode()


def _message(kind: str, agent: str, known: str, text: str) -> bytes:
    """Return what protobuf makes of the request; lf.a2a.v1 says which field has which number."""
    tenant = _field(1, agent.encode())
    if kind == "gets":
        return tenant + _field(2, known.encode())
    if kind == "lists":
        return tenant + _field(2, known.encode()) + b"\x20" + bytes([PAGE])
    message = _field(1, b"m") + b"\x20\x01" + _field(5, _field(1, text.encode()))
    return tenant + _field(2, message) + (_field(3, b"\x20\x01") if kind == "immediate" else b"")


def _field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data
